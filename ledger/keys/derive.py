"""Keys derived from stored secrets: HKDF-SHA-256 (RFC 5869) and its two uses. Pure functions.

**Content key** of one content of one event:

    HKDF(ikm  = the scope keys (32 bytes each) concatenated in the order of their scope ids,
         salt = none,
         info = text("audit-ledger/content-key/v1") || text(tenant) || event id (16 bytes) || text(slot),
         L    = 32)

so that a content dies with any one of its scopes. Tenant, event id and slot together are the content's *place*.

**Submission key** for the keyed digests of an event as submitted:

    HKDF(ikm  = the gateway secrets (32 bytes each) concatenated in the order of their holders' pseudonyms,
         salt = none,
         info = text("audit-ledger/submission-key/v1"),
         L    = 32)

    its id = SHA-256(text("audit-ledger/submission-key-id/v1") || text(encoding version)
                     || u64 count || the pseudonyms (16 bytes each) in order)

**Metadata key** for the digests of contents of which nothing else is kept:

    HKDF(ikm  = as for the submission key, of the holders of the content,
         salt = none,
         info = text("audit-ledger/metadata-key/v1"),
         L    = 32)

    its id = SHA-256(text("audit-ledger/metadata-key-id/v1") || u64 count || the pseudonyms (16 bytes each) in order)
    digest = HMAC-SHA-256(key, text("audit-ledger/metadata-digest/v1") || text(tenant) || the content's bytes)

so that two contents of the same persons can be told to be the same, and nobody without their secrets can check a guess.

**Numbering key** of a tenant, for the numbers of redacted values (`ledger.redaction.numbering`):

    HKDF(ikm = the tenant's look-up key, info = text("audit-ledger/numbering-key/v1") || text(tenant), L = 32)

`text` is a u64 length and UTF-8 (`ledger.canonical`). Secrets all have one length and each use has its tag, so no two
inputs share their bytes. Both run once or more for every event that a gateway takes: HMAC is written out on `hashlib`,
with the states of keys that are used again prepared (the empty salt; what is extracted from a set of scopes, from which
the keys of several contents are expanded); the tests hold it against the standard library's `hmac`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

from ledger.canonical import text

KEY_BYTES = 32
ID_BYTES = 16
HASH_BYTES = 32
BLOCK_BYTES = 64
HKDF_BYTES_MAX = 255 * HASH_BYTES
PREFIXES_MAX = 4_096
"""Texts whose canonical bytes are remembered: tenants and slots, few and the same for ever."""

CONTENT_KEY_TAG = "audit-ledger/content-key/v1"
SUBMISSION_KEY_TAG = "audit-ledger/submission-key/v1"
SUBMISSION_KEY_ID_TAG = "audit-ledger/submission-key-id/v1"
NUMBERING_KEY_TAG = "audit-ledger/numbering-key/v1"
METADATA_KEY_TAG = "audit-ledger/metadata-key/v1"
METADATA_KEY_ID_TAG = "audit-ledger/metadata-key-id/v1"
METADATA_DIGEST_TAG = "audit-ledger/metadata-digest/v1"

_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
# HMAC under the empty salt: RFC 5869 takes 32 zero bytes, which HMAC pads with zeros to its block.
_NO_SALT_INNER = hashlib.sha256(_INNER[:1] * BLOCK_BYTES)
_NO_SALT_OUTER = hashlib.sha256(_OUTER[:1] * BLOCK_BYTES)
_CONTENT_INFO = text.encode(CONTENT_KEY_TAG)
_SUBMISSION_INFO = text.encode(SUBMISSION_KEY_TAG)
_SUBMISSION_ID = text.encode(SUBMISSION_KEY_ID_TAG)


def hkdf(ikm: bytes, info: bytes, length: int = 32, salt: bytes = b"") -> bytes:
    """HKDF-SHA-256 of RFC 5869: extract, then expand to `length` bytes (1 to 8160)."""
    if not 1 <= length <= HKDF_BYTES_MAX:
        raise ValueError(f"HKDF length: expected 1 to {HKDF_BYTES_MAX}, got {length}")
    pseudorandom_key = _hmac(salt, ikm) if salt else _extract(ikm)
    out = block = _hmac(pseudorandom_key, info + b"\x01")
    counter = 1
    while len(out) < length:
        counter += 1
        block = _hmac(pseudorandom_key, block + info + bytes((counter,)))
        out += block
    return out[:length]


def place_of(tenant: str, event_id: bytes, slot: str) -> bytes:
    """Where a content stands; its key and its associated data are bound to it."""
    if len(event_id) != ID_BYTES:
        raise ValueError(f"event id: expected {ID_BYTES} bytes, got {len(event_id)}")
    return _text(tenant) + event_id + _text(slot)


class ContentKeys:
    """The keys of the contents under one set of scopes: what is the same for all of them is computed once."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, scope_keys: Sequence[tuple[bytes, bytes]]) -> None:
        """`scope_keys`: (scope id, key) in any order, at least one, each scope once."""
        block = _extract(_in_order(scope_keys, "scope")).ljust(BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER) + _CONTENT_INFO)
        self._outer = hashlib.sha256(block.translate(_OUTER))

    def key(self, place: bytes) -> bytes:
        """The 32-byte key of the content at a `place_of`: the first and only block that HKDF expands to."""
        inner = self._inner.copy()
        inner.update(place + b"\x01")
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()


def content_key(scope_keys: Sequence[tuple[bytes, bytes]], tenant: str, event_id: bytes, slot: str) -> bytes:
    """The 32-byte key of one content. `scope_keys`: (scope id, key) in any order, at least one, each scope once."""
    return ContentKeys(scope_keys).key(place_of(tenant, event_id, slot))


def submission_key(holders: Sequence[tuple[bytes, bytes]], encoding_version: str) -> tuple[bytes, bytes]:
    """(key, key id), 32 bytes each. `holders`: (pseudonym, gateway secret) in any order, at least one, each once."""
    key = hkdf(_in_order(holders, "holder"), _SUBMISSION_INFO)
    pseudonyms = sorted(pseudonym for pseudonym, _ in holders)
    count = len(pseudonyms).to_bytes(8, "big")
    return key, hashlib.sha256(b"".join((_SUBMISSION_ID, _text(encoding_version), count, *pseudonyms))).digest()


def metadata_key(holders: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    """(key, key id), 32 bytes each. `holders`: (pseudonym, gateway secret) in any order, at least one, each once."""
    key = hkdf(_in_order(holders, "holder"), text.encode(METADATA_KEY_TAG))
    pseudonyms = sorted(pseudonym for pseudonym, _ in holders)
    count = len(pseudonyms).to_bytes(8, "big")
    return key, hashlib.sha256(b"".join((text.encode(METADATA_KEY_ID_TAG), count, *pseudonyms))).digest()


def metadata_digest(key: bytes, tenant: str, data: bytes) -> bytes:
    """The 32-byte digest of a content of which nothing else is kept."""
    return _hmac(key, b"".join((text.encode(METADATA_DIGEST_TAG), _text(tenant), data)))


def numbering_key(lookup_key: bytes, tenant: str) -> bytes:
    """The 32-byte key under which a tenant's redacted values are known by their numbers."""
    return hkdf(lookup_key, text.encode(NUMBERING_KEY_TAG) + _text(tenant))


def _in_order(pairs: Sequence[tuple[bytes, bytes]], what: str) -> bytes:
    """The secrets of (id, secret) pairs in the order of the ids."""
    if len(pairs) == 1:
        ordered = pairs
    else:
        ordered = sorted(pairs)
        if len({identity for identity, _ in ordered}) != len(ordered) or not ordered:
            raise ValueError(f"{what}: expected one or more, each once, got {len(ordered)} with repeats or none")
    for identity, secret in ordered:
        if len(identity) != ID_BYTES or len(secret) != KEY_BYTES:
            raise ValueError(f"{what}: expected an id of {ID_BYTES} and a secret of {KEY_BYTES} bytes, got others")
    return ordered[0][1] if len(ordered) == 1 else b"".join([secret for _, secret in ordered])


@lru_cache(maxsize=PREFIXES_MAX)
def _text(value: str) -> bytes:
    return text.encode(value)


def _extract(ikm: bytes) -> bytes:
    inner = _NO_SALT_INNER.copy()
    inner.update(ikm)
    outer = _NO_SALT_OUTER.copy()
    outer.update(inner.digest())
    return outer.digest()


def _hmac(key: bytes, message: bytes) -> bytes:
    block = (hashlib.sha256(key).digest() if len(key) > BLOCK_BYTES else key).ljust(BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(block.translate(_INNER) + message).digest()
    return hashlib.sha256(block.translate(_OUTER) + inner).digest()
