"""One aiokafka producer, from its start to its end; `kafka_producer` replaces one by the next.

Everything that reaches into aiokafka 0.14 (pinned) stands in this file. Two things need it: to watch the task that
sends, because when it ends batches wait for ever (aiokafka #1039); and to put a producer down. `stop()` cannot be used
for that: it flushes first, and so hangs while the broker is away (#1101), or delivers, much later, what was reported as
unknown. Here its tasks are cancelled and its connections closed; from then on nothing of it is sent.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from ledger.errors import Unavailable
from ledger.log.kafka_settings import KafkaSettings

PUT_DOWN_S = 2.0


class Generation:
    """A started producer, what is known against it, and how many appends use it."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self.producer = producer
        self.condemned: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.under_way = 0
        self.acknowledged = 0

    @classmethod
    async def start(cls, settings: KafkaSettings) -> Generation:
        """Connect a new producer; `Unavailable` when that takes longer than one request may."""
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
                raise Unavailable(f"topic {settings.topic}: no connection to {where}: {type(error).__name__}") from None
            raise
        return cls(producer)

    def sender(self) -> asyncio.Task[None]:
        """The task that sends; while it runs the producer can work."""
        task: asyncio.Task[None] = self.producer._sender.sender_task
        return task

    def usable(self) -> bool:
        """Whether nothing speaks against giving it a batch."""
        return not self.condemned.done() and not self.sender().done()

    async def put_down(self) -> None:
        """End it at once, within seconds."""
        await _put_down(self.producer)


async def _put_down(producer: AIOKafkaProducer) -> None:
    # Also keeps `__del__` from complaining.
    producer._closed = True
    sender = producer._sender
    # The sender task and the requests it made tasks of, found by the object whose method they run.
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
