"""A structure and the one signature under it: how receipts and rounds are kept.

    signed file = blob(body) || text(key name) || key id (4 bytes) || signature (64 bytes)
    signature   = Ed25519 over text("audit-ledger/signed/v1") || body

The body begins with its own domain tag, so a signature of one structure never passes for another's. Key name and key
id are those of the C2SP signed note, so that one list of trusted keys serves both.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.canonical import blob, fixed, structure, text
from ledger.errors import IntegrityError
from ledger.tlog.note import KEY_ID_BYTES, SIGNATURE_BYTES, NoteSigner, VerifierKey

_MESSAGE_TAG = text.encode("audit-ledger/signed/v1")


class BadSignature(IntegrityError):
    """A signature that does not hold, or that none of the trusted keys made."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A body with its signature; not verified by being one."""

    body: bytes
    key_name: str
    key_id: bytes
    signature: bytes


SIGNED = structure(Signed, body=blob, key_name=text, key_id=fixed(KEY_ID_BYTES), signature=fixed(SIGNATURE_BYTES))


def sign(body: bytes, signer: NoteSigner) -> bytes:
    """The signed file of `body`."""
    signature = signer.signature(_MESSAGE_TAG + body)
    return SIGNED.encode(Signed(body, signer.name, signer.verifier_key.key_id, signature))


def verify(signed: Signed, key: VerifierKey, what: str) -> None:
    """Raises `BadSignature` unless `key` made the signature. `what` names the structure in the message."""
    if (signed.key_name, signed.key_id) != (key.name, key.key_id):
        raise BadSignature(f"{what}: signed by key {signed.key_id.hex()}, expected {key.key_id.hex()}")
    if not key.verify(_MESSAGE_TAG + signed.body, signed.signature):
        raise BadSignature(f"{what}: the signature of key {key.key_id.hex()} does not hold")
