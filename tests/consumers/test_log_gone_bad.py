"""An event log that is not what it was: restored from a copy, made anew, cut. The sealer halts, publishing nothing."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from consumers.sealer import PartitionSealer
from ledger.errors import IntegrityError
from ledger.log.embedded import EmbeddedLog
from tests.consumers.sealed import sealed_in
from tests.small_ledger import SmallLedger, request

Happening = Callable[[SmallLedger, Path], Awaitable[None]]
"""What happens to the log's file; the path is that of yesterday's copy."""


async def grow(small: SmallLedger, count: int) -> None:
    """Appends batches of one event by another process's hands, so to speak: through a log of its own."""
    own, small.log = small.log, EmbeddedLog(small.folder / "log.sqlite")
    await small.log.start()
    for number in range(count):
        await small.publish("acme", request(text=f"new {number}"))
    await small.log.close()
    small.log = own


def remove(path: Path) -> None:
    """Deletes a log with the files beside it."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


async def restored(small: SmallLedger, copy: Path) -> None:
    """Yesterday's copy is put back."""
    path = small.folder / "log.sqlite"
    remove(path)
    shutil.copy(copy, path)


async def restored_in_place(small: SmallLedger, copy: Path) -> None:
    """Yesterday's copy is written over the file, which stays the same inode."""
    shutil.copyfile(copy, small.folder / "log.sqlite")


async def restored_and_grown(small: SmallLedger, copy: Path) -> None:
    """Yesterday's copy is put back, and gateways have gone on with it past the sealed offset."""
    await restored(small, copy)
    await grow(small, 6)


async def made_anew(small: SmallLedger, copy: Path) -> None:
    """The log is made anew, empty."""
    path = small.folder / "log.sqlite"
    remove(path)
    EmbeddedLog.create(path, 1)


async def made_anew_and_grown(small: SmallLedger, copy: Path) -> None:
    """The log is made anew and has grown past the sealed offset."""
    await made_anew(small, copy)
    await grow(small, 8)


async def cut(small: SmallLedger, copy: Path) -> None:
    """The newest records are deleted, and the log says so."""
    connection = sqlite3.connect(small.folder / "log.sqlite")
    with connection:
        connection.execute("DELETE FROM record_0 WHERE offset >= 5")
        connection.execute("UPDATE partition SET next_offset = 5 WHERE partition = 0")
    connection.close()


async def cut_and_grown(small: SmallLedger, copy: Path) -> None:
    """The newest records are deleted, and gateways have gone on past the sealed offset."""
    await cut(small, copy)
    await grow(small, 6)


async def one_record_replaced(small: SmallLedger, copy: Path) -> None:
    """The last sealed record has another value, everything else is as it was."""
    connection = sqlite3.connect(small.folder / "log.sqlite")
    with connection:
        connection.execute("UPDATE record_0 SET value = zeroblob(10) WHERE offset = 7")
    connection.close()


async def vanished(small: SmallLedger, copy: Path) -> None:
    """The file is gone."""
    remove(small.folder / "log.sqlite")


HAPPENINGS: list[Happening] = [
    restored,
    restored_and_grown,
    made_anew,
    made_anew_and_grown,
    cut,
    cut_and_grown,
    one_record_replaced,
]


def name_of(happening: Happening) -> str:
    """For the test's id."""
    return happening.__name__.replace("_", " ")


async def sealed_eight_records(small: SmallLedger) -> tuple[PartitionSealer, Path]:
    """A sealer that has sealed offsets 0 to 7, and the copy of the log when it held four records."""
    copy = small.folder / "copy.sqlite"
    for number in range(4):
        if number == 2:
            await small.log.close()
            shutil.copy(small.folder / "log.sqlite", copy)
            await small.log.start()
        await small.publish("acme", request(text=str(number)))
    sealer = small.sealer()
    await sealer.open()
    outcome = await sealer.seal_once(wait_s=0)
    assert outcome is not None
    assert outcome.records == 8
    return sealer, copy


@pytest.mark.parametrize("happening", [*HAPPENINGS, restored_in_place], ids=name_of)
async def test_a_log_gone_bad_halts_a_sealer_that_starts(small: SmallLedger, happening: Happening) -> None:
    """Whatever was done to the log while nobody sealed: opening says so, and nothing is published."""
    _, copy = await sealed_eight_records(small)
    incarnation = small.log.incarnation
    before = small.store.walk()
    await small.log.close()
    await happening(small, copy)
    small.log = EmbeddedLog(small.folder / "log.sqlite")
    await small.log.start()
    with pytest.raises(IntegrityError, match=r"offset|new-epoch"):
        await small.sealer().open()
    assert small.store.walk() == before
    with pytest.raises(IntegrityError, match=r"offset|incarnation"):
        await reopened(small, incarnation)


async def reopened(small: SmallLedger, incarnation: bytes) -> None:
    """As a service opens it: it knows the incarnation from its configuration."""
    log = EmbeddedLog(small.folder / "log.sqlite", incarnation=incarnation)
    await log.start()
    small.log, own = log, small.log
    try:
        await small.sealer().open()
    finally:
        await log.close()
        small.log = own


@pytest.mark.parametrize("happening", [*HAPPENINGS, vanished], ids=name_of)
async def test_a_log_gone_bad_halts_a_sealer_at_work(small: SmallLedger, happening: Happening) -> None:
    """Whatever is done to the log under a running sealer: the next round halts with a message, nothing is published."""
    sealer, copy = await sealed_eight_records(small)
    before = small.store.walk()
    await happening(small, copy)
    with pytest.raises(IntegrityError) as error:
        await sealer.seal_once(wait_s=0)
    assert "log.sqlite" in str(error.value) or "the event log" in str(error.value)
    assert small.store.walk() == before
    with pytest.raises(IntegrityError):
        await sealer.seal_once(wait_s=0)
    assert small.store.walk() == before


async def test_records_lost_before_they_were_sealed_are_noticed_by_who_saw_them(small: SmallLedger) -> None:
    """A running sealer that knows of more records than the log holds now does not go on as if they had never been."""
    sealer, _ = await sealed_eight_records(small)
    await small.publish("acme", request(text="acknowledged, not sealed"))
    assert (await small.log.bounds(0)).end == 10
    connection = sqlite3.connect(small.folder / "log.sqlite")
    with connection:
        connection.execute("DELETE FROM record_0 WHERE offset >= 8")
        connection.execute("UPDATE partition SET next_offset = 8 WHERE partition = 0")
    connection.close()
    with pytest.raises(IntegrityError, match="another copy of the log"):
        await sealer.seal_once(wait_s=0)


async def test_a_copy_that_holds_all_that_was_sealed_is_gone_on_with(small: SmallLedger) -> None:
    """A restored log that still ends behind the last sealed record, in the same incarnation, lost nothing sealed."""
    await sealed_eight_records(small)
    await small.log.close()
    copy = small.folder / "copy.sqlite"
    shutil.copy(small.folder / "log.sqlite", copy)
    await small.log.start()
    await restored(small, copy)
    await small.log.close()
    small.log = EmbeddedLog(small.folder / "log.sqlite")
    await small.log.start()
    event = request(text="after")
    await small.publish("acme", event)
    await small.seal()
    assert sealed_in(small).ids(small.tenant_log("acme").log_id)[-1] == event.event_id
