"""The queue: numbers, batches, drops, answers."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace

import pytest

from ledger.client.core import Core
from ledger.client.items import ITEM_BYTES, Batch, Fate, Lane, Limits, MalformedAnswer, Waiter
from ledger.client.wire import Stamp
from ledger.errors import Rejected, Unavailable
from ledger.v1 import ingest_pb2 as pb
from ledger.v1.event_pb2 import Event, Producer

LIMITS = Limits(
    batch_events_max=10,
    batch_bytes_max=100_000,
    linger_s=0.005,
    queue_events_max=100,
    queue_bytes_max=1_000_000,
    event_bytes_max=50_000,
    deadline_s=60.0,
    drop_oldest=False,
)
ACCEPTED, REPEAT, REJECTED, RETRY = (
    pb.EVENT_STATUS_ACCEPTED,
    pb.EVENT_STATUS_REPEAT,
    pb.EVENT_STATUS_REJECTED,
    pb.EVENT_STATUS_RETRY,
)


def core_of(limits: Limits = LIMITS) -> Core:
    return Core(limits, Stamp(Producer(boot_id=b"b" * 16)))


def offer(core: Core, now: float = 0.0, size: int = 0) -> Fate:
    """Offers an event whose id is its number-to-be."""
    identity = (core.sequence + 1).to_bytes(16, "big")
    return core.offer(identity, Event(event_id=identity, derived_fields=["x" * size]).SerializeToString(), now)


def waiter() -> Waiter:
    made: Waiter = Future()
    made.set_running_or_notify_cancel()
    return made


def numbers(batch: Batch | None) -> list[int]:
    return [] if batch is None else [Event.FromString(item.wire).producer.sequence for item in batch.items]


def declared(batch: Batch | None) -> list[int]:
    return [] if batch is None else [Event.FromString(item.wire).producer.dropped_count for item in batch.items]


def response(batch: Batch, *statuses: pb.EventStatus) -> pb.PublishResponse:
    told = [*statuses, *[ACCEPTED] * (len(batch.items) - len(statuses))]
    results = [pb.EventResult(status=status, leaf_hash=b"l" * 32, batch=0) for status in told]
    return pb.PublishResponse(results=results, batches=[pb.AppendedBatch(receipt=b"r")])


def cut(core: Core, now: float = 0.0, lane: Lane = Lane.BULK) -> Batch:
    batch = core.cut(lane, now)
    if batch is None:
        raise AssertionError("expected a batch")
    return batch


def test_events_are_numbered_from_one_without_gaps() -> None:
    """The first event of a boot has number 1, each next one more."""
    core = core_of()
    for _ in range(3):
        offer(core)
    assert numbers(cut(core)) == [1, 2, 3]


def test_a_batch_goes_when_full_or_when_its_first_event_lingered() -> None:
    """A lane is due at once with a full batch, else when the first event's linger is over."""
    core = core_of()
    assert core.due(Lane.BULK, 0.0) is None
    assert offer(core, now=1.0) is Fate.WAKE
    assert core.due(Lane.BULK, 1.0) == 1.0 + LIMITS.linger_s
    for _ in range(8):
        assert offer(core, now=1.001) is Fate.QUEUED
    assert offer(core, now=1.001) is Fate.WAKE
    assert core.due(Lane.BULK, 1.001) == 1.001


def test_a_flush_lets_nothing_linger() -> None:
    """After `hurry` what has entered is due at once."""
    core = core_of()
    offer(core)
    core.hurry()
    assert core.due(Lane.BULK, 0.0) == 0.0


def test_batches_keep_both_bounds() -> None:
    """No batch has more events or bytes than allowed, but a single event larger than a batch goes alone."""
    core = core_of(replace(LIMITS, batch_bytes_max=5_000))
    for size in (2_000, 2_000, 2_000, 8_000, 10):
        offer(core, size=size)
    found = []
    while (batch := core.cut(Lane.BULK, 0.0)) is not None:
        found.append(numbers(batch))
        core.answered(batch, response(batch), 0.0)
    assert found == [[1, 2], [3], [4], [5]]


def test_the_newest_event_is_dropped_and_the_next_to_enter_declares_it() -> None:
    """drop="newest": what finds no room is dropped, with a number, and declared by the next event that enters."""
    core = core_of(replace(LIMITS, queue_events_max=2))
    assert [offer(core) for _ in range(4)] == [Fate.WAKE, Fate.QUEUED, Fate.DROPPED, Fate.DROPPED]
    batch = cut(core)
    core.answered(batch, response(batch), 0.0)
    offer(core)
    after = cut(core)
    assert (numbers(batch), numbers(after), declared(after)) == ([1, 2], [5], [2])
    assert core.counts["dropped_full"] == 2


def test_the_oldest_events_make_room_for_the_newest() -> None:
    """drop="oldest": waiting events leave, oldest first, and the event that enters declares them."""
    core = core_of(replace(LIMITS, queue_events_max=2, drop_oldest=True))
    assert Fate.DROPPED not in [offer(core) for _ in range(4)]
    batch = cut(core)
    assert (numbers(batch), declared(batch)) == ([3, 4], [1, 1])


def test_nothing_is_sacrificed_for_an_event_that_can_not_fit() -> None:
    """drop="oldest" drops the event that enters when even an empty queue would not hold it."""
    core = core_of(replace(LIMITS, queue_bytes_max=3_000, drop_oldest=True))
    offer(core)
    assert offer(core, size=5_000) is Fate.DROPPED
    assert numbers(cut(core)) == [1]


def test_what_is_in_flight_counts_as_memory_and_is_never_dropped() -> None:
    """An event in flight takes room until it is answered."""
    core = core_of(replace(LIMITS, queue_events_max=2, drop_oldest=True))
    offer(core)
    offer(core)
    batch = cut(core)
    assert offer(core) is Fate.DROPPED
    core.answered(batch, response(batch), 0.0)
    assert core.held_events == core.held_bytes == 0


def test_an_event_too_large_is_dropped_and_counted() -> None:
    """An event over `event_bytes_max` has a number and is declared like any drop."""
    core = core_of()
    assert offer(core, size=60_000) is Fate.DROPPED
    offer(core)
    assert declared(cut(core)) == [1]
    assert core.counts["dropped_oversize"] == 1


def test_retried_events_go_again_first_and_unchanged() -> None:
    """EVENT_STATUS_RETRY puts an event back in front with the same bytes."""
    core = core_of()
    for _ in range(4):
        offer(core)
    first = cut(core)
    offer(core)
    settlement = core.answered(first, response(first, ACCEPTED, RETRY, ACCEPTED, RETRY), 0.0)
    second = cut(core)
    assert (settlement.retried, numbers(second)) == (2, [2, 4, 5])
    assert [item.wire for item in second.items[:2]] == [first.items[1].wire, first.items[3].wire]


def test_an_unknown_status_is_tried_again() -> None:
    """A status that a newer gateway might send does not lose the event."""
    core = core_of()
    offer(core)
    batch = cut(core)
    assert core.answered(batch, response(batch, 99), 0.0).retried == 1  # type: ignore[arg-type]


def test_a_rejected_event_is_reported_and_its_number_declared() -> None:
    """REJECTED leaves the queue, with its field and reason, and the next event declares its number."""
    core = core_of()
    offer(core)
    batch = cut(core)
    answer = response(batch, REJECTED)
    answer.results[0].field, answer.results[0].reason = "request.vendor", "is too long"
    (rejection,) = core.answered(batch, answer, 0.0).rejections
    offer(core)
    assert (rejection.field, rejection.reason) == ("request.vendor", "is too long")
    assert declared(cut(core)) == [1]


def test_an_event_that_is_dropped_hands_back_what_it_declared() -> None:
    """A rejected or expired event's own declaration is made again by the next event, with the event itself."""
    core = core_of()
    offer(core, size=60_000)
    offer(core)
    batch = cut(core)
    assert declared(batch) == [1]
    core.answered(batch, response(batch, REJECTED), 0.0)
    offer(core)
    batch = cut(core)
    assert declared(batch) == [2]
    core.failed(batch, 100.0)
    offer(core, now=100.0)
    assert declared(cut(core, now=100.0)) == [3]


def test_an_event_past_its_deadline_is_dropped_and_declared() -> None:
    """What was not answered within `deadline_s` leaves, whether it waited or came back from a failed call."""
    core = core_of()
    offer(core, now=0.0)
    batch = cut(core, now=1.0)
    offer(core, now=30.0)
    core.failed(batch, 61.0)
    assert core.counts["dropped_expired"] == 1
    offer(core, now=61.0)
    assert (numbers(cut(core, now=62.0)), core.counts["dropped_expired"]) == ([2, 3], 1)


def test_an_answer_of_another_length_is_no_answer() -> None:
    """A gateway that answers for more or fewer events than it was sent is not believed."""
    core = core_of()
    offer(core)
    batch = cut(core)
    with pytest.raises(MalformedAnswer, match="2 results for 1 events"):
        core.answered(batch, pb.PublishResponse(results=[pb.EventResult(), pb.EventResult()]), 0.0)
    core.failed(batch, 0.0)
    assert numbers(cut(core)) == [1]


def test_a_refused_batch_is_halved_until_the_culprit_is_alone() -> None:
    """After `narrow` the next batches are half as wide; successes widen them again."""
    core = core_of()
    for _ in range(10):
        offer(core)
    widths = []
    for _ in range(4):
        batch = cut(core)
        widths.append(len(batch.items))
        core.narrow(batch)
        core.failed(batch, 0.0)
    assert widths == [10, 5, 2, 1]
    for expected in (1, 2, 4):
        batch = cut(core)
        assert len(batch.items) == expected
        core.answered(batch, response(batch), 0.0)


def test_a_durable_event_overtakes_the_backlog_and_tells_its_waiter() -> None:
    """A durable event has its own lane, is due at once, and its waiter gets leaf hash and receipt."""
    core = core_of()
    offer(core)
    told = waiter()
    core.offer_durable(b"d" * 16, Event(event_id=b"d" * 16).SerializeToString(), 0.0, told)
    assert core.due(Lane.DURABLE, 0.0) == 0.0
    batch = cut(core, lane=Lane.DURABLE)
    assert numbers(batch) == [2]
    core.answered(batch, response(batch), 0.0)
    ((who, what),) = core.take_told()
    assert who is told
    assert (what.event_id, what.leaf_hash, what.receipt) == (b"d" * 16, b"l" * 32, b"r")  # type: ignore[union-attr]


def test_a_durable_event_without_room_is_refused_without_a_number() -> None:
    """A full queue refuses a durable event to its caller and drops nothing for it."""
    core = core_of(replace(LIMITS, queue_events_max=1, drop_oldest=True))
    offer(core)
    with pytest.raises(Unavailable, match="full"):
        core.offer_durable(b"d" * 16, b"", 0.0, waiter())
    with pytest.raises(Rejected, match="60000 bytes"):
        core.offer_durable(b"d" * 16, b"\x6a" * 60_000, 0.0, waiter())
    assert (core.sequence, core.dropped) == (1, 0)


def test_a_given_up_event_stays_in_its_place_and_is_sent_unchanged_when_submitted_again() -> None:
    """After its waiter gave up, an event is an ordinary one; the same id again sends the first bytes again."""
    core = core_of()
    body = Event(event_id=b"d" * 16).SerializeToString()
    first, second = waiter(), waiter()
    core.offer_durable(b"d" * 16, body, 0.0, first)
    offer(core)
    core.give_up(first)
    core.offer_durable(b"d" * 16, body, 0.0, second)
    bulk, durable = cut(core), cut(core, lane=Lane.DURABLE)
    assert (numbers(bulk), numbers(durable)) == ([1, 2], [1])
    assert bulk.items[0].wire == durable.items[0].wire
    core.answered(durable, response(durable), 0.0)
    core.answered(bulk, response(bulk, REPEAT), 0.0)
    assert [who for who, _ in core.take_told()] == [second]
    assert (core.counts["accepted"], core.counts["repeated"], core.held_events) == (1, 1, 0)


def test_a_durable_event_submitted_again_after_its_answer_is_a_repeat() -> None:
    """Whether the first sending was answered already or not, the same event again has the same number and bytes."""
    core = core_of()
    body = Event(event_id=b"d" * 16).SerializeToString()
    wires = []
    for told in (waiter(), waiter()):
        core.offer_durable(b"d" * 16, body, 0.0, told)
        batch = cut(core, lane=Lane.DURABLE)
        wires.append(batch.items[0].wire)
        core.answered(batch, response(batch), 0.0)
        assert [who for who, _ in core.take_told()] == [told]
    assert wires[0] == wires[1]
    assert (core.sequence, core.counts["accepted"]) == (1, 1)


def test_another_body_or_a_rejected_one_is_a_submission_of_its_own() -> None:
    """Under an id that was rejected, or with other content, a durable event gets a new number."""
    core = core_of()
    bodies = [Event(event_id=b"d" * 16, derived_fields=[name]).SerializeToString() for name in ("a", "b", "b")]
    for body in bodies:
        core.offer_durable(b"d" * 16, body, 0.0, waiter())
        batch = cut(core, lane=Lane.DURABLE)
        core.answered(batch, response(batch, REJECTED), 0.0)
    assert core.sequence == 3


def test_giving_up_in_flight_returns_the_event_to_the_bulk_lane() -> None:
    """A durable event in flight whose waiter gave up joins the bulk lane when the call fails."""
    core = core_of()
    told = waiter()
    core.offer_durable(b"d" * 16, Event(event_id=b"d" * 16).SerializeToString(), 0.0, told)
    batch = cut(core, lane=Lane.DURABLE)
    core.give_up(told)
    core.failed(batch, 0.0)
    assert numbers(cut(core)) == [1]
    assert core.cut(Lane.DURABLE, 0.0) is None


def test_the_memory_bound_is_kept_to_the_byte() -> None:
    """Waiting bytes, wire and overhead, never exceed `queue_bytes_max`."""
    core = core_of(replace(LIMITS, queue_bytes_max=20_000))
    for size in range(0, 2_000, 50):
        offer(core, size=size)
        assert core.held_bytes <= 20_000
    held = sum(len(item.wire) + ITEM_BYTES for item in cut(core).items)
    assert 0 < held <= core.held_bytes
