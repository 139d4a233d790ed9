"""The SQLite file: its settings, its privacy, its refusals and its transactions."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
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


def test_an_absent_store_is_not_made_by_opening(path: Path) -> None:
    """Opening never makes an empty store in place of a lost one."""
    with pytest.raises(Misconfigured, match="cannot open"):
        SqliteDatabase.open(path)
    assert not path.exists()


def test_an_existing_store_is_not_made_again(database: SqliteDatabase, path: Path) -> None:
    """Creating over a store is refused and changes nothing."""
    with database.write() as rows:
        rows.execute("INSERT INTO meta VALUES ('x', 'y')")
    with pytest.raises(Misconfigured, match="already"):
        SqliteDatabase.create(path)
    with database.read() as rows:
        assert rows.execute("SELECT value FROM meta WHERE name = 'x'").fetchone() == ("y",)


def test_what_a_crash_left_without_schema_is_finished(path: Path) -> None:
    """An empty file, as a crash in `create` leaves it, is refused by `open` and finished by `create`."""
    path.touch(0o600)
    with pytest.raises(Misconfigured, match="without its schema"):
        SqliteDatabase.open(path)
    SqliteDatabase.create(path).close()
    SqliteDatabase.open(path).close()


@pytest.mark.parametrize("version", ["2", "0", "x"])
def test_another_schema_is_refused(database: SqliteDatabase, path: Path, version: str) -> None:
    """A store of a newer (or no known) schema is refused with both versions."""
    with database.write() as rows:
        rows.execute("UPDATE meta SET value = ? WHERE name = 'schema_version'", (version,))
    with pytest.raises(Misconfigured, match=f"schema {version}, this build knows 1"):
        SqliteDatabase.open(path)


def test_a_file_that_is_no_database_is_damage(path: Path) -> None:
    """A file of other bytes is an integrity error, not a traceback of the library."""
    path.write_bytes(b"not a database, but long enough to look at: " * 100)
    path.chmod(0o600)
    with pytest.raises(IntegrityError, match="NOTADB"):
        SqliteDatabase.open(path)


def test_a_write_that_raises_has_not_happened(database: SqliteDatabase) -> None:
    """Everything in a block that raises is undone, and the next block works."""

    def raises() -> None:
        with database.write() as rows:
            rows.execute("INSERT INTO meta VALUES ('x', 'y')")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        raises()
    with database.write() as rows:
        assert rows.execute("SELECT count(*) FROM meta WHERE name = 'x'").fetchone() == (0,)


def test_a_read_is_one_snapshot(database: SqliteDatabase) -> None:
    """What is committed while a read goes on does not show in it."""
    with database.read() as rows:
        before = rows.execute("SELECT count(*) FROM meta").fetchone()
        with database.write() as writing:
            writing.execute("INSERT INTO meta VALUES ('x', 'y')")
        assert rows.execute("SELECT count(*) FROM meta").fetchone() == before
    with database.read() as rows:
        assert rows.execute("SELECT count(*) FROM meta").fetchone() != before


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


def test_a_broken_constraint_is_damage(database: SqliteDatabase) -> None:
    """A row that contradicts the schema is an integrity error, and nothing of its transaction stays."""
    with pytest.raises(IntegrityError, match="FOREIGNKEY"):
        with database.write() as rows:
            rows.execute("INSERT INTO bucket_keys VALUES ('acme', 0, 1, 1, x'00')")
    with database.read() as rows:
        assert rows.execute("SELECT count(*) FROM bucket_keys").fetchone() == (0,)


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


def test_two_first_openers_make_one_store(tmp_path: Path) -> None:
    """Processes that create one store at once make it once; the others are told, and all can open it."""
    code = (
        "import sys; from pathlib import Path\n"
        "from ledger.errors import Misconfigured\n"
        "from ledger.keys.sqlite_database import SqliteDatabase\n"
        "print('ready', flush=True); sys.stdin.readline(); path = Path(sys.argv[1])\n"
        "try:\n    SqliteDatabase.create(path).close(); print('made')\n"
        "except Misconfigured: print('refused')\n"
        "SqliteDatabase.open(path).close()\n"
    )
    for turn in range(5):
        racers = [
            subprocess.Popen(
                [sys.executable, "-c", code, str(tmp_path / f"{turn}.db")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(3)
        ]
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("\n")
            racer.stdin.flush()
        said = sorted(racer.communicate(timeout=60)[0].strip() for racer in racers)
        assert said == ["made", "refused", "refused"]
        assert [racer.returncode for racer in racers] == [0, 0, 0]
