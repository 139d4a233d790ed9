"""One content: committed to, compressed, encrypted; opened, checked, disclosed.

    stored     = the bytes as captured, after truncation or redaction
    commitment = SHA-256(salt || stored), salt: 32 random bytes
    plaintext  = salt || zstd(stored)
    ciphertext = nonce (24 random bytes) || XChaCha20-Poly1305(key, nonce, plaintext, associated data)
    associated data = canonical(tag "audit-ledger/content/v1", tenant, event id, slot)

The payload holds the commitment and SHA-256(ciphertext). The first fixes the plaintext (Poly1305 alone does not: a
ciphertext can be made to open under two keys) and lets one content be disclosed without a key; the second lets anybody
check what is stored without a key. The salt is inside the ciphertext: who cannot open it cannot try guesses.

Opening checks, in this order: the ciphertext's digest, the authentication tag, the size, the commitment.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

import zstandard
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt
from nacl.exceptions import CryptoError

from ledger.canonical import text
from ledger.errors import IntegrityError
from ledger.keys.cipher import NONCE_BYTES, Cipher
from ledger.keys.derive import place_of

SALT_BYTES = 32
TAG = "audit-ledger/content/v1"
STORED_BYTES_MAX = 64 * 1024 * 1024
"""No content is larger, whatever the configuration says; bounds what opening one can cost."""

_TAG_BYTES = text.encode(TAG)


class SealedContent(NamedTuple):
    """What sealing one content yields. Only `ciphertext` is stored; the rest goes into the payload's descriptor."""

    ciphertext: bytes
    ciphertext_sha256: bytes
    commitment: bytes
    size: int


@dataclass(frozen=True, slots=True)
class OpenedContent:
    """A content's stored bytes and the salt of its commitment: what a disclosure hands out."""

    stored: bytes
    salt: bytes


def associated_data(tenant: str, event_id: bytes, slot: str) -> bytes:
    """What binds a ciphertext to its place."""
    return _TAG_BYTES + place_of(tenant, event_id, slot)


def commitment(salt: bytes, stored: bytes) -> bytes:
    """The salted commitment to a content's stored bytes."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, got {len(salt)}")
    return sha256(salt + stored).digest()


class ContentSealer:
    """Seals contents; holds compressor and cipher, so one a thread."""

    __slots__ = ("_compress", "_encrypt")

    def __init__(self) -> None:
        self._compress = zstandard.ZstdCompressor(level=1).compress
        self._encrypt = Cipher().encrypt

    def seal(self, stored: bytes, key: bytes, place: bytes) -> SealedContent:
        """Seals `stored`, which stands at a `place_of`, under `key` (32 bytes, used for this content alone)."""
        if len(stored) > STORED_BYTES_MAX:
            raise ValueError(f"a content has at most {STORED_BYTES_MAX} bytes, got {len(stored)}")
        random = os.urandom(SALT_BYTES + NONCE_BYTES)
        salt, nonce = random[:SALT_BYTES], random[SALT_BYTES:]
        ciphertext = nonce + self._encrypt(salt + self._compress(stored), _TAG_BYTES + place, nonce, key)
        return SealedContent(ciphertext, sha256(ciphertext).digest(), sha256(salt + stored).digest(), len(stored))


def open_content(
    ciphertext: bytes,
    key: bytes,
    tenant: str,
    event_id: bytes,
    slot: str,
    *,
    digest: bytes,
    commitment_: bytes,
    size: int,
) -> OpenedContent:
    """The content behind `ciphertext`; `IntegrityError` when it isn't what the descriptor says."""
    where = f"content {slot} of event {event_id.hex()}"
    if sha256(ciphertext).digest() != digest:
        raise IntegrityError(f"{where}: SHA-256 of the ciphertext differs from the payload's")
    try:
        plaintext = crypto_aead_xchacha20poly1305_ietf_decrypt(
            ciphertext[NONCE_BYTES:], associated_data(tenant, event_id, slot), ciphertext[:NONCE_BYTES], key
        )
    except (CryptoError, ValueError, TypeError):
        raise IntegrityError(f"{where}: does not open under its key") from None
    if size > STORED_BYTES_MAX:
        raise IntegrityError(f"{where}: claims {size} bytes, more than the {STORED_BYTES_MAX} any content may have")
    compressed = plaintext[SALT_BYTES:]
    try:
        if zstandard.get_frame_parameters(compressed).content_size != size:
            raise zstandard.ZstdError("the frame declares another size")
        stored = zstandard.ZstdDecompressor().decompress(compressed, allow_extra_data=False)
    except zstandard.ZstdError:
        raise IntegrityError(f"{where}: does not decompress to the {size} bytes its descriptor says") from None
    if len(stored) != size:
        raise IntegrityError(f"{where}: has {len(stored)} bytes, its descriptor says {size}")
    salt = plaintext[:SALT_BYTES]
    if commitment(salt, stored) != commitment_:
        raise IntegrityError(f"{where}: does not match the commitment in the payload")
    return OpenedContent(stored, salt)


def check_disclosed(stored: bytes, salt: bytes, commitment_: bytes) -> None:
    """Raises `IntegrityError` unless the disclosed bytes and salt are what the payload committed to."""
    if len(salt) != SALT_BYTES or commitment(salt, stored) != commitment_:
        raise IntegrityError("disclosed content: plaintext and salt do not match the commitment in the payload")
