"""Keys to which producers seal their spools on disk: X25519 pairs that live for a limited time.

    spool_keys.sealed = the master key's sealing of the private key (32 bytes),
                        identity ("spool_keys", "", key id, public key, u64 seal until, u64 destroyed at)
    key id            = the first 8 bytes of SHA-256(text("audit-ledger/spool-key-id/v1") || public key)
    box               = libsodium sealed box (X25519, XSalsa20-Poly1305) to the public key

A spool lies on a machine that the ledger does not guard; what stands in it must not outlive its use. A producer seals
to the current key until `seal until`; at `destroyed at` the private key is deleted, for every gateway and every copy of
the spool at once. Times are Unix seconds. A key is never used after its time, deleted or not.

Deleting leaves nothing behind in the database, as far as that can be (`KeyDatabase.wipe`). Where a reader is in the way
of that, the next sweep tries again.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import nacl.public
from nacl.exceptions import CryptoError

from ledger.canonical import text
from ledger.errors import IntegrityError, Rejected, Unavailable
from ledger.keys.database import KeyDatabase, Rows
from ledger.keys.master import MasterKey
from ledger.keys.master_ring import master_named, sealing_master
from ledger.keys.sealing import row_identity

KEY_ID_BYTES = 8
KEY_ID_TAG = "audit-ledger/spool-key-id/v1"

TABLE = """CREATE TABLE IF NOT EXISTS spool_keys (
    key_id BLOB NOT NULL PRIMARY KEY CHECK (length(key_id) = 8),
    public_key BLOB NOT NULL CHECK (length(public_key) = 32),
    seal_until_s INTEGER NOT NULL,
    destroyed_at_s INTEGER NOT NULL,
    master_key_id TEXT NOT NULL,
    sealed BLOB NOT NULL
)"""


class SpoolKeyGone(Rejected):
    """The frame's key is destroyed or was never ours: nobody can open the frame any more."""


@dataclass(frozen=True, slots=True)
class SpoolKey:
    """What producers are told of a key. Times are Unix seconds."""

    key_id: bytes
    public_key: bytes
    seal_until_s: int
    destroyed_at_s: int


class SpoolKeys:
    """The spool keys of one ledger, in its key database. Safe for threads; blocks."""

    def __init__(self, database: KeyDatabase, master: MasterKey, seal_s: int, age_max_s: int) -> None:
        if seal_s < 1 or age_max_s < 1:
            raise ValueError(f"spool keys: expected times above 0, got {seal_s} and {age_max_s}")
        self._database = database
        self._master = master
        self._seal_s = seal_s
        self._age_max_s = age_max_s
        self._to_wipe = True
        with database.read() as rows:
            there = rows.has_table("spool_keys")
        if not there:
            with database.write() as rows:
                rows.define(TABLE)

    def current(self, now_s: int) -> SpoolKey:
        """The key to seal to now; made, durably, where the last one's time is over."""
        with self._database.read() as rows:
            found = _newest(rows, now_s)
        if found is not None:
            return found
        with self._database.write() as rows:
            return _newest(rows, now_s) or self._make(rows, now_s)

    def open(self, key_id: bytes, box: bytes, now_s: int) -> bytes:
        """What a producer sealed in `box`. `SpoolKeyGone`, or `Rejected` for a box that does not open."""
        with self._database.read() as rows:
            found = rows.execute(
                "SELECT public_key, seal_until_s, destroyed_at_s, master_key_id, sealed FROM spool_keys "
                "WHERE key_id = ? AND destroyed_at_s > ?",
                (key_id, now_s),
            ).fetchone()
        if found is None:
            raise SpoolKeyGone("key_id", "the key of this frame is destroyed or unknown; the frame is lost")
        public_key, seal_until_s, destroyed_at_s, master_key_id, sealed = found
        key = SpoolKey(key_id, public_key, seal_until_s, destroyed_at_s)
        master = master_named(self._master, master_key_id, f"spool key {key_id.hex()}")
        private = nacl.public.PrivateKey(master.open(sealed, spool_key_identity(key)))
        if bytes(private.public_key) != public_key:
            raise IntegrityError(f"spool key {key_id.hex()}: makes another public key than the one beside it")
        try:
            return bytes(nacl.public.SealedBox(private).decrypt(box))
        except CryptoError:
            raise Rejected("box", "does not open under its key: altered, cut short, or sealed to another key") from None

    def destroy_expired(self, now_s: int) -> int:
        """Delete the keys whose time is over; returns how many."""
        with self._database.read() as rows:
            expired = [row[0] for row in rows.execute(_EXPIRED, (now_s,))]
        if expired:
            with self._database.write() as rows:
                rows.executemany("DELETE FROM spool_keys WHERE key_id = ?", [(key_id,) for key_id in expired])
            self._to_wipe = True
        if self._to_wipe:
            self._to_wipe = not self._wipe()
        return len(expired)

    def _make(self, rows: Rows, now_s: int) -> SpoolKey:
        private = nacl.public.PrivateKey.generate()
        public_key = bytes(private.public_key)
        key_id = sha256(text.encode(KEY_ID_TAG) + public_key).digest()[:KEY_ID_BYTES]
        seal_until_s = now_s + self._seal_s
        key = SpoolKey(key_id, public_key, seal_until_s, seal_until_s + self._age_max_s)
        master = sealing_master(rows, self._master)
        rows.execute(
            "INSERT INTO spool_keys (key_id, public_key, seal_until_s, destroyed_at_s, master_key_id, sealed) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                key.key_id,
                key.public_key,
                key.seal_until_s,
                key.destroyed_at_s,
                master.key_id,
                master.seal(bytes(private), spool_key_identity(key)),
            ),
        )
        return key

    def _wipe(self) -> bool:
        """Whether nothing is left of the keys that were deleted."""
        try:
            self._database.wipe("spool_keys")
        except Unavailable:
            return False
        return True


_EXPIRED = "SELECT key_id FROM spool_keys WHERE destroyed_at_s <= ?"


def _newest(rows: Rows, now_s: int) -> SpoolKey | None:
    found = rows.execute(
        "SELECT key_id, public_key, seal_until_s, destroyed_at_s FROM spool_keys "
        "WHERE seal_until_s > ? ORDER BY seal_until_s DESC LIMIT 1",
        (now_s,),
    ).fetchone()
    return None if found is None else SpoolKey(*found)


def spool_key_identity(key: SpoolKey) -> bytes:
    """What binds a row of `spool_keys` to its place."""
    times = (key.seal_until_s.to_bytes(8, "big"), key.destroyed_at_s.to_bytes(8, "big"))
    return row_identity("spool_keys", "", key.key_id, key.public_key, *times)
