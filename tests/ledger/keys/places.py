"""The databases that a key store can be in, for tests that hold for each of them.

A test asks for `place`, and runs once with an SQLite file and once with a schema of a real PostgreSQL. A place makes as
many key stores as it is asked for, by name; what it has opened it closes.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.keys.database import KeyDatabase
from ledger.keys.opening import create_key_database, open_key_database
from tests.postgresql.server import Server, need_postgresql, shared_server


class Place(ABC):
    """Where the key stores of one test are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._opened: list[KeyDatabase] = []

    def create(self, name: str = "keys") -> KeyDatabase:
        """A new key store."""
        self._opened.append(create_key_database(self.location(name), self.folder))
        return self._opened[-1]

    def open(self, name: str = "keys", *, read_only: bool | None = None) -> KeyDatabase:
        """The key store of this name once more: connections of its own, as another process has them."""
        self._opened.append(open_key_database(self.location(name), self.folder, read_only=read_only))
        return self._opened[-1]

    def close(self) -> None:
        """Close all of them."""
        for each in self._opened:
            each.close()
        self._opened.clear()

    @abstractmethod
    def location(self, name: str = "keys") -> str:
        """What a configuration says of it."""

    @abstractmethod
    def on_disk(self) -> bytes:
        """Every byte of the files in which rows stand: on PostgreSQL without the server's log."""

    @abstractmethod
    def back_up(self) -> object:
        """A copy of all key stores as they are, for `put_back`."""

    @abstractmethod
    def put_back(self, copy: object) -> None:
        """Close all key stores, and make them what they were."""

    @abstractmethod
    def check(self) -> None:
        """Fails unless the database finds itself sound."""

    @abstractmethod
    def zeroes(self, column: str) -> str:
        """SQL for as many zero bytes as stand in a column."""


class SqlitePlace(Place):
    """Files in a folder."""

    def location(self, name: str = "keys") -> str:
        return str(self.folder / f"{name}.db")

    def on_disk(self) -> bytes:
        return b"".join(each.read_bytes() for each in sorted(self.folder.glob("*.db*")))

    def back_up(self) -> object:
        copied: dict[str, bytes] = {}
        for each in self.folder.glob("*.db"):
            to = each.with_suffix(".copy")
            with closing(sqlite3.connect(each)) as source, closing(sqlite3.connect(to)) as target:
                source.backup(target)
            copied[each.name] = to.read_bytes()
            to.unlink()
        return copied

    def put_back(self, copy: object) -> None:
        assert isinstance(copy, dict)
        self.close()
        for each in self.folder.glob("*.db*"):
            each.unlink()
        for name, content in copy.items():
            (self.folder / name).touch(mode=0o600)
            (self.folder / name).write_bytes(content)

    def check(self) -> None:
        for each in self.folder.glob("*.db"):
            with closing(sqlite3.connect(each)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                assert connection.execute("PRAGMA foreign_key_check").fetchall() == []

    def zeroes(self, column: str) -> str:
        return f"zeroblob(length({column}))"


class PostgresqlPlace(Place):
    """Schemas of one database of a server."""

    def __init__(self, folder: Path, server: Server) -> None:
        super().__init__(folder)
        self.server = server
        self.database = server.make_database()

    def location(self, name: str = "keys") -> str:
        return self.server.url(self.database, name, busy_ms=1000)

    def on_disk(self) -> bytes:
        return self.server.bytes_of(self.database)

    def back_up(self) -> object:
        return self.server.dump(self.database)

    def put_back(self, copy: object) -> None:
        assert isinstance(copy, bytes)
        self.close()
        for (schema,) in self.server.administer(
            "SELECT nspname FROM pg_namespace WHERE nspowner = 'ledger'::regrole", self.database
        ):
            self.server.administer(f"DROP SCHEMA {schema} CASCADE", self.database)
        self.server.put_back(self.database, copy)

    def check(self) -> None:
        unsound = "SELECT conname FROM pg_constraint WHERE NOT convalidated"
        assert self.server.administer(unsound, self.database) == []

    def zeroes(self, column: str) -> str:
        return f"decode(repeat('00', length({column})), 'hex')"


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where this test's key stores are: in files, then in a schema of a real server."""
    folder = tmp_path / "place"
    folder.mkdir()
    made: Place
    if request.param == "sqlite":
        made = SqlitePlace(folder)
    else:
        need_postgresql()
        made = PostgresqlPlace(folder, shared_server())
    yield made
    made.close()
    if isinstance(made, PostgresqlPlace):
        made.server.administer(f"DROP DATABASE {made.database} WITH (FORCE)")
