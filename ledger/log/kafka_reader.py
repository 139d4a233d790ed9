"""Reading a Kafka event log: every read is a fetch of its own, sent after the call began.

aiokafka's consumer looks ahead: it hands out what it fetched earlier, from a topic that may have been deleted since,
and its background task can stick when a broker comes back (aiokafka #1154). A ledger wants the truth of now, so this
reader uses the client below the consumer: it sends one fetch request to the partition's leader and decodes the answer.
No group, no committed position, no reset policy, no state besides the connections: there is nothing that could jump or
stick. Correctness rests on the offset asked for and on what the broker answers.

- Each partition fetches on a connection of its own, because a broker answers the requests of one connection in order: a
  fetch that waits for new records would hold up all others.
- Reads are of everything up to the high watermark (`read_uncommitted`): a stranger's open transaction must not hold up
  a partition, and its records are seen and put aside by the sealer.
- Trouble is retried on fresh metadata until the call's time is over, then the client is thrown away, so that the next
  call starts from the bootstrap addresses: a client that has stuck does not stay.
- "Out of range" is believed only when the leader, asked again on fresh metadata, confirms the bounds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from aiokafka import AIOKafkaClient, TopicPartition
from aiokafka.errors import (
    KafkaError,
    LeaderNotAvailableError,
    NoError,
    OffsetOutOfRangeError,
    RequestTimedOutError,
    for_code,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.offset import OffsetRequest

from ledger.errors import IntegrityError, LedgerError, Unavailable
from ledger.log.interface import Bounds, StoredRecord
from ledger.log.kafka_records import decode
from ledger.log.kafka_settings import RETRY_BACKOFF_MS, KafkaSettings

T = TypeVar("T")

FETCH_BYTES_MAX = 4 * 1024 * 1024
"""Of one fetch. Larger ones are slower: asyncio gathers an answer in a buffer that it copies as it grows."""

FETCH_WAIT_MS_MAX = 1_000
"""How long a broker may hold one fetch back; longer waits are several fetches."""

INLINE_BYTES = 64 * 1024
"""An answer up to this size is decoded at once, a larger one on a thread, so that the event loop goes on."""

OPERATION_TIMEOUTS = 3
"""What takes several requests may take this many times the time-out of one."""

READ_UNCOMMITTED = 0
CONSUMER = -1
EARLIEST, LATEST = -2, -1
CLOSE_S = 2.0


class Reader:
    """Fetches of one topic."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._client: AIOKafkaClient | None = None
        self._connecting = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    async def read(
        self, partition: int, offset: int, records_max: int, bytes_max: int, wait_s: float
    ) -> list[StoredRecord]:
        """The records from exactly `offset` on; [] when none came within `wait_s`."""
        loop = asyncio.get_running_loop()
        waits_until = loop.time() + wait_s

        async def fetch() -> bytes:
            wait_ms = min(FETCH_WAIT_MS_MAX, max(0, round((waits_until - loop.time()) * 1000)))
            return await self._fetch(partition, offset, bytes_max, wait_ms)

        gives_up_at = waits_until + OPERATION_TIMEOUTS * self._settings.request_timeout_s
        while True:
            try:
                data = await self._persist(self._where(partition), fetch, waits_until)
            except OffsetOutOfRangeError:
                await self._check_offset(partition, offset)
                if loop.time() >= gives_up_at:
                    raise Unavailable(f"{self._where(partition)}: the brokers do not agree on its bounds") from None
                continue
            found = await _decoded(data, self._where(partition), offset, records_max, bytes_max)
            if found or loop.time() >= waits_until:
                return found

    async def reread(self, partition: int, offset: int) -> StoredRecord | None:
        """The record at `offset`; None only when the leader says that this is the next one to be written.

        A leader just elected may not yet know that what it holds is on enough replicas, and shows less for a moment.
        """
        gives_up_at = asyncio.get_running_loop().time() + OPERATION_TIMEOUTS * self._settings.request_timeout_s
        while not (found := await self.read(partition, offset, 1, 1, 0)):
            if offset >= (await self.bounds(partition)).end:
                return None
            if asyncio.get_running_loop().time() >= gives_up_at:
                raise Unavailable(f"{self._where(partition)} does not show offset {offset}")
        return found[0]

    async def bounds(self, partition: int) -> Bounds:
        """What the partition's leader holds now."""

        async def ask() -> Bounds:
            start = await self._list_offset(partition, EARLIEST)
            return Bounds(start, await self._list_offset(partition, LATEST))

        return await self._persist(self._where(partition), ask)

    async def check_leaders(self) -> None:
        """`Unavailable` unless every partition has a leader and enough replicas in step to take an append."""
        topic = self._settings.topic

        async def describe() -> Any:
            client = await self._connected()
            return await client.send(client.get_random_node(), MetadataRequest([topic], False), group="metadata")

        ((code, _, _, partitions),) = (await self._persist(topic, describe)).topics
        if code:
            raise Unavailable(f"topic {topic}: {for_code(code).__name__}")
        for _, number, leader, _, in_step, *_ in partitions:
            if leader < 0 or len(in_step) < self._settings.min_isr:
                raise Unavailable(
                    f"{self._where(number)} has {len(in_step)} replicas in step, expected at least"
                    f" {self._settings.min_isr}, and {'a' if leader >= 0 else 'no'} leader"
                )

    async def close(self) -> None:
        """Let go of all connections."""
        self._closed = True
        if self._client is not None:
            self._discard(self._client)
        if self._closing:
            await asyncio.wait(self._closing, timeout=2 * CLOSE_S)

    async def _fetch(self, partition: int, offset: int, bytes_max: int, wait_ms: int) -> bytes:
        size = min(max(bytes_max, 1), FETCH_BYTES_MAX)
        request = FetchRequest(
            wait_ms, 1, size, READ_UNCOMMITTED, [(self._settings.topic, [(partition, offset, size)])]
        )
        response = await self._ask(partition, request, ("fetch", partition))
        ((_, ((_, code, *_, data),)),) = response.topics
        _check(code)
        return data or b""

    async def _list_offset(self, partition: int, which: int) -> int:
        request = OffsetRequest(CONSUMER, READ_UNCOMMITTED, [(self._settings.topic, [(partition, which)])])
        response = await self._ask(partition, request, "offsets")
        ((_, ((_, code, _, offset),)),) = response.topics
        _check(code)
        return int(offset)

    async def _check_offset(self, partition: int, offset: int) -> None:
        """The broker called `offset` out of range: say why, or return when it was wrong (a leader just replaced)."""
        with suppress(KafkaError, TimeoutError):
            await self._refresh(await self._connected())
        bounds = await self.bounds(partition)
        if offset < bounds.start:
            raise IntegrityError(
                f"{self._where(partition)} starts at {bounds.start}, offset {offset} was asked:"
                " the log was trimmed or recreated"
            )
        if offset > bounds.end:
            raise IntegrityError(
                f"{self._where(partition)} ends at {bounds.end}, offset {offset} was asked:"
                " the log is shorter than it was"
            )
        await asyncio.sleep(RETRY_BACKOFF_MS / 1000)

    async def _ask(self, partition: int, request: Any, group: object) -> Any:
        """One request to the partition's leader. `group` names the connection to use."""
        client = await self._connected()
        leader = client.cluster.leader_for_partition(TopicPartition(self._settings.topic, partition))
        if leader is None or leader < 0:
            raise LeaderNotAvailableError
        return await client.send(leader, request, group=group)

    async def _persist(self, where: str, attempt: Callable[[], Awaitable[T]], until: float = 0.0) -> T:
        """`attempt` until it works; `Unavailable` when the time is over: `until`, but at least one request time-out.

        An offset out of range is the caller's to judge.
        """
        loop = asyncio.get_running_loop()
        until = max(until, loop.time() + self._settings.request_timeout_s)
        while True:
            client = self._client
            problem: Exception
            try:
                async with asyncio.timeout_at(until):
                    return await attempt()
            except OffsetOutOfRangeError:
                raise
            except KafkaError as error:
                problem = error
            except TimeoutError:
                problem = RequestTimedOutError()
            if loop.time() + RETRY_BACKOFF_MS / 1000 >= until or not getattr(problem, "retriable", False):
                if client is not None:
                    self._discard(client)
                raise Unavailable(f"{where} did not answer: {type(problem).__name__}") from None
            with suppress(KafkaError, TimeoutError, LedgerError):
                async with asyncio.timeout_at(until):
                    await self._refresh(await self._connected())
            await asyncio.sleep(RETRY_BACKOFF_MS / 1000)

    async def _refresh(self, client: AIOKafkaClient) -> None:
        async with asyncio.timeout(self._settings.request_timeout_s):
            await client.force_metadata_update()

    async def _connected(self) -> AIOKafkaClient:
        """The client, made anew when there is none."""
        async with self._connecting:
            if self._closed:
                raise Unavailable(f"topic {self._settings.topic}: the event log is closed")
            if self._client is None:
                client = AIOKafkaClient(**self._settings.connection("read"))
                try:
                    await client.bootstrap()
                    await client.set_topics([self._settings.topic])
                except BaseException:
                    self._discard(client)
                    raise
                self._client = client
            return self._client

    def _discard(self, client: AIOKafkaClient) -> None:
        """Close a client in the background; whoever still waits on it gets a connection error and starts afresh."""
        if self._client is client:
            self._client = None

        async def close() -> None:
            with suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await client.close()

        task = asyncio.create_task(close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _where(self, partition: int) -> str:
        return f"topic {self._settings.topic} partition {partition}"


def _check(code: int) -> None:
    error = for_code(code)
    if error is not NoError:
        raise error()


async def _decoded(data: bytes, where: str, offset: int, records_max: int, bytes_max: int) -> list[StoredRecord]:
    if len(data) <= INLINE_BYTES:
        return decode(data, where, offset, records_max, bytes_max)
    return await asyncio.to_thread(decode, data, where, offset, records_max, bytes_max)
