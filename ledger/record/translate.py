"""A submitted event, checked and taken apart: payload fields, contents, persons.

`translate` is the one place that decides where a submitted value goes: into the payload (names, numbers, times,
digests), into a content (free text, bytes), or behind a pseudonym (persons; the identifier itself becomes the content
`actor.user` or `subjects.<n>`). It needs no key and no clock. What depends on those is added by `ledger.record.assemble`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ledger.errors import Rejected
from ledger.record.bodies import BODIES, Values, moment, symbol
from ledger.record.names import (
    bounded,
    check_no_identifier,
    exactly,
    finite,
    identifier,
    name,
    names,
    signed,
)

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
    "operation": ("approvers", "target"),
}
"""Body fields that hold accountable people in clear, exempt from the identifier check."""


@dataclass(frozen=True, slots=True)
class ContentInput:
    """One content as submitted. `data` is None where it is kept by reference. `persons` are identifiers."""

    slot: str
    field: str
    media_type: str
    data: bytes | None
    reference: str | None
    declared_class: str
    persons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Submission:
    """A submitted event that passed every check.

    `envelope` and `body` hold payload fields by name; pseudonyms, commitments and the gateway's own fields are missing
    still. `persons` are all identifiers named, without repeats; `actor_user` and `subjects` say who is who.
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
            raise Rejected(path, "has neither text nor data nor a reference")
        data = None
        if which == "text":
            data = content.text.encode("utf-8")
        elif which == "data":
            data = content.data
        default_type = "text/plain" if which == "text" else "application/octet-stream"
        persons = tuple(identifier(each, f"{path}.persons[{i}]") for i, each in enumerate(content.persons))
        bounded(persons, f"{path}.persons")
        self.persons.update(dict.fromkeys(persons))
        declared = symbol(content.classification, "Classification", f"{path}.classification")
        self.found.append(
            ContentInput(
                slot=slot,
                field=path,
                media_type=name(content.media_type, f"{path}.media_type") or default_type,
                data=data,
                reference=name(content.reference, f"{path}.reference"),
                declared_class=self.event_class if declared == "unspecified" else declared,
                persons=persons or self.everyone,
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
    exempt = CLEAR_PERSON_FIELDS.get(kind, ())
    check_no_identifier(
        _texts({**envelope, kind: {key: value for key, value in body.items() if key not in exempt}}), persons
    )
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


def _texts(values: Any, path: str = "") -> list[tuple[str, str]]:
    """Every name in a structure with its path."""
    if isinstance(values, str):
        return [(path, values)]
    if isinstance(values, dict):
        return [pair for key, each in values.items() if each for pair in _texts(each, f"{path}.{key}" if path else key)]
    if isinstance(values, list):
        return [pair for i, each in enumerate(values) for pair in _texts(each, f"{path}[{i}]")]
    return []


def _envelope(event: pb.Event, kind: str) -> Values:
    producer, actor, story, purpose = event.producer, event.actor, event.story, event.purpose
    policy = event.policy_decision
    phase = symbol(event.phase - 1 if event.phase else 0, "Phase", "phase")
    operation_id = exactly(event.operation_id, 16, "operation_id")
    if phase != "single" and operation_id is None:
        raise Rejected("operation_id", f"is required for phase {phase}: it joins the phases of one operation")
    sampling = None
    if producer.HasField("declared_sampling"):
        sampling = finite(producer.declared_sampling, "producer.declared_sampling")
        if not 0 < sampling <= 1:
            raise Rejected("producer.declared_sampling", "expected a fraction above 0, at most 1")
    bounded(event.derived_fields, "derived_fields")
    return {
        "event_id": event.event_id,
        "kind": kind,
        "phase": phase,
        "operation_id": operation_id,
        "amends_event_id": exactly(event.amends_event_id, 16, "amends_event_id"),
        "occurred_at": moment(event, "occurred_at", "occurred_at"),
        "producer_service": name(producer.service, "producer.service"),
        "producer_version": name(producer.version, "producer.version"),
        "producer_environment": name(producer.environment, "producer.environment"),
        "producer_instance": name(producer.instance, "producer.instance"),
        "producer_boot_id": exactly(producer.boot_id, 16, "producer.boot_id"),
        "producer_sequence": signed(producer.sequence, "producer.sequence") or None,
        "capture_path": symbol(producer.capture_path, "CapturePath", "producer.capture_path"),
        "declared_sampling": sampling,
        "dropped_count": signed(producer.dropped_count, "producer.dropped_count"),
        "derived_fields": names(event.derived_fields, "derived_fields"),
        "actor_user_relation": name(actor.user.relation, "actor.user.relation"),
        "actor_service": name(actor.service, "actor.service"),
        "actor_agent": name(actor.agent, "actor.agent"),
        "actor_agent_version": name(actor.agent_version, "actor.agent_version"),
        "role": name(actor.role, "actor.role"),
        "grant_id": name(actor.grant_id, "actor.grant_id"),
        "grant_scope": name(actor.grant_scope, "actor.grant_scope"),
        "credential_id": name(actor.credential_id, "actor.credential_id"),
        "identity_source": symbol(actor.identity_source, "IdentitySource", "actor.identity_source"),
        "identity_attribute": name(actor.identity_attribute, "actor.identity_attribute"),
        "session_id": name(story.session_id, "story.session_id"),
        "session_ordinal": signed(story.session_ordinal, "story.session_ordinal")
        if story.HasField("session_ordinal")
        else None,
        "correlation_id": name(story.correlation_id, "story.correlation_id"),
        "parent_event_id": exactly(story.parent_event_id, 16, "story.parent_event_id"),
        "trace_id": exactly(story.trace_id, 16, "story.trace_id"),
        "span_id": exactly(story.span_id, 8, "story.span_id"),
        "ai_system_id": name(purpose.ai_system_id, "purpose.ai_system_id"),
        "use_case_id": name(purpose.use_case_id, "purpose.use_case_id"),
        "purpose": name(purpose.purpose, "purpose.purpose"),
        "decision": symbol(policy.verdict, "Verdict", "policy_decision.verdict"),
        "decision_policy_id": name(policy.policy_id, "policy_decision.policy_id"),
        "decision_policy_revision": name(policy.policy_revision, "policy_decision.policy_revision"),
        "decision_rule": name(policy.rule, "policy_decision.rule"),
        "declared_class": symbol(event.classification, "Classification", "classification"),
    }
