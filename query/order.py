"""From sealed events to the steps of a story, in an order in which it reads. Pure functions.

- The phases of one operation (started, completed, failed, cancelled; joined by operation id) are one step, which stands
  where it began. A step whose operation never ended says so; so does one that ended without having begun.
- An event that amends another (late content, correction, link) stands with the step it amends.
- Steps are ordered by when they occurred or, unknown, were received; then by their place in the log. Where a session
  numbers its events, those numbers decide the order among them: they take the places that they hold together.
- A tool call stands behind the request whose answer asked for it, stated by event id or else found by its call id in
  an output of the same session.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from query.call_ids import asked_for
from query.evidence import SealedEvent

Ending = Literal["single", "completed", "failed", "cancelled", "never_ended"]
Basis = Literal["stated", "call_id"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A step before it has a number: the phases of an operation in order, and what amends them."""

    events: tuple[SealedEvent, ...]
    amendments: tuple[SealedEvent, ...]

    @property
    def head(self) -> SealedEvent:
        """The event that it begins with."""
        return self.events[0]

    @property
    def all_events(self) -> tuple[SealedEvent, ...]:
        """Its events and its amendments."""
        return (*self.events, *self.amendments)

    @property
    def ending(self) -> Ending:
        """How its operation ended."""
        if self.head.phase == "single":
            return "single"
        for event in reversed(self.events):
            if event.phase in ("completed", "failed", "cancelled"):
                return event.phase  # type: ignore[return-value]
        return "never_ended"

    @property
    def ended_at(self) -> datetime | None:
        """When its operation ended; None where it did not, or has only one phase."""
        ends = [event.at for event in self.events if event.phase in ("completed", "failed", "cancelled")]
        return ends[-1] if ends else None

    @property
    def has_beginning(self) -> bool:
        """Whether its operation was seen to begin."""
        return self.head.phase in ("single", "started")


@dataclass(frozen=True, slots=True)
class Asked:
    """A tool call's request: the place of its step among the steps, and how it is known."""

    step: int
    basis: Basis


def arrange(events: Iterable[SealedEvent]) -> list[Draft]:
    """The steps of these events, each event once, in order."""
    by_place = {(event.log.log_id, event.index): event for event in events}
    ordered = sorted(by_place.values(), key=_place)
    operations: dict[object, list[SealedEvent]] = {}
    amendments: list[SealedEvent] = []
    ids = {event.event_id for event in ordered}
    for event in ordered:
        amended = event.values["amends_event_id"]
        if amended is not None and amended in ids and amended != event.event_id:
            amendments.append(event)
        elif event.phase != "single":
            operations.setdefault(event.values["operation_id"], []).append(event)
        else:
            operations.setdefault((event.log.log_id, event.index), []).append(event)
    groups = [sorted(group, key=lambda event: event.phase != "started") for group in operations.values()]
    attached, left = _attach(groups, amendments)
    drafts = [Draft(tuple(group), tuple(own)) for group, own in zip(groups, attached, strict=True)]
    drafts += [Draft((event,), ()) for event in left]
    drafts.sort(key=lambda draft: (draft.head.at, *_place(draft.head)))
    return _behind_requests(_by_ordinals(drafts))


def requests_of(drafts: Sequence[Draft]) -> dict[int, Asked]:
    """For each step that is a tool call, the step whose request asked for it."""
    by_id = {event.event_id: at for at, draft in enumerate(drafts) for event in draft.events}
    calls = _calls_in_outputs(drafts)
    found: dict[int, Asked] = {}
    for at, draft in enumerate(drafts):
        if draft.head.kind != "tool_call":
            continue
        stated = merged(draft.events, "requested_by_event_id")
        call_id = merged(draft.events, "call_id")
        session = draft.head.values["session_id"]
        if stated is not None and stated in by_id:
            found[at] = Asked(by_id[stated], "stated")
        elif stated is None and call_id is not None and (session, call_id) in calls:
            found[at] = Asked(calls[session, call_id], "call_id")
    return found


def merged(events: Sequence[SealedEvent], name: str) -> Any:
    """A field of the body as the phases together tell it: the last one that says something."""
    for event in reversed(events):
        value = event.body.get(name)
        if value not in (None, "unspecified", []):
            return value
    return None


def _place(event: SealedEvent) -> tuple[int, int]:
    return event.log.shard, event.index


def _attach(
    groups: Sequence[Sequence[SealedEvent]], amendments: Sequence[SealedEvent]
) -> tuple[list[list[SealedEvent]], list[SealedEvent]]:
    """The amendments of each group; one of an amendment goes with what that one amends.

    Left over are those that amend each other in a circle, which only ids used twice can do.
    """
    home = {event.event_id: at for at, group in enumerate(groups) for event in group}
    attached: list[list[SealedEvent]] = [[] for _ in groups]
    waiting = list(amendments)
    while waiting:
        later = []
        for event in waiting:
            at = home.get(event.values["amends_event_id"])
            if at is None:
                later.append(event)
            else:
                attached[at].append(event)
                home.setdefault(event.event_id, at)
        if len(later) == len(waiting):
            break
        waiting = later
    return attached, waiting


def _by_ordinals(drafts: list[Draft]) -> list[Draft]:
    """The numbered steps of each session in the order of their numbers, in the places they hold together."""
    places: dict[str, list[int]] = {}
    for at, draft in enumerate(drafts):
        if draft.head.values["session_ordinal"] is not None and draft.head.values["session_id"] is not None:
            places.setdefault(draft.head.values["session_id"], []).append(at)
    ordered = list(drafts)
    for held in places.values():
        numbered = sorted((drafts[at] for at in held), key=lambda draft: draft.head.values["session_ordinal"])
        for at, draft in zip(held, numbered, strict=True):
            ordered[at] = draft
    return ordered


def _behind_requests(drafts: list[Draft]) -> list[Draft]:
    """No tool call stands before the request that asked for it."""
    asked = requests_of(drafts)
    early: dict[int, list[Draft]] = {}
    for at, request in asked.items():
        if request.step > at:
            early.setdefault(request.step, []).append(drafts[at])
    if not early:
        return drafts
    moved = {id(draft) for late in early.values() for draft in late}
    return [each for at, draft in enumerate(drafts) if id(draft) not in moved for each in (draft, *early.get(at, ()))]


def _calls_in_outputs(drafts: Sequence[Draft]) -> Mapping[tuple[str | None, str], int]:
    """(session, call id) to the step whose answer named it. Only what was opened can be looked into."""
    found: dict[tuple[str | None, str], int] = {}
    for at, draft in enumerate(drafts):
        for event in draft.all_events:
            output = event.content("output")
            if event.kind == "request" and output is not None and output.text is not None:
                for call_id in asked_for(output.text):
                    found.setdefault((draft.head.values["session_id"], call_id), at)
    return found
