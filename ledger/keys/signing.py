"""An Ed25519 signing key that signs and shows nothing.

PyNaCl's own `SigningKey` prints its secret as `str()` and can be pickled; this wrapper does neither. The seed goes in
and never comes out: where a key is to be kept, it is sealed before it is wrapped (`ledger.keys.signing_store`).
"""

from __future__ import annotations

from typing import Literal, NoReturn

import nacl.signing
from nacl.bindings import crypto_sign

from ledger.tlog.note import KEY_BYTES, SIGNATURE_BYTES, NoteSigner

Role = Literal["gateway", "ledger"]
"""A gateway signs receipts; the ledger signs rounds and checkpoints."""


class SigningKey:
    """Signs with Ed25519 (RFC 8032). Safe for threads."""

    __slots__ = ("_secret", "public_key")

    public_key: bytes

    def __init__(self, seed: bytes) -> None:
        if len(seed) != KEY_BYTES:
            raise ValueError(f"signing key: expected a seed of {KEY_BYTES} bytes, got {len(seed)}")
        key = nacl.signing.SigningKey(seed)
        self.public_key = bytes(key.verify_key)
        # libsodium's form of the secret: seed || public key.
        self._secret = seed + self.public_key

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature over `message`."""
        return crypto_sign(message, self._secret)[:SIGNATURE_BYTES]

    def signer(self, name: str) -> NoteSigner:
        """This key as a signer of notes under `name`; for a checkpoint that is its origin."""
        return NoteSigner(name, self.public_key, self.sign)

    def __repr__(self) -> str:
        return f"SigningKey(public_key={self.public_key.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signing key does not leave its process")
