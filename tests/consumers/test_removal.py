"""Contents whose keys were destroyed leave the segments, and nothing that is proven leaves with them."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from consumers.compaction import CompactionLimits, Compactor
from consumers.superseded import remove_superseded, superseded
from ledger.log.framing import frame
from ledger.record.payload import encode_event_record
from ledger.segments.objects import FileStore
from ledger.segments.placement import Removal
from ledger.segments.round import CONTENTS
from ledger.verify import verify
from tests.consumers.erasing import (
    FAR,
    accepted,
    checkpoint,
    compact,
    destroy,
    erasure,
    expiry,
    on_disk,
    passes,
    removed,
)
from tests.consumers.placing import honest, propose, rewritten
from tests.small_ledger import SmallLedger, request


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[SmallLedger]:
    made = SmallLedger(tmp_path / "ledger")
    await made.start("acme", "globex")
    yield made
    await made.close()


async def test_her_contents_leave_every_file_and_all_else_stays(small: SmallLedger) -> None:
    """After erasure, compaction and clean-up no ciphertext of hers is on disk; all others are; verify passes."""
    hers = await accepted(small, request("mia", "hers", session_id="s-mia"))
    his = await accepted(small, request("jon", "his", session_id="s-jon"))
    other = await accepted(small, request("mia", "elsewhere"), tenant="globex")
    assert await compact(small) == 0
    before = checkpoint(small)
    event = erasure(destroy(small, "mia"))
    await accepted(small, event)
    assert await compact(small) == len(hers) == 3
    assert {(each.slot, each.event_id) for each in removed(small)} == {(slot, event.event_id) for _, slot in hers}
    passes(small, before)
    assert remove_superseded(small.store, 0, small.trust(), FAR)
    passes(small, before)
    data = on_disk(small)
    assert [place for place, ciphertext in hers.items() if ciphertext in data] == []
    assert all(ciphertext in data for ciphertext in [*his.values(), *other.values()])
    assert superseded(small.store, 0, small.trust(), FAR) == []


async def test_a_content_of_two_dies_with_either(small: SmallLedger) -> None:
    """What names Mia and Jon is removed when Jon is erased; Mia's own identifier stays."""
    event = request("mia", "both", session_id="s-both")
    event.subjects.add(identifier="jon")
    await accepted(small, event)
    await accepted(small, erasure(destroy(small, "jon")))
    assert await compact(small) == 3
    assert {each.slot for each in removed(small)} == {"input", "output", "subjects.0"}
    passes(small)


async def test_placed_files_that_are_full_lose_their_contents_too(small: SmallLedger) -> None:
    """A full placed file keeps its events file; its contents are written anew without hers, also with no new rows."""
    for number in range(3):
        await accepted(
            small, request("mia", f"m{number}", session_id="s"), request("jon", f"j{number}", session_id="t")
        )
    await compact(small, rows_max=2)
    scopes = destroy(small, "mia")
    await accepted(small, erasure(scopes))
    events = set(small.store.names_in(f"logs/{small.tenant_log('acme').log_id.hex()}/events"))
    assert await compact(small, rows_max=2) == 9
    assert events <= set(small.store.names_in(f"logs/{small.tenant_log('acme').log_id.hex()}/events"))
    passes(small)
    assert await compact(small, rows_max=2) == 0
    remove_superseded(small.store, 0, small.trust(), FAR)
    passes(small)


async def test_what_was_on_its_way_goes_with_the_next_compaction(small: SmallLedger) -> None:
    """A content sealed behind its Erasure is removed under it; what was removed before stays removed."""
    await accepted(small, request("mia", "early", session_id="s"))
    late = request("mia", "late", session_id="s")
    in_flight = small.accept("acme", late)
    event = erasure(destroy(small, "mia"))
    await accepted(small, event)
    assert await compact(small) == 3
    log = small.tenant_log("acme")
    values = [encode_event_record(in_flight.payload, list(in_flight.contents))]
    await small.log.append(0, frame(log.log_id, small.log.incarnation, small.receipt(log, [in_flight]), values), 10)
    await small.seal()
    assert await compact(small) == 3
    assert len(removed(small)) == 6
    assert {each.event_id for each in removed(small)} == {event.event_id}
    passes(small)


async def test_an_expired_month_leaves_too(small: SmallLedger) -> None:
    """Contents under scopes that an Expiry names are removed under it."""
    await accepted(small, request("mia", "old", session_id="s"))
    ids = destroy(small, "mia")
    event = expiry("2026-10", ids)
    await accepted(small, event)
    assert await compact(small) == 3
    assert {each.event_id for each in removed(small)} == {event.event_id}
    passes(small)


async def test_an_erasure_covers_its_own_contents_only(small: SmallLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jon's content is not removed under Mia's Erasure: the sealer refuses, `verify` names a committed one."""
    await accepted(small, request("mia", "hers", session_id="s"), request("jon", "his", session_id="t"))
    event = erasure(destroy(small, "mia"))
    await accepted(small, event)
    whole = honest(small, small.tenant_log("acme"))

    def without(table: pa.Table) -> pa.Table:
        return table.filter(pa.array([row != (1, "input") for row in zip(*_places(table), strict=True)]))

    gone = sorted({*whole.removed, Removal(1, "input", event.event_id)}, key=lambda each: (each.index, each.slot))
    lie = replace(rewritten(small, whole, CONTENTS, without), removed=tuple(gone))
    digest = propose(small, lie)
    assert [each.placements for each in await small.seal()] == []
    monkeypatch.setattr("consumers.proposals.check_placement", lambda *given: None)
    assert [each.placements for each in await small.seal()] == [1]
    report = verify(small.store, small.trust(), depth="full")
    assert [each.rule for each in report.findings] == ["removal"]
    assert "index 1, slot input: removed under event" in report.findings[0].message
    assert "destroyed none of its keys" in report.findings[0].message
    assert digest.hex() in report.findings[0].where


def _places(table: pa.Table) -> tuple[list[int], list[str]]:
    return table["index"].to_pylist(), table["slot"].to_pylist()


async def test_files_stay_while_somebody_needs_them(small: SmallLedger) -> None:
    """A file goes neither within the grace period nor while another tenant's rows stand in it and nowhere else."""
    await small.publish("globex", request("eve"))
    await accepted(small, request("mia", "hers", session_id="s"))
    start = time.time_ns() // 1_000
    await accepted(small, erasure(destroy(small, "mia")))
    Compactor(small.store, 0, small.trust(), CompactionLimits()).run([small.tenant_log("acme").log_id])
    await small.seal()
    assert superseded(small.store, 0, small.trust(), FAR) == [], "eve's contents stand in the same file"
    await compact(small)
    assert superseded(small.store, 0, small.trust(), start) == []
    [name] = superseded(small.store, 0, small.trust(), FAR)
    assert name.startswith("partitions/0000/contents/")
    passes(small)


async def test_a_removal_cut_off_anywhere_goes_on(small: SmallLedger, tmp_path: Path) -> None:
    """Killed after each file it removes, the ledger verifies, and removing again ends in the same files."""
    for number in range(3):
        await accepted(small, request("mia", f"m{number}", session_id="s"))
    await accepted(small, erasure(destroy(small, "mia")))
    await compact(small)
    trust = small.trust()
    copy = tmp_path / "copy"
    shutil.copytree(small.store.root, copy)
    whole = remove_superseded(small.store, 0, trust, FAR)
    assert len(whole) == 3
    for stop in range(len(whole)):
        folder = tmp_path / f"cut-{stop}"
        shutil.copytree(copy, folder)
        store = FileStore(folder)

        seen: list[str] = []

        def die(name: str, seen: list[str] = seen, stop: int = stop) -> None:
            seen.append(name)
            if len(seen) > stop:
                raise Killed

        with pytest.raises(Killed):
            remove_superseded(store, 0, trust, FAR, die)
        assert verify(store, trust, depth="full").passed
        remove_superseded(store, 0, trust, FAR)
        assert store.walk() == small.store.walk()
