"""What all vectors share: the ledger, its keys and ids, made without randomness."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from ledger.keys.provider import HolderRef
from ledger.tenants import log_origin
from ledger.tlog.note import signer_from_seed

LEDGER, TENANT, PARTITION = "audit.example.org", "acme", 0
RECEIVED_US = 1_795_262_400_123_456
SEALING_DELAY_MS = 86_400_000
Vectors = dict[str, Any]


def bits(name: str, count: int) -> bytes:
    """Bytes that stand for random ones: the name says which."""
    out, block = b"", 0
    while len(out) < count:
        out += sha256(f"vector/{name}/{block}".encode()).digest()
        block += 1
    return out[:count]


INCARNATION = bits("incarnation", 16)
LOG_ID = bits("log id", 32)
ORIGIN = log_origin(LEDGER, LOG_ID)
GATEWAY = signer_from_seed(f"{LEDGER}/gateway/1", bits("gateway seed", 32))
LEDGER_SEED = bits("ledger seed", 32)
SEALER = signer_from_seed(f"{LEDGER}/ledger", LEDGER_SEED)
MIA = HolderRef("person", "  Mia.Li@Example.ORG ")


def hexed(value: Any) -> Any:
    """The value with bytes as hex and times as text, for JSON."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: hexed(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [hexed(each) for each in value]
    return value.isoformat() if hasattr(value, "isoformat") else value
