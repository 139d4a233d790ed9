"""Holders that no process may be given, nor make anew: persons being erased, and persons erased a while ago.

What was sent before the erasure can still arrive after it: from a client's spool, which is as old as
`gateway.spool_age_max_s` at most, or as a retry. Without this memory such an event would give the person a new
pseudonym and new keys. So her keyed hash stays on a list for that long, and an event that names her is taken without
her: `ledger.record.erased` says what is left of it.

The hash can be checked against a guess by whoever has the key store and the master key. It is the last trace of her
there, and goes when its time is over: `sweep` deletes it and wipes it from the files. An entry counts until it is
swept, whatever the time is, so that all processes agree.

A scope that is to be destroyed is hidden from readers from the moment it is marked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from threading import Lock

from ledger.keys.database import KeyDatabase, Rows
from ledger.keys.destruction_tables import has_tables

UNTIL_DESTROYED_MS = 2**62
"""The end of an entry while the erasure is under way."""

CHUNK_ROWS = 200


class Suppressions:
    """The list of one key store. Every call looks into the store, within the transaction it is given."""

    def __init__(self) -> None:
        self._there = False
        self._lock = Lock()

    def among(self, rows: Rows, tenant: str, hashes: Iterable[bytes]) -> set[bytes]:
        """Those of these hashes of holders that are suppressed."""
        return self._select(rows, "suppressions", "holder_hash", tenant, list(hashes))

    def doomed_scopes(self, rows: Rows, tenant: str, scope_ids: Iterable[bytes]) -> set[bytes]:
        """Those of these scopes that are about to be destroyed."""
        return self._select(rows, "doomed_scopes", "scope_id", tenant, list(scope_ids))

    def _select(self, rows: Rows, table: str, column: str, tenant: str, values: Sequence[bytes]) -> set[bytes]:
        # Asked anew until they are there: another process makes them when it erases for the first time.
        if not self._there:
            with self._lock:
                self._there = has_tables(rows)
            if not self._there:
                return set()
        found: set[bytes] = set()
        for start in range(0, len(values), CHUNK_ROWS):
            chunk = values[start : start + CHUNK_ROWS]
            marks = ", ".join("?" * len(chunk))
            selected = rows.execute(
                f"SELECT {column} FROM {table} WHERE tenant = ? AND {column} IN ({marks})", (tenant, *chunk)
            )
            found.update(value for (value,) in selected)
        return found


def suppress(rows: Rows, tenant: str, hashes: Iterable[bytes], until_ms: int) -> None:
    """Put holders on the list, or change when they leave it."""
    rows.executemany(
        "INSERT INTO suppressions (tenant, holder_hash, until_ms) VALUES (?, ?, ?) "
        "ON CONFLICT (tenant, holder_hash) DO UPDATE SET until_ms = excluded.until_ms",
        [(tenant, each, until_ms) for each in hashes],
    )


def sweep(database: KeyDatabase, now_ms: int) -> int:
    """Forget those whose time is over; returns how many. Nothing of them is left in the files afterwards."""
    with database.read() as rows:
        if not has_tables(rows):
            return 0
        over = rows.execute("SELECT count(*) FROM suppressions WHERE until_ms <= ?", (now_ms,)).fetchone()[0]
    if over:
        with database.write() as rows:
            rows.execute("DELETE FROM suppressions WHERE until_ms <= ?", (now_ms,))
        database.wipe("suppressions")
    return int(over)
