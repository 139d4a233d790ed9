"""A submitted event, checked and taken apart: payload fields, contents, persons.

`translate` is the one place that decides where a submitted value goes: into the payload (names, numbers, times,
digests), into a content (free text, bytes), or behind a pseudonym (persons; the identifier itself becomes the content
`actor.user` or `subjects.<n>`). It needs no key and no clock; `ledger.record.assemble` adds what depends on those.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ledger.errors import Rejected
from ledger.record.bodies import BODIES
from ledger.record.fields import SYMBOLS, Values, count, fields_of, moment, number, symbol
from ledger.record.names import bounded, check_no_identifier, exactly, identifier, name, names, signed
from ledger.record.payload import BODY_FIELDS
from ledger.record.schemas import PAYLOAD, text_fields
from ledger.record.submission import check_event_id
from ledger.v1 import event_pb2 as pb

CLEAR_PERSON_FIELDS = {
    "change": ("author", "owner", "reviewers"),
    "access": ("reader",),
    "tool_call": ("approver",),
    "decision": ("human_reviewer",),
    "finding": ("owner",),
    "erasure": ("approvers",),
    "legal_hold": ("approvers",),
    "expiry": ("approvers",),
    "operation": ("approvers", "target"),
}
"""Body fields that hold accountable people in clear, exempt from the identifier check."""


_MEDIA_TYPES = {"text": "text/plain", "data": "application/octet-stream"}
"""What a content is when the producer does not say; of one that is not here, nothing is known."""


@dataclass(frozen=True, slots=True)
class ContentInput:
    """One content as submitted. `data` is None where it is kept by reference (`reference` says where) or absent (None).

    `persons` are identifiers.
    """

    slot: str
    field: str
    media_type: str | None
    data: bytes | None
    reference: str | None
    declared_class: str
    persons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Submission:
    """A submitted event that passed every check.

    `envelope` holds every payload field by name, `body` the fields of its body; pseudonyms, commitments and what is the
    gateway's own are None still. `persons` are all identifiers named, without repeats; `actor_user` and `subjects` say
    who is who.
    """

    event_id: bytes
    kind: str
    envelope: Values
    body: Values
    contents: tuple[ContentInput, ...]
    actor_user: str | None
    subjects: tuple[tuple[str, str | None], ...]
    persons: tuple[str, ...]
    session_id: str | None


@dataclass(slots=True)
class _Contents:
    """Collects the contents of one event."""

    event_class: str
    everyone: tuple[str, ...]
    found: list[ContentInput] = field(default_factory=list)
    persons: dict[str, None] = field(default_factory=dict)

    def take(self, slot: str, path: str, content: pb.Content) -> None:
        which = content.WhichOneof("body")
        if which is None:
            raise Rejected(path, "has neither text nor data nor a reference, nor is it declared absent")
        if which == "absent" and not content.absent:
            raise Rejected(f"{path}.absent", "is false; a content that is there has text, data or a reference")
        if which == "reference" and not content.reference:
            raise Rejected(f"{path}.reference", "is empty")
        data = None
        if which == "text":
            data = content.text.encode("utf-8")
        elif which == "data":
            data = content.data
        persons = self.everyone
        if content.persons:
            bounded(content.persons, f"{path}.persons")
            persons = tuple(identifier(each, f"{path}.persons[{i}]") for i, each in enumerate(content.persons))
            self.persons.update(dict.fromkeys(persons))
        declared = self.event_class
        if content.classification:
            declared = symbol(content.classification, "Classification", f"{path}.classification")
        self.found.append(
            ContentInput(
                slot=slot,
                field=path,
                media_type=name(content.media_type, f"{path}.media_type") or _MEDIA_TYPES.get(which),
                data=data,
                reference=name(content.reference, f"{path}.reference"),
                declared_class=declared,
                persons=persons,
            )
        )


def translate(event: pb.Event) -> Submission:
    """Checks a submitted event and takes it apart. Raises `Rejected` with the field that is wrong."""
    check_event_id(event.event_id)
    kind = event.WhichOneof("body")
    if kind is None:
        raise Rejected("body", "is required: one of " + ", ".join(BODIES))
    actor_user = (
        identifier(event.actor.user.identifier, "actor.user.identifier") if event.actor.HasField("user") else None
    )
    bounded(event.subjects, "subjects")
    subjects = tuple(
        (identifier(each.identifier, f"subjects[{i}].identifier"), name(each.relation, f"subjects[{i}].relation"))
        for i, each in enumerate(event.subjects)
    )
    everyone = tuple(dict.fromkeys([*([actor_user] if actor_user else []), *(each for each, _ in subjects)]))
    envelope = _envelope(event, kind)
    contents = _Contents(envelope["declared_class"], everyone)
    if actor_user:
        contents.found.append(_identity("actor.user", actor_user))
    for i, (subject, _) in enumerate(subjects):
        contents.found.append(_identity(f"subjects.{i}", subject))
    body = BODIES[kind](getattr(event, kind), contents.take)
    persons = tuple(dict.fromkeys([*everyone, *contents.persons]))
    if persons:
        check_no_identifier(_names_of(envelope, kind, body, contents.found, subjects), persons)
    return Submission(
        event_id=event.event_id,
        kind=kind,
        envelope=envelope,
        body=body,
        contents=tuple(contents.found),
        actor_user=actor_user,
        subjects=subjects,
        persons=persons,
        session_id=envelope["session_id"],
    )


def _identity(slot: str, person: str) -> ContentInput:
    return ContentInput(slot, slot, "text/plain", person.encode("utf-8"), None, "confidential", (person,))


_TEXTS = text_fields(PAYLOAD)
"""By record, the payload fields that hold names (texts, not enums), and what they hold."""


def _names_of(
    envelope: Values,
    kind: str,
    body: Values,
    contents: list[ContentInput],
    subjects: tuple[tuple[str, str | None], ...],
) -> Iterator[tuple[str, str]]:
    """Every submitted name that goes into the payload, with its path; accountable people's are left out."""
    for attribute, path in _ENVELOPE_PATHS:
        if envelope[attribute]:
            yield path, envelope[attribute]
    for i, each in enumerate(envelope["derived_fields"]):
        yield f"derived_fields[{i}]", each
    for i, (_, relation) in enumerate(subjects):
        if relation:
            yield f"subjects[{i}].relation", relation
    yield from _texts_in(body, BODY_FIELDS[kind], kind, CLEAR_PERSON_FIELDS.get(kind, ()))
    for content in contents:
        if content.media_type and content.media_type not in _MEDIA_TYPES.values():
            yield f"{content.field}.media_type", content.media_type
        if content.reference:
            yield f"{content.field}.reference", content.reference


def _texts_in(values: Values, record: str, path: str, exempt: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    for attribute, inside in _TEXTS[record]:
        value = values[attribute]
        if not value or attribute in exempt:
            continue
        if inside is None:
            yield f"{path}.{attribute}", value
        elif inside == "string":
            for i, each in enumerate(value):
                yield f"{path}.{attribute}[{i}]", each
        else:
            for i, each in enumerate(value):
                yield from _texts_in(each, inside, f"{path}.{attribute}[{i}]")


def _prefixed(prefix: str, path: str, *attributes: str) -> tuple[tuple[str, str, str], ...]:
    """Payload field, attribute and path of each name in a group of the envelope."""
    return tuple((prefix + attribute, attribute, where) for attribute, where in fields_of(path, *attributes))


_ENVELOPE_NAMES = {
    "producer": _prefixed("producer_", "producer", "service", "version", "environment", "instance"),
    "actor": (
        *_prefixed("actor_", "actor", "service", "agent", "agent_version"),
        *_prefixed("", "actor", "role", "grant_id", "grant_scope", "credential_id", "identity_attribute"),
    ),
    "story": _prefixed("", "story", "session_id", "correlation_id"),
    "purpose": _prefixed("", "purpose", "ai_system_id", "use_case_id", "purpose"),
    "policy_decision": _prefixed("decision_", "policy_decision", "policy_id", "policy_revision", "rule"),
}
"""Group of the envelope to its names."""

_ENVELOPE_PATHS = (
    ("actor_user_relation", "actor.user.relation"),
    *((attribute, path) for group in _ENVELOPE_NAMES.values() for attribute, _, path in group),
)
_NOTHING: Values = dict.fromkeys(each["name"] for each in PAYLOAD.definition["fields"])
"""Every payload field, null. A copy of it never grows, here or in `assemble`."""


def _phase(number: int) -> str:
    """Unset is `single`: an event that does not say it is a part of an operation is whole."""
    phases = SYMBOLS["Phase"]
    if not 0 <= number <= len(phases):
        raise Rejected("phase", f"unknown value {number}, expected 0 to {len(phases)}")
    return phases[max(number, 1) - 1]


def _envelope(event: pb.Event, kind: str) -> Values:
    producer, actor, story = event.producer, event.actor, event.story
    phase = _phase(event.phase)
    operation_id = exactly(event.operation_id, 16, "operation_id")
    if phase != "single" and operation_id is None:
        raise Rejected("operation_id", f"is required for phase {phase}: it joins the phases of one operation")
    sampling = number(producer, "declared_sampling", "producer.declared_sampling")
    if sampling is not None and not 0 < sampling <= 1:
        raise Rejected("producer.declared_sampling", "expected a fraction above 0, at most 1")
    envelope = _NOTHING.copy()
    for group, texts in _ENVELOPE_NAMES.items():
        if event.HasField(group):
            message = getattr(event, group)
            for payload_field, attribute, path in texts:
                if value := getattr(message, attribute):
                    envelope[payload_field] = name(value, path)
    ordinal = story.session_ordinal if story.HasField("session_ordinal") else None
    envelope.update(
        event_id=event.event_id,
        kind=kind,
        phase=phase,
        operation_id=operation_id,
        amends_event_id=exactly(event.amends_event_id, 16, "amends_event_id"),
        occurred_at=moment(event, "occurred_at", "occurred_at"),
        producer_boot_id=exactly(producer.boot_id, 16, "producer.boot_id"),
        producer_sequence=signed(producer.sequence, "producer.sequence") or None,
        capture_path=symbol(producer.capture_path, "CapturePath", "producer.capture_path"),
        declared_sampling=sampling,
        dropped_count=count(producer, "dropped_count", "producer.dropped_count"),
        derived_fields=names(event.derived_fields, "derived_fields"),
        actor_user_relation=name(actor.user.relation, "actor.user.relation"),
        identity_source=symbol(actor.identity_source, "IdentitySource", "actor.identity_source"),
        session_ordinal=None if ordinal is None else signed(ordinal, "story.session_ordinal"),
        parent_event_id=exactly(story.parent_event_id, 16, "story.parent_event_id"),
        trace_id=exactly(story.trace_id, 16, "story.trace_id"),
        span_id=exactly(story.span_id, 8, "story.span_id"),
        decision=symbol(event.policy_decision.verdict, "Verdict", "policy_decision.verdict"),
        declared_class=symbol(event.classification, "Classification", "classification"),
    )
    return envelope
