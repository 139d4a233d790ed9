"""A process beside the tests' own: it opens one key store and does what its standard input says, a line a turn.

    race <tenant> <person>    acquire the person, a scope of hers and a link to her
    fill <tenant> <prefix>    acquire new persons for ever, one a call

After each acquisition it prints one line: person, pseudonym, secret, scope id, scope key (hex), and how many write
transactions the call took; or `unavailable` when the store could not take it.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from ledger.errors import Unavailable
from ledger.keys.master import LocalMasterKey
from ledger.keys.provider import HolderRef, ScopeRef
from ledger.keys.sqlite_database import SqliteDatabase
from ledger.keys.store import KeyStore


class CountingDatabase(SqliteDatabase):
    """A key database that counts its transactions."""

    reads = 0
    writes = 0

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        self.reads += 1
        with super().read() as rows:
            yield rows

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        self.writes += 1
        with super().write() as rows:
            yield rows


def acquire(database: CountingDatabase, store: KeyStore, tenant: str, person: str) -> None:
    before = database.writes
    ref = HolderRef("person", person)
    scope = ScopeRef(ref, "standard", "2026-11")
    try:
        grant = store.acquire(tenant, [ref], [scope], [(HolderRef("session", f"session of {person}"), ref)])
    except Unavailable:
        print("unavailable", flush=True)
        return
    holder, made = grant.holders[ref], grant.scopes[scope]
    values = [each.hex() for each in (holder.pseudonym, holder.secret, made.scope_id, made.key)]
    print(person, *values, database.writes - before, flush=True)


def main(folder: Path) -> None:
    path = folder / "keys.db"
    database = CountingDatabase.open(path) if path.exists() and path.stat().st_size else CountingDatabase.create(path)
    store = KeyStore(database, LocalMasterKey.load(folder / "master.key"))
    print("ready", flush=True)
    for line in sys.stdin:
        verb, tenant, name = line.split()
        if verb == "race":
            acquire(database, store, tenant, name)
        else:
            for number in count():
                acquire(database, store, tenant, f"{name}{number}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
