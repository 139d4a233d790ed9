"""The queue's sum: every number is delivered or declared."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.client.core import Core
from ledger.client.items import Batch, Lane, Waiter
from ledger.errors import Unavailable
from ledger.v1 import ingest_pb2 as pb
from ledger.v1.event_pb2 import Event
from tests.ledger.client.test_core import ACCEPTED, LIMITS, REJECTED, REPEAT, RETRY, core_of, offer, response, waiter


@dataclass
class Ledger:
    """What a gateway behind the queue has: the events it sealed, and how often the client could not know."""

    sealed: dict[int, int] = field(default_factory=dict)
    ambiguous: bool = False

    def take(self, batch: Batch, statuses: list[pb.EventStatus]) -> list[pb.EventStatus]:
        said = []
        for item, status in zip(batch.items, statuses, strict=True):
            event = Event.FromString(item.wire)
            if status == ACCEPTED:
                status = REPEAT if event.producer.sequence in self.sealed else ACCEPTED
                self.sealed[event.producer.sequence] = event.producer.dropped_count
            said.append(status)
        return said


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), st.sampled_from([0, 100, 3_000])),
        st.tuples(st.just("durable"), st.booleans()),
        st.tuples(st.just("time"), st.sampled_from([0.001, 1.0, 20.0])),
        st.tuples(st.just("answer"), st.tuples(*[st.sampled_from([ACCEPTED, REJECTED, RETRY])] * 3)),
        st.tuples(st.just("lost answer"), st.booleans()),
        st.tuples(st.just("spool"), st.booleans()),
    ),
    min_size=10,
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(OPERATIONS, st.booleans(), st.integers(1, 8), st.booleans())
def test_every_number_is_delivered_or_declared(
    operations: list[tuple[str, object]], drop_oldest: bool, queue_events_max: int, abandons: bool
) -> None:
    """Whatever is dropped, rejected, lost or expired: when the marker is sealed, the numbers missing in the ledger are
    as many as its events declare (at least as many, if the client could not know the outcome of some)."""
    limits = replace(
        LIMITS,
        queue_events_max=queue_events_max,
        queue_bytes_max=8_000,
        event_bytes_max=2_000,
        batch_events_max=3,
        drop_oldest=drop_oldest,
    )
    core, ledger, now = core_of(limits), Ledger(), 0.0
    waiters: list[Waiter] = []
    for what, argument in operations:
        if what == "offer":
            offer(core, now, int(argument))  # type: ignore[call-overload]
        elif what == "durable":
            now = _durable(core, waiters, bool(argument), now)
        elif what == "time":
            now += float(argument)  # type: ignore[arg-type]
        else:
            _call(core, ledger, what, argument, now)
        _check_books(core, ledger)
    if abandons:
        core.abandon()
    else:
        _settle_all(core, ledger, now)
    identity = b"m" * 16
    core.offer(identity, Event(event_id=identity).SerializeToString(), now, needs_room=False)
    _settle_all(core, ledger, now)

    missing = core.sequence - len(ledger.sealed)
    stated = sum(ledger.sealed.values())
    assert core.sequence in ledger.sealed
    assert missing <= stated if ledger.ambiguous else missing == stated
    for number in () if ledger.ambiguous else sorted(ledger.sealed):
        below = sum(1 for each in range(1, number) if each not in ledger.sealed)
        assert sum(count for each, count in ledger.sealed.items() if each <= number) <= below
    assert core.held_events == core.held_bytes == 0


def _durable(core: Core, waiters: list[Waiter], gives_up: bool, now: float) -> float:
    if gives_up and waiters:
        core.give_up(waiters.pop(0))
        return now
    told = waiter()
    identity = (core.sequence + 1).to_bytes(16, "big")
    try:
        core.offer_durable(identity, Event(event_id=identity).SerializeToString(), now, told)
    except Unavailable:
        return now
    waiters.append(told)
    return now


def _call(core: Core, ledger: Ledger, what: str, argument: object, now: float) -> None:
    lane = Lane.DURABLE if core.due(Lane.DURABLE, now) is not None else Lane.BULK
    batch = core.cut(lane, now)
    if batch is None:
        return
    accepted = [ACCEPTED] * len(batch.items)
    if what == "answer":
        wanted = list(argument)[: len(batch.items)]  # type: ignore[call-overload]
        said = ledger.take(batch, [*wanted, *accepted[len(wanted) :]])
        core.answered(batch, response(batch, *said), now)
    elif what == "spool":
        # What the spool holds is sent sooner or later: here at once.
        ledger.take(batch, accepted)
        core.stored(batch)
    else:
        if argument:
            ledger.take(batch, accepted)
            ledger.ambiguous = True
        core.failed(batch, now)


def _settle_all(core: Core, ledger: Ledger, now: float) -> None:
    for lane in Lane:
        while (batch := core.cut(lane, now)) is not None:
            core.answered(batch, response(batch, *ledger.take(batch, [ACCEPTED] * len(batch.items))), now)


def _check_books(core: Core, ledger: Ledger) -> None:
    """The sum that the module of the queue promises, at every moment."""
    if ledger.ambiguous:
        return
    waiting = {item.sequence: item.dropped for lane in Lane for item in core._lines[lane].everything() if not item.copy}
    settled = {number: count for number, count in ledger.sealed.items() if number not in waiting}
    declared_so_far = sum(waiting.values()) + sum(settled.values())
    assert core.sequence == len(waiting) + len(settled) + declared_so_far + core.undeclared
