"""The embedded event log whose files change under it: replaced, deleted, restored."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import IntegrityError
from ledger.log import embedded_writer
from ledger.log.embedded import EmbeddedLog
from tests.ledger.log.conformance import DEADLINE_S, batch, check_whole, read_all
from tests.ledger.log.test_embedded import opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a new, empty log lies."""
    EmbeddedLog.create(tmp_path / "log.sqlite", 2)
    return tmp_path / "log.sqlite"


async def test_a_file_replaced_while_open_stops_both_sides(path: Path) -> None:
    """When another file takes the log's place, appends and reads fail as an integrity error from then on."""
    log = await opened(path)
    await log.append(0, batch("a", 3), DEADLINE_S)
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").rename(path)
    with pytest.raises(IntegrityError, match="replaced"):
        await log.append(0, batch("b", 3), DEADLINE_S)
    with pytest.raises(IntegrityError, match="replaced"):
        await log.read(0, 0, records_max=10, bytes_max=1000, wait_s=0)
    with pytest.raises(IntegrityError, match="replaced"):
        await log.healthy()
    await log.close()


async def test_a_file_deleted_while_open_stops_both_sides(path: Path) -> None:
    """When the log's file is gone, appends and reads fail as an integrity error, also once it is there again."""
    log = await opened(path)
    await log.append(0, batch("a", 3), DEADLINE_S)
    kept = path.with_name("kept")
    os.rename(path, kept)
    for restored in (False, True):
        if restored:
            os.rename(kept, path)
        with pytest.raises(IntegrityError, match="deleted"):
            await log.append(0, batch("b", 3), DEADLINE_S)
        with pytest.raises(IntegrityError, match="deleted"):
            await log.bounds(0)
    await log.close()


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
@pytest.mark.parametrize("how", ["deleted", "replaced"])
async def test_files_beside_the_log_that_change_stop_both_sides(path: Path, suffix: str, how: str) -> None:
    """A write-ahead log, or its index, deleted or replaced while open halts appends and reads for good.

    Nothing that was acknowledged before is lost by stopping.
    """
    writer, reader = await opened(path), await opened(path)
    await writer.append(0, batch("a", 3), DEADLINE_S)
    assert len(await read_all(reader, 0)) == 3
    beside, kept = Path(f"{path}{suffix}"), path.with_name("kept")
    if how == "deleted":
        os.rename(beside, kept)
    else:
        shutil.copy(beside, kept)
        os.rename(kept, beside)
    for _ in range(2):
        with pytest.raises(IntegrityError, match=f"{suffix}: .* was {how}"):
            await writer.append(0, batch("b", 3), DEADLINE_S)
        with pytest.raises(IntegrityError, match=f"{suffix}: .* was {how}"):
            await reader.bounds(0)
        with pytest.raises(IntegrityError, match=f"was {how}"):
            await writer.healthy()
    await writer.close()
    await reader.close()
    again = await opened(path)
    assert check_whole(await read_all(again, 0)) == {"a": 0}
    await again.close()


async def test_a_write_ahead_log_lost_in_a_commit_is_not_acknowledged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files are compared after the commit as well: what went into a deleted one is not acknowledged."""
    log = await opened(path)
    await log.append(0, batch("a", 3), DEADLINE_S)
    insert = embedded_writer.GroupCommit._insert

    def insert_and_lose(*arguments: Any) -> Any:
        done = insert(*arguments)
        Path(f"{path}-wal").unlink()
        return done

    monkeypatch.setattr(embedded_writer.GroupCommit, "_insert", insert_and_lose)
    with pytest.raises(IntegrityError, match=r"-wal: .* was deleted"):
        await log.append(0, batch("b", 3), DEADLINE_S)
    await log.close()


async def test_others_that_come_and_go_change_nothing(path: Path) -> None:
    """Processes that open and close the log, or copy it, leave the files of those who have it open as they are."""
    log = await opened(path)
    for number in range(5):
        await log.append(0, batch(f"n{number}", 3), DEADLINE_S)
        other = await opened(path)
        await other.append(1, batch(f"n{number}", 1), DEADLINE_S)
        assert len(await read_all(other, 0)) == 3 * (number + 1)
        await other.close()
        live, copy = sqlite3.connect(path), sqlite3.connect(path.with_name("copy"))
        live.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        live.backup(copy)
        live.close()
        copy.close()
    assert (await log.bounds(1)).end == 5
    await log.close()
    assert f"{path.name}-wal" not in os.listdir(path.parent)


async def test_a_copy_restored_into_the_open_file_is_noticed(path: Path) -> None:
    """Yesterday's content, restored into the open file by SQLite itself, ends before what is known: both sides stop."""
    writer, reader = await opened(path), await opened(path)
    await writer.append(0, batch("a", 3), DEADLINE_S)
    live = sqlite3.connect(path)
    yesterday = sqlite3.connect(":memory:")
    live.backup(yesterday)
    await writer.append(0, batch("b", 3), DEADLINE_S)
    assert (await reader.bounds(0)).end == 6
    yesterday.backup(live)
    live.close()
    yesterday.close()
    with pytest.raises(IntegrityError, match="another copy"):
        await writer.append(0, batch("c", 3), DEADLINE_S)
    with pytest.raises(IntegrityError, match="another copy"):
        await reader.bounds(0)
    await writer.close()
    await reader.close()
    again = await opened(path)
    with pytest.raises(IntegrityError, match="shorter"):
        await again.reread(0, 5)
    await again.close()
