"""How a row of the key store is sealed: XChaCha20-Poly1305, bound to the place where it stands.

    sealed = 0x01 || nonce (24 random bytes) || ciphertext || tag (16 bytes)

    associated data = text("audit-ledger/key-row/v1") || text(table) || text(tenant) || u64 count
                      || each part of the row's identity as a blob (u64 length, bytes)

The identity of a row is everything in it that stands in clear and does not change while the row lives. So a sealed
value moved to another row, tenant or table does not open, nor does one whose clear columns were altered. What changes
when a row is sealed again (the generation of its key) is not part of it: another generation is another key.

A person met for the first time takes eight identities, so they are joined here and not by the codecs of
`ledger.canonical`, which the tests hold them against.
"""

from __future__ import annotations

from functools import lru_cache
from os import urandom

from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt

from ledger.canonical import text
from ledger.errors import IntegrityError
from ledger.keys.cipher import decrypt

KEY_BYTES = 32
NONCE_BYTES = 24
TAG_BYTES = 16
ROW_TAG = "audit-ledger/key-row/v1"

PREFIXES_MAX = 1_024
"""Tables of tenants whose canonical bytes are remembered."""

_FORMAT = b"\x01"


def row_identity(table: str, tenant: str, *parts: bytes) -> bytes:
    """The associated data that binds a sealed value to one row of one tenant's part of one table."""
    pieces = [_table_prefix(table, tenant), len(parts).to_bytes(8, "big")]
    for part in parts:
        pieces += (len(part).to_bytes(8, "big"), part)
    return b"".join(pieces)


@lru_cache(maxsize=PREFIXES_MAX)
def _table_prefix(table: str, tenant: str) -> bytes:
    return text.encode(ROW_TAG) + text.encode(table) + text.encode(tenant)


def seal(key: bytes, plaintext: bytes, identity: bytes) -> bytes:
    """`plaintext` sealed under a 32-byte key with a fresh nonce."""
    nonce = urandom(NONCE_BYTES)
    return _FORMAT + nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, identity, nonce, key)


def open_sealed(key: bytes, sealed: bytes, identity: bytes, where: str, length: int) -> bytes:
    """The plaintext, exactly `length` bytes. `where` names the row in the `IntegrityError` of one that won't open."""
    if sealed[:1] != _FORMAT or len(sealed) != len(_FORMAT) + NONCE_BYTES + length + TAG_BYTES:
        raise IntegrityError(f"{where}: expected a sealed value of format 1 and {length} bytes, found another")
    nonce, ciphertext = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    plaintext = decrypt(ciphertext, identity, nonce, key)
    if plaintext is None:
        raise IntegrityError(f"{where}: does not open under its key in this place: altered, or moved here")
    return plaintext
