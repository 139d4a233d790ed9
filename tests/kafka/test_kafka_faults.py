"""Brokers that are killed, frozen, away or come back, under a Kafka event log at work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from ledger.errors import OutcomeUnknown, Unavailable
from ledger.log.interface import EventLog, StoredRecord
from ledger.log.kafka import KafkaLog
from ledger.log.open import create_log, open_log
from tests.kafka.broker import own_cluster
from tests.ledger.log.conformance import DEADLINE_S, Stage, batch, check_whole, read_all

pytestmark = pytest.mark.kafka

REQUEST_MS = 1_500
"""Short, so that the tests of its expiry are."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One broker for this file to mistreat."""
    with own_cluster(tmp_path_factory.mktemp("one")) as cluster:
        yield cluster


@pytest.fixture
async def stage(cluster: Any) -> AsyncIterator[Stage]:
    """A new topic on that broker, which runs and is well when a test begins."""
    await asyncio.to_thread(cluster.restart)
    url = f"kafka://{cluster.bootstrap}/test-{uuid4().hex}?partitions=2&replication=1&request_timeout_ms={REQUEST_MS}"
    stage = Stage(url)
    await create_log(url)
    yield stage
    await stage.close()


@dataclass
class Load:
    """Appends without end, on two partitions, and what became of each."""

    log: EventLog
    deadline_s: float
    acknowledged: dict[str, tuple[int, int]] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    stopping: bool = False

    async def worker(self, name: str) -> None:
        """One caller, who goes on with something new whatever happens."""
        turn = 0
        while not self.stopping:
            turn += 1
            label, partition = f"{name}-{turn}", turn % 2
            try:
                first = await self.log.append(partition, batch(label, 5, size=2000), self.deadline_s)
            except OutcomeUnknown:
                self.unknown.add(label)
            except Unavailable:
                self.refused.add(label)
                await asyncio.sleep(0.02)
            else:
                self.acknowledged[label] = partition, first

    async def reach(self, count: int, within_s: float = 40) -> None:
        """Wait for so many more acknowledgements."""
        goal = len(self.acknowledged) + count
        async with asyncio.timeout(within_s):
            while len(self.acknowledged) < goal:  # noqa: ASYNC110 - the workers have no event for that
                await asyncio.sleep(0.01)

    async def check(self, log: EventLog) -> None:
        """No acknowledged batch is lost or elsewhere, none stands twice, none that was refused stands at all."""
        firsts: dict[str, tuple[int, int]] = {}
        for partition in (0, 1):
            for label, first in check_whole(await read_all(log, partition)).items():
                firsts[label] = partition, first
        assert {label: firsts.get(label) for label in self.acknowledged} == self.acknowledged
        assert not self.refused & set(firsts)
        assert set(firsts) <= set(self.acknowledged) | self.unknown


async def follow(log: EventLog, found: list[StoredRecord], done: asyncio.Event) -> None:
    """Read partition 0 from its beginning until told, over all interruptions, always from where it was."""
    while not done.is_set():
        try:
            found += await log.read(0, len(found), records_max=500, bytes_max=1 << 20, wait_s=0.2)
        except Unavailable:
            await asyncio.sleep(0.05)


async def test_a_broker_killed_under_load_loses_and_doubles_nothing(cluster: Any, stage: Stage) -> None:
    """Kill -9 and restart, twice, under concurrent appends: acknowledged is there once, and readers go on."""
    log = await stage.open()
    load = Load(log, deadline_s=2)
    workers = [asyncio.create_task(load.worker(f"w{n}")) for n in range(8)]
    followed: list[StoredRecord] = []
    done = asyncio.Event()
    following = asyncio.create_task(follow(log, followed, done))
    for _ in range(2):
        await load.reach(40)
        cluster.kill()
        await asyncio.sleep(2.5)
        await asyncio.to_thread(cluster.restart)
        await load.reach(40)
    load.stopping = True
    await asyncio.gather(*workers)
    await load.check(log)
    assert load.unknown | load.refused, "the broker was not away at all"
    end = (await log.bounds(0)).end
    async with asyncio.timeout(20):
        while len(followed) < end:  # noqa: ASYNC110 - what it waits for is a list growing
            await asyncio.sleep(0.01)
    done.set()
    await following
    assert followed == await read_all(log, 0)


@pytest.mark.parametrize("away", ["killed", "frozen"])
async def test_a_broker_that_is_away_never_keeps_anybody_waiting(cluster: Any, stage: Stage, away: str) -> None:
    """Dead or silent: appends, reads, health and close end in time, and all goes on when it is back."""
    log, closing = await stage.open(), await stage.open()
    await log.append(0, batch("before", 3), DEADLINE_S)
    await closing.append(0, batch("other", 3), DEADLINE_S)
    (node,) = cluster.nodes
    if away == "killed":
        node.kill()
    else:
        node.freeze()
    started = time.monotonic()
    appends = [log.append(n % 2, batch(f"n{n}", 2), 0.5 + n * 0.1) for n in range(10)]
    appends.append(closing.append(0, batch("closing", 2), 60))
    underway = asyncio.gather(*appends, return_exceptions=True)
    with pytest.raises(Unavailable):
        await log.read(0, 3, records_max=1, bytes_max=1, wait_s=0)
    with pytest.raises(Unavailable):
        await log.healthy()
    assert time.monotonic() - started < 2 * REQUEST_MS / 1000 + 2
    started = time.monotonic()
    await closing.close()
    assert time.monotonic() - started < 10
    outcomes = await underway
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes), outcomes
    started = time.monotonic()
    with pytest.raises(Unavailable):
        await log.append(0, batch("late", 2), 0.7)
    assert time.monotonic() - started < 1.5
    if away == "killed":
        await asyncio.to_thread(cluster.restart)
    else:
        node.thaw()
    assert await log.append(0, batch("after", 2), DEADLINE_S) >= 6
    await log.healthy()
    firsts = check_whole(await read_all(log, 0))
    assert {"before", "other", "after"} <= set(firsts)
    assert "late" not in firsts


async def test_closing_with_the_broker_dead_from_the_start(cluster: Any, stage: Stage) -> None:
    """A log that never reached its broker says so when started, and closes at once."""
    cluster.kill()
    log = await asyncio.wait_for(_refused(stage), 8)
    started = time.monotonic()
    with pytest.raises(Unavailable):
        await log.append(0, batch("a", 1), 0.3)
    await log.close()
    assert time.monotonic() - started < 5


async def _refused(stage: Stage) -> EventLog:
    log = open_log(stage.url)
    with pytest.raises(Unavailable):
        await log.start()
    return log


async def test_a_producer_whose_sender_ends_is_replaced(stage: Stage) -> None:
    """A sender task that is cancelled or fails costs at most the append under way, never the next one."""
    log = await stage.open()
    assert isinstance(log, KafkaLog)
    await log.append(0, batch("a", 1), DEADLINE_S)
    for number in range(2):
        generation = log._producer._current
        assert generation is not None
        generation.sender().cancel()
        await asyncio.wait({generation.sender()})
        started = time.monotonic()
        await log.append(0, batch(f"next-{number}", 1), DEADLINE_S)
        assert time.monotonic() - started < 3
        assert log._producer._current is not generation
    generation = log._producer._current
    assert generation is not None
    waiting = asyncio.create_task(log.append(1, batch("under-way", 1), DEADLINE_S))
    while not generation.under_way:  # noqa: ASYNC110 - the very next turns of the loop
        await asyncio.sleep(0)
    generation.sender().cancel()
    started = time.monotonic()
    outcome = (await asyncio.gather(waiting, return_exceptions=True))[0]
    assert isinstance(outcome, int | OutcomeUnknown), outcome
    assert time.monotonic() - started < 3
    await log.append(1, batch("last", 1), DEADLINE_S)
    assert set(check_whole(await read_all(log, 0))) == {"a", "next-0", "next-1"}


async def test_a_producer_out_of_sequence_is_replaced(stage: Stage) -> None:
    """A jammed idempotent producer is noticed by the batch that fails, and the next append works."""
    log = await stage.open()
    assert isinstance(log, KafkaLog)
    await log.append(0, batch("a", 1), DEADLINE_S)
    generation = log._producer._current
    assert generation is not None
    numbers = generation.producer._txn_manager._sequence_numbers
    for partition in numbers:
        numbers[partition] += 7
    with pytest.raises(OutcomeUnknown, match="OutOfOrderSequenceNumber"):
        await log.append(0, batch("jammed", 1), DEADLINE_S)
    assert await log.append(0, batch("b", 1), DEADLINE_S) == 1
    assert set(check_whole(await read_all(log, 0))) == {"a", "b"}


async def _in_step(log: KafkaLog) -> None:
    """Waits until every copy of a new topic is in step."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await log.healthy()
            except Unavailable:
                await asyncio.sleep(0.2)


@pytest.mark.timeout(600)
async def test_one_of_three_brokers_killed_under_load(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Three copies, two in step: losing a broker loses nothing; with too few in step nothing is acknowledged."""
    with own_cluster(tmp_path_factory.mktemp("three"), nodes=3) as cluster:
        query = "partitions=2&replication=3&request_timeout_ms=3000"
        two = Stage(f"kafka://{cluster.bootstrap}/two-in-step?{query}")
        three = Stage(f"kafka://{cluster.bootstrap}/three-in-step?{query}&min_isr=3")
        for stage in (two, three):
            await create_log(stage.url)
        log, strict = await two.open(), await three.open()
        await strict.append(0, batch("before", 1), DEADLINE_S)
        await _in_step(strict)
        load = Load(log, deadline_s=15)
        workers = [asyncio.create_task(load.worker(f"w{n}")) for n in range(4)]
        await load.reach(40)
        cluster.nodes[0].kill()
        await load.reach(40)
        load.stopping = True
        await asyncio.gather(*workers)
        await load.check(log)
        with pytest.raises(Unavailable):
            await strict.append(0, batch("too few", 1), 3)
        await log.healthy()
        async with asyncio.timeout(150):
            while True:
                try:
                    await strict.healthy()
                except Unavailable:
                    break
                await asyncio.sleep(0.2)
        await asyncio.to_thread(cluster.restart)
        async with asyncio.timeout(150):
            while True:
                try:
                    await strict.append(0, batch(f"again-{time.monotonic_ns()}", 1), 5)
                except Unavailable:
                    continue
                break
        await _in_step(strict)
        check_whole(await read_all(strict, 0))
        await two.close()
        await three.close()
