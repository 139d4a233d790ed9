"""Gateway, Kafka, sealer on a real broker: what was acknowledged is sealed once, what is wrong halts or is kept.

What a gateway appends is made by the small ledger; its event log is a Kafka topic here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from consumers.sealer import PartitionSealer, SealerLimits
from ledger.errors import IntegrityError, OutcomeUnknown, Unavailable
from ledger.log.framing import frame
from ledger.log.interface import Record
from ledger.log.kafka import KafkaLog
from ledger.log.kafka_settings import KafkaSettings
from ledger.log.open import create_log, kafka_settings
from ledger.v1 import event_pb2 as pb
from tests.consumers import hostile
from tests.consumers.sealed import quarantined, sealed_in
from tests.kafka.broker import kafka, own_cluster
from tests.kafka.topics import recreate
from tests.small_ledger import SmallLedger, request

__all__ = ["kafka"]

pytestmark = pytest.mark.kafka

FULL = os.environ.get("LEDGER_CAMPAIGN") == "full"


class Topic(KafkaLog):
    """A Kafka log that says its incarnation, as the small ledger expects of its log."""

    def __init__(self, settings: KafkaSettings, incarnation: bytes) -> None:
        super().__init__(settings)
        self.incarnation = incarnation


@dataclass
class Stage:
    """A small ledger over a topic of its own."""

    small: SmallLedger
    url: str
    incarnation: bytes

    async def reopen(self) -> None:
        """A new connection, as a sealer that starts has."""
        await self.small.log.close()
        log = Topic(kafka_settings(self.url), self.incarnation)
        await log.start()
        self.small.log = log  # type: ignore[assignment]

    def settings(self) -> KafkaSettings:
        """The topic's."""
        return kafka_settings(self.url)


@pytest.fixture
async def stage(tmp_path: Path, kafka: str) -> AsyncIterator[Stage]:
    """A new topic of two partitions on the shared broker, one tenant in each."""
    made = await stage_on(tmp_path, kafka)
    yield made
    await made.small.close()


async def stage_on(folder: Path, bootstrap: str, extra: str = "") -> Stage:
    """A ledger over a new topic of this broker."""
    small = SmallLedger(folder / "ledger", partitions=2, limits=SealerLimits(round_age_ms=0))
    await small.start("acme", "globex")
    url = f"kafka://{bootstrap}/test-{uuid4().hex}?partitions=2&replication=1{extra}"
    made = Stage(small, url, await create_log(url))
    await made.reopen()
    return made


def partition_of(stage: Stage, tenant: str = "acme") -> int:
    """Where a tenant's log lives."""
    return stage.small.tenant_log(tenant).partition


async def sealer_of(stage: Stage, tenant: str = "acme") -> PartitionSealer:
    """A sealer at work."""
    sealer = stage.small.sealer(partition_of(stage, tenant))
    await sealer.open()
    return sealer


async def test_what_gateways_publish_is_sealed_once(stage: Stage) -> None:
    """Over rounds, repeats, both partitions and new connections: each event once, in order, and a receipt beside it."""
    small = stage.small
    sent: dict[str, list[bytes]] = {"acme": [], "globex": []}
    signed: dict[str, list[bytes]] = {"acme": [], "globex": []}
    repeated = 0
    for turn in range(6):
        for tenant, ids in sent.items():
            events = [request(text=f"{turn}-{at}") for at in range(3)]
            signed[tenant].append(await small.publish(tenant, *events))
            ids += [event.event_id for event in events]
            if turn == 4:
                signed[tenant].append(await small.publish(tenant, *events))
                repeated += 3
        if turn in (1, 4):
            for partition in (0, 1):
                await small.seal(partition)
            await stage.reopen()
    for partition in (0, 1):
        await small.seal(partition)
    for tenant, ids in sent.items():
        found = sealed_in(small, partition_of(stage, tenant))
        log_id = small.tenant_log(tenant).log_id
        assert found.ids(log_id) == ids
        assert found.receipts[log_id] == signed[tenant]
        assert len(found.repeats(log_id)) == repeated / 2
        assert quarantined(small, found, partition_of(stage, tenant)) == []


async def test_a_strangers_records_are_kept_and_stop_nothing(stage: Stage) -> None:
    """Nulls, foreign headers, a forged batch and a whole transaction with its markers: all findings, no event lost."""
    small, partition = stage.small, partition_of(stage)
    first, last = request(text="before"), request(text="behind")
    await small.publish("acme", first)
    settings = stage.settings()
    async with _producer(settings) as stranger:
        await stranger.send_and_wait(settings.topic, None, b"key", partition=partition)
        await stranger.send_and_wait(settings.topic, b"x", None, partition=partition, headers=[("kind", b"event")])
    async with _producer(settings, transactional_id=f"stranger-{uuid4().hex}") as stranger:
        async with stranger.transaction():
            await stranger.send_and_wait(settings.topic, b"inside a transaction", partition=partition)
    log = small.tenant_log("acme")
    forged = small.accept("acme", request(text="forged"))
    entries = [hostile.entry(forged)]
    records = hostile.batch(small, log, [forged], hostile.receipt(small, log, entries, by=hostile.signer()))
    await small.log.append(partition, records, 10)
    await small.publish("acme", last)
    await small.seal(partition)
    found = sealed_in(small, partition)
    assert found.ids(log.log_id) == [first.event_id, last.event_id]
    kept = quarantined(small, found, partition)
    assert [each.record for each in kept if each.rule == "quarantine.receipt-signature"] == records
    # The broker writes the transaction's marker when it likes.
    strays = [each.record for each in kept if each.rule == "quarantine.no-receipt"]
    assert len(kept) == len(strays) + 2 == 6
    assert Record(b"key", (), b"") in strays
    assert Record(b"", (("kind", b"event"),), b"x") in strays
    assert b"inside a transaction" in [each.value for each in strays]


def _producer(settings: KafkaSettings, **options: Any) -> AIOKafkaProducer:
    return AIOKafkaProducer(bootstrap_servers=list(settings.bootstrap), **options)


async def test_a_record_in_the_wrong_partition_is_a_finding(stage: Stage) -> None:
    """A genuine batch that stands in another partition than its log's is not sealed there."""
    small = stage.small
    log, wrong = small.tenant_log("acme"), partition_of(stage, "globex")
    event = small.accept("acme", request())
    await small.log.append(wrong, hostile.batch(small, log, [event]), 10)
    for partition in (0, 1):
        await small.seal(partition)
    found = sealed_in(small, wrong)
    assert [each.rule for each in quarantined(small, found, wrong)] == ["quarantine.wrong-partition"] * 2
    assert log.log_id not in found.leaves
    assert not sealed_in(small, log.partition).leaves


async def truncated(stage: Stage) -> None:
    """Records are deleted past the last sealed one."""
    partition = partition_of(stage)
    for number in range(3):
        await stage.small.publish("acme", request(text=f"lost {number}"))
    await stage.small.log.trim(partition, (await stage.small.log.bounds(partition)).end)


async def made_anew(stage: Stage) -> None:
    """The topic is deleted and made again, empty."""
    await recreate(stage.url)


async def made_anew_and_grown(stage: Stage) -> None:
    """The topic is made again and has grown past the sealed offset, in the same incarnation as far as it says."""
    await recreate(stage.url)
    own = Topic(stage.settings(), stage.incarnation)
    await own.start()
    log = stage.small.tenant_log("acme")
    for number in range(8):
        event = stage.small.accept("acme", request(text=f"new {number}"))
        signed = hostile.receipt(stage.small, log, [hostile.entry(event)])
        await own.append(log.partition, frame(log.log_id, stage.incarnation, signed, [hostile.value(event)]), 10)
    await own.close()


HAPPENINGS: list[Callable[[Stage], Awaitable[None]]] = [truncated, made_anew, made_anew_and_grown]


@pytest.mark.parametrize("at_work", [False, True], ids=["before the start", "while the sealer runs"])
@pytest.mark.parametrize("happening", HAPPENINGS, ids=lambda happening: happening.__name__.replace("_", " "))
async def test_a_topic_gone_bad_halts_the_sealer(
    stage: Stage, happening: Callable[[Stage], Awaitable[None]], at_work: bool
) -> None:
    """A truncated or recreated topic: the sealer says so and publishes nothing, now and when it is tried again."""
    small = stage.small
    for number in range(4):
        await small.publish("acme", request(text=str(number)))
    sealer = await sealer_of(stage)
    outcome = await sealer.seal_once(wait_s=0)
    assert outcome is not None
    assert outcome.records == 8
    before = small.store.walk()
    await happening(stage)
    if at_work:
        with pytest.raises(IntegrityError, match="offset"):
            await sealer.seal_once(wait_s=0)
    await stage.reopen()
    with pytest.raises(IntegrityError, match="offset"):
        await sealer_of(stage)
    assert small.store.walk() == before


async def test_a_topic_made_anew_under_a_waiting_sealer_halts_it(stage: Stage) -> None:
    """A sealer that waits for records notices that those it is given come from another topic."""
    small = stage.small
    for number in range(4):
        await small.publish("acme", request(text=str(number)))
    sealer = await sealer_of(stage)
    await sealer.seal_once(wait_s=0)
    before = small.store.walk()
    waiting = asyncio.create_task(sealer.seal_once(wait_s=120))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await made_anew_and_grown(stage)
    with pytest.raises(IntegrityError, match=r"offset|recreated"):
        async with asyncio.timeout(60):
            await waiting
    assert small.store.walk() == before


async def test_trimming_keeps_the_anchor(stage: Stage) -> None:
    """Sealed records are deleted from the topic but for the last one, and a sealer that starts goes on from it."""
    small, partition = stage.small, partition_of(stage)
    small.limits = SealerLimits(round_age_ms=0, trim=True)
    sent = []
    for turn in range(3):
        event = request(text=str(turn))
        sent.append(event.event_id)
        await small.publish("acme", event)
        await small.seal(partition)
        bounds = await small.log.bounds(partition)
        assert (bounds.start, bounds.end) == (2 * turn + 1, 2 * turn + 2)
        await stage.reopen()
    assert sealed_in(small, partition).ids(small.tenant_log("acme").log_id) == sent


@dataclass
class Load:
    """Gateways, so to speak: they publish until told to stop, again and again where the outcome is not known."""

    small: SmallLedger
    stopping: bool = False
    acknowledged: set[bytes] = field(default_factory=set)
    sent: set[bytes] = field(default_factory=set)
    failures: int = 0

    async def worker(self, name: str) -> None:
        """One of them."""
        turn = 0
        while not self.stopping:
            turn += 1
            await self.publish(request(text=f"{name}-{turn}"))

    async def publish(self, event: pb.Event) -> None:
        """One event, until it is acknowledged."""
        self.sent.add(event.event_id)
        log = self.small.tenant_log("acme")
        while True:
            accepted = self.small.accept("acme", event)
            records = hostile.batch(self.small, log, [accepted])
            try:
                await self.small.log.append(log.partition, records, 2)
            except (OutcomeUnknown, Unavailable):
                self.failures += 1
                await asyncio.sleep(0.05)
            else:
                self.acknowledged.add(event.event_id)
                return

    async def reach(self, count: int) -> None:
        """Wait for so many more acknowledgements."""
        goal = len(self.acknowledged) + count
        async with asyncio.timeout(60):
            while len(self.acknowledged) < goal:  # noqa: ASYNC110 - the workers have no event for that
                await asyncio.sleep(0.01)


async def keep_sealing(stage: Stage, done: asyncio.Event) -> int:
    """A sealer over all interruptions, as the service keeps one; returns how often it had to begin again."""
    retries = 0
    while not done.is_set():
        try:
            sealer = await sealer_of(stage)
            while not done.is_set():
                await sealer.seal_once(wait_s=0.2)
        except Unavailable:
            retries += 1
            await asyncio.sleep(0.1)
    return retries


async def test_a_broker_killed_under_load_costs_no_event(tmp_path: Path) -> None:
    """Kill -9 and restart while gateways publish and a sealer seals: what was acknowledged is sealed, exactly once."""
    with own_cluster(tmp_path) as cluster:
        stage = await stage_on(tmp_path, cluster.bootstrap, "&request_timeout_ms=1500")
        small = stage.small
        load = Load(small)
        done = asyncio.Event()
        sealing = asyncio.create_task(keep_sealing(stage, done))
        workers = [asyncio.create_task(load.worker(f"w{number}")) for number in range(4)]
        for _ in range(3 if FULL else 1):
            await load.reach(30)
            cluster.kill()
            await asyncio.sleep(2)
            await asyncio.to_thread(cluster.restart)
            await load.reach(30)
        load.stopping = True
        await asyncio.gather(*workers)
        done.set()
        assert await sealing >= 1
        assert load.failures, "the broker was not away at all"
        await small.seal(partition_of(stage))
        found = sealed_in(small, partition_of(stage))
        ids = found.ids(small.tenant_log("acme").log_id)
        assert len(ids) == len(set(ids))
        assert set(ids) == load.sent == load.acknowledged
        assert quarantined(small, found, partition_of(stage)) == []
        await small.close()
