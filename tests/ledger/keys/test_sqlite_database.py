"""The SQLite file: its settings, its privacy, and what only a file can do. `test_database` has what all promise."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.errors import IntegrityError, Misconfigured, Unavailable
from ledger.keys.sqlite_database import SqliteDatabase


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.db"


@pytest.fixture
def database(path: Path) -> Iterator[SqliteDatabase]:
    made = SqliteDatabase.create(path, busy_timeout_ms=100)
    yield made
    made.close()


def test_settings_are_passed(database: SqliteDatabase) -> None:
    """Durability, forgetting and references are switched on in both connections, whatever the library's default."""
    expected = {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "foreign_keys": 1, "temp_store": 2}
    for transaction in (database.read, database.write):
        with transaction() as rows:
            found = {name: rows.execute(f"PRAGMA {name}").fetchone()[0] for name in expected}
        assert found == expected


def test_the_files_are_private_whatever_the_umask(path: Path) -> None:
    """Database, write-ahead log and its index have mode 0600."""
    before = os.umask(0)
    try:
        database = SqliteDatabase.create(path)
    finally:
        os.umask(before)
    modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    assert modes == {"keys.db": 0o600, "keys.db-wal": 0o600, "keys.db-shm": 0o600}
    database.close()


def test_a_file_open_to_others_is_refused(database: SqliteDatabase, path: Path) -> None:
    """A key store that others can read is not opened."""
    path.chmod(0o640)
    with pytest.raises(Misconfigured, match="mode 0600"):
        SqliteDatabase.open(path)


def test_what_a_crash_left_without_schema_is_finished(path: Path) -> None:
    """An empty file, as a crash in `create` leaves it, is refused by `open` and finished by `create`."""
    path.touch(0o600)
    with pytest.raises(Misconfigured, match="without its schema"):
        SqliteDatabase.open(path)
    SqliteDatabase.create(path).close()
    SqliteDatabase.open(path).close()


def test_a_file_that_is_no_database_is_damage(path: Path) -> None:
    """A file of other bytes is an integrity error, not a traceback of the library."""
    path.write_bytes(b"not a database, but long enough to look at: " * 100)
    path.chmod(0o600)
    with pytest.raises(IntegrityError, match="NOTADB"):
        SqliteDatabase.open(path)


def test_a_busy_store_is_unavailable(database: SqliteDatabase, path: Path) -> None:
    """A write that cannot begin within its time is `Unavailable`, to be tried again; reads go on."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="BUSY"):
        with database.write():
            pass
    with database.read() as rows:
        assert rows.execute("SELECT count(*) FROM meta").fetchone() == (1,)
    other.execute("ROLLBACK")
    other.close()
    with database.write() as rows:
        rows.execute("INSERT INTO meta VALUES ('x', 'y')")


def test_a_full_disk_is_unavailable_and_undone(database: SqliteDatabase) -> None:
    """When no page can be added the write is `Unavailable`, undone, and the store works again with room."""
    with database.write() as rows:
        pages = rows.execute("PRAGMA page_count").fetchone()[0]
        rows.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unavailable, match="FULL"):
        with database.write() as rows:
            rows.executemany("INSERT INTO meta VALUES (?, ?)", ((str(number), "x" * 1_000) for number in range(100)))
    with database.write() as rows:
        assert rows.execute("SELECT count(*) FROM meta").fetchone() == (1,)
        rows.execute("PRAGMA max_page_count = 1000000")
        rows.execute("INSERT INTO meta VALUES ('x', 'y')")
