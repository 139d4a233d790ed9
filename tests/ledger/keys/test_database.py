"""What every key database promises: its refusals, its transactions, its errors. The same tests for each."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from ledger.errors import IntegrityError, Misconfigured, Unavailable
from ledger.keys.database import KeyDatabase
from tests.ledger.keys.places import Place, SqlitePlace

PUT = "INSERT INTO meta (name, value) VALUES (?, ?)"


@pytest.fixture
def database(place: Place) -> KeyDatabase:
    """A new, empty key store."""
    return place.create()


def count(database: KeyDatabase, table: str = "meta") -> int:
    with database.read() as rows:
        return int(rows.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_an_absent_store_is_not_made_by_opening(place: Place) -> None:
    """Opening never makes an empty store in place of a lost one."""
    for _ in range(2):
        with pytest.raises(Misconfigured):
            place.open()


def test_an_existing_store_is_not_made_again(place: Place, database: KeyDatabase) -> None:
    """Creating over a store is refused and changes nothing."""
    with database.write() as rows:
        rows.execute(PUT, ("x", "y"))
    with pytest.raises(Misconfigured, match="already"):
        place.create()
    with place.open().read() as rows:
        assert rows.execute("SELECT value FROM meta WHERE name = ?", ("x",)).fetchone() == ("y",)


def test_a_store_just_made_can_be_taken_away(place: Place, database: KeyDatabase) -> None:
    """What was made for a ledger that could not be made leaves nothing, and can be made again."""
    database.remove()
    with pytest.raises(Misconfigured):
        place.open()
    place.create()


def test_stores_beside_each_other_know_nothing_of_each_other(place: Place, database: KeyDatabase) -> None:
    """Two ledgers on one server, or in one folder, have rows of their own, and write beside each other."""
    other = place.create("other")
    with database.write() as rows, other.write() as others:
        rows.execute(PUT, ("x", "y"))
        assert others.execute("SELECT count(*) FROM meta").fetchone() == (1,)


@pytest.mark.parametrize("version", ["2", "0", "x"])
def test_another_schema_is_refused(place: Place, database: KeyDatabase, version: str) -> None:
    """A store of a newer (or no known) schema is refused with both versions."""
    with database.write() as rows:
        rows.execute("UPDATE meta SET value = ? WHERE name = 'schema_version'", (version,))
    with pytest.raises(Misconfigured, match=f"schema {version}, this build knows 1"):
        place.open()


@pytest.mark.parametrize("kind", ["write", "insert"])
def test_a_write_that_raises_has_not_happened(database: KeyDatabase, kind: str) -> None:
    """Everything in a block that raises is undone, and the next block works."""

    def raises() -> None:
        with getattr(database, kind)() as rows:
            rows.execute(PUT, ("x", "y"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        raises()
    with getattr(database, kind)() as rows:
        assert rows.execute("SELECT count(*) FROM meta WHERE name = 'x'").fetchone() == (0,)


def test_a_read_is_one_snapshot(place: Place, database: KeyDatabase) -> None:
    """What is committed while a read goes on does not show in it, and does not wait for it."""
    other = place.open()
    with database.read() as rows:
        before = rows.execute("SELECT count(*) FROM meta").fetchone()
        with other.write() as writing:
            writing.execute(PUT, ("x", "y"))
        assert rows.execute("SELECT count(*) FROM meta").fetchone() == before
    assert (count(database),) != before


def test_a_read_changes_nothing(place: Place, database: KeyDatabase) -> None:
    """A store that was opened for reading refuses to be written, and says so."""
    reader = place.open(read_only=True)
    assert (reader.is_read_only, database.is_read_only) == (True, False)
    for call in (reader.write, reader.insert):
        with pytest.raises(Unavailable, match="opened for reading only"), call():
            pass
    with pytest.raises(Unavailable, match="opened for reading only"):
        reader.wipe("meta")
    assert count(reader) == 1


@contextmanager
def held(database: KeyDatabase, kind: str) -> Iterator[None]:
    """A transaction of another thread is under way while the block runs."""
    begun, end = threading.Event(), threading.Event()

    def hold() -> None:
        with getattr(database, kind)() as rows:
            rows.execute("SELECT 1")
            begun.set()
            end.wait(30)

    with ThreadPoolExecutor(1) as threads:
        done = threads.submit(hold)
        assert begun.wait(30)
        try:
            yield
        finally:
            end.set()
            done.result()


@pytest.mark.parametrize(("first", "second"), [("write", "write"), ("write", "insert"), ("insert", "write")])
def test_a_write_is_alone(place: Place, database: KeyDatabase, first: str, second: str) -> None:
    """While one process writes no other writes or inserts: it is `Unavailable` after a while; reads go on."""
    other = place.open()
    with held(database, first):
        with pytest.raises(Unavailable), getattr(other, second)():
            pass
        assert count(other) == 1
    with getattr(other, second)() as rows:
        rows.execute(PUT, ("x", "y"))


def test_one_process_does_what_only_one_may(place: Place, database: KeyDatabase) -> None:
    """Work that only one may do is refused to others until it ends, however it ends."""
    other = place.open()

    def fails() -> None:
        with database.alone("rotation"):
            with pytest.raises(Misconfigured, match="another rotation"), other.alone("rotation"):
                pass
            with other.alone("expiry"):
                pass
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    with other.alone("rotation"):
        pass


def test_a_broken_constraint_is_damage_and_no_value_is_told(database: KeyDatabase) -> None:
    """A row that contradicts the schema is an integrity error without its values; its transaction did not happen."""

    def write(statement: str, *values: object) -> None:
        with database.write() as rows:
            rows.execute(statement, values)

    with pytest.raises(IntegrityError, match=r"(?i)foreign ?key") as caught:
        write("INSERT INTO bucket_keys VALUES (?, 0, 1, 1, ?)", "unspeakable", b"secret")
    with pytest.raises(IntegrityError) as again:
        write("INSERT INTO meta (name, value) VALUES (?1, ?2), (?1, ?2)", "unspeakable", "secret")
    for each in (caught, again):
        assert "unspeakable" not in str(each.value)
        assert b"secret".hex() not in str(each.value)
    assert count(database, "bucket_keys") == 0


def test_texts_are_ordered_by_their_bytes(database: KeyDatabase) -> None:
    """The order of rows is the same everywhere, whatever language a server has."""
    names = ["b", "B", "a", "A", "ä", "z", "_", "-", "é", "10", "9", "ſ", "A b", "Ab"]
    with database.write() as rows:
        rows.execute("DELETE FROM meta")
        rows.executemany(PUT, [(name, "") for name in names])
        found = [name for (name,) in rows.execute("SELECT name FROM meta ORDER BY name")]
    assert found == sorted(names, key=str.encode)


def test_values_come_back_as_they_went(database: KeyDatabase) -> None:
    """Every byte, the ends of 64 bits and any text, by one statement or many."""
    blobs = [bytes(range(256)), b"", b"\0", b"\\x00", bytes(100_000)]
    numbers = [2**63 - 1, -(2**63), 0, 32_767, 32_768, 2**31]
    with database.write() as rows:
        rows.define("CREATE TABLE things (id INTEGER PRIMARY KEY, data BLOB, said TEXT, missing TEXT)")
        rows.executemany(
            "INSERT INTO things (id, data, said, missing) VALUES (?, ?, ?, ?)",
            [(number, blob, "ü'%s?$1", None) for number, blob in zip(numbers, [*blobs, b"x"], strict=True)],
        )
        rows.executemany("INSERT INTO things (id) VALUES (?)", [])
    with database.read() as rows:
        for number, blob in zip(numbers, [*blobs, b"x"], strict=True):
            found = rows.execute("SELECT id, data, said, missing FROM things WHERE id = ?1 AND ?1 = id", (number,))
            assert found.fetchall() == [(number, blob, "ü'%s?$1", None)]
        assert rows.execute("SELECT count(*) FROM things WHERE id = coalesce(?, id)", (None,)).fetchone() == (6,)
        assert rows.has_table("things")
        assert not rows.has_table("thing")
        assert rows.tables_with("said") == ["things"]
        assert set(rows.tables_with("tenant_key_generation")) == {"bucket_keys", "lookup_keys"}


@pytest.mark.parametrize("kind", ["deleted", "changed"])
def test_what_was_wiped_is_nowhere_in_the_files(place: Place, database: KeyDatabase, kind: str) -> None:
    """A row that was deleted or changed stands in no file of the database once its table was wiped."""
    canary = b"needle in a haystack" * 3
    with database.write() as rows:
        rows.define("CREATE TABLE hay (id INTEGER PRIMARY KEY, data BLOB)")
        rows.define("CREATE INDEX hay_by_data ON hay (data)")
        rows.executemany("INSERT INTO hay VALUES (?, ?)", [(number, bytes([number]) * 60) for number in range(100)])
        rows.execute("INSERT INTO hay VALUES (?, ?)", (1_000, canary))
    assert canary in place.on_disk()
    with database.write() as rows:
        if kind == "deleted":
            rows.execute("DELETE FROM hay WHERE id = ?", (1_000,))
        else:
            rows.execute("UPDATE hay SET data = ? WHERE id = ?", (b"", 1_000))
    assert canary in place.on_disk(), "the search would find it"
    database.wipe("hay", "no_such_table")
    assert canary not in place.on_disk()
    assert count(database, "hay") == (100 if kind == "deleted" else 101)


def test_two_first_openers_make_one_store(place: Place) -> None:
    """Processes that create one store at once make it once; the others are told, and all can open it."""
    code = (
        "import sys; from pathlib import Path\n"
        "from ledger.errors import Misconfigured\n"
        "from ledger.keys.opening import create_key_database, open_key_database\n"
        "print('ready', flush=True); sys.stdin.readline(); where = sys.argv[1], Path()\n"
        "try:\n    create_key_database(*where).close(); print('made')\n"
        "except Misconfigured: print('refused')\n"
        "open_key_database(*where).close()\n"
    )
    for turn in range(5 if isinstance(place, SqlitePlace) else 3):
        racers = [
            subprocess.Popen(
                [sys.executable, "-c", code, place.location(f"turn_{turn}")],
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
