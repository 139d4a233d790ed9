"""The embedded event log: the common promises, and those of a file."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import sqlite3
import stat
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ledger.errors import IntegrityError, Misconfigured, Unavailable
from ledger.log import embedded_file, embedded_writer
from ledger.log.embedded import EmbeddedLog
from ledger.log.interface import Bounds, batch_bytes
from ledger.log.open import create_log
from tests.ledger.log.conformance import DEADLINE_S, EventLogConformance, Stage, batch, check_whole, read_all


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A new file with two partitions."""
    stage = Stage(f"sqlite://{tmp_path}/log.sqlite?partitions=2")
    await create_log(stage.url)
    yield stage
    await stage.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a new, empty log lies."""
    EmbeddedLog.create(tmp_path / "log.sqlite", 2)
    return tmp_path / "log.sqlite"


async def opened(path: Path) -> EmbeddedLog:
    """The log at `path`, started."""
    log = EmbeddedLog(path)
    await log.start()
    return log


def overwrite_all_but_the_first_page(path: Path) -> None:
    """Leave a file that still says it is a SQLite database, and is none."""
    whole = path.read_bytes()
    path.write_bytes(whole[: embedded_file.PAGE_BYTES] + os.urandom(len(whole) - embedded_file.PAGE_BYTES))


class TestEmbeddedLog(EventLogConformance):
    """The embedded event log keeps the promises of every event log."""


def test_creating_never_overwrites(tmp_path: Path) -> None:
    """A file that exists stays as it is, and nothing else is left behind."""
    target = tmp_path / "log.sqlite"
    target.write_bytes(b"something dear")
    with pytest.raises(Misconfigured, match="never overwritten"):
        EmbeddedLog.create(target, 2)
    assert target.read_bytes() == b"something dear"
    assert os.listdir(tmp_path) == ["log.sqlite"]


async def test_opening_never_creates(tmp_path: Path) -> None:
    """A log that has vanished is an error, not a new empty log."""
    with pytest.raises(Misconfigured, match="there is no event log"):
        await EmbeddedLog(tmp_path / "log.sqlite").start()
    assert os.listdir(tmp_path) == []


async def test_only_the_owner_can_read_the_files(path: Path) -> None:
    """The file, its write-ahead log and its index are readable for nobody else."""
    log = await opened(path)
    await log.append(0, batch("a", 1), DEADLINE_S)
    found = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    await log.close()
    assert found == {"log.sqlite": 0o600, "log.sqlite-wal": 0o600, "log.sqlite-shm": 0o600}


async def test_tells_its_incarnation_and_refuses_another(tmp_path: Path) -> None:
    """Each file has an incarnation of its own; opening with another one's is an integrity error."""
    first = EmbeddedLog.create(tmp_path / "a", 1)
    second = EmbeddedLog.create(tmp_path / "b", 1)
    assert len(first) == 16
    assert first != second
    log = EmbeddedLog(tmp_path / "a", incarnation=first)
    await log.start()
    assert log.incarnation == first
    await log.close()
    with pytest.raises(IntegrityError, match="made anew"):
        await EmbeddedLog(tmp_path / "a", incarnation=second).start()


async def test_refuses_another_number_of_partitions(path: Path) -> None:
    """A URL that says another number of partitions than the file has is a mistake of the operator."""
    with pytest.raises(Misconfigured, match="2 partitions, expected 3"):
        await EmbeddedLog(path, partitions=3).start()


async def test_refuses_what_is_no_event_log(tmp_path: Path) -> None:
    """Another SQLite file, and a file that is none, are refused by name of the trouble."""
    other = tmp_path / "other.sqlite"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(Misconfigured, match="not an event log"):
        await EmbeddedLog(other).start()
    (tmp_path / "text").write_bytes(b"no database at all" * 1000)
    with pytest.raises(IntegrityError, match="damaged"):
        await EmbeddedLog(tmp_path / "text").start()


def test_every_durability_setting_is_made_and_read_back(path: Path) -> None:
    """A writing connection has a synced write-ahead log, without memory mapping, and waits as long as it was told."""
    connection = embedded_file.connect(path, writes=True, busy_ms=1234)
    found = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "mmap_size", "busy_timeout", "fullfsync", "page_size")
    }
    connection.close()
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "mmap_size": 0,
        "busy_timeout": 1234,
        "fullfsync": 1,
        "page_size": embedded_file.PAGE_BYTES,
    }


def test_a_refused_setting_refuses_the_connection(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that SQLite does not take is noticed, not hoped for."""
    monkeypatch.setattr(embedded_file, "_PRAGMAS", (("synchronous", "FULL", 3),))
    with pytest.raises(Misconfigured, match="would not set synchronous"):
        embedded_file.connect(path, writes=True, busy_ms=1)


def test_a_reading_connection_cannot_write(path: Path) -> None:
    """What only reads is held to it by SQLite."""
    connection = embedded_file.connect(path, writes=False, busy_ms=1)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("UPDATE partition SET next_offset=7")
    connection.close()


async def test_a_missing_row_is_an_integrity_error(path: Path) -> None:
    """A hole between offsets is never jumped over."""
    log = await opened(path)
    await log.append(0, batch("a", 9), DEADLINE_S)
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM record_0 WHERE offset=4")
    connection.commit()
    connection.close()
    assert len(await log.read(0, 0, records_max=4, bytes_max=1 << 20, wait_s=0)) == 4
    for start in (0, 4):
        with pytest.raises(IntegrityError, match="lacks offset 4"):
            await log.read(0, start, records_max=9, bytes_max=1 << 20, wait_s=0)
    await log.close()


async def test_damage_is_named_as_damage(path: Path) -> None:
    """Bytes of the file that are no longer a database are a person's business, not a retry's."""
    log = await opened(path)
    await log.append(0, batch("a", 200, size=2000), DEADLINE_S)
    await log.close()
    overwrite_all_but_the_first_page(path)
    with pytest.raises(IntegrityError, match="damaged"):
        await opened(path)


async def test_a_withdrawn_append_is_never_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An append whose deadline passes while it queues, or whose caller is cancelled, leaves no trace."""
    log = await opened(path)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    first = asyncio.create_task(log.append(0, batch("first", 1), DEADLINE_S))
    await asyncio.sleep(0.1)
    cancelled = asyncio.create_task(log.append(0, batch("cancelled", 1), DEADLINE_S))
    with pytest.raises(Unavailable, match="did not begin"):
        await log.append(0, batch("late", 1), 0.1)
    cancelled.cancel()
    await asyncio.wait({cancelled})
    blocker.execute("COMMIT")
    blocker.close()
    assert await first == 0
    await log.append(0, batch("last", 1), DEADLINE_S)
    assert check_whole(await read_all(log, 0)) == {"first": 0, "last": 1}
    await log.close()


async def test_another_writer_in_the_way_is_unavailable(path: Path) -> None:
    """A lock that another process holds for longer than `busy_ms` costs an answer, nothing else."""
    log = EmbeddedLog(path, busy_ms=50)
    await log.start()
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="SQLITE_BUSY"):
        await log.append(0, batch("a", 1), DEADLINE_S)
    with pytest.raises(Unavailable, match="SQLITE_BUSY"):
        await log.healthy()
    blocker.execute("COMMIT")
    blocker.close()
    # Health is found again without traffic, or a balancer that sends none to the sick would never send any.
    await log.healthy()
    assert await log.bounds(0) == Bounds(0, 0)
    assert await log.append(0, batch("b", 1), DEADLINE_S) == 0
    await log.close()


async def test_a_full_disk_is_not_healthy_until_there_is_room(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an append that found no room health is what a probe of its size finds, and the probe leaves nothing."""
    log = await opened(path)
    probed: list[int] = []

    class Scratch(io.BytesIO):
        def flush(self) -> None:
            probed.append(len(self.getvalue()))
            if len(probed) < 3:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(embedded_writer.GroupCommit, "_insert", _no_room)
    with pytest.raises(Unavailable, match="ENOSPC"):
        await log.append(0, batch("a", 9), DEADLINE_S)
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda dir: Scratch())
    for _ in range(2):
        with pytest.raises(Unavailable, match="ENOSPC"):
            await log.healthy()
    await log.healthy()
    await log.healthy()
    assert probed == [batch_bytes(batch("a", 9))] * 3
    monkeypatch.undo()
    assert await log.append(0, batch("b", 1), DEADLINE_S) == 0
    await log.close()
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def _no_room(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_the_write_ahead_log_stays_small(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints let the write-ahead log begin anew, even while there is hardly a moment in which nobody reads."""
    monkeypatch.setattr(embedded_writer, "CHECKPOINT_BYTES", 500_000)
    monkeypatch.setattr(embedded_writer, "CHECKPOINT_FORCED_FRAMES", 100)
    log = await opened(path)
    done = threading.Event()

    def hold_snapshots() -> None:
        connection = sqlite3.connect(path, isolation_level=None, timeout=5)
        while not done.is_set():
            connection.execute("BEGIN")
            connection.execute("SELECT next_offset FROM partition").fetchall()
            time.sleep(0.01)
            connection.execute("COMMIT")
        connection.close()

    readers = [threading.Thread(target=hold_snapshots) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(60):
        await log.append(0, batch(f"n{number}", 100, size=2500), DEADLINE_S)
    size = os.stat(f"{path}-wal").st_size
    done.set()
    for reader in readers:
        reader.join()
    await log.close()
    assert size < 6_000_000


async def test_trimming_goes_in_steps(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long stretch is trimmed piece by piece, appends get their turn, and the result is the same."""
    monkeypatch.setattr("ledger.log.embedded.TRIM_ROWS", 7)
    log = await opened(path)
    await log.append(0, batch("a", 100), DEADLINE_S)
    await asyncio.gather(log.trim(0, 95), *(log.append(0, batch(f"n{n}", 2), DEADLINE_S) for n in range(10)))
    bounds = await log.bounds(0)
    assert (bounds.start, bounds.end) == (95, 120)
    assert [each.offset for each in await read_all(log, 0, 95)] == list(range(95, 120))
    await log.close()
