"""The supervision of the Kafka producer, with a producer that misbehaves on demand (no broker)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    TopicAuthorizationFailedError,
)

from ledger.errors import IntegrityError, OutcomeUnknown, Rejected, Unavailable
from ledger.log.interface import Record
from ledger.log.kafka_generation import Generation
from ledger.log.kafka_producer import SupervisedProducer
from ledger.log.kafka_settings import KafkaSettings

SETTINGS = KafkaSettings(("nowhere:1",), "topic", partitions=2, replication=1, min_isr=1, appends_max=3)
RECORDS = [Record(b"k", (), b"v"), Record(b"k", (), b"w")]

Answer = Callable[[asyncio.Future[Any]], object]


def acknowledge(offset: int | None) -> Answer:
    """The broker's answer with this offset."""
    return lambda sent: sent.set_result(SimpleNamespace(offset=offset))


def fail(error: Exception) -> Answer:
    """The batch fails."""
    return lambda sent: sent.set_exception(error)


def keep_silent(sent: asyncio.Future[Any]) -> None:
    """No answer ever comes."""


class _Batch:
    def append(self, **_: object) -> object:
        return object()

    def close(self) -> None:
        pass


@dataclass
class Script:
    """What the producers do with the batches, in order; how many were started and put down."""

    answers: list[Answer]
    start_error: Exception | None = None
    take_error: Exception | None = None
    started: list[Generation] = field(default_factory=list)
    put_down: list[Generation] = field(default_factory=list)
    pending: list[asyncio.Future[Any]] = field(default_factory=list)

    async def start(self, _: KafkaSettings) -> Generation:
        if self.start_error is not None:
            raise self.start_error
        sender = asyncio.create_task(asyncio.sleep(3600))
        producer = SimpleNamespace(
            create_batch=_Batch, send_batch=self.send, _sender=SimpleNamespace(sender_task=sender)
        )
        self.started.append(Generation(producer))
        return self.started[-1]

    async def send(self, *_: object, partition: int) -> asyncio.Future[Any]:
        if self.take_error is not None:
            raise self.take_error
        sent: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.pending.append(sent)
        asyncio.get_running_loop().call_soon(self.answers.pop(0), sent)
        return sent

    async def end(self, generation: Generation) -> None:
        self.put_down.append(generation)
        generation.sender().cancel()
        for sent in self.pending:
            sent.cancel()


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """Producers that follow a script instead of talking to a broker."""
    script = Script([])
    monkeypatch.setattr(Generation, "start", script.start)
    monkeypatch.setattr(Generation, "put_down", lambda generation: script.end(generation))
    yield script
    assert not script.answers, "not every answer was used"


async def closed(producer: SupervisedProducer, script: Script) -> None:
    """Close, and check that no producer is left over."""
    await producer.close()
    assert set(script.put_down) == set(script.started)
    assert len(script.put_down) == len(script.started)


async def test_returns_the_offset_and_keeps_a_good_producer(script: Script) -> None:
    """As long as all goes well there is one producer."""
    producer = SupervisedProducer(SETTINGS)
    script.answers = [acknowledge(5), acknowledge(7), acknowledge(0)]
    assert await producer.append(0, RECORDS, 5) == 5
    assert await producer.append(0, RECORDS, 5) == 7
    assert await producer.append(1, RECORDS, 5) == 0
    assert len(script.started) == 1
    await closed(producer, script)


@pytest.mark.parametrize("offset", [-1, None])
async def test_an_acknowledgement_without_an_offset_is_unknown(script: Script, offset: int | None) -> None:
    """A duplicate by the broker's account comes without an offset: nobody gets a receipt for that."""
    producer = SupervisedProducer(SETTINGS)
    script.answers = [acknowledge(offset), acknowledge(9)]
    with pytest.raises(OutcomeUnknown, match="without an offset"):
        await producer.append(0, RECORDS, 5)
    assert await producer.append(0, RECORDS, 5) == 9
    assert len(script.started) == 2
    await closed(producer, script)


@pytest.mark.parametrize("offset", [0, 5, 6])
async def test_an_offset_that_went_back_is_an_integrity_error(script: Script, offset: int) -> None:
    """After offsets 5 and 6 were acknowledged, a later batch cannot stand there or before."""
    producer = SupervisedProducer(SETTINGS)
    script.answers = [acknowledge(5), acknowledge(offset)]
    await producer.append(0, RECORDS, 5)
    with pytest.raises(IntegrityError, match="recreated or cut"):
        await producer.append(0, RECORDS, 5)
    await closed(producer, script)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OutOfOrderSequenceNumber(), OutcomeUnknown),
        (KafkaError("Unexpected error during batch delivery"), OutcomeUnknown),
        (TopicAuthorizationFailedError("topic"), OutcomeUnknown),
        (MessageSizeTooLargeError(), Rejected),
    ],
)
async def test_a_failed_batch_costs_its_producer(script: Script, error: Exception, expected: type[Exception]) -> None:
    """Whatever a batch fails of, the next one goes to a new producer: the old one's sequence has moved on."""
    producer = SupervisedProducer(SETTINGS)
    script.answers = [fail(error), acknowledge(1)]
    with pytest.raises(expected):
        await producer.append(0, RECORDS, 5)
    assert await producer.append(0, RECORDS, 5) == 1
    assert len(script.started) == 2
    await closed(producer, script)


async def test_silence_ends_at_the_deadline_and_costs_the_producer(script: Script) -> None:
    """A batch that nobody answers is unknown in time; what another append waits for in that producer is left to it."""
    producer = SupervisedProducer(SETTINGS)
    script.answers = [keep_silent, keep_silent, acknowledge(1)]
    patient = asyncio.create_task(producer.append(1, RECORDS, 20))
    while not script.pending:  # noqa: ASYNC110 - the next turns of the loop
        await asyncio.sleep(0)
    started = time.monotonic()
    with pytest.raises(OutcomeUnknown, match="not within the deadline"):
        await producer.append(0, RECORDS, 0.2)
    assert time.monotonic() - started < 1
    assert await producer.append(0, RECORDS, 5) == 1
    assert len(script.started) == 2
    assert not script.put_down, "somebody still waits in it"
    script.pending[0].set_result(SimpleNamespace(offset=4))
    assert await patient == 4
    await asyncio.sleep(0)
    assert script.put_down == script.started[:1]
    await closed(producer, script)


async def test_a_sender_that_ends_is_noticed_at_once(script: Script) -> None:
    """An append under way does not wait out its deadline when nobody is left to send."""
    producer = SupervisedProducer(SETTINGS)
    script.answers = [keep_silent, acknowledge(1)]
    under_way = asyncio.create_task(producer.append(0, RECORDS, 20))
    await asyncio.sleep(0.05)
    script.started[0].sender().cancel()
    with pytest.raises(OutcomeUnknown, match="its producer ended"):
        await asyncio.wait_for(under_way, 1)
    assert await producer.append(0, RECORDS, 5) == 1
    await closed(producer, script)


async def test_what_was_not_sent_is_unavailable(script: Script) -> None:
    """No connection, or a batch that is not taken: surely not appended."""
    producer = SupervisedProducer(SETTINGS)
    script.start_error = Unavailable("no broker")
    with pytest.raises(Unavailable, match="no broker"):
        await producer.append(0, RECORDS, 5)
    script.start_error = None
    for error in (KafkaConnectionError(), AssertionError("Unrecognized partition"), TypeError("argument of None")):
        script.take_error = error
        with pytest.raises(Unavailable) as refused:
            await producer.append(0, RECORDS, 5)
        assert type(refused.value) is Unavailable
    script.take_error = None
    script.answers = [acknowledge(1)]
    assert await producer.append(0, RECORDS, 5) == 1
    await closed(producer, script)


async def test_turns_away_more_than_may_wait(script: Script) -> None:
    """The bound stands in front: beyond it nobody waits, and nothing is queued."""
    producer = SupervisedProducer(SETTINGS)
    script.answers = [keep_silent] * 3
    waiting = [asyncio.create_task(producer.append(n % 2, RECORDS, 0.5)) for n in range(3)]
    await asyncio.sleep(0.05)
    with pytest.raises(Unavailable, match="3 appends are waiting already"):
        await producer.append(0, RECORDS, 5)
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(type(outcome) is OutcomeUnknown for outcome in outcomes)
    await closed(producer, script)


async def test_closing_ends_what_is_under_way(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """Close waits a while, then fails the rest; afterwards nothing is taken."""
    monkeypatch.setattr("ledger.log.kafka_producer.CLOSE_S", 0.1)
    producer = SupervisedProducer(SETTINGS)
    script.answers = [keep_silent, keep_silent]
    waiting = [asyncio.create_task(producer.append(n, RECORDS, 60)) for n in range(2)]
    await asyncio.sleep(0.05)
    await asyncio.wait_for(closed(producer, script), 2)
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(type(outcome) is OutcomeUnknown for outcome in outcomes)
    with pytest.raises(Unavailable, match="closed"):
        await producer.append(0, RECORDS, 5)


async def test_a_cancelled_caller_leaves_nothing_behind(script: Script) -> None:
    """A caller who goes away does not block the partition, nor count as waiting."""
    producer = SupervisedProducer(SETTINGS)
    for _ in range(5):
        script.answers = [keep_silent]
        caller = asyncio.create_task(producer.append(0, RECORDS, 60))
        await asyncio.sleep(0.01)
        caller.cancel()
        await asyncio.wait({caller})
    script.answers = [acknowledge(1)]
    assert await producer.append(0, RECORDS, 5) == 1
    await closed(producer, script)
