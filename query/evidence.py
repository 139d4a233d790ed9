"""One sealed event as an answer shows it: its decoded payload, its place, its proof, its contents. Values only.

Nothing here is read from typed columns: all is decoded from the payload's bytes, and the proof is of those bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from ledger.record.payload import BODY_FIELDS
from ledger.tenants import TenantLog
from query.log_view import Seen

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_OUTLINE = (
    "event_id",
    "kind",
    "phase",
    "occurred_at",
    "received_at",
    "actor_user",
    "subjects",
    "session_id",
    "session_ordinal",
    "correlation_id",
    "operation_id",
    "amends_event_id",
    "parent_event_id",
)
_BODY_OUTLINE = (
    "requested_by_event_id",
    "call_id",
    "request_event_ids",
    "evidence_event_ids",
    "artifact_kind",
    "artifact_id",
)

TEXT_TYPES = ("text/", "application/json", "application/xml", "application/x-ndjson")


def moment(microseconds: int) -> datetime:
    """Unix microseconds as a time; exact, where floating point would round."""
    return EPOCH + timedelta(microseconds=microseconds)


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether the payload is a leaf under the root that a signed round states for the log at `tree_size`."""

    state: Literal["proven", "failed", "unchecked"]
    tree_size: int = 0
    reason: str = ""


UNCHECKED = Proof("unchecked")


@dataclass(frozen=True, slots=True)
class ContentView:
    """One content as its descriptor has it. `data` is None when it is closed; `unavailable` then says why."""

    slot: str
    state: str
    media_type: str | None
    size: int | None
    original_size: int | None
    declared_class: str
    detected_class: str
    retention_class: str
    rule_pack: str | None
    detections: tuple[tuple[str, int], ...]
    reference: str | None
    data: bytes | None = field(default=None, repr=False)
    unavailable: str | None = None

    @property
    def text(self) -> str | None:
        """The content as text, where it is one and open."""
        if self.data is None or not (self.media_type or "").startswith(TEXT_TYPES):
            return None
        try:
            return self.data.decode("utf-8")
        except UnicodeDecodeError:
            return None


@dataclass(frozen=True, slots=True)
class SealedEvent:
    """One event. `values` are the payload's fields by name; `body` the fields of its body.

    `mark`: its id was sealed before. `repeated_at`: later events of its id, by index and kind of mark.
    """

    log: TenantLog
    index: int
    round: int
    sealed_at: datetime
    leaf_hash: bytes
    payload: bytes = field(repr=False)
    values: dict[str, Any] = field(repr=False)
    mark: Seen | None
    repeated_at: tuple[tuple[int, str], ...] = ()
    proof: Proof = UNCHECKED
    contents: tuple[ContentView, ...] = ()

    @property
    def tenant(self) -> str:
        """The tenant whose log holds it."""
        return self.log.tenant

    @property
    def event_id(self) -> bytes:
        """16 bytes."""
        return bytes(self.values["event_id"])

    @property
    def kind(self) -> str:
        """Such as `request`; `ledger.record.payload.KINDS` has them all."""
        return str(self.values["kind"])

    @property
    def phase(self) -> str:
        """single, started, completed, failed or cancelled."""
        return str(self.values["phase"])

    @property
    def body(self) -> dict[str, Any]:
        """The fields of its body."""
        found: dict[str, Any] = self.values[BODY_FIELDS[self.kind]]
        return found

    @property
    def occurred_at(self) -> datetime | None:
        """When it happened, by the producer; None where it did not know."""
        found: datetime | None = self.values["occurred_at"]
        return found

    @property
    def received_at(self) -> datetime:
        """When the gateway took it, by the gateway's clock."""
        found: datetime = self.values["received_at"]
        return found

    @property
    def at(self) -> datetime:
        """When it happened or, unknown, when it was received."""
        return self.occurred_at or self.received_at

    @property
    def persons(self) -> tuple[bytes, ...]:
        """The pseudonyms of everyone it names, the actor first."""
        actor = self.values["actor_user"]
        named = [actor] if actor is not None else []
        return tuple(dict.fromkeys([*named, *(each["pseudonym"] for each in self.values["subjects"])]))

    @property
    def is_outline(self) -> bool:
        """Whether it is no more than an outline: no payload is empty."""
        return not self.payload

    def outline(self) -> SealedEvent:
        """The same event with no more than what tells when it was and what it belongs to."""
        values = {name: self.values[name] for name in _OUTLINE}
        values[BODY_FIELDS[self.kind]] = {name: self.body[name] for name in _BODY_OUTLINE if name in self.body}
        return replace(self, payload=b"", values=values, contents=())

    def content(self, slot: str) -> ContentView | None:
        """The content of a slot."""
        return next((each for each in self.contents if each.slot == slot), None)


def closed_contents(values: dict[str, Any], reason: str | None) -> tuple[ContentView, ...]:
    """A payload's contents, none of them open."""
    return tuple(closed_content(descriptor, reason) for descriptor in values["contents"])


def closed_content(descriptor: dict[str, Any], reason: str | None, data: bytes | None = None) -> ContentView:
    """One content from its descriptor, `data` where it was opened; what can't be opened at all says so itself."""
    state = descriptor["state"]
    own = {
        "metadata": "only a keyed digest was captured",
        "absent": "it was not captured",
        "by_reference": "it is kept elsewhere, under its reference",
    }.get(state)
    return ContentView(
        slot=descriptor["slot"],
        state=state,
        media_type=descriptor["media_type"],
        size=descriptor["size"],
        original_size=descriptor["original_size"],
        declared_class=descriptor["declared_class"],
        detected_class=descriptor["detected_class"],
        retention_class=descriptor["retention_class"],
        rule_pack=descriptor["rule_pack"],
        detections=tuple((each["type"], each["count"]) for each in descriptor["detections"]),
        reference=descriptor["reference"],
        data=data,
        unavailable=own or reason,
    )
