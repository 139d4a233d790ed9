"""The tools that ran, as events.

**At the vendor** (search, code, MCP): told by the answer itself. The event says that this request asked for it, and is
made once with the request's event; its id is derived from that event's id and the call's.

**In the service**: nobody tells when it happens. What is seen is the next request, which carries the result; so that is
what is claimed: such a tool gave this back for these arguments, before this request. The event is *derived*; when it
ran is unknown, and so is its outcome unless the service says it (`is_error`, `status`). Later requests carry the result
again, as history: only results behind the model's last words are news (`ToolRan.is_new`).

A request may be sent again, through another proxy too. The id of such an event is therefore derived from all that the
event says, and nothing stands in it that differs from one sending to the next: no time, no trace, no number. Sending it
twice is then a repeat for the ledger, which drops it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ledger.client.builders import tool_call
from ledger.client.ids import derived_event_id
from ledger.v1 import event_pb2 as pb
from ledger.vendors.exchange import ToolRan
from ledger.vendors.fields import Fields, tool_fields

UNKNOWN_TIME_MS = 0
_SEEN = "tool-result-seen/v1"
_AT_VENDOR = "tool-at-vendor/v1"
DERIVED = ("event_id", "tool_call")


def results_seen(ran: Iterable[ToolRan], vendor: str, story: Fields) -> Iterator[pb.Event]:
    """The events of new results that a request carries. `story`: what of its story is the same in every sending."""
    alike: dict[bytes, int] = {}
    for each in ran:
        if not each.is_new or each.at_vendor:
            continue
        event = tool_call(**{**tool_fields(each, vendor), **story}, occurred_at=None, derived_fields=DERIVED)
        event.ClearField("event_id")
        said = event.SerializeToString(deterministic=True)
        # Two calls without ids that say the same are two.
        alike[said] = alike.get(said, -1) + 1
        event.event_id = derived_event_id(UNKNOWN_TIME_MS, _SEEN, said, str(alike[said]))
        yield event


def runs_at_vendor(ran: Iterable[ToolRan], vendor: str, story: Fields, request: pb.Event) -> Iterator[pb.Event]:
    """The events of tools that the vendor ran while it answered `request`."""
    at_ms = int.from_bytes(request.event_id[:6], "big")
    for place, each in enumerate(ran):
        if not each.at_vendor:
            continue
        fields: Fields = {**tool_fields(each, vendor), **story, "requested_by_event_id": request.event_id}
        event = tool_call(**fields, occurred_at=None, parent_event_id=request.event_id)
        event.event_id = derived_event_id(at_ms, _AT_VENDOR, request.event_id, str(place), each.call_id)
        yield event
