"""Appending to a Kafka event log: aiokafka's idempotent producer, under supervision.

One append is one record batch (`create_batch`, `send_batch`), which the broker appends whole or not at all, with
`acks=all`. What the producer does not do by itself is done here:

- **Every wait ends.** Appends beyond `appends_max` are turned away; every other one ends at its deadline: before the
  batch was handed over as `Unavailable`, after that as `OutcomeUnknown`. Waiting for room is done here, in order, since
  aiokafka lets several who wait for one place run out of time too early.
- **A producer in doubt is replaced** before the next append: after a batch that failed or was not acknowledged in time
  (the sequence number has moved on, and all that follows would be refused as out of order: aiokafka #1017), when its
  sender task has ended (it would wait for ever: #1039), when appends find no room while nothing is acknowledged. Others
  under way in it keep their own deadlines; with the last of them it is put down.
- **What is over is over.** Once the producer of an append that ended as unknown is put down, nothing of it is sent any
  more.
- **No unchecked offset.** A batch whose offset is not known (a duplicate by the broker's account) is `OutcomeUnknown`.
  An offset that is not above all those acknowledged before the batch was sent shows that the topic was recreated or
  cut: `IntegrityError`.

Retries inside the producer cannot double a batch (idempotence); a caller's retry after `OutcomeUnknown` can, and event
ids make that harmless.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import (
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnknownTopicOrPartitionError,
)

from ledger.errors import IntegrityError, OutcomeUnknown, Rejected, Unavailable
from ledger.log.interface import Record
from ledger.log.kafka_generation import PUT_DOWN_S, Generation
from ledger.log.kafka_settings import KafkaSettings

log = logging.getLogger(__name__)

CLOSE_S = 3.0
"""How long `close` waits for appends under way."""

JAMMED_S = 1.0
"""Waiting this long for room while nothing is acknowledged speaks against the producer."""


@dataclass(frozen=True, slots=True)
class _Handed:
    """A batch that a producer has: where, the future of its acknowledgement, what was acknowledged before."""

    generation: Generation
    sent: asyncio.Future[Any]
    floor: int


class SupervisedProducer:
    """Appends to one topic. Belongs to the event loop it is first used on."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._current: Generation | None = None
        self._alive: set[Generation] = set()
        self._starting: asyncio.Task[Generation] | None = None
        self._putting_down: set[asyncio.Task[None]] = set()
        self._lanes = [asyncio.Lock() for _ in range(settings.partitions)]
        self._waiting = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._acknowledged: dict[int, int] = {}

    async def append(self, partition: int, records: Sequence[Record], deadline_s: float) -> int:
        """Append `records` as one batch; returns the first offset."""
        topic = self._settings.topic
        if self._closed:
            raise Unavailable(f"topic {topic}: the event log is closed")
        if self._waiting >= self._settings.appends_max:
            raise Unavailable(f"topic {topic}: {self._waiting} appends are waiting already", retry_after_ms=100)
        where = f"topic {topic} partition {partition}"
        until = asyncio.get_running_loop().time() + deadline_s
        self._waiting += 1
        self._idle.clear()
        try:
            handed = await self._hand_over(where, partition, records, until)
            try:
                return await self._acknowledgement(handed, where, partition, len(records), until)
            finally:
                self._leave(handed.generation)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._idle.set()

    async def close(self) -> None:
        """Let appends under way end, for a while, then fail them and put every producer down. Never hangs."""
        self._closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._idle.wait()
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait({self._starting}, timeout=PUT_DOWN_S)
        for generation in tuple(self._alive):
            if not generation.condemned.done():
                generation.condemned.set_result(None)
            self._put_down(generation)
        if self._putting_down:
            await asyncio.wait(self._putting_down, timeout=2 * PUT_DOWN_S)

    async def _hand_over(self, where: str, partition: int, records: Sequence[Record], until: float) -> _Handed:
        """Give a producer one batch. Whatever is raised here, it has not been sent.

        One at a time for each partition: a producer has room for one batch of a partition besides the one it sends, and
        lets those who wait for it run out of time too early. The caller must `_leave` the generation it gets.
        """
        lane = self._lanes[partition]
        try:
            async with asyncio.timeout_at(until):
                await lane.acquire()
        except TimeoutError:
            raise Unavailable(f"{where}: no room for a batch within the deadline") from None
        try:
            while True:
                generation = await self._ready(until)
                generation.under_way += 1
                # What has been acknowledged by now lies below this batch.
                floor = self._acknowledged.get(partition, -1)
                sent = None
                try:
                    sent = await self._give(generation, where, partition, records, until)
                finally:
                    if sent is None:
                        self._leave(generation)
                if sent is not None:
                    sent.add_done_callback(_look_at)
                    return _Handed(generation, sent, floor)
        finally:
            lane.release()

    async def _give(
        self, generation: Generation, where: str, partition: int, records: Sequence[Record], until: float
    ) -> asyncio.Future[Any] | None:
        """Give this producer one batch; None when the producer turns out to be no good: try another."""
        batch = generation.producer.create_batch()
        for record in records:
            if batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers)) is None:
                raise Rejected("", f"{where}: {len(records)} records do not fit one batch")
        batch.close()
        began, acknowledged = asyncio.get_running_loop().time(), generation.acknowledged
        giving: asyncio.Task[asyncio.Future[Any]] = asyncio.create_task(
            generation.producer.send_batch(batch, self._settings.topic, partition=partition)
        )
        try:
            # Not `asyncio.timeout`: its cancellation could hide that the batch was queued at that very moment.
            ends: set[asyncio.Future[Any]] = {giving, generation.condemned, generation.sender()}
            await asyncio.wait(ends, timeout=_left(until), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not giving.done():
                # Once cancelled it is not queued: queueing is one step, its last.
                giving.cancel()
                await asyncio.wait({giving})
        if giving.cancelled() or isinstance(giving.exception(), KafkaTimeoutError):
            waited_s = asyncio.get_running_loop().time() - began
            if waited_s >= JAMMED_S and generation.acknowledged == acknowledged:
                self._condemn(generation, f"{where}: no room for a batch, and nothing was acknowledged meanwhile")
            if _left(until):
                return None
            raise Unavailable(f"{where}: no room for a batch within the deadline")
        error = giving.exception()
        if isinstance(error, AssertionError | TypeError):
            # How aiokafka says that the topic has no such partition (any more).
            error = UnknownTopicOrPartitionError()
        if error is not None:
            self._condemn(generation, f"{where}: a batch was not taken: {type(error).__name__}")
            raise Unavailable(f"{where}: a batch was not taken: {type(error).__name__}")
        return giving.result()

    async def _acknowledgement(self, handed: _Handed, where: str, partition: int, count: int, until: float) -> int:
        """Wait for the broker's answer and check it; returns the offset."""
        generation, sent = handed.generation, handed.sent
        await asyncio.wait({sent, generation.sender()}, timeout=_left(until), return_when=asyncio.FIRST_COMPLETED)
        if not sent.done() or sent.cancelled():
            ended = sent.cancelled() or generation.sender().done()
            why = "its producer ended" if ended else "not within the deadline"
            self._condemn(generation, f"{where}: a batch was not acknowledged: {why}")
            raise OutcomeUnknown(f"{where}: a batch was sent and not acknowledged: {why}")
        error = sent.exception()
        if error is not None:
            self._condemn(generation, f"{where}: a batch failed: {type(error).__name__}")
            if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
                raise Rejected("", f"{where}: the broker finds a batch of {count} records too large")
            raise OutcomeUnknown(f"{where}: a batch failed: {type(error).__name__}")
        offset = getattr(sent.result(), "offset", None)
        if not isinstance(offset, int) or offset < 0:
            self._condemn(generation, f"{where}: a batch was acknowledged without an offset")
            raise OutcomeUnknown(f"{where}: a batch was acknowledged without an offset")
        if offset <= handed.floor:
            self._condemn(generation, f"{where}: the offsets went back")
            raise IntegrityError(
                f"{where} gave offset {offset} to a batch sent after offset {handed.floor} was acknowledged:"
                " the topic was recreated or cut"
            )
        generation.acknowledged += 1
        self._acknowledged[partition] = max(offset + count - 1, self._acknowledged.get(partition, -1))
        return offset

    async def _ready(self, until: float) -> Generation:
        """A producer that nothing speaks against, started when there is none; `Unavailable` at `until`."""
        if self._closed:
            raise Unavailable(f"topic {self._settings.topic}: the event log is closed")
        current = self._current
        if current is not None and current.usable():
            return current
        if current is not None:
            self._condemn(current, f"topic {self._settings.topic}: a producer's sender task has ended")
        if self._starting is None:
            # One start serves all who wait, and takes its own time, not that of the first one's deadline.
            self._starting = asyncio.create_task(self._start())
            self._starting.add_done_callback(_look_at)
        starting = self._starting
        await asyncio.wait({starting}, timeout=_left(until))
        if not starting.done() or starting.cancelled():
            raise Unavailable(f"topic {self._settings.topic}: no connection within the deadline")
        return starting.result()

    async def _start(self) -> Generation:
        try:
            self._current = generation = await Generation.start(self._settings)
            self._alive.add(generation)
            return generation
        finally:
            self._starting = None

    def _leave(self, generation: Generation) -> None:
        """An append is done with a producer; with the last one a condemned producer is put down."""
        generation.under_way -= 1
        if generation.condemned.done() and not generation.under_way:
            self._put_down(generation)

    def _condemn(self, generation: Generation, why: str) -> None:
        """Let no further append use this producer."""
        if generation.condemned.done():
            return
        generation.condemned.set_result(None)
        log.warning("the producer will be replaced: %s", why)
        if self._current is generation:
            self._current = None
        if not generation.under_way:
            self._put_down(generation)

    def _put_down(self, generation: Generation) -> None:
        if generation not in self._alive:
            return
        self._alive.discard(generation)
        if self._current is generation:
            self._current = None
        task = asyncio.create_task(generation.put_down())
        self._putting_down.add(task)
        task.add_done_callback(self._putting_down.discard)


def _left(until: float) -> float:
    return max(0.0, until - asyncio.get_running_loop().time())


def _look_at(future: asyncio.Future[Any]) -> None:
    """Take note of a future's error, so that asyncio does not report it as overlooked when nobody waits any more."""
    if not future.cancelled():
        future.exception()
