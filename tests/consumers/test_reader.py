"""Reading a stretch, anchored at the last sealed record: `consumers.reader`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consumers.reader import ReadLimits, StretchReader
from ledger.errors import IntegrityError
from ledger.log.interface import Record, record_digest
from ledger.segments.state import PartitionState
from tests.consumers.memory_log import MemoryLog
from tests.consumers.test_stretch import event, receipt

PLENTY = ReadLimits(rows_max=1_000_000, bytes_max=1 << 30, age_s=0)


def filler(number: int, size: int = 100) -> Record:
    """A record that is neither receipt nor event: each is a stretch of its own."""
    return Record(b"", (), str(number).encode().rjust(size, b"."))


def sealed_up_to(log: MemoryLog, offset: int) -> PartitionState:
    """The state of a partition whose rounds end before `offset`."""
    state = PartitionState(0, next_number=1, next_offset=offset)
    if offset:
        state.last_record = record_digest(log.records[offset - 1 - log.start_offset])
    return state


async def test_an_untouched_log_passes_the_anchor() -> None:
    """At the beginning, in the middle and at the very end the last sealed record is found as it was."""
    log = MemoryLog([filler(number) for number in range(5)])
    for offset in range(6):
        await StretchReader(log, 0).check_anchor(sealed_up_to(log, offset))


async def test_a_trimmed_log_passes_as_long_as_it_keeps_the_last_sealed_record() -> None:
    """Trimming up to the anchor is the sealer's own doing."""
    log = MemoryLog([filler(number) for number in range(5)])
    state = sealed_up_to(log, 3)
    await log.trim(0, 2)
    await StretchReader(log, 0).check_anchor(state)
    await log.trim(0, 3)
    with pytest.raises(IntegrityError, match="offset 2"):
        await StretchReader(log, 0).check_anchor(state)


@pytest.mark.parametrize("keep", [0, 1, 2], ids=["emptied", "cut far", "cut at the anchor"])
async def test_a_shorter_log_halts(keep: int) -> None:
    """A log that ends before what was sealed is named as cut, recreated or restored."""
    log = MemoryLog([filler(number) for number in range(5)])
    state = sealed_up_to(log, 3)
    del log.records[keep:]
    with pytest.raises(IntegrityError, match=r"offset 2"):
        await StretchReader(log, 0).check_anchor(state)


@pytest.mark.parametrize("part", ["key", "headers", "value"])
async def test_another_record_at_the_anchor_halts(part: str) -> None:
    """A log made anew that has grown past the anchor holds another record there: key, headers and value count."""
    log = MemoryLog([filler(number) for number in range(5)])
    state = sealed_up_to(log, 3)
    change = {"key": b"x", "headers": (("h", b""),), "value": b"x"}[part]
    log.records[2] = replace(log.records[2], **{part: change})  # type: ignore[arg-type]
    with pytest.raises(IntegrityError, match="is not the one that was sealed"):
        await StretchReader(log, 0).check_anchor(state)


async def test_a_log_that_was_never_sealed_must_begin_at_its_beginning() -> None:
    """Records trimmed before anything was sealed are evidence that is missing."""
    log = MemoryLog([filler(number) for number in range(5)], start_offset=2)
    with pytest.raises(IntegrityError, match="records from 0 on were never sealed"):
        await StretchReader(log, 0).check_anchor(PartitionState(0))


async def test_a_stretch_ends_exactly_at_its_rows() -> None:
    """However a log hands out its records, no more than the limit are read."""
    for records_a_read in (1, 3, 7, 100):
        log = MemoryLog([filler(number) for number in range(25)], records_a_read=records_a_read)
        records, cut = await StretchReader(log, 0).read(sealed_up_to(log, 4), replace(PLENTY, rows_max=10), 0)
        assert [each.offset for each in records] == list(range(4, 14))
        assert cut.length == 10


async def test_a_stretch_ends_with_the_record_that_passes_its_bytes() -> None:
    """Bytes are counted over keys and values; one record may go over the limit, never two."""
    for records_a_read in (1, 4, 100):
        log = MemoryLog([filler(number) for number in range(25)], records_a_read=records_a_read)
        records, _ = await StretchReader(log, 0).read(sealed_up_to(log, 0), replace(PLENTY, bytes_max=950), 0)
        assert 9 <= len(records) <= 10


async def test_a_record_larger_than_the_limit_is_read_alone() -> None:
    """A limit never stops a partition."""
    log = MemoryLog([filler(0, 5_000), filler(1, 5_000)])
    records, cut = await StretchReader(log, 0).read(sealed_up_to(log, 0), replace(PLENTY, bytes_max=10), 0)
    assert (len(records), cut.length) == (1, 1)


async def test_a_stretch_ends_at_its_age_though_records_keep_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a trickle that never pauses a round ends at its age, not when its rows are full."""
    now = 1_000.0

    def tick(name: str) -> None:
        nonlocal now
        now += 0.1

    monkeypatch.setattr("consumers.reader.time.monotonic", lambda: now)
    log = MemoryLog([filler(number) for number in range(1_000)], records_a_read=1, before_call=tick)
    records, _ = await StretchReader(log, 0).read(sealed_up_to(log, 0), replace(PLENTY, age_s=1.0), 5)
    assert 10 <= len(records) <= 12


async def test_without_an_age_a_stretch_takes_what_is_there() -> None:
    """A round that need not wait fills itself from what the log holds, up to its limits."""
    log = MemoryLog([filler(number) for number in range(40)], records_a_read=3)
    records, _ = await StretchReader(log, 0).read(sealed_up_to(log, 0), PLENTY, 0)
    assert len(records) == 40


async def test_nothing_there_is_an_empty_stretch() -> None:
    """At the end of the log there is nothing to cut."""
    log = MemoryLog([filler(0)])
    records, cut = await StretchReader(log, 0).read(sealed_up_to(log, 1), PLENTY, 0)
    assert (records, cut.length) == ([], 0)


@pytest.mark.parametrize("rows_max", [1, 2, 5, 30])
async def test_a_batch_larger_than_the_limits_is_read_whole(rows_max: int) -> None:
    """An open batch is read to its end, whatever the limits are, and cut as one."""
    log = MemoryLog([receipt(20), *[event() for _ in range(20)], receipt(0)])
    limits = ReadLimits(rows_max=rows_max, bytes_max=200, age_s=0)
    _, cut = await StretchReader(log, 0).read(sealed_up_to(log, 0), limits, 0)
    assert [len(batch.events) for batch in cut.batches][:1] == [20]
    assert cut.length >= 21


async def test_whole_batches_before_an_open_one_are_taken_without_it() -> None:
    """A batch cut off by the limits is left for the next stretch, and is whole there."""
    log = MemoryLog([receipt(2), event(), event(), receipt(3), *[event() for _ in range(3)]])
    reader = StretchReader(log, 0)
    _, cut = await reader.read(sealed_up_to(log, 0), replace(PLENTY, rows_max=5), 0)
    assert cut.length == 3
    _, cut = await reader.read(sealed_up_to(log, 3), replace(PLENTY, rows_max=5), 0)
    assert [len(batch.events) for batch in cut.batches] == [3]


async def test_a_batch_that_the_log_ends_in_is_short_for_good() -> None:
    """A receipt whose events never came does not hold the partition up."""
    log = MemoryLog([receipt(5), event()])
    _, cut = await StretchReader(log, 0).read(sealed_up_to(log, 0), PLENTY, 0)
    assert ([len(batch.events) for batch in cut.batches], cut.length) == ([1], 2)


async def test_the_rest_of_an_open_batch_is_waited_for_while_the_log_holds_it() -> None:
    """Records that the log counts but has not handed out yet are asked for again; the batch is never cut in two."""
    log = MemoryLog([receipt(3), event()], records_a_read=2)

    def grow(name: str) -> None:
        if name == "bounds" and log.end == 2:
            log.records += [event(), event()]

    log.before_call = grow
    _, cut = await StretchReader(log, 0).read(sealed_up_to(log, 0), PLENTY, 0)
    assert [len(batch.events) for batch in cut.batches] == [3]
