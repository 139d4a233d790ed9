"""Reconstruction: for a user, session, correlation id or event, what happened, step by step, with proof.

Which events belong to a story:

1. those under the selector: naming the user (as actor or subject), of the session, of the correlation id, the event;
2. for a user, the events of her sessions that name nobody (a tool call whose producer did not know the user);
3. the other phases of their operations, so that "never ended" is true;
4. what refers to them (amendments, tool calls asked for by them, decisions that rest on them) and, for an event, what
   it refers to: the request that asked for it, what it amends.

2 to 4 stay inside the tenant and never bring in an event that names other persons, except for phases and
amendments of what is in the story already; each such event says why it is there (`by_session`, `by_reference`).

Each step carries what governed it (`query.governance`), each event its proof. Two times bound an answer, each by
itself:

- *As known at* K (`known_at`; default: now, all that is sealed): only what a round sealed up to K exists, by the signed
  sealing time of that round; events, Changes of `_org` and marks on ids alike. What had been accepted by then and was
  sealed later is not in it: nothing the ledger signed by K vouches for it. The proofs stand on today's checkpoints.
- *As effective at* E (`effective_at`; default: each step at its own time, when it began): the moment whose state of
  prompts, models, policies, tools, agents, guardrails and grants every step is judged by, as Changes claim it for E:
  a Change counts at its effective time, else when it occurred, else when it was received. E neither brings in nor
  leaves out a step (the window does that), and which revision a step used is what it says itself. Where another
  revision was in effect at a step's own time, the flag `effect_differs` says so.

So K asks what could be known, E which rules apply; E may lie before or after K and before or after the steps. A claim
sealed later than it claims by more than the tolerance is flagged (`backdated`, `change_backdated`) on every such
question, and is never taken for granted: an approval of that kind counts for E only from its sealing on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from ledger.errors import Rejected
from query.evidence import SealedEvent
from query.flags import Flag, event_flags
from query.governance import ALWAYS, Governed, judge, uses_of
from query.lookup_keys import KeyKind
from query.order import Draft, arrange, requests_of
from query.reading import Reading, references
from query.story import Selector, Step, Story, Window

ARTIFACT_SLOTS = frozenset({"artifact_text", "reason"})

_Place = tuple[bytes, int]


@dataclass(frozen=True, slots=True)
class Found:
    """The events of a story, each once, and why those are there that the selector does not name."""

    person: bytes | None
    events: tuple[SealedEvent, ...]
    why: dict[_Place, Flag]


def reconstruct(
    reading: Reading,
    selector: Selector,
    window: Window,
    tolerance: timedelta,
    *,
    effective_at: datetime | None = None,
    open_contents: bool,
) -> Story:
    """The story of the selector.

    `Rejected` for a selector that cannot be one or leads to too much; `UnknownEvent` for an event that is not there.
    """
    found = find_events(reading, selector)
    drafts = [draft for draft in arrange(found.events) if window.holds(draft.head.at)]
    drafts = _evidence(reading, drafts, open_contents=open_contents)
    governed = Governance(reading, tolerance, effective_at, open_contents=open_contents)
    steps = _steps(drafts, found, governed, tolerance)
    events = [event for step in steps for event in (*step.events, *step.amendments)]
    events += [act.event for step in steps for each in step.governance for act in each.changes]
    return Story(
        tenant=reading.tenant.name,
        selector=selector,
        person=found.person,
        window=window,
        known_at=reading.known_at,
        effective_at=effective_at,
        steps=steps,
        checkpoints=reading.checkpoints(events),
    )


def event_id_of(value: str) -> bytes:
    """The event id in a selector."""
    try:
        return UUID(value).bytes
    except ValueError:
        raise Rejected("selector.event_id", "expected a UUID") from None


def find_events(reading: Reading, selector: Selector) -> Found:
    """All events of a story, whenever they happened: neither proven nor opened, and perhaps outlines."""
    person, named = _named(reading, selector)
    events = {_place(event): event for event in named}
    why: dict[_Place, Flag] = {}
    if selector.kind == "user":
        for event in _of_sessions(reading, named):
            if _place(event) not in events:
                events[_place(event)] = event
                why[_place(event)] = Flag("by_session", f"session {event.values['session_id']}")
    if selector.kind == "event":
        _add_referred(reading, named, events, why)
    _add_related(reading, events, why)
    return Found(person, tuple(events.values()), why)


def _named(reading: Reading, selector: Selector) -> tuple[bytes | None, list[SealedEvent]]:
    if selector.kind == "user":
        person = reading.pseudonym(selector.value)
        return person, reading.outlines([("person", person)])[0] if person is not None else []
    if selector.kind == "event":
        event_id = event_id_of(selector.value)
        found = reading.find("event", event_id)
        if not found:
            raise reading.unknown_event("selector.event_id", event_id)
        return None, found
    kind: KeyKind = "session" if selector.kind == "session" else "correlation"
    return None, reading.outlines([(kind, selector.value)])[0]


def _of_sessions(reading: Reading, named: Sequence[SealedEvent]) -> list[SealedEvent]:
    """The events of these events' sessions that name nobody."""
    sessions = dict.fromkeys(event.values["session_id"] for event in named)
    wanted: list[tuple[KeyKind, bytes | str]] = [("session", each) for each in sessions if each is not None]
    return [event for found in reading.outlines(wanted) for event in found if not event.persons]


def _add_referred(
    reading: Reading, named: Sequence[SealedEvent], events: dict[_Place, SealedEvent], why: dict[_Place, Flag]
) -> None:
    """What an event that was asked for refers to."""
    for event in named:
        for event_id in sorted(references(event)):
            _add(reading.find("event", event_id), events, why, f"event {UUID(bytes=event.event_id)} refers to it")


def _add_related(reading: Reading, events: dict[_Place, SealedEvent], why: dict[_Place, Flag]) -> None:
    """Phases of the same operations and what refers to the events, until nothing more is found."""
    looked: set[tuple[KeyKind, bytes | str]] = set()
    waiting = list(events.values())
    while waiting:
        reading.check_looked_at(len(events))
        wanted: dict[tuple[KeyKind, bytes | str], SealedEvent] = {}
        for event in waiting:
            wanted.setdefault(("reference", event.event_id), event)
            if event.values["operation_id"] is not None:
                wanted.setdefault(("operation", bytes(event.values["operation_id"])), event)
        lookups = [each for each in wanted if each not in looked]
        looked.update(lookups)
        waiting = []
        for lookup, found in zip(lookups, reading.outlines(lookups), strict=True):
            event = wanted[lookup]
            related = [each for each in found if lookup[0] == "operation" or _may_follow(each, event)]
            waiting += _add(related, events, why, f"belongs to event {UUID(bytes=event.event_id)}")


def _may_follow(event: SealedEvent, other: SealedEvent) -> bool:
    """Whether an event that refers to another of the story may come in: it amends it, or names no further person."""
    amends = event.values["amends_event_id"] == other.event_id
    return amends or not event.persons or bool(set(event.persons) & set(other.persons)) or not other.persons


def _add(
    found: Iterable[SealedEvent], events: dict[_Place, SealedEvent], why: dict[_Place, Flag], reason: str
) -> list[SealedEvent]:
    new = [event for event in found if _place(event) not in events]
    for event in new:
        events[_place(event)] = event
        why[_place(event)] = Flag("by_reference", reason)
    return new


def _evidence(reading: Reading, drafts: Sequence[Draft], *, open_contents: bool) -> list[Draft]:
    """The drafts with their events proven and opened; in order again, since outputs tell which calls they asked for."""
    events = reading.prove(reading.whole([event for draft in drafts for event in draft.all_events]))
    if open_contents:
        events = reading.open(events)
    return arrange(events)


class Governance:
    """What governed the steps of one answer, at `effective_at`, by default each at its own time.

    Changes are read once for each artifact.
    """

    def __init__(
        self, reading: Reading, tolerance: timedelta, effective_at: datetime | None = None, *, open_contents: bool
    ) -> None:
        self._reading = reading
        self._tolerance = tolerance
        self._effective_at = effective_at
        self._open_contents = open_contents
        self._changes: dict[tuple[str, str], list[SealedEvent]] = {}

    def of(self, draft: Draft) -> tuple[Governed, ...]:
        """What governed one step."""
        found = []
        for use in uses_of(draft.events):
            changes = [event for artifact_id in use.ids for event in self.changes(use.kind, artifact_id)]
            if changes or use.kind in ALWAYS:
                found.append(judge(use, changes, draft.head.at, self._tolerance, self._effective_at))
        return tuple(found)

    def changes(self, kind: str, artifact_id: str) -> list[SealedEvent]:
        """All Changes about an artifact that this tenant may see."""
        key = (kind, artifact_id)
        if key not in self._changes:
            found = self._reading.prove(self._reading.org_changes(kind, artifact_id))
            self._changes[key] = self._reading.open(found, ARTIFACT_SLOTS) if self._open_contents else found
        return self._changes[key]


def _steps(drafts: Sequence[Draft], found: Found, governance: Governance, tolerance: timedelta) -> tuple[Step, ...]:
    asked = requests_of(drafts)
    steps = []
    for at, draft in enumerate(drafts):
        request = asked.get(at)
        steps.append(
            Step(
                number=at + 1,
                at=draft.head.at,
                time_known=draft.head.occurred_at is not None,
                kind=draft.head.kind,
                ending=draft.ending,
                ended_at=draft.ended_at,
                events=draft.events,
                amendments=draft.amendments,
                requested_by=None if request is None else request.step + 1,
                requested_by_basis=None if request is None else request.basis,
                tool_calls=tuple(call + 1 for call, each in sorted(asked.items()) if each.step == at),
                governance=governance.of(draft),
                flags=_flags(draft, found, tolerance),
            )
        )
    return tuple(steps)


def _flags(draft: Draft, found: Found, tolerance: timedelta) -> tuple[Flag, ...]:
    flags = [flag for event in draft.all_events for flag in event_flags(event, tolerance)]
    if draft.ending == "never_ended":
        flags.append(Flag("never_ended", f"started {draft.head.at.isoformat()}"))
    if not draft.has_beginning:
        flags.append(Flag("never_started", f"only its end is sealed, {draft.head.at.isoformat()}"))
    why = found.why.get(_place(draft.head))
    if why is not None:
        flags.append(why)
    return tuple(dict.fromkeys(flags))


def _place(event: SealedEvent) -> _Place:
    return event.log.log_id, event.index
