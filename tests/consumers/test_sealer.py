"""One partition's rounds: `consumers.sealer` on an embedded log."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from consumers.sealer import PartitionSealer, RoundOutcome, SealerLimits
from ledger.errors import IntegrityError
from ledger.log.framing import frame
from ledger.segments.round import HEARTBEAT, ORDINARY
from tests.consumers import hostile
from tests.consumers.memory_log import MemoryLog
from tests.consumers.sealed import quarantined, sealed_in
from tests.small_ledger import SmallLedger, request


async def opened(small: SmallLedger) -> PartitionSealer:
    """A sealer at work."""
    sealer = small.sealer()
    await sealer.open()
    return sealer


async def drained(sealer: PartitionSealer) -> list[RoundOutcome]:
    """The rounds that seal all there is."""
    outcomes = []
    while (outcome := await sealer.seal_once(wait_s=0)) is not None:
        outcomes.append(outcome)
    return outcomes


async def test_every_event_is_sealed_once_over_rounds_and_restarts(small: SmallLedger) -> None:
    """Sealers that come and go seal each event exactly once, in order."""
    sent = []
    for turn in range(8):
        events = [request(text=f"{turn}-{at}") for at in range(3)]
        sent += [event.event_id for event in events]
        await small.publish("acme", *events)
        if turn % 2:
            await small.seal()
        if turn == 5:
            await small.close()
            await small.start()
    found = sealed_in(small)
    assert found.ids(small.tenant_log("acme").log_id) == sent
    assert [sealed.round.number for sealed in found.rounds] == [0, 1, 2, 3]


async def test_an_idle_partition_gets_a_heartbeat_now_and_then(small: SmallLedger) -> None:
    """Nothing to seal: an empty round at the very first, then none before the interval is over, then an empty one."""
    small.limits = SealerLimits(round_age_ms=0, heartbeat_s=3_600)
    sealer = await opened(small)
    first = await sealer.seal_once(wait_s=0)
    assert await sealer.seal_once(wait_s=0) is None
    small.limits = SealerLimits(round_age_ms=0, heartbeat_s=0)
    sealer = await opened(small)
    await small.publish("acme", request())
    second = await sealer.seal_once(wait_s=0)
    third = await sealer.seal_once(wait_s=0)
    assert [each and (each.number, each.records, each.events) for each in (first, second, third)] == [
        (0, 0, 0),
        (1, 2, 1),
        (2, 0, 0),
    ]
    found = sealed_in(small)
    assert [sealed.round.kind for sealed in found.rounds] == [HEARTBEAT, ORDINARY, HEARTBEAT]
    assert [sealed.round.next_offset for sealed in found.rounds] == [0, 2, 2]
    assert found.rounds[2].round.last_record == found.rounds[1].round.last_record
    assert not found.rounds[2].round.files


async def test_the_sealing_time_never_goes_back(small: SmallLedger) -> None:
    """With a clock that is set back, rounds are sealed at their predecessor's time, over a restart as well."""
    times: Iterator[int] = iter([5_000_000, 9_000_000, 2_000_000, 9_000_001, 1])
    now = 1_790_000_000_000_000
    small.clock_us = lambda: now + next(times)
    for turn in range(5):
        await small.publish("acme", request())
        outcome = await (await opened(small)).seal_once(wait_s=0)
        assert outcome is not None
        assert outcome.number == turn
    sealed_at = [sealed.round.sealed_at_us - now for sealed in sealed_in(small).rounds]
    assert sealed_at == [5_000_000, 9_000_000, 9_000_000, 9_000_001, 9_000_001]


async def test_rounds_end_at_their_rows(small: SmallLedger) -> None:
    """A backlog is sealed in rounds of whole batches, none with more records than the limit."""
    small.limits = SealerLimits(round_age_ms=0, round_rows_max=10)
    for turn in range(12):
        await small.publish("acme", *(request(text=f"{turn}-{at}") for at in range(2)))
    outcomes = await drained(await opened(small))
    assert [each.records for each in outcomes] == [9, 9, 9, 9]
    assert sum(each.events for each in outcomes) == 24
    assert len(sealed_in(small).ids(small.tenant_log("acme").log_id)) == 24


async def test_rounds_end_at_their_bytes(small: SmallLedger) -> None:
    """A round is not much larger than its limit, and none is empty."""
    small.limits = SealerLimits(round_age_ms=0, round_bytes_max=20_000)
    for turn in range(10):
        await small.publish("acme", request(text=f"{turn}-{os.urandom(2_000).hex()}"))
    outcomes = await drained(await opened(small))
    assert len(outcomes) >= 2
    assert sum(each.events for each in outcomes) == 10
    assert len(sealed_in(small).ids(small.tenant_log("acme").log_id)) == 10


async def test_a_batch_larger_than_every_limit_is_one_round(small: SmallLedger) -> None:
    """A batch is never cut, whatever the limits are."""
    small.limits = SealerLimits(round_age_ms=0, round_rows_max=3, round_bytes_max=100)
    await small.publish("acme", *(request(text=str(at)) for at in range(20)))
    await small.publish("acme", request())
    outcomes = await drained(await opened(small))
    assert outcomes[0].events >= 20
    assert sum(each.events for each in outcomes) == 21
    assert sum(each.quarantined for each in outcomes) == 0


async def test_a_round_waits_until_it_is_old_enough(small: SmallLedger) -> None:
    """Within its age a round takes in what comes; asked not to fill, it seals at once what is there."""
    small.limits = SealerLimits(round_age_ms=600_000, round_rows_max=4)
    sealer = await opened(small)
    await small.publish("acme", request())
    filling = asyncio.create_task(sealer.seal_once(wait_s=0))
    await small.publish("acme", request())
    outcome = await filling
    assert outcome is not None
    assert (outcome.records, outcome.events) == (4, 2)
    await small.publish("acme", request())
    outcome = await sealer.seal_once(wait_s=0, fill=False)
    assert outcome is not None
    assert outcome.events == 1


async def test_a_sealer_wakes_up_for_what_comes(small: SmallLedger) -> None:
    """While it waits an append wakes it; nothing is lost between looking and waiting."""
    sealer = await opened(small)
    for turn in range(3):
        waiting = asyncio.create_task(sealer.seal_once(wait_s=30))
        await asyncio.sleep(0)
        await small.publish("acme", request())
        outcome = await waiting
        assert outcome is not None
        assert (outcome.number, outcome.events) == (turn, 1)


async def test_trimming_keeps_the_last_sealed_record(small: SmallLedger) -> None:
    """What is sealed is trimmed, but for the anchor of the next round; a restart finds it."""
    small.limits = SealerLimits(round_age_ms=0, trim=True)
    for turn in range(3):
        await small.publish("acme", request(), request())
        (outcome,) = await drained(await opened(small))
        assert outcome.number == turn
        bounds = await small.log.bounds(0)
        assert (bounds.start, bounds.end) == (3 * turn + 2, 3 * turn + 3)
    assert len(sealed_in(small).ids(small.tenant_log("acme").log_id)) == 6


async def test_a_log_made_anew_behind_a_round_is_not_trimmed(small: SmallLedger) -> None:
    """Between publishing a round and trimming what it sealed the log is looked at once more."""
    small.limits = SealerLimits(round_age_ms=0, trim=True)
    log = small.tenant_log("acme")
    event = small.accept("acme", request())
    signed = hostile.receipt(small, log, [hostile.entry(event)])
    memory = MemoryLog(frame(log.log_id, small.log.incarnation, signed, [hostile.value(event)]))
    strange = frame(log.log_id, small.log.incarnation, b"other", [b"other"] * 9)

    def recreate(name: str) -> None:
        if len(small.store.names_in("partitions/0000/rounds")) == 1:
            memory.records[:] = strange

    memory.before_call = recreate
    sealer = PartitionSealer(replace(small.sealer()._parts, log=memory), small.limits)
    await sealer.open()
    with pytest.raises(IntegrityError, match="recreated or restored"):
        await sealer.seal_once(wait_s=0)
    assert memory.records == strange
    assert memory.start_offset == 0


async def test_a_log_made_anew_between_two_reads_is_noticed(small: SmallLedger) -> None:
    """The anchor is compared behind the read as well: what another log gave is never sealed."""
    first = request(text="sealed")
    log = small.tenant_log("acme")
    event = small.accept("acme", first)
    signed = hostile.receipt(small, log, [hostile.entry(event)])
    memory = MemoryLog(frame(log.log_id, small.log.incarnation, signed, [hostile.value(event)]))
    sealer = PartitionSealer(replace(small.sealer()._parts, log=memory), small.limits)
    await sealer.open()
    await sealer.seal_once(wait_s=0)
    other = small.accept("acme", request(text="of another log"))
    others = hostile.batch(small, log, [other])

    def recreate(name: str) -> None:
        if name == "read":
            memory.records[:] = [*others, *others]

    memory.before_call = recreate
    with pytest.raises(IntegrityError, match="recreated or restored"):
        await sealer.seal_once(wait_s=0)
    assert sealed_in(small).ids(log.log_id) == [first.event_id]


async def test_a_tenant_made_while_the_sealer_runs_is_sealed(small: SmallLedger) -> None:
    """Logs are looked up when they are met, so a new tenant needs no restart."""
    sealer = await opened(small)
    await small.publish("acme", request())
    await sealer.seal_once(wait_s=0)
    log = small.tenants.add("newcomer").logs[0]
    event = request()
    await small.publish("newcomer", event)
    outcome = await sealer.seal_once(wait_s=0)
    assert outcome is not None
    assert (outcome.events, outcome.quarantined) == (1, 0)
    assert sealed_in(small).ids(log.log_id) == [event.event_id]


async def test_two_partitions_are_two_ledgers_of_rounds(tmp_path: Path) -> None:
    """Each partition has its own rounds, statements and system log; a batch in the wrong one is a finding there."""
    small = SmallLedger(tmp_path / "ledger", partitions=2)
    await small.start("acme", "globex")
    acme, globex = small.tenant_log("acme"), small.tenant_log("globex")
    assert acme.partition != globex.partition
    event = request()
    await small.publish("acme", event)
    strayed = [small.accept("acme", request(text="strayed"))]
    await small.log.append(globex.partition, hostile.batch(small, acme, strayed), 10)
    await small.publish("globex", request("bob"))
    for partition in (0, 1):
        await small.seal(partition)
    assert sealed_in(small, acme.partition).ids(acme.log_id) == [event.event_id]
    found = sealed_in(small, globex.partition)
    assert acme.log_id not in found.leaves
    assert [each.rule for each in quarantined(small, found, globex.partition)] == ["quarantine.wrong-partition"] * 2
    assert len(found.ids(globex.log_id)) == 1
    await small.close()


async def test_a_sealer_is_bound_to_one_incarnation(small: SmallLedger) -> None:
    """Rounds sealed from one event log are not gone on with from another, whatever stands in it."""
    await small.publish("acme", request())
    await small.seal()
    sealer = PartitionSealer(replace(small.sealer()._parts, incarnation=bytes(16)), small.limits)
    with pytest.raises(IntegrityError, match="only a new-epoch round ordered by an operator goes on"):
        await sealer.open()
