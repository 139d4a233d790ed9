"""What every event log must do. A subclass provides a fixture `stage`; both implementations run the same tests."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ledger.errors import IntegrityError, OutcomeUnknown, Rejected, Unavailable
from ledger.log.interface import (
    BATCH_OVERHEAD_BYTES,
    Bounds,
    EventLog,
    Record,
    StoredRecord,
    batch_bytes,
    record_bytes,
    record_digest,
)
from ledger.log.open import open_log

DEADLINE_S = 20.0
ROOT = Path(__file__).resolve().parents[3]

READ_IN_ANOTHER_PROCESS = """
import asyncio, json, sys
from ledger.log.interface import record_digest
from ledger.log.open import open_log

async def main(url):
    log = open_log(url)
    await log.start()
    found = await log.read(0, 0, records_max=1000, bytes_max=1 << 24, wait_s=5)
    await log.close()
    print(json.dumps([[each.offset, record_digest(each.record).hex()] for each in found]))

asyncio.run(main(sys.argv[1]))
"""


@dataclass
class Stage:
    """A new log with two partitions, and as many instances of it as a test opens."""

    url: str
    opened: list[EventLog] = field(default_factory=list)

    async def open(self, extra: str = "") -> EventLog:
        """Another instance of the same log; `extra` is put behind the URL."""
        log = open_log(self.url + extra)
        await log.start()
        self.opened.append(log)
        return log

    async def close(self) -> None:
        """Close all of them."""
        for log in self.opened:
            await log.close()


def record(label: str, size: int = 100) -> Record:
    """A record that says which one it is."""
    value = label.encode().ljust(size, b".")
    return Record(b"key-" + label.encode(), (("kind", b"test"),), value)


def batch(label: str, count: int, size: int = 100) -> list[Record]:
    """Records that say which batch they belong to and where."""
    return [record(f"{label}/{index}/{count}", size) for index in range(count)]


async def read_all(log: EventLog, partition: int, start: int = 0) -> list[StoredRecord]:
    """Everything the partition holds from `start` on."""
    found: list[StoredRecord] = []
    end = (await log.bounds(partition)).end
    while start + len(found) < end:
        found += await log.read(partition, start + len(found), records_max=5_000, bytes_max=1 << 23, wait_s=5)
    return found


def check_whole(found: Sequence[StoredRecord], start: int = 0) -> dict[str, int]:
    """Check that batches made by `batch` stand whole, once and side by side; their labels and first offsets."""
    firsts: dict[str, int] = {}
    index = 0
    while index < len(found):
        label, position, count = found[index].record.value.rstrip(b".").decode().rsplit("/", 2)
        assert position == "0", f"the batch {label} begins at its record {position}"
        assert label not in firsts, f"the batch {label} stands twice"
        firsts[label] = found[index].offset
        for step in range(int(count)):
            assert found[index + step].record.value.startswith(f"{label}/{step}/{count}.".encode())
            assert found[index + step].offset == start + index + step
        index += int(count)
    return firsts


class EventLogConformance:
    """The promises of `ledger.log.interface`, one a test."""

    async def test_starts_empty_and_counts_from_zero(self, stage: Stage) -> None:
        """The first record of a new log has offset 0, and appends follow each other without a gap."""
        log = await stage.open()
        assert log.partitions == 2
        assert await log.bounds(0) == Bounds(0, 0)
        assert await log.append(0, batch("a", 3), DEADLINE_S) == 0
        assert await log.append(0, batch("b", 2), DEADLINE_S) == 3
        assert await log.append(1, batch("c", 1), DEADLINE_S) == 0
        assert await log.bounds(0) == Bounds(0, 5)
        assert check_whole(await read_all(log, 0)) == {"a": 0, "b": 3}

    async def test_gives_back_every_byte(self, stage: Stage) -> None:
        """Keys, headers and values come back as they were: empty, binary, repeated and not ASCII."""
        log = await stage.open()
        every = bytes(range(256))
        records = [
            Record(b"", (), b""),
            Record(every, (("", b""),), every * 40),
            Record(b"\0", (("same", b"1"), ("same", b"2"), ("ünïcödé-名", every)), b"\xff"),
            Record(os.urandom(40), tuple((f"h{index}", os.urandom(index)) for index in range(30)), os.urandom(70_000)),
        ]
        await log.append(0, records, DEADLINE_S)
        found = await read_all(log, 0)
        assert [each.record for each in found] == records
        assert [record_digest(each.record) for each in found] == [record_digest(each) for each in records]

    async def test_concurrent_appends_stay_whole(self, stage: Stage) -> None:
        """Batches of many tasks and two instances stand whole, once, and where their acknowledgement said."""
        logs = [await stage.open(), await stage.open()]
        said: dict[int, dict[str, int]] = {0: {}, 1: {}}

        async def write(worker: int) -> None:
            for turn in range(6):
                partition = (worker + turn) % 2
                label = f"w{worker}-{turn}"
                records = batch(label, 1 + (worker * 7 + turn * 5) % 17)
                said[partition][label] = await logs[worker % 2].append(partition, records, DEADLINE_S)

        await asyncio.gather(*(write(worker) for worker in range(8)))
        for partition in (0, 1):
            assert check_whole(await read_all(logs[0], partition)) == said[partition]

    async def test_never_shows_half_a_batch(self, stage: Stage) -> None:
        """Whoever looks while batches are appended finds the end between two batches, never inside one."""
        writer, watcher = await stage.open(), await stage.open()
        writing = asyncio.gather(*(writer.append(0, batch(f"n{n}", 10), DEADLINE_S) for n in range(30)))
        ends = set()
        while not writing.done():
            ends.add((await watcher.bounds(0)).end)
        await writing
        assert all(end % 10 == 0 for end in ends), sorted(ends)
        assert (await watcher.bounds(0)).end == 300

    async def test_reads_from_any_offset_within_limits(self, stage: Stage) -> None:
        """A read begins at exactly the offset asked, keeps both limits, and always gives the first record."""
        log = await stage.open()
        for number in range(4):
            await log.append(0, batch(f"n{number}", 5, size=1000), DEADLINE_S)
        for offset in range(20):
            found = await log.read(0, offset, records_max=7, bytes_max=1 << 20, wait_s=0)
            assert [each.offset for each in found] == list(range(offset, min(offset + 7, 20)))
        for bytes_max, most in ((1, 1), (1500, 1), (3100, 3)):
            found = await log.read(0, 3, records_max=100, bytes_max=bytes_max, wait_s=0)
            assert 1 <= len(found) <= most
            assert [each.offset for each in found] == list(range(3, 3 + len(found)))
        again = await log.read(0, 0, records_max=2, bytes_max=1 << 20, wait_s=0)
        assert [each.offset for each in again] == [0, 1]

    async def test_waits_for_what_is_not_there_yet(self, stage: Stage) -> None:
        """At the end a read waits as long as told and gives nothing, or returns as soon as somebody appends."""
        log, other = await stage.open(), await stage.open()
        started = time.monotonic()
        assert await log.read(0, 0, records_max=10, bytes_max=1 << 20, wait_s=0.4) == []
        assert 0.35 <= time.monotonic() - started < 3
        waiting = asyncio.create_task(log.read(0, 0, records_max=10, bytes_max=1 << 20, wait_s=30))
        elsewhere = asyncio.create_task(log.read(1, 0, records_max=10, bytes_max=1 << 20, wait_s=30))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await other.append(0, batch("late", 2), DEADLINE_S)
        started = time.monotonic()
        assert check_whole(await waiting) == {"late": 0}
        assert time.monotonic() - started < 3
        assert not elsewhere.done()
        await other.append(1, batch("later", 1), DEADLINE_S)
        assert check_whole(await elsewhere) == {"later": 0}

    async def test_keeps_offsets_over_trimming(self, stage: Stage) -> None:
        """Trimming deletes what lies below, refuses reads there, and no offset is ever given out again."""
        log = await stage.open()
        await log.append(0, batch("old", 10), DEADLINE_S)
        await log.trim(0, 4)
        assert await log.bounds(0) == Bounds(4, 10)
        assert [each.offset for each in await read_all(log, 0, 4)] == list(range(4, 10))
        with pytest.raises(IntegrityError, match="trimmed or recreated"):
            await log.read(0, 3, records_max=1, bytes_max=1, wait_s=0)
        await log.trim(0, 2)
        assert await log.bounds(0) == Bounds(4, 10)
        await log.trim(0, 10)
        assert await log.bounds(0) == Bounds(10, 10)
        await log.close()
        again = await stage.open()
        assert await again.bounds(0) == Bounds(10, 10)
        assert await again.read(0, 10, records_max=1, bytes_max=1, wait_s=0) == []
        assert await again.append(0, batch("new", 2), DEADLINE_S) == 10
        assert await again.bounds(1) == Bounds(0, 0)

    async def test_refuses_to_reach_beyond_the_end(self, stage: Stage) -> None:
        """Reading or trimming beyond the end means that the log is not what it was, and says so."""
        log = await stage.open()
        await log.append(0, batch("a", 3), DEADLINE_S)
        with pytest.raises(IntegrityError, match="shorter"):
            await log.read(0, 4, records_max=1, bytes_max=1, wait_s=0)
        with pytest.raises(IntegrityError, match="shorter"):
            await log.reread(1, 5)
        with pytest.raises(IntegrityError, match="shorter"):
            await log.trim(0, 4)
        assert await log.bounds(0) == Bounds(0, 3)

    async def test_rereads_one_record(self, stage: Stage) -> None:
        """`reread` gives the record at an offset as it is now, and None for the next one to be written."""
        log = await stage.open()
        records = batch("a", 5)
        await log.append(0, records, DEADLINE_S)
        assert await log.reread(0, 4) == StoredRecord(4, records[4])
        assert await log.reread(0, 2) == StoredRecord(2, records[2])
        assert await log.reread(0, 5) is None
        await log.trim(0, 3)
        with pytest.raises(IntegrityError):
            await log.reread(0, 2)

    async def test_rejects_exactly_what_is_too_large(self, stage: Stage) -> None:
        """A batch of exactly the largest size is appended; one byte more is rejected and leaves nothing behind."""
        log = await stage.open()
        room = log.batch_bytes_max - BATCH_OVERHEAD_BYTES
        largest = Record(b"k", (), bytes(room - record_bytes(Record(b"k", (), b""))))
        assert batch_bytes([largest]) == log.batch_bytes_max
        with pytest.raises(Rejected, match=str(log.batch_bytes_max)):
            await log.append(0, [Record(b"k", (), largest.value + b"x")], DEADLINE_S)
        many = [Record(b"", (("h", b"v" * 10),), b"")] * (room // record_bytes(Record(b"", (("h", b"v" * 10),), b"")))
        with pytest.raises(Rejected):
            await log.append(0, [*many, *many[:2]], DEADLINE_S)
        assert await log.bounds(0) == Bounds(0, 0)
        assert await log.append(0, [largest], DEADLINE_S) == 0
        assert await log.append(0, many, DEADLINE_S) == 1
        assert [each.record for each in await read_all(log, 0)] == [largest, *many]

    async def test_is_the_same_after_reopening(self, stage: Stage) -> None:
        """What was acknowledged is there for the next instance, which goes on counting."""
        log = await stage.open()
        await log.append(0, batch("a", 4), DEADLINE_S)
        await log.close()
        again = await stage.open()
        assert check_whole(await read_all(again, 0)) == {"a": 0}
        assert await again.append(0, batch("b", 1), DEADLINE_S) == 4

    async def test_is_read_by_another_process(self, stage: Stage) -> None:
        """A process of its own reads the same records while the writer has the log open."""
        log = await stage.open()
        records = batch("a", 20)
        await log.append(0, records, DEADLINE_S)
        command = [sys.executable, "-c", READ_IN_ANOTHER_PROCESS, stage.url]
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == [[n, record_digest(each).hex()] for n, each in enumerate(records)]

    async def test_turns_away_more_than_it_lets_wait(self, stage: Stage) -> None:
        """Beyond `appends_max` an append is refused at once as unavailable, and surely not appended."""
        log = await stage.open("&appends_max=4")
        calls = [log.append(0, batch(f"n{n}", 1, size=200_000), DEADLINE_S) for n in range(40)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        taken = {f"n{n}": outcome for n, outcome in enumerate(outcomes) if isinstance(outcome, int)}
        refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert taken
        assert refused
        assert all(type(error) is Unavailable for error in refused)
        assert check_whole(await read_all(log, 0)) == taken

    async def test_ends_an_append_at_its_deadline(self, stage: Stage) -> None:
        """An append that cannot be done in time ends at once; "unavailable" means that it is not there."""
        log = await stage.open()
        await log.append(0, batch("warm", 1), DEADLINE_S)
        outcomes: dict[str, object] = {}
        for number in range(20):
            try:
                outcomes[f"n{number}"] = await log.append(0, batch(f"n{number}", 5, size=20_000), number * 1e-4)
            except Unavailable as error:
                outcomes[f"n{number}"] = type(error)
        await log.append(0, batch("last", 1), DEADLINE_S)
        firsts = check_whole(await read_all(log, 0))
        for label, outcome in outcomes.items():
            if isinstance(outcome, int):
                assert firsts[label] == outcome
            elif outcome is not OutcomeUnknown:
                assert label not in firsts

    async def test_names_the_callers_mistakes(self, stage: Stage) -> None:
        """A partition that does not exist and an append of nothing are errors of the calling code."""
        log = await stage.open()
        for partition in (-1, 2):
            with pytest.raises(ValueError, match="partition"):
                await log.append(partition, batch("a", 1), DEADLINE_S)
            with pytest.raises(ValueError, match="partition"):
                await log.read(partition, 0, records_max=1, bytes_max=1, wait_s=0)
            with pytest.raises(ValueError, match="partition"):
                await log.bounds(partition)
        with pytest.raises(ValueError, match="at least one"):
            await log.append(0, [], DEADLINE_S)

    async def test_is_healthy_until_closed(self, stage: Stage) -> None:
        """An open log says that it is well; a closed one answers everything as unavailable, and closes twice."""
        log = await stage.open()
        await log.healthy()
        await log.close()
        await log.close()
        with pytest.raises(Unavailable):
            await log.append(0, batch("a", 1), DEADLINE_S)
        with pytest.raises(Unavailable):
            await log.read(0, 0, records_max=1, bytes_max=1, wait_s=0)
        with pytest.raises(Unavailable):
            await log.healthy()
