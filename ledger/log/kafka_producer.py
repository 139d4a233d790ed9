"""Appending to a Kafka event log: aiokafka's idempotent producer, under supervision.

One append is one record batch (`create_batch`, `send_batch`), which the broker appends whole or not at all, with
`acks=all`. What the producer does not do by itself is done here:

- **Every wait ends.** Appends beyond `appends_max` are turned away; every other one ends at its deadline: before the
  batch was handed over as `Unavailable`, after that as `OutcomeUnknown`.
- **A producer in doubt is replaced** before the next append: after a batch that failed or was not acknowledged in time
  (the sequence number has moved on, and all that follows would be refused as out of order: aiokafka #1017), when its
  sender task has ended (it would wait for ever: #1039), when appends find no room while nothing is acknowledged. Others
  under way in it keep their own deadlines; with the last of them it is put down.
- **Putting down is not `stop()`**, which flushes and therefore hangs while the broker is away (#1101), and which would
  deliver, much later, what was reported as unknown. Its tasks are cancelled and its connections closed.
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

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

from ledger.errors import IntegrityError, OutcomeUnknown, Rejected, Unavailable
from ledger.log.interface import Record
from ledger.log.kafka_settings import KafkaSettings

log = logging.getLogger(__name__)

CLOSE_S = 3.0
"""How long `close` waits for appends under way."""

PUT_DOWN_S = 2.0


@dataclass(slots=True, eq=False)
class _Generation:
    """One producer, from its start to its replacement."""

    producer: AIOKafkaProducer
    condemned: str = ""
    under_way: int = 0
    acknowledged: int = 0

    def sender(self) -> asyncio.Task[None]:
        task: asyncio.Task[None] = self.producer._sender.sender_task
        return task


class SupervisedProducer:
    """Appends to one topic. Belongs to the event loop it is first used on."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._current: _Generation | None = None
        self._starting: asyncio.Task[_Generation] | None = None
        self._putting_down: set[asyncio.Task[None]] = set()
        self._waiting = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._acknowledged: dict[int, int] = {}

    async def append(self, partition: int, records: Sequence[Record], deadline_s: float) -> int:
        """Append `records` as one batch; returns the first offset."""
        if self._closed:
            raise Unavailable(f"topic {self._settings.topic}: the event log is closed")
        if self._waiting >= self._settings.appends_max:
            raise Unavailable(
                f"topic {self._settings.topic}: {self._waiting} appends are waiting already", retry_after_ms=100
            )
        until = asyncio.get_running_loop().time() + deadline_s
        self._waiting += 1
        self._idle.clear()
        try:
            generation = await self._ready(until)
            generation.under_way += 1
            try:
                return await self._append(generation, partition, records, until)
            finally:
                generation.under_way -= 1
                if generation.condemned and not generation.under_way:
                    self._put_down(generation)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._idle.set()

    async def close(self) -> None:
        """Let appends under way end, for a while, then put the producer down. Never hangs."""
        self._closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._idle.wait()
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait({self._starting}, timeout=PUT_DOWN_S)
        if self._current is not None:
            self._put_down(self._current)
        if self._putting_down:
            await asyncio.wait(self._putting_down, timeout=2 * PUT_DOWN_S)

    async def _append(self, generation: _Generation, partition: int, records: Sequence[Record], until: float) -> int:
        where = f"topic {self._settings.topic} partition {partition}"
        # What was acknowledged before this batch is sent lies below it.
        floor = self._acknowledged.get(partition, -1)
        sent = await self._hand_over(generation, where, partition, records, until)
        sent.add_done_callback(_look_at)
        wait_s = max(0.0, until - asyncio.get_running_loop().time())
        await asyncio.wait({sent, generation.sender()}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        if not sent.done() or sent.cancelled():
            why = "its producer ended" if sent.cancelled() or generation.sender().done() else "not within the deadline"
            self._condemn(generation, f"{where}: a batch was not acknowledged, {why}")
            raise OutcomeUnknown(f"{where}: a batch was sent and not acknowledged: {why}")
        error = sent.exception()
        if error is not None:
            self._condemn(generation, f"{where}: a batch failed: {type(error).__name__}")
            if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
                raise Rejected("", f"{where}: the broker finds a batch of {len(records)} records too large")
            raise OutcomeUnknown(f"{where}: a batch failed: {type(error).__name__}")
        offset = getattr(sent.result(), "offset", None)
        if not isinstance(offset, int) or offset < 0:
            self._condemn(generation, f"{where}: a batch was acknowledged without an offset")
            raise OutcomeUnknown(f"{where}: a batch was acknowledged without an offset")
        if offset <= floor:
            self._condemn(generation, f"{where}: the offsets went back")
            raise IntegrityError(
                f"{where} gave offset {offset} to a batch sent after offset {floor} was acknowledged:"
                " the topic was recreated or cut"
            )
        generation.acknowledged += 1
        self._acknowledged[partition] = max(offset + len(records) - 1, self._acknowledged.get(partition, -1))
        return offset

    async def _hand_over(
        self, generation: _Generation, where: str, partition: int, records: Sequence[Record], until: float
    ) -> asyncio.Future[Any]:
        """Give the producer one batch. Whatever is raised here, it has not been sent."""
        acknowledged = generation.acknowledged
        batch = generation.producer.create_batch()
        for record in records:
            if batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers)) is None:
                raise Rejected("", f"{where}: {len(records)} records do not fit one batch")
        batch.close()
        try:
            async with asyncio.timeout_at(until):
                future: asyncio.Future[Any] = await generation.producer.send_batch(
                    batch, self._settings.topic, partition=partition
                )
                return future
        except (TimeoutError, KafkaTimeoutError):
            if generation.acknowledged == acknowledged:
                self._condemn(generation, f"{where}: no room for a batch, and nothing was acknowledged meanwhile")
            raise Unavailable(f"{where}: no room for a batch within the deadline") from None
        except KafkaError as error:
            self._condemn(generation, f"{where}: a batch was not taken: {type(error).__name__}")
            raise Unavailable(f"{where}: a batch was not taken: {type(error).__name__}") from None
        except (AssertionError, TypeError):
            # How aiokafka says that the topic has no such partition (any more).
            self._condemn(generation, f"{where}: the broker does not know the partition")
            raise Unavailable(f"{where}: the broker does not know the partition") from None

    async def _ready(self, until: float) -> _Generation:
        """A producer that nothing speaks against, started when there is none; `Unavailable` at `until`."""
        current = self._current
        if current is not None and not current.condemned and current.sender().done():
            self._condemn(current, f"topic {self._settings.topic}: a producer's sender task has ended")
        if current is not None and not current.condemned:
            return current
        if self._starting is None:
            # One start serves all who wait, and takes its own time, not that of the first one's deadline.
            self._starting = asyncio.create_task(self._start())
            self._starting.add_done_callback(_look_at)
        starting = self._starting
        await asyncio.wait({starting}, timeout=max(0.0, until - asyncio.get_running_loop().time()))
        if not starting.done() or starting.cancelled():
            raise Unavailable(f"topic {self._settings.topic}: no connection within the deadline")
        error = starting.exception()
        if error is not None:
            raise Unavailable(f"topic {self._settings.topic}: no connection: {error}")
        return starting.result()

    async def _start(self) -> _Generation:
        settings = self._settings
        producer = AIOKafkaProducer(
            **settings.connection("append"),
            acks="all",
            enable_idempotence=True,
            transactional_id=None,
            compression_type=None,
            key_serializer=None,
            value_serializer=None,
            linger_ms=0,
            max_batch_size=settings.batch_bytes_max,
            max_request_size=settings.batch_bytes_max,
        )
        try:
            async with asyncio.timeout(settings.request_timeout_s):
                await producer.start()
        except BaseException as error:
            await _put_down(producer)
            if isinstance(error, KafkaError | TimeoutError | OSError):
                where = ",".join(settings.bootstrap)
                raise Unavailable(f"{where}: {type(error).__name__}") from None
            raise
        else:
            self._current = generation = _Generation(producer)
            return generation
        finally:
            self._starting = None

    def _condemn(self, generation: _Generation, why: str) -> None:
        if generation.condemned:
            return
        generation.condemned = why
        log.warning("the producer will be replaced: %s", why)
        if self._current is generation:
            self._current = None
        if not generation.under_way:
            self._put_down(generation)

    def _put_down(self, generation: _Generation) -> None:
        if self._current is generation:
            self._current = None
        task = asyncio.create_task(_put_down(generation.producer))
        self._putting_down.add(task)
        task.add_done_callback(self._putting_down.discard)


def _look_at(future: asyncio.Future[Any]) -> None:
    """Take note of a future's error, so that asyncio does not report it as overlooked when nobody waits any more."""
    if not future.cancelled():
        future.exception()


async def _put_down(producer: AIOKafkaProducer) -> None:
    """End a producer at once: nothing of it is sent any more. Reaches into aiokafka 0.14, which has no such call."""
    # Also keeps `__del__` from complaining.
    producer._closed = True
    sender = producer._sender
    # The sender task and the requests it has made tasks of, found by the object whose method they run.
    tasks = {task for task in asyncio.all_tasks() if _runs_for(task) is sender}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=PUT_DOWN_S)
    accumulator = producer._message_accumulator
    batches = [batch for queue in accumulator._batches.values() for batch in queue]
    for batch in (*batches, *accumulator._pending_batches):
        batch.future.cancel()
    with suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(PUT_DOWN_S):
            await producer.client.close()


def _runs_for(task: asyncio.Task[Any]) -> object:
    frame = getattr(task.get_coro(), "cr_frame", None)
    return frame.f_locals.get("self") if frame is not None else None
