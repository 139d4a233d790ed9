"""A real event log that can be told to fail, to wait, or to say nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ledger.log.interface import Bounds, EventLog, Record, StoredRecord


class FaultyLog:
    """Passes everything on to `real`, unless told otherwise.

    `failures`: what the next appends raise, None for those that succeed; the last one stays in force.
    `held`: appends wait while it is set, before they reach the real log. `entered` counts those that came.
    `unhealthy`: what `healthy` raises.
    """

    def __init__(self, real: EventLog) -> None:
        self.real = real
        self.failures: list[Exception | None] = [None]
        self.unhealthy: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.entered = 0
        self.arrived = asyncio.Condition()
        self.deadlines: list[float] = []

    @property
    def partitions(self) -> int:
        return self.real.partitions

    @property
    def batch_bytes_max(self) -> int:
        return self.real.batch_bytes_max

    async def start(self) -> None:
        await self.real.start()

    async def append(self, partition: int, records: Sequence[Record], deadline_s: float) -> int:
        self.entered += 1
        self.deadlines.append(deadline_s)
        async with self.arrived:
            self.arrived.notify_all()
        failure = self.failures.pop(0) if len(self.failures) > 1 else self.failures[0]
        await self.open.wait()
        if failure is not None:
            raise failure
        return await self.real.append(partition, records, deadline_s)

    async def until_entered(self, count: int) -> None:
        """Return once that many appends have come."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: self.entered >= count)

    async def read(
        self, partition: int, offset: int, *, records_max: int, bytes_max: int, wait_s: float
    ) -> list[StoredRecord]:
        return await self.real.read(partition, offset, records_max=records_max, bytes_max=bytes_max, wait_s=wait_s)

    async def reread(self, partition: int, offset: int) -> StoredRecord | None:
        return await self.real.reread(partition, offset)

    async def bounds(self, partition: int) -> Bounds:
        return await self.real.bounds(partition)

    async def trim(self, partition: int, before_offset: int) -> None:
        await self.real.trim(partition, before_offset)

    async def healthy(self) -> None:
        if self.unhealthy is not None:
            raise self.unhealthy
        await self.real.healthy()

    async def close(self) -> None:
        await self.real.close()
