"""Signed notes (C2SP signed-note): a short text and the signatures under it."""

from __future__ import annotations

from hashlib import sha256

ED25519 = 0x01
ED25519_COSIGNATURE = 0x04


def key_id(name: str, public_key: bytes, type_byte: int = ED25519) -> bytes:
    """The four bytes by which a signature line names its key: the start of SHA-256(name || LF || type || key)."""
    return sha256(name.encode() + b"\n" + bytes([type_byte]) + public_key).digest()[:4]
