"""Placements: compaction proposes them, the sealer checks and commits them.

`consumers.compaction`, `consumers.proposals`, `consumers.placement_check`.

A proposal is unsigned: whoever can write to the object store can make one. The sealer's check is what stands between it
and the evidence.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from consumers.compaction import CompactionLimits, Compactor
from consumers.proposals import Proposals
from ledger.segments import names
from ledger.segments.checkpoints import read_checkpoints
from ledger.segments.placement import Removal
from ledger.segments.round import CONTENTS, EVENTS
from ledger.segments.rows import from_parquet
from ledger.tenants import TenantLog
from ledger.v1 import event_pb2 as pb
from tests.consumers.placement_lies import LIES
from tests.consumers.placing import honest, propose, rewritten, with_file
from tests.consumers.sealed import sealed_in, unnamed
from tests.small_ledger import SmallLedger, event_id, request


@pytest.fixture
async def log(small: SmallLedger) -> TenantLog:
    """The log of `acme` after three rounds, six events of two persons among those of `globex`."""
    for turn in range(3):
        await small.publish("acme", request("mia", text=f"{turn}a"), request("bob", text=f"{turn}b"))
        await small.publish("globex", request("eve", text=str(turn)))
        await small.seal()
    return small.tenant_log("acme")


def compact(small: SmallLedger, rows_max: int = 1_000, rows_least: int = 1) -> int:
    """Runs the compactor; how many logs it proposed a placement for."""
    limits = CompactionLimits(rows_max=rows_max, rows_least=rows_least)
    return len(Compactor(small.store, 0, small.trust(), limits).run())


async def test_compaction_changes_where_rows_stand_and_nothing_else(small: SmallLedger, log: TenantLog) -> None:
    """Leaves, contents, statements, receipts and checkpoints are the same before and after, the files are few."""
    before = sealed_in(small)
    notes = read_checkpoints(small.store, 0, 2)
    assert compact(small) == 2
    (outcome,) = await small.seal()
    assert (outcome.placements, outcome.records, outcome.events) == (2, 0, 0)
    after = sealed_in(small)
    assert after.leaves == before.leaves
    assert after.contents == before.contents
    assert after.receipts == before.receipts
    assert after.statements == before.statements
    assert read_checkpoints(small.store, 0, 2) == notes
    placed = [name for name in after.named if name.startswith(f"logs/{log.log_id.hex()}/")]
    assert len(placed) == 2
    assert unnamed(small, after) == []


async def test_compacted_rows_stand_by_person(small: SmallLedger, log: TenantLog) -> None:
    """One person's rows stand side by side, and under the log's own prefix nothing of another tenant does."""
    compact(small)
    await small.seal()
    for name in sealed_in(small).named:
        if name.startswith("logs/"):
            table = from_parquet(small.store.read(name), name)
            assert {each.hex() for each in table["log_id"].to_pylist()} == {name.split("/")[1]}
            people = table["subject"].to_pylist()
            assert people == sorted(people)


async def test_a_placement_goes_into_a_round_with_events(small: SmallLedger, log: TenantLog) -> None:
    """A placement waits for no idle round: it is committed beside the events that come."""
    compact(small)
    event = request("mia")
    await small.publish("acme", event)
    (outcome,) = await small.seal()
    assert (outcome.placements, outcome.events) == (2, 1)
    found = sealed_in(small)
    assert found.ids(log.log_id)[-1] == event.event_id
    assert len(found.ids(log.log_id)) == 7


async def test_compaction_is_done_once(small: SmallLedger, log: TenantLog) -> None:
    """Proposed twice is committed once; with nothing new there is nothing to propose."""
    assert compact(small) == 2
    assert compact(small) == 2
    (outcome,) = await small.seal()
    assert outcome.placements == 2
    assert compact(small) == 0
    assert await small.seal() == []
    assert Proposals(small.store, 0).pending() == []


async def test_full_files_stay_and_small_ones_are_merged(small: SmallLedger, log: TenantLog) -> None:
    """With new rows the full files stay as they are, the rest is rewritten; over many turns all rows stay reachable."""
    previous: set[str] = set()
    for turn in range(6):
        compact(small, rows_max=4)
        await small.seal()
        found = sealed_in(small)
        placed = {name for name in found.named if name.startswith(f"logs/{log.log_id.hex()}/events")}
        size = len(found.ids(log.log_id))
        assert len(placed) >= size // 4
        full = {name for name in previous if from_parquet(small.store.read(name), name).num_rows == 4}
        assert full <= placed
        previous = placed
        await small.publish("acme", request("mia", text=f"more {turn}"))
        await small.seal()


async def test_a_log_with_few_new_rows_is_left_alone(small: SmallLedger, log: TenantLog) -> None:
    """Below the least number of new rows nothing is written for a log."""
    assert compact(small, rows_least=7) == 0
    assert compact(small, rows_least=6) == 1


async def test_a_fast_rival_settles_a_proposal(small: SmallLedger, log: TenantLog) -> None:
    """Of two placements for one log a round takes one; the other can never be taken, and its marker goes."""
    one = honest(small, log, rows_max=1_000)
    two = honest(small, log, rows_max=2)
    digests = {propose(small, one), propose(small, two)}
    assert len(digests) == 2
    outcomes = await small.seal()
    assert [each.placements for each in outcomes] == [1]
    await small.publish("acme", request())
    assert [each.placements for each in await small.seal()] == [0]
    assert Proposals(small.store, 0).pending() == []


async def test_a_marker_that_a_crash_left_behind_goes(small: SmallLedger, log: TenantLog) -> None:
    """A crash between round and settling leaves the marker of what is committed: it goes, nothing is taken twice."""
    digest = propose(small, honest(small, log))
    await small.seal()
    Proposals(small.store, 0).propose(digest)
    await small.publish("acme", request())
    assert [each.placements for each in await small.seal()] == [0]
    assert Proposals(small.store, 0).pending() == []
    assert len(sealed_in(small).rounds) == 5


async def test_a_replayed_old_placement_is_not_taken(small: SmallLedger, log: TenantLog) -> None:
    """A placement that was committed once cannot come back behind its successor."""
    old = propose(small, honest(small, log))
    await small.seal()
    await small.publish("acme", request())
    await small.seal()
    new = propose(small, honest(small, log))
    await small.seal()
    Proposals(small.store, 0).propose(old)
    await small.publish("acme", request())
    assert [each.placements for each in await small.seal()] == [0]
    sealer = small.sealer()
    await sealer.open()
    assert sealer.state.head(log.log_id).placement == new


@pytest.mark.parametrize("lie", list(LIES))
async def test_a_placement_that_would_change_evidence_is_never_taken(
    small: SmallLedger, log: TenantLog, lie: str
) -> None:
    """The proposal stays uncommitted for fsck to name, the sealer goes on, and an honest one is taken in its place."""
    before = sealed_in(small)
    genuine = honest(small, log)
    digest = propose(small, LIES[lie](small, genuine))
    await small.publish("acme", request("mia"))
    assert [(each.placements, each.events) for each in await small.seal()] == [(0, 1)]
    assert Proposals(small.store, 0).pending() == [digest]
    propose(small, genuine)
    assert [each.placements for each in await small.seal()] == [1]
    after = sealed_in(small)
    assert after.leaves[log.log_id][:6] == before.leaves[log.log_id]
    assert len(after.contents[log.log_id]) > len(before.contents[log.log_id])


@pytest.mark.parametrize("damage", ["missing", "not a placement", "cut short", "another one's bytes"])
async def test_a_proposal_of_a_damaged_placement_does_not_halt_the_sealer(
    small: SmallLedger, log: TenantLog, damage: str
) -> None:
    """A marker without its placement, or with one that cannot be read, is left; sealing goes on."""
    digest = propose(small, honest(small, log))
    path = small.store.path(names.placement_name(0, digest))
    data = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes({"not a placement": b"x", "cut short": data[:-1], "another one's bytes": data + b"\0"}[damage])
    await small.publish("acme", request())
    assert [(each.placements, each.events) for each in await small.seal()] == [(0, 1)]


async def test_a_marker_that_is_no_digest_is_passed_over(small: SmallLedger, log: TenantLog) -> None:
    """Whatever lies among the markers, sealing goes on."""
    for name in ("readme", "ab", "g" * 64):
        small.store.put(f"partitions/0000/proposals/{name}", b"")
    propose(small, honest(small, log))
    assert [each.placements for each in await small.seal()] == [1]


async def test_a_kept_file_must_be_kept_as_it_was(small: SmallLedger, log: TenantLog) -> None:
    """A file that the predecessor names is trusted only under the same digest, range and count."""
    propose(small, honest(small, log))
    await small.seal()
    await small.publish("acme", request("mia"))
    await small.seal()
    second = honest(small, log, rows_max=6)
    kept = second.files[0]
    for change in ({"sha256": bytes(32)}, {"rows": 5}, {"bytes": kept.bytes + 1}):
        propose(small, with_file(second, EVENTS, **change))
    await small.publish("acme", request("mia"))
    assert [each.placements for each in await small.seal()] == [0]
    propose(small, second)
    assert [each.placements for each in await small.seal()] == [1]
    assert len(sealed_in(small).ids(log.log_id)) == 8


async def test_contents_go_under_an_erasure_and_stay_gone(small: SmallLedger, log: TenantLog) -> None:
    """Under an Erasure event of the log a content may be removed; no later placement brings it back or changes why."""
    erasure = pb.Event(event_id=event_id(), phase=pb.PHASE_SINGLE)
    erasure.erasure.legal_ground = "request"
    erasure.erasure.approvers.append("dpo")
    await small.publish("acme", erasure)
    await small.seal()
    whole = honest(small, log)
    gone = Removal(0, "input", erasure.event_id)

    def without(table: pa.Table) -> pa.Table:
        rows = zip(table["index"].to_pylist(), table["slot"].to_pylist(), strict=True)
        return table.filter(pa.array([row != (0, "input") for row in rows]))

    erased = replace(rewritten(small, whole, CONTENTS, without), removed=(gone,))
    propose(small, replace(whole, removed=(gone,)))
    propose(small, erased)
    digest = propose(small, erased)
    assert [each.placements for each in await small.seal()] == [1]
    sealer = small.sealer()
    await sealer.open()
    assert sealer.state.head(log.log_id).placement == digest
    back = replace(whole, sequence_number=2, previous=digest)
    propose(small, back)
    propose(small, replace(back, removed=(gone,)))
    await small.publish("acme", request())
    assert [each.placements for each in await small.seal()] == [0]
    assert names.proposal_name(0, digest) not in small.store.walk()
