"""Why a content can't be read any more, in the words of the event that says so: erased or expired, when, by whom.

A content that a placement removed names that event. One whose keys are gone, and whose ciphertext is still there, is
under scopes of which the key store knows what destroyed them; the event is found by the correlation id that it shares
with that. What the key store says is believed for the words only: shown is the sealed event, or that it is not sealed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from query.contents import KEYS_DESTROYED
from query.evidence import ContentView, SealedEvent
from query.lookup_keys import KeyKind

Cause = tuple[KeyKind, bytes | str]

FindEach = Callable[[Sequence[Cause]], list[list[SealedEvent]]]
"""The sealed events under each (kind of key, value)."""

RemovedBy = Callable[[SealedEvent, str], bytes | None]
"""The id of the event under which a content was removed."""


def explained(
    events: list[SealedEvent],
    removed_by: RemovedBy,
    destroyed_by: Callable[[Iterable[bytes]], Mapping[bytes, str]],
    find_each: FindEach,
) -> list[SealedEvent]:
    """The same events; contents that were erased or expired say so. `destroyed_by`: correlation ids by scope."""
    causes: dict[tuple[int, str], Cause] = {}
    scopes: dict[tuple[int, str], list[bytes]] = {}
    for at, event in enumerate(events):
        for content in event.contents:
            if content.data is None and content.unavailable is not None:
                event_id = removed_by(event, content.slot)
                if event_id is not None:
                    causes[at, content.slot] = ("event", event_id)
                elif content.unavailable == KEYS_DESTROYED:
                    scopes[at, content.slot] = _scope_ids(event, content.slot)
    if scopes:
        by_scope = destroyed_by({each for ids in scopes.values() for each in ids})
        for place, ids in scopes.items():
            known = [by_scope[each] for each in ids if each in by_scope]
            if known:
                causes[place] = ("correlation", known[0])
    if not causes:
        return events
    wanted = list(dict.fromkeys(causes.values()))
    found = dict(zip(wanted, find_each(wanted), strict=True))
    return [_with(at, event, causes, found) for at, event in enumerate(events)]


def _with(
    at: int,
    event: SealedEvent,
    causes: Mapping[tuple[int, str], Cause],
    found: Mapping[Cause, list[SealedEvent]],
) -> SealedEvent:
    contents = []
    for content in event.contents:
        cause = causes.get((at, content.slot))
        contents.append(content if cause is None else _said(content, cause, found[cause], event))
    return replace(event, contents=tuple(contents))


def _said(content: ContentView, cause: Cause, found: list[SealedEvent], of: SealedEvent) -> ContentView:
    by = [each for each in found if each.kind in ("erasure", "expiry")]
    own = next((each for each in by if each.log == of.log), by[0] if by else None)
    if own is None:
        if cause[0] == "event":
            return content
        what = "erased" if str(cause[1]).startswith("erasure:") else "expired"
        return replace(content, unavailable=f"{what}; the event that says so is not sealed yet")
    what = "erased" if own.kind == "erasure" else "expired"
    who = own.values["credential_id"] or own.values["submitted_by"]
    return replace(content, unavailable=f"{what} on {own.at:%Y-%m-%d} by {who} (event {UUID(bytes=own.event_id)})")


def _scope_ids(event: SealedEvent, slot: str) -> list[bytes]:
    found = next(each for each in event.values["contents"] if each["slot"] == slot)
    return [bytes(each) for each in found["scope_ids"]]
