"""The envelope of a submitted event: what it says besides persons, contents and body.

Groups of the envelope (producer, actor, story, ...) are messages in protobuf and flat in the payload. Persons become
pseudonyms and are not translated here, but for the relation of the acting user.
"""

from __future__ import annotations

from collections.abc import Mapping

from ledger.errors import Rejected
from ledger.record.fields import (
    SYMBOLS,
    Check,
    Entries,
    FieldDescriptor,
    Values,
    bytes_of,
    entries_of,
    moment_of,
    read_set,
    symbol_of,
)
from ledger.record.names import finite, name, names, signed
from ledger.record.schemas import PAYLOAD
from ledger.v1 import event_pb2 as pb


def _phase(number: int, path: str) -> str:
    """Unset is `single`: an event that does not say it is a part of an operation is whole."""
    phases = SYMBOLS["Phase"]
    if not 0 <= number <= len(phases):
        raise Rejected(path, f"unknown value {number}, expected 0 to {len(phases)}")
    return phases[max(number, 1) - 1]


def _sampling(value: float, path: str) -> float:
    if not 0 < finite(value, path) <= 1:
        raise Rejected(path, "expected a fraction above 0, at most 1")
    return value


def _relation(user: pb.Person, path: str) -> str | None:
    return name(user.relation, f"{path}.relation")


_EVENT: Mapping[str, FieldDescriptor] = pb.Event.DESCRIPTOR.fields_by_name

_OWN: Entries = {
    _EVENT[attribute]: (check, into, attribute)
    for attribute, check, into in (
        ("phase", _phase, "phase"),
        ("operation_id", bytes_of(16), "operation_id"),
        ("amends_event_id", bytes_of(16), "amends_event_id"),
        ("occurred_at", moment_of, "occurred_at"),
        ("classification", symbol_of("Classification"), "declared_class"),
        ("derived_fields", names, "derived_fields"),
    )
}
"""What the event says itself, besides its id, persons and body."""


def _group(attribute: str, prefix: str, *texts: str, **checks: Check) -> Entries:
    return entries_of(_EVENT[attribute].message_type, attribute, {**dict.fromkeys(texts, name), **checks}, prefix)


def _entry(group: str, attribute: str, check: Check, into: str, path: str) -> Entries:
    return {_EVENT[group].message_type.fields_by_name[attribute]: (check, into, path)}


_GROUPS: dict[FieldDescriptor, Entries] = {
    _EVENT["producer"]: _group("producer", "producer_", "service", "version", "environment", "instance")
    | _group("producer", "producer_", boot_id=bytes_of(16), sequence=signed)
    | _group("producer", "", capture_path=symbol_of("CapturePath"), declared_sampling=_sampling, dropped_count=signed),
    _EVENT["actor"]: _group("actor", "actor_", "service", "agent", "agent_version")
    | _group("actor", "", "role", "grant_id", "grant_scope", "credential_id", "identity_attribute")
    | _group("actor", "", identity_source=symbol_of("IdentitySource"))
    | _entry("actor", "user", _relation, "actor_user_relation", "actor.user"),
    _EVENT["story"]: _group("story", "", "session_id", "correlation_id", session_ordinal=signed)
    | _group("story", "", parent_event_id=bytes_of(16), trace_id=bytes_of(16), span_id=bytes_of(8)),
    _EVENT["purpose"]: _group("purpose", "", "ai_system_id", "use_case_id", "purpose"),
    _EVENT["policy_decision"]: _group("policy_decision", "decision_", "policy_id", "policy_revision", "rule")
    | _entry("policy_decision", "verdict", symbol_of("Verdict"), "decision", "policy_decision.verdict"),
}
"""The groups of the envelope."""

ENVELOPE_NAMES = (
    ("actor_user_relation", "actor.user.relation"),
    *((into, path) for group in _GROUPS.values() for check, into, path in group.values() if check is name),
)
"""The envelope's names, and where they come from."""

_UNSET: Values = {
    **dict.fromkeys(each["name"] for each in PAYLOAD.definition["fields"]),
    "phase": "single",
    "capture_path": "unspecified",
    "identity_source": "unspecified",
    "decision": "unspecified",
    "declared_class": "unspecified",
    "derived_fields": [],
}
"""The envelope of an event that says nothing. A copy of it never grows, here or in `assemble`."""


def envelope_of(event: pb.Event, kind: str) -> Values:
    """The envelope: every payload field by name. Refuses what cannot stand in one."""
    envelope = _UNSET.copy()
    envelope["event_id"] = event.event_id
    envelope["kind"] = kind
    for field, value in event.ListFields():
        if field in _GROUPS:
            read_set(value, _GROUPS[field], envelope)
        elif field in _OWN:
            check, into, path = _OWN[field]
            envelope[into] = check(value, path)
    if envelope["phase"] != "single" and envelope["operation_id"] is None:
        raise Rejected(
            "operation_id", f"is required for phase {envelope['phase']}: it joins the phases of one operation"
        )
    return envelope
