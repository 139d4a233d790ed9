"""New, repeat, conflict, undetermined: `consumers.identity`, by itself and through a small ledger."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.id_index import SEEN, IdIndex, SeenRows
from consumers.identity import SameStretch, identify
from consumers.sealer import SealerLimits
from ledger.keys.provider import Grant
from ledger.log.framing import frame
from ledger.record.assemble import AssembledEvent
from ledger.v1 import event_pb2 as pb
from tests.consumers import hostile
from tests.consumers.sealed import sealed_in
from tests.small_ledger import SmallLedger, request

FULL = os.environ.get("LEDGER_CAMPAIGN") == "full"

Event = tuple[int, int, int, int]
"""Log, id, key, digest: small numbers, so that they meet often."""


def columns(events: list[Event]) -> tuple[np.ndarray, np.ndarray]:
    """`SEEN` rows and ids."""
    seen = np.zeros(len(events), SEEN)
    for at, (log, _, key, digest) in enumerate(events):
        seen[at] = (bytes([log]), 0, bytes([at % 256]), bytes([digest]), bytes([key]))
    ids = np.array([[0] * 15 + [event] for _, event, _, _ in events], np.uint8).reshape(len(events), 16)
    return seen, ids


@dataclass
class Model:
    """The rule as one would say it: every sealed event of a log and id, in index order."""

    sealed: dict[tuple[int, int], list[tuple[int, int, int]]] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)

    def take(self, event: Event) -> tuple[str, int | None]:
        """What the event is, and the index of the earlier one."""
        log, event_id, key, digest = event
        before = self.sealed.setdefault((log, event_id), [])
        for index, other_key, other_digest in before:
            if (other_key, other_digest) == (key, digest):
                return "repeat", index
        same_key = [index for index, other_key, _ in before if other_key == key]
        kind, earlier = "new", None
        if before:
            kind = "conflict" if same_key else "undetermined"
            earlier = (same_key or [index for index, _, _ in before])[0]
        index = self.sizes.get(log, 0)
        self.sizes[log] = index + 1
        before.append((index, key, digest))
        return kind, earlier


events_of = st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(0, 1), st.integers(0, 2))


@settings(max_examples=60, deadline=None)
@given(stretches=st.lists(st.lists(events_of, max_size=8), max_size=12))
def test_every_event_is_what_the_rule_says(stretches: list[list[Event]]) -> None:
    """Over any stretches, with ids, keys and digests meeting in all ways, the answers are those of the plain rule."""
    with tempfile.TemporaryDirectory() as folder:
        index = IdIndex(Path(folder))
        model = Model()
        for number, stretch in enumerate(stretches):
            seen, ids = columns(stretch)
            indexes = dict(model.sizes)
            expected = [model.take(event) for event in stretch]
            got = identify(seen, ids, index)
            kept: dict[int, int] = {}
            for place, event in enumerate(stretch):
                if not got.dropped[place]:
                    kept[place] = indexes.get(event[0], 0)
                    indexes[event[0]] = kept[place] + 1
                kind = "repeat" if got.dropped[place] else got.marks.get(place, "new")
                earlier = got.earlier.get(place)
                where = kept[earlier.place] if isinstance(earlier, SameStretch) else earlier
                assert (kind, where) == expected[place]
            rows = np.flatnonzero(~got.dropped)
            sealed = seen[rows]
            sealed["index"] = [kept[int(place)] for place in rows]
            index.add(number, SeenRows(ids[rows], sealed))


@dataclass
class Publisher:
    """Publishes accepted events to a small ledger, so that one event can come again in the same or another form."""

    small: SmallLedger

    async def send(self, *events: AssembledEvent, tenant: str = "acme") -> None:
        """One batch."""
        log = self.small.tenant_log(tenant)
        values = [hostile.value(event) for event in events]
        signed = hostile.receipt(self.small, log, map(hostile.entry, events))
        await self.small.log.append(log.partition, frame(log.log_id, self.small.log.incarnation, signed, values), 10)


@pytest.fixture
def publisher(small: SmallLedger) -> Publisher:
    """A publisher to the small ledger."""
    return Publisher(small)


def other_text(event: pb.Event, text: str) -> pb.Event:
    """Another body under the same id."""
    other = pb.Event()
    other.CopyFrom(event)
    other.request.input.text = text
    return other


def told(
    small: SmallLedger, tenant: str = "acme"
) -> tuple[int, list[int], list[tuple[int, int]], list[tuple[int, int]]]:
    """Size of the log, first indexes of its repeats, its conflicts, its undetermined events."""
    found = sealed_in(small)
    log_id = small.tenant_log(tenant).log_id
    return (
        len(found.ids(log_id)),
        [first for _, first in found.repeats(log_id)],
        found.marks(log_id, "conflicts"),
        found.marks(log_id, "undetermined"),
    )


async def test_a_retried_event_has_another_leaf_and_is_dropped(small: SmallLedger, publisher: Publisher) -> None:
    """A repeat in the same batch, in the same round, in a later round and after a restart is noted, never sealed."""
    event, other = request(text="once"), request(text="other")
    first = small.accept("acme", event)
    assert first.leaf_hash != small.accept("acme", event).leaf_hash
    await publisher.send(small.accept("acme", other), first, small.accept("acme", event))
    await publisher.send(small.accept("acme", event))
    assert [each.repeats for each in await small.seal()] == [2]
    await publisher.send(small.accept("acme", event))
    assert [each.repeats for each in await small.seal()] == [1]
    again = small.accept("acme", event)
    await publisher.send(again)
    await small.close()
    await small.start()
    assert [each.repeats for each in await small.seal()] == [1]
    assert told(small) == (2, [1, 1, 1, 1], [], [])
    found = sealed_in(small)
    assert found.repeats(small.tenant_log("acme").log_id)[-1] == (again.leaf_hash, 1)


async def test_a_repeat_is_found_behind_many_rounds(small: SmallLedger, publisher: Publisher) -> None:
    """After 200 rounds (heartbeats among them), their runs merged, the first events are still known."""
    small.limits = SealerLimits(round_age_ms=0, heartbeat_s=0)
    events = [request(text=str(number)) for number in range(3)]
    await publisher.send(*(small.accept("acme", event) for event in events))
    sealer = small.sealer()
    await sealer.open()
    await sealer.seal_once(wait_s=0)
    for number in range(200):
        if number % 10 == 0:
            await publisher.send(small.accept("globex", request("bob")), tenant="globex")
        outcome = await sealer.seal_once(wait_s=0)
        assert outcome is not None
        assert (outcome.events, outcome.repeats) == (1 if number % 10 == 0 else 0, 0)
    runs = list((small.folder / "derived" / "ids-0000").iterdir())
    assert len(runs) < 30
    await publisher.send(*(small.accept("acme", event) for event in reversed(events)))
    outcome = await sealer.seal_once(wait_s=0)
    assert outcome is not None
    assert (outcome.events, outcome.repeats) == (0, 3)
    assert told(small) == (3, [2, 1, 0], [], [])


async def test_another_body_under_one_id_is_a_conflict(small: SmallLedger, publisher: Publisher) -> None:
    """It is sealed in full and marked; each of the two, sent again, is a repeat of itself."""
    event = request(text="one")
    other = other_text(event, "another")
    await publisher.send(small.accept("acme", event))
    await small.seal()
    await publisher.send(small.accept("acme", other), small.accept("acme", other))
    assert [(each.conflicts, each.repeats) for each in await small.seal()] == [(1, 1)]
    await publisher.send(small.accept("acme", other), small.accept("acme", event))
    await small.seal()
    await publisher.send(small.accept("acme", other_text(event, "a third")))
    await small.seal()
    assert told(small) == (3, [1, 1, 0], [(1, 0), (2, 0)], [])


async def test_a_conflict_inside_one_batch_is_marked(small: SmallLedger, publisher: Publisher) -> None:
    """The first in offset order is the event, the later one the conflict, in one and the same batch too."""
    event = request(text="one")
    await publisher.send(small.accept("acme", request()), small.accept("acme", event))
    await publisher.send(small.accept("acme", other_text(event, "two")), small.accept("acme", event))
    await small.seal()
    assert told(small) == (3, [1], [(2, 1)], [])


async def test_an_event_under_another_key_is_undetermined(
    small: SmallLedger, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the person was forgotten in between, nobody can say whether it is a repeat: it is sealed in full, marked."""
    event = request(user="mia", text="one")
    before = small.accept("acme", event)
    await publisher.send(before)
    await small.seal()
    acquire = small.keys.acquire

    def forgotten(tenant: str, holders: object, scopes: object, links: object) -> Grant:
        return acquire("globex", holders, scopes, links)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        # Another tenant's store knows the person under another pseudonym and secret, as after an erasure.
        patch.setattr(small.keys, "acquire", forgotten)
        after = small.accept("acme", event)
    assert after.submission_key_id != before.submission_key_id
    await publisher.send(after)
    assert [each.undetermined for each in await small.seal()] == [1]
    with monkeypatch.context() as patch:
        patch.setattr(small.keys, "acquire", forgotten)
        again = small.accept("acme", event)
    await publisher.send(again, small.accept("acme", event))
    assert [each.repeats for each in await small.seal()] == [2]
    assert told(small) == (2, [1, 0], [], [(1, 0)])


async def test_one_id_in_two_tenants_is_two_events(small: SmallLedger, publisher: Publisher) -> None:
    """Ids are of their log: the same id under another tenant is new there."""
    event = request(text="same id")
    await publisher.send(small.accept("acme", event))
    await publisher.send(small.accept("globex", event), tenant="globex")
    await small.seal()
    await publisher.send(small.accept("globex", event), tenant="globex")
    await small.seal()
    assert told(small) == (1, [], [], [])
    assert told(small, "globex") == (1, [0], [], [])


async def test_a_sharded_tenant_drops_repeats_in_each_shard(tmp_path: Path) -> None:
    """Every event finds its shard again, and is a repeat there."""
    small = SmallLedger(tmp_path / "ledger", partitions=2)
    await small.start()
    tenant = small.tenants.add("wide", shards=4)
    assert {log.partition for log in tenant.logs} == {0, 1}
    events = [request(text=str(number)) for number in range(24)]
    for _ in range(2):
        for event in events:
            await small.publish("wide", event)
        for partition in (0, 1):
            await small.seal(partition)
    sealed_ids, repeats = [], 0
    for log in tenant.logs:
        found = sealed_in(small, log.partition)
        assert {leaf.values["shard"] for leaf in found.leaves[log.log_id]} == {log.shard}
        sealed_ids += found.ids(log.log_id)
        repeats += len(found.repeats(log.log_id))
    assert sorted(sealed_ids) == sorted(event.event_id for event in events)
    assert repeats == len(events)
    await small.close()


async def test_damage_to_the_index_changes_no_answer(small: SmallLedger, publisher: Publisher) -> None:
    """Deleted, or with a flipped byte anywhere, the index is made anew from the rounds, and repeats stay repeats."""
    small.limits = SealerLimits(round_age_ms=0, round_rows_max=1)
    events = [request(text=str(number)) for number in range(10)]
    for event in events:
        await publisher.send(small.accept("acme", event))
    assert len(await small.seal()) == len(events)
    derived = small.folder / "derived" / "ids-0000"
    dice = random.Random(7)
    for turn in range(300 if FULL else 20):
        if turn:
            path = dice.choice(sorted(derived.iterdir()))
            damaged = bytearray(path.read_bytes())
            damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
            path.write_bytes(damaged)
        else:
            shutil.rmtree(derived)
        sealer = small.sealer()
        await sealer.open()
        await publisher.send(small.accept("acme", dice.choice(events)))
        outcome = await sealer.seal_once(wait_s=0)
        assert outcome is not None
        assert (outcome.events, outcome.repeats) == (0, 1)
