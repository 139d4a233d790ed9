"""A key database that can't be written: everything can be read, and nothing in its folder changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ledger.errors import Misconfigured, Unavailable
from ledger.keys.master import LocalMasterKey
from ledger.keys.provider import HolderRef
from ledger.keys.sqlite_database import SqliteDatabase
from ledger.keys.store import KeyStore


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Inode, time and content of every file."""
    return {
        each.name: (each.stat().st_ino, each.stat().st_mtime_ns, each.read_bytes())
        for each in sorted(folder.iterdir())
        if not each.name.endswith("-shm")
    }


def put(database: SqliteDatabase, name: str, value: str = "1") -> None:
    """One row."""
    with database.write() as rows:
        rows.execute("INSERT INTO meta VALUES (?, ?)", (name, value))


def names(database: SqliteDatabase) -> set[str]:
    """The rows that `put` wrote."""
    with database.read() as rows:
        return {name for (name,) in rows.execute("SELECT name FROM meta")} - {"schema_version", "master_key_id"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed database with one row."""
    path = tmp_path / "keys.sqlite"
    database = SqliteDatabase.create(path)
    put(database, "first")
    database.close()
    return path


def test_a_closed_store_is_read_without_a_trace(path: Path, tmp_path: Path) -> None:
    """Pseudonyms are found, and no file is made, touched or removed."""
    master = LocalMasterKey.create(tmp_path / "master.key")
    database = SqliteDatabase.open(path)
    person = HolderRef("person", "mia")
    made = KeyStore(database, master).acquire("acme", (person,), (), ()).holders[person]
    database.close()
    before = snapshot(tmp_path)
    still = SqliteDatabase.open(path, read_only=True)
    assert KeyStore(still, master).pseudonym("acme", "mia") == made.pseudonym
    still.close()
    assert snapshot(tmp_path) == before


def test_nothing_can_be_written(path: Path) -> None:
    """A write is refused before it begins, with the file's name."""
    database = SqliteDatabase.open(path, read_only=True)
    with pytest.raises(Unavailable, match=r"keys\.sqlite: was opened for reading only"):
        put(database, "second")
    database.close()


def test_a_live_store_is_read_as_it_grows(path: Path) -> None:
    """While another process writes, each read sees all that was committed before it."""
    writer = SqliteDatabase.open(path)
    put(writer, "second")
    before = snapshot(path.parent)
    still = SqliteDatabase.open(path, read_only=True)
    assert names(still) == {"first", "second"}
    assert snapshot(path.parent) == before
    put(writer, "third")
    assert names(still) == {"first", "second", "third"}
    still.close()
    assert names(writer) == {"first", "second", "third"}
    writer.close()


def test_a_write_between_two_reads_is_seen(path: Path) -> None:
    """A store that nobody had open is opened anew when somebody wrote to it, whether or not he is still there."""
    still = SqliteDatabase.open(path, read_only=True)
    assert names(still) == {"first"}
    for number, name in enumerate(("second", "third")):
        writer = SqliteDatabase.open(path)
        put(writer, name)
        assert name in names(still)
        assert len(names(still)) == 2 + number
        writer.close()
        assert name in names(still)
    still.close()


def test_what_a_write_overtook_is_not_used(path: Path) -> None:
    """A read during which somebody began to write ends as unavailable; the next one holds."""
    still = SqliteDatabase.open(path, read_only=True)

    def overtaken() -> None:
        with still.read():
            writer = SqliteDatabase.open(path)
            put(writer, "second")
            writer.close()

    with pytest.raises(Unavailable, match="ask again"):
        overtaken()
    assert names(still) == {"first", "second"}
    still.close()


def test_what_a_crash_left_is_read_with_its_log(path: Path, tmp_path: Path) -> None:
    """A copy of a store in use, log and index with it, shows what was committed; the database stays as it is."""
    writer = SqliteDatabase.open(path)
    put(writer, "second")
    copy = tmp_path / "copy"
    copy.mkdir(mode=0o700)
    for each in path.parent.glob("keys.sqlite*"):
        shutil.copy2(each, copy / each.name)
    writer.close()
    before = snapshot(copy)
    still = SqliteDatabase.open(copy / path.name, read_only=True)
    assert names(still) == {"first", "second"}
    still.close()
    assert snapshot(copy) == before


def test_a_log_without_its_index_is_refused(path: Path, tmp_path: Path) -> None:
    """Without the index the newest rows can't be read, so nothing is, and the message says what helps."""
    writer = SqliteDatabase.open(path)
    put(writer, "second")
    copy = tmp_path / "copy"
    copy.mkdir(mode=0o700)
    for suffix in ("", "-wal"):
        shutil.copy2(path.with_name(path.name + suffix), copy / (path.name + suffix))
    writer.close()
    with pytest.raises(Misconfigured, match="open the ledger once where it can be written"):
        SqliteDatabase.open(copy / path.name, read_only=True)
