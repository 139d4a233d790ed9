"""The sealers of a process: `consumers.service`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from consumers.sealer import RoundOutcome, SealerLimits, SealerParts
from consumers.service import OnRound, SealerService
from ledger.errors import IntegrityError, Unavailable
from ledger.log.interface import Record, StoredRecord
from tests.consumers import hostile
from tests.consumers.memory_log import MemoryLog
from tests.consumers.sealed import sealed_in
from tests.small_ledger import SmallLedger, request

LIMITS = SealerLimits(round_age_ms=0)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without long pauses."""
    monkeypatch.setattr("consumers.service.RETRY_FIRST_S", 0.001)
    monkeypatch.setattr("consumers.service.RETRY_MOST_S", 0.01)


def over(small: SmallLedger, log: MemoryLog, partition: int = 0) -> SealerParts:
    """The parts of a sealer over a log in memory."""
    log.incarnation = small.log.incarnation
    return replace(small.sealer(partition)._parts, log=log)


def published(small: SmallLedger, *texts: str) -> list[Record]:
    """What a gateway appends for these events."""
    log = small.tenant_log("acme")
    return [
        record for text in texts for record in hostile.batch(small, log, [small.accept("acme", request(text=text))])
    ]


async def test_what_is_unavailable_is_tried_again(small: SmallLedger) -> None:
    """A log that is away a few times costs retries; then everything is sealed, and the metrics tell both."""
    away = 5

    def sometimes(name: str) -> None:
        nonlocal away
        if name == "read" and away:
            away -= 1
            raise Unavailable("the log is away")

    log = MemoryLog(published(small, "a", "b"), before_call=sometimes)
    registry = CollectorRegistry()
    stop = asyncio.Event()
    service = SealerService([over(small, log)], LIMITS, registry, lambda partition, outcome: stop.set())
    await service.run(stop)
    assert registry.get_sample_value("audit_ledger_sealer_retries_total", {"partition": "0"}) == 5
    assert registry.get_sample_value("audit_ledger_sealer_events_total", {"partition": "0"}) == 2
    assert service.healthy
    assert len(sealed_in(small).ids(small.tenant_log("acme").log_id)) == 2


async def test_an_unavailable_log_is_not_healthy(small: SmallLedger) -> None:
    """While nothing can be sealed the service says so, and stopping does not wait for it."""

    def always(name: str) -> None:
        raise Unavailable("the log is away")

    stop = asyncio.Event()
    service = SealerService([over(small, MemoryLog(before_call=always))], LIMITS)
    running = asyncio.create_task(service.run(stop))
    await asyncio.sleep(0)
    assert not service.healthy
    stop.set()
    await running


async def test_an_integrity_error_halts_its_partition_alone(tmp_path: Path) -> None:
    """One partition that a person has to look at leaves the others at work, shows, and is the service's last word."""
    small = SmallLedger(tmp_path / "ledger", partitions=2)
    await small.start("acme", "globex")
    registry, stop = CollectorRegistry(), asyncio.Event()
    partition = small.tenant_log("acme").partition
    good = over(small, MemoryLog(published(small, "a")), partition)
    bad = over(small, MemoryLog(start_offset=3), 1 - partition)
    healthy = []

    def on_round(_: int, outcome: RoundOutcome) -> None:
        if registry.get_sample_value("audit_ledger_sealer_halted", {"partition": str(1 - partition)}):
            healthy.append(service.healthy)
            stop.set()

    service = SealerService([good, bad], replace(LIMITS, heartbeat_s=0), registry, on_round)
    with pytest.raises(IntegrityError, match=rf"partition {1 - partition}.*never sealed"):
        await service.run(stop)
    assert healthy[0] is False
    assert len(sealed_in(small, partition).ids(small.tenant_log("acme").log_id)) == 1
    await small.close()


async def test_a_service_whose_partitions_are_all_halted_ends(small: SmallLedger) -> None:
    """When nothing can go on, the service ends with the message of what has to be looked at."""
    bad = over(small, MemoryLog(start_offset=3))
    with pytest.raises(IntegrityError, match="never sealed"):
        await SealerService([bad], LIMITS).run(asyncio.Event())


class Overtaken:
    """An event log; what is read from it first is sealed by another sealer before the reader gets it."""

    def __init__(self, small: SmallLedger) -> None:
        self._small = small
        self._is_first = True

    def __getattr__(self, name: str) -> object:
        return getattr(self._small.log, name)

    async def read(self, *arguments: Any, **options: Any) -> list[StoredRecord]:
        records: list[StoredRecord] = await self._small.log.read(*arguments, **options)
        if records and self._is_first:
            self._is_first = False
            await self._small.seal()
            await self._small.publish("acme", request(text="later"))
        return records


async def _overtaken(small: SmallLedger, registry: CollectorRegistry, on_round: OnRound) -> SealerService:
    await small.publish("acme", request(text="first"))
    parts = replace(small.sealer()._parts, log=Overtaken(small))  # type: ignore[arg-type]
    return SealerService([parts], LIMITS, registry, on_round)


def _check_overtaken(small: SmallLedger, registry: CollectorRegistry) -> None:
    assert registry.get_sample_value("audit_ledger_sealer_fenced_total", {"partition": "0"}) == 1
    assert registry.get_sample_value("audit_ledger_sealer_events_total", {"partition": "0"}) == 1
    assert len(sealed_in(small).ids(small.tenant_log("acme").log_id)) == 2


async def test_a_service_goes_on_behind_a_faster_sealer(small: SmallLedger) -> None:
    """Where another sealer published a round first, the service counts it and seals what came after, once."""
    registry, stop = CollectorRegistry(), asyncio.Event()
    service = await _overtaken(small, registry, lambda partition, outcome: stop.set())
    async with asyncio.timeout(30):
        await service.run(stop)
    assert service.healthy
    _check_overtaken(small, registry)


async def test_draining_goes_on_behind_a_faster_sealer(small: SmallLedger) -> None:
    """A drain that another sealer overtakes ends well, with everything sealed once."""
    registry = CollectorRegistry()
    service = await _overtaken(small, registry, lambda partition, outcome: None)
    async with asyncio.timeout(30):
        await service.drain()
    _check_overtaken(small, registry)


async def test_draining_seals_what_is_there_and_ends(small: SmallLedger) -> None:
    """Everything that the log held when it began is sealed, in as many rounds as the limits ask for."""
    await small.log.append(0, published(small, *"abcdefgh"), 10)
    numbers: list[int] = []
    limits = SealerLimits(round_age_ms=600_000, round_rows_max=4)
    service = SealerService(
        [small.sealer()._parts], limits, on_round=lambda partition, outcome: numbers.append(outcome.number)
    )
    await service.drain()
    assert numbers == [0, 1, 2, 3]
    assert len(sealed_in(small).ids(small.tenant_log("acme").log_id)) == 8


async def test_stopping_finishes_the_round_at_hand(small: SmallLedger) -> None:
    """A round whose events were read when the stop came is published."""
    stop = asyncio.Event()
    log = MemoryLog(published(small, "a"), before_call=lambda name: stop.set() if name == "read" else None)
    await SealerService([over(small, log)], LIMITS).run(stop)
    assert len(sealed_in(small).rounds) == 1
