"""A process beside the tests' own: it opens one key store (a location, and the
master key's file) and does what its standard input says, a line a turn.

    race <tenant> <person>    acquire the person, a scope of hers and a link to her
    fill <tenant> <prefix>    acquire new persons for ever, one a call

After each acquisition it prints one line: person, pseudonym, secret, scope id, scope key (hex), and how many write
transactions the call took; or `unavailable` when the store could not take it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path

from ledger.errors import Unavailable
from ledger.keys.database import KeyDatabase, Rows
from ledger.keys.master import LocalMasterKey
from ledger.keys.opening import create_key_database, open_key_database
from ledger.keys.postgresql_url import is_postgresql
from ledger.keys.provider import HolderRef, ScopeRef
from ledger.keys.store import KeyStore


class CountingDatabase(KeyDatabase):
    """A key database that counts its transactions."""

    def __init__(self, database: KeyDatabase) -> None:
        self._database = database
        self.reads = 0
        self.writes = 0

    @property
    def where(self) -> str:
        return self._database.where

    @property
    def is_read_only(self) -> bool:
        return self._database.is_read_only

    @contextmanager
    def read(self) -> Iterator[Rows]:
        self.reads += 1
        with self._database.read() as rows:
            yield rows

    @contextmanager
    def write(self) -> Iterator[Rows]:
        self.writes += 1
        with self._database.write() as rows:
            yield rows

    @contextmanager
    def insert(self) -> Iterator[Rows]:
        self.writes += 1
        with self._database.insert() as rows:
            yield rows

    def wipe(self, *tables: str) -> None:
        self._database.wipe(*tables)

    def alone(self, purpose: str) -> AbstractContextManager[None]:
        return self._database.alone(purpose)

    def remove(self) -> None:
        self._database.remove()

    def close(self) -> None:
        self._database.close()


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


def main(location: str, key: Path) -> None:
    file = Path(location)
    is_there = is_postgresql(location) or (file.exists() and file.stat().st_size > 0)
    opened = open_key_database(location, Path()) if is_there else create_key_database(location, Path())
    database = CountingDatabase(opened)
    store = KeyStore(database, LocalMasterKey.load(key))
    print("ready", flush=True)
    for line in sys.stdin:
        verb, tenant, name = line.split()
        if verb == "race":
            acquire(database, store, tenant, name)
        else:
            for number in count():
                acquire(database, store, tenant, f"{name}{number}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
