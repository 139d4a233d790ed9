"""The tools that ran, as events.

**At the vendor** (search, code, MCP): told by the answer itself. The event says that this request asked for it, and is
made once with the request's event; its id is derived from that event's id and the call's.

**In the service**: nobody tells when it happens. What is seen is the next request, which carries the result; so that is
what is claimed: such a tool gave this back for these arguments, before this request. The event is *derived*; when it
ran is unknown, and so is its outcome unless the service says it (`is_error`, `status`). Later requests carry the result
again, as history: only results behind the model's last words are news (`ToolRan.is_new`).

A request may be sent again, through another proxy too. The id of such an event is therefore derived from what the
event says, and nothing stands in it that differs from one sending to the next: no time, no trace, no number. Sending it
twice is then a repeat for the ledger, which drops it.

Ids stand in the payload for ever, so no id that leaves may be a digest of contents or persons, against which a guess
could be checked (after an erasure, or where the policy keeps contents as keyed digests only):

- `results_seen` derives it from what stands in the payload in clear anyway (tool, call id, story); of a run without a
  call id from the request that carries it, and the run's place in it.
- `results_to_key` derives it from all that the event says. It is for who has a key, and ends in `keyed_id`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256

from google.protobuf.message import Message

from ledger.client.builders import tool_call
from ledger.client.ids import derived_event_id
from ledger.v1 import event_pb2 as pb
from ledger.vendors.exchange import ToolRan
from ledger.vendors.fields import Fields, tool_fields

UNKNOWN_TIME_MS = 0
_SEEN, _KEYED = "tool-result-seen/v2", "tool-result-keyed/v1"
_HIDDEN = frozenset({"ledger.v1.Content", "ledger.v1.Person"})
_AT_VENDOR = "tool-at-vendor/v1"
DERIVED = ("event_id", "tool_call")


def results_seen(ran: Iterable[ToolRan], vendor: str, story: Fields, request_id: bytes) -> Iterator[pb.Event]:
    """The events of new results that a request carries. `story`: what of its story is the same in every sending.

    `request_id`: of the request's event; runs without a call id are told apart by it.
    """
    for place, event in _new(ran, vendor, story):
        where = () if event.tool_call.call_id else (request_id, str(place))
        event.event_id = derived_event_id(UNKNOWN_TIME_MS, _SEEN, _in_clear(event), *where)
        yield event


def results_to_key(ran: Iterable[ToolRan], vendor: str, story: Fields) -> Iterator[pb.Event]:
    """The same, under ids that may not leave: see the module."""
    alike: dict[bytes, int] = {}
    for _, event in _new(ran, vendor, story):
        said = event.SerializeToString(deterministic=True)
        # Two calls without ids that say the same are two.
        alike[said] = alike.get(said, -1) + 1
        event.event_id = derived_event_id(UNKNOWN_TIME_MS, _SEEN, said, str(alike[said]))
        yield event


def keyed_id(event: pb.Event, keyed: Callable[[str], str]) -> bytes:
    """The id under which an event of `results_to_key` leaves; `keyed`: a keyed hash of a text."""
    said = sha256(event.SerializeToString(deterministic=True)).hexdigest()
    return derived_event_id(UNKNOWN_TIME_MS, _KEYED, keyed(said))


def _new(ran: Iterable[ToolRan], vendor: str, story: Fields) -> Iterator[tuple[int, pb.Event]]:
    """The events, without an id, each with its place among all runs of the history."""
    for place, each in enumerate(ran):
        if each.is_new and not each.at_vendor:
            event = tool_call(**{**tool_fields(each, vendor), **story}, occurred_at=None, derived_fields=DERIVED)
            event.ClearField("event_id")
            yield place, event


def _in_clear(event: pb.Event) -> bytes:
    """What of an event stands in its payload in clear."""
    shown = pb.Event()
    shown.CopyFrom(event)
    _hide(shown)
    return shown.SerializeToString(deterministic=True)


def _hide(message: Message) -> None:
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.full_name in _HIDDEN:
            message.ClearField(field.name)
        else:
            for each in value if field.is_repeated else (value,):
                _hide(each)


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
