"""How a process of the ledger itself proves to a gateway that it is one: by the key store that they share.

    process_keys.sealed = the master key's sealing of 32 random bytes,
                          identity ("process_keys", "", u64 generation)
    proof key  = HKDF-SHA-256(ikm = those bytes, info = text("audit-ledger/process-proof-key/v1"), 32 bytes)
    proof      = HMAC-SHA-256(proof key, text("audit-ledger/process-proof/v1") || text(method) || request bytes)
    credential = "AuditLedger-Process " || the proof in 64 lower-case hex digits

The credential goes with one gRPC call, as the metadata `authorization`. It proves that whoever made this very request
can open the key store; it says nothing of a person. It is no bearer token: sent to the wrong address, or overheard, it
is good for nothing but the same request, which is then a repeat.

The key is made when it is first needed, insert-if-absent, then read again: racing processes agree.
"""

from __future__ import annotations

import hmac
from os import urandom
from typing import NoReturn

from ledger.canonical import text
from ledger.errors import Misconfigured
from ledger.keys.database import KeyDatabase, Rows
from ledger.keys.derive import hkdf
from ledger.keys.master import MasterKey
from ledger.keys.master_ring import master_named, sealing_master
from ledger.keys.sealing import KEY_BYTES, row_identity

AUTHORIZATION = "authorization"
SCHEME = "AuditLedger-Process"

KEY_TAG = "audit-ledger/process-proof-key/v1"
PROOF_TAG = "audit-ledger/process-proof/v1"
GENERATION = 1

TABLE = """CREATE TABLE IF NOT EXISTS process_keys (
    generation INTEGER NOT NULL PRIMARY KEY,
    master_key_id TEXT NOT NULL,
    sealed BLOB NOT NULL
)"""


class ProcessKey:
    """Makes and checks credentials. Make one with `of`. Not shown, not pickled."""

    __slots__ = ("_key",)

    def __init__(self, secret: bytes) -> None:
        self._key = hkdf(secret, text.encode(KEY_TAG))

    @classmethod
    def of(cls, database: KeyDatabase, master: MasterKey) -> ProcessKey:
        """The one of this key store. Blocks. `Misconfigured` under another master key."""
        with database.read() as rows:
            found = _find(rows)
        if found is None:
            with database.write() as rows:
                rows.define(TABLE)
                sealing = sealing_master(rows, master)
                rows.execute(
                    "INSERT INTO process_keys (generation, master_key_id, sealed) VALUES (?, ?, ?) "
                    "ON CONFLICT DO NOTHING",
                    (GENERATION, sealing.key_id, sealing.seal(urandom(KEY_BYTES), process_key_identity())),
                )
            with database.read() as rows:
                found = _find(rows)
        if found is None:
            raise Misconfigured("process key: the key store lost it while it was made")
        master_key_id, sealed = found
        return cls(master_named(master, master_key_id, "process key").open(sealed, process_key_identity()))

    def credential(self, method: str, request: bytes) -> str:
        """The value of `authorization` for one call of `method`, such as "/ledger.v1.IngestService/Publish"."""
        return f"{SCHEME} {self._proof(method, request).hex()}"

    def proves(self, credential: str, method: str, request: bytes) -> bool:
        """Whether the credential was made for this call under this key; takes the same time for every wrong one."""
        return hmac.compare_digest(credential.encode(), self.credential(method, request).encode())

    def _proof(self, method: str, request: bytes) -> bytes:
        return hmac.digest(self._key, text.encode(PROOF_TAG) + text.encode(method) + request, "sha256")

    def __repr__(self) -> str:
        return "ProcessKey()"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a process key does not leave its process")


def _find(rows: Rows) -> tuple[str, bytes] | None:
    if not rows.has_table("process_keys"):
        return None
    found: tuple[str, bytes] | None = rows.execute(
        "SELECT master_key_id, sealed FROM process_keys WHERE generation = ?", (GENERATION,)
    ).fetchone()
    return found


def process_key_identity(generation: int = GENERATION) -> bytes:
    """What binds a row of `process_keys` to its place."""
    return row_identity("process_keys", "", generation.to_bytes(8, "big"))
