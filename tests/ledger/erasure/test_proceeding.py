"""An erasure from its mark to its event, killed between any two steps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ledger.errors import Unavailable
from tests.ledger.erasure.erasing import REQUEST, Killed, Published, destructions, proceeding
from tests.ledger.keys.places import Place
from tests.small_ledger import SmallLedger, request

STEPS = 6


@pytest.fixture
async def small(tmp_path: Path, place: Place) -> AsyncIterator[SmallLedger]:
    made = SmallLedger(tmp_path / "ledger", key_store=place.location())
    await made.start("globex")
    made.tenants.add("acme", 3)
    for number in range(6):
        await made.publish("acme", request("mia", f"m{number}", session_id="s-mia"))
        await made.publish("acme", request("jon", f"j{number}", session_id="s-jon"))
    await made.publish("globex", request("mia", "elsewhere"))
    await made.seal()
    yield made
    await made.close()


async def test_the_event_stands_in_every_log_of_the_tenant(small: SmallLedger) -> None:
    """One Erasure in each shard's log, in its own shard, that names scopes, people and counts; all contents in sum."""
    publisher = Published(small)
    marked = destructions(small).mark_persons("acme", ["mia"], REQUEST)
    done = await proceeding(small, publisher).go_on(marked.destruction_id)
    tenant = small.tenants.get("acme")
    assert tenant is not None
    assert done.finished
    assert [tenant.log_of(event.event_id).shard for event in publisher.events] == [0, 1, 2]
    assert sum(event.erasure.contents_count for event in publisher.events) == 18 == sum(done.counts.values())
    for event in publisher.events:
        body = event.erasure
        assert tuple(body.scope_ids) == tuple(body.key_ids_destroyed) == done.scope_ids
        assert tuple(body.pseudonyms) == done.pseudonyms
        assert (body.legal_ground, list(body.approvers)) == ("GDPR Art. 17", ["paul"])
        assert body.reason.text == "asked for by letter"
        assert body.keys_destroyed == done.keys_destroyed
        assert event.actor.credential_id == "olga"
    assert done.request.reason == ""
    assert small.keys.acquire("globex", [], [], []).suppressed == frozenset()


@pytest.mark.parametrize("stop", range(STEPS))
async def test_killed_before_any_step_it_is_finished_by_the_next(small: SmallLedger, stop: int) -> None:
    """Whoever comes next ends where the first would have: same events, keys gone, others' keys there."""
    marked = destructions(small).mark_persons("acme", ["mia"], REQUEST)
    seen: list[str] = []

    def die(step: str) -> None:
        seen.append(step)
        if len(seen) > stop:
            raise Killed

    publisher = Published(small)
    with pytest.raises(Killed):
        await proceeding(small, publisher, die).go_on(marked.destruction_id)
    assert [each.destruction_id for each in destructions(small).unfinished()] == [marked.destruction_id]
    done = await proceeding(small, publisher).go_on(marked.destruction_id)
    assert done.finished
    assert destructions(small).unfinished() == []
    assert len(publisher.events) == 3
    assert small.keys.scope_keys("acme", done.scope_ids) == {}
    assert small.keys.pseudonym("acme", "jon") is not None


async def test_an_event_published_twice_is_sealed_once(small: SmallLedger) -> None:
    """Killed when the event was durable and nobody had noted it, it is published again, and dropped as a repeat."""
    marked = destructions(small).mark_persons("acme", ["mia"], REQUEST)
    publisher = Published(small, [Killed()])
    with pytest.raises(Killed):
        await proceeding(small, publisher).go_on(marked.destruction_id)
    done = await proceeding(small, publisher).go_on(marked.destruction_id)
    assert done.finished
    assert len(publisher.events) == 4
    assert publisher.events[0] == publisher.events[1]
    outcomes = await small.seal()
    assert sum(each.repeats for each in outcomes) == 1
    assert sum(each.undetermined + each.conflicts for each in outcomes) == 0


async def test_without_a_gateway_the_keys_are_destroyed_all_the_same(small: SmallLedger) -> None:
    """When the event can't be published now, it is told; the keys are gone, and the event follows later."""
    marked = destructions(small).mark_persons("acme", ["mia"], REQUEST)
    publisher = Published(small, [Unavailable("away")])
    with pytest.raises(Unavailable):
        await proceeding(small, publisher).go_on(marked.destruction_id)
    [left] = destructions(small).unfinished()
    assert left.phase == "counted"
    assert small.keys.scope_keys("acme", left.scope_ids) == {}
    assert left.request.reason, "kept until the event has it"
