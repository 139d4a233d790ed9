"""The sealers of a process: one task a partition.

- What is unavailable (the event log, the disk) is tried again with growing pauses; the sealer is opened anew each time,
  so nothing half done is believed.
- Being fenced, that is another sealer published the round first, ends that sealer and not the partition: one is opened
  anew behind the other's round. So `seal --drain`, or a command that needs something sealed, can work beside a service.
  Two services that share a partition for long cost each other work; the metrics count it.
- Any other error, an `IntegrityError` above all, halts the partition: its message is logged, `healthy` and the metrics
  say so, and a person has to look. The other partitions go on. When all are halted the service ends.
- Stopping finishes the round at hand. Draining seals what the event log held when it began.
- However it ends, a service with halted partitions raises the error of the first.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from prometheus_client import CollectorRegistry

from consumers.metrics import SealerMetrics
from consumers.publication import Fenced
from consumers.sealer import PartitionSealer, RoundOutcome, SealerLimits, SealerParts
from ledger.errors import LedgerError, Unavailable

IDLE_WAIT_S = 0.25
RETRY_FIRST_S, RETRY_MOST_S = 0.2, 10.0
_log = logging.getLogger("audit_ledger.sealer")

OnRound = Callable[[int, RoundOutcome], None]


class SealerService:
    """Seals the partitions whose parts it is given."""

    def __init__(
        self,
        parts: Sequence[SealerParts],
        limits: SealerLimits,
        registry: CollectorRegistry | None = None,
        on_round: OnRound = lambda partition, outcome: None,
    ) -> None:
        self._parts = parts
        self._limits = limits
        self._metrics = SealerMetrics(registry or CollectorRegistry())
        self._on_round = on_round
        self._healthy: set[int] = set()

        self._halted: dict[int, LedgerError] = {}

    @property
    def healthy(self) -> bool:
        """Whether every partition's sealer is open and at work."""
        return len(self._healthy) == len(self._parts)

    async def run(self, stop: asyncio.Event) -> None:
        """Seals until `stop` is set or all partitions are halted; raises what a person has to look at."""
        await self._each(lambda parts: self._keep_sealing(parts, stop))

    async def drain(self) -> None:
        """Seals all that the event log holds now; raises what a person has to look at."""
        await self._each(self._drain)

    async def _each(self, work: Callable[[SealerParts], Coroutine[Any, Any, None]]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for parts in self._parts:
                    group.create_task(self._until_halted(parts.logs.partition, work(parts)))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        for error in self._halted.values():
            raise error

    async def _until_halted(self, partition: int, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except LedgerError as error:
            self._healthy.discard(partition)
            self._halted[partition] = error
            self._metrics.halted.labels(str(partition)).set(1)
            if len(self._parts) > 1:
                _log.error("partition %d is halted: %s", partition, error)

    async def _keep_sealing(self, parts: SealerParts, stop: asyncio.Event) -> None:
        partition = parts.logs.partition
        pause_s = RETRY_FIRST_S
        while not stop.is_set():
            try:
                sealer = PartitionSealer(parts, self._limits)
                await sealer.open()
                self._healthy.add(partition)
                while not stop.is_set():
                    await self._seal(sealer, IDLE_WAIT_S, fill=True)
                    pause_s = RETRY_FIRST_S
            except Fenced as error:
                self._was_fenced(partition, error)
                await _pause(stop, RETRY_FIRST_S)
            except Unavailable as error:
                self._healthy.discard(partition)
                self._metrics.retries.labels(str(partition)).inc()
                _log.warning("partition %d: %s; trying again in %.1f s", partition, error, pause_s)
                await _pause(stop, pause_s)
                pause_s = min(pause_s * 2, RETRY_MOST_S)

    async def _drain(self, parts: SealerParts) -> None:
        partition = parts.logs.partition
        end = (await parts.log.bounds(partition)).end
        while True:
            try:
                await self._drain_to(parts, end)
            except Fenced as error:
                self._was_fenced(partition, error)
            else:
                return

    async def _drain_to(self, parts: SealerParts, end: int) -> None:
        sealer = PartitionSealer(parts, self._limits)
        await sealer.open()
        self._healthy.add(parts.logs.partition)
        while sealer.state.next_offset < end:
            await self._seal(sealer, IDLE_WAIT_S, fill=False)
        while await self._seal(sealer, 0, fill=False) is not None:
            pass

    def _was_fenced(self, partition: int, error: Fenced) -> None:
        self._metrics.fenced.labels(str(partition)).inc()
        _log.warning("partition %d: %s; going on behind it", partition, error)

    async def _seal(self, sealer: PartitionSealer, wait_s: float, *, fill: bool) -> RoundOutcome | None:
        began = time.monotonic()
        outcome = await sealer.seal_once(wait_s=wait_s, fill=fill)
        if outcome is not None:
            self._metrics.took(sealer.partition, outcome, time.monotonic() - began)
            self._on_round(sealer.partition, outcome)
        return outcome


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
