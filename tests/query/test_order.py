"""Steps in an order in which a story reads."""

from __future__ import annotations

from ledger.client.builders import request, tool_call
from ledger.client.ids import event_id
from query.evidence import SealedEvent
from query.order import arrange
from query.reading import Reading
from tests.query.ledgers import Asked, ago


def everything(reading: Reading) -> list[SealedEvent]:
    """All events of the tenant."""
    (log,) = reading.tenant.logs
    return reading.load(log, range(reading.log_view(log).size))


async def test_every_event_stands_in_exactly_one_step(asked: Asked) -> None:
    """However events refer to each other, none is lost and none is told twice."""
    a, b = event_id(), event_id()
    operation = event_id()
    await asked.seal(
        "acme",
        request(event_id=a, amends_event_id=b, vendor="v", model_requested="m"),
        request(event_id=b, amends_event_id=a, vendor="v", model_requested="m"),
        request(amends_event_id=a, vendor="v", model_requested="m"),
        tool_call(tool="t", phase="completed", operation_id=operation),
        tool_call(tool="t", phase="started", operation_id=operation),
        tool_call(tool="t", requested_by_event_id=a),
    )
    drafts = arrange(everything(asked.reading()))
    told = [event.index for draft in drafts for event in draft.all_events]
    assert sorted(told) == list(range(6))
    (joined,) = (draft for draft in drafts if len(draft.events) == 2)
    assert [event.phase for event in joined.events] == ["started", "completed"]


async def test_equal_times_keep_the_order_of_the_log(asked: Asked) -> None:
    """Events of one moment stand as they were sealed, in whatever order they are given."""
    at = ago(1)
    await asked.seal("acme", *(request(vendor="v", model_requested=f"m{n}", occurred_at=at) for n in range(5)))
    drafts = arrange(reversed(everything(asked.reading())))
    assert [draft.head.index for draft in drafts] == [0, 1, 2, 3, 4]


async def test_unknown_times_count_as_received(asked: Asked) -> None:
    """An event that does not know when it happened stands where it was received."""
    await asked.seal("acme", request(vendor="v", model_requested="unknown", occurred_at=None))
    await asked.seal("acme", request(vendor="v", model_requested="earlier", occurred_at=ago(30)))
    drafts = arrange(everything(asked.reading()))
    assert [draft.head.body["model_requested"] for draft in drafts] == ["earlier", "unknown"]
