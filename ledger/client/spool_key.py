"""The public key that a spool is sealed to, and its copy on disk.

The copy (`spool-key.json` in the spool's folder: key id, public key, times, and the SHA-256 of those) lets a producer
that starts while the gateway is away seal at once. It is written whole: a new file, synced, renamed over the old one.
A copy that does not check is as good as none; the next answer of a gateway replaces it.

`seal_until` is when a producer asks for another key. One that can't reach a gateway goes on with the old key, because a
frame that can still be opened is worth more than a dropped event; but never after `destroyed_at`, when nobody can.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from nacl.public import PublicKey, SealedBox

from ledger.client.spool_folder import is_own
from ledger.v1.ingest_pb2 import GetSpoolKeyResponse

FILE_NAME = "spool-key.json"
SEALING_BYTES = PublicKey.SIZE + 16
"""What a sealed box is longer than what is in it."""


@dataclass(frozen=True, slots=True)
class SpoolKey:
    """A gateway's public key for spools. Times are Unix seconds."""

    key_id: bytes
    public_key: bytes
    seal_until_s: float
    destroyed_at_s: float

    def seal(self, plaintext: bytes) -> bytes:
        """A box that only the gateway opens."""
        return SealedBox(PublicKey(self.public_key)).encrypt(plaintext)


def from_answer(response: GetSpoolKeyResponse) -> SpoolKey | None:
    """The key a gateway told, or None when it is not usable."""
    if len(response.key_id) != 8 or len(response.public_key) != PublicKey.SIZE or not response.HasField("destroyed_at"):
        return None
    destroyed = response.destroyed_at.ToNanoseconds() / 1e9
    until = response.seal_until.ToNanoseconds() / 1e9 if response.HasField("seal_until") else destroyed
    return SpoolKey(response.key_id, response.public_key, min(until, destroyed), destroyed)


def store(key: SpoolKey, folder: Path) -> None:
    """Writes the copy. Raises OSError."""
    values = _values(key)
    record = json.dumps({**values, "sha256": _digest(values)}, sort_keys=True) + "\n"
    # Several clients of one process may share a folder; each stores from a thread of its own.
    draft = folder / f".{FILE_NAME}.{os.getpid()}.{threading.get_ident()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(record)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, folder / FILE_NAME)


def load(folder: Path) -> SpoolKey | None:
    """The copy, or None where there is none that checks.

    One that another user wrote or could write is none: events sealed to somebody else's key would be theirs to read.
    """
    try:
        with open(folder / FILE_NAME, encoding="utf-8") as file:
            if not is_own(os.fstat(file.fileno())):
                return None
            found = json.loads(file.read())
        key = SpoolKey(
            bytes.fromhex(found["key_id"]),
            bytes.fromhex(found["public_key"]),
            float(found["seal_until_s"]),
            float(found["destroyed_at_s"]),
        )
        whole = found["sha256"] == _digest(_values(key))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return key if whole else None


def _values(key: SpoolKey) -> dict[str, object]:
    return {
        "key_id": key.key_id.hex(),
        "public_key": key.public_key.hex(),
        "seal_until_s": key.seal_until_s,
        "destroyed_at_s": key.destroyed_at_s,
    }


def _digest(values: dict[str, object]) -> str:
    return sha256(json.dumps(values, sort_keys=True).encode("utf-8")).hexdigest()
