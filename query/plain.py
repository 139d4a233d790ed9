"""Answers as plain JSON values: what `--json` prints and the query service sends.

Times are RFC 3339 in UTC with Z; event, operation and parent ids are UUIDs; pseudonyms, digests and other bytes are
lower-case hex; contents are text where they are text, else base64 under `data_base64`. Fields that are null, empty or
`unspecified` are left out of an event's fields.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from query.evidence import ContentView, SealedEvent

if TYPE_CHECKING:
    from query.artifacts import Act
    from query.governance import Governed
    from query.story import SignedCheckpoint, Step, Story, Window

_UUIDS = frozenset(
    {
        "event_id",
        "operation_id",
        "amends_event_id",
        "parent_event_id",
        "producer_boot_id",
        "requested_by_event_id",
        "request_event_ids",
        "evidence_event_ids",
    }
)
_ELSEWHERE = frozenset({"contents", "event_id", "kind", "phase", "tenant", "shard", "occurred_at", "received_at"})


def time_text(at: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def uuid_text(event_id: bytes) -> str:
    """16 bytes as a UUID."""
    return str(UUID(bytes=event_id))


def fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """A record's fields that say something."""
    found = {}
    for name, value in values.items():
        plain = _plain(name, value)
        if plain not in (None, "unspecified", [], {}):
            found[name] = plain
    return found


def event_fields(event: SealedEvent) -> dict[str, Any]:
    """The payload's fields that are not told elsewhere in the event; the body among them, under its own name."""
    return fields({name: value for name, value in event.values.items() if name not in _ELSEWHERE})


def content(view: ContentView) -> dict[str, Any]:
    """One content, open or not."""
    plain: dict[str, Any] = {
        "slot": view.slot,
        "state": view.state,
        "media_type": view.media_type,
        "size": view.size,
        "original_size": view.original_size,
        "reference": view.reference,
        "retention_class": view.retention_class,
        "declared_class": view.declared_class,
        "detected_class": view.detected_class,
        "rule_pack": view.rule_pack,
        "detections": [{"type": name, "count": count} for name, count in view.detections],
    }
    plain = {name: value for name, value in plain.items() if value not in (None, [], "unspecified")}
    if view.text is not None:
        plain["text"] = view.text
    elif view.data is not None:
        plain["data_base64"] = base64.b64encode(view.data).decode("ascii")
    else:
        plain["unavailable"] = view.unavailable
    return plain


def event(sealed: SealedEvent) -> dict[str, Any]:
    """One sealed event with its place, proof and contents."""
    plain: dict[str, Any] = {
        "event_id": uuid_text(sealed.event_id),
        "tenant": sealed.tenant,
        "kind": sealed.kind,
        "phase": sealed.phase,
        "occurred_at": time_text(sealed.occurred_at),
        "received_at": time_text(sealed.received_at),
        "sealed_at": time_text(sealed.sealed_at),
        "log": sealed.log.origin,
        "index": sealed.index,
        "round": sealed.round,
        "leaf_hash": sealed.leaf_hash.hex(),
        "proof": {"state": sealed.proof.state, "tree_size": sealed.proof.tree_size},
        "fields": event_fields(sealed),
        "contents": [content(each) for each in sealed.contents],
    }
    if sealed.proof.reason:
        plain["proof"]["reason"] = sealed.proof.reason
    if sealed.mark is not None:
        plain["mark"] = {"kind": sealed.mark.kind, "first_index": sealed.mark.first_index}
    if sealed.repeated_at:
        plain["repeated_at"] = [{"index": index, "kind": kind} for index, kind in sealed.repeated_at]
    return plain


def act(each: Act) -> dict[str, Any]:
    """One Change about an artifact, in short; the whole event stands under `event`."""
    body = each.event.body
    return {
        "action": each.action,
        "claimed_at": time_text(each.claimed_at),
        "sealed_at": time_text(each.event.sealed_at),
        "backdated": each.backdated,
        "author": body["author"],
        "author_standing": body["author_standing"],
        "author_source": body["author_source"],
        "ticket": body["ticket"],
        "reviewers": [fields(reviewer) for reviewer in each.reviewers],
        "evaluations": [fields(evaluation) for evaluation in body["evaluations"]],
        "event": event(each.event),
    }


def governed(each: Governed) -> dict[str, Any]:
    """What governed one artifact's use."""
    return {
        "artifact_kind": each.kind,
        "artifact_id": each.artifact_id,
        "revision": each.revision,
        "role": each.role,
        "used_sha256": _hex(each.used_digest),
        "approved_sha256": _hex(each.approved_digest),
        "in_effect": each.in_effect,
        "put_in_effect_by": None if each.put_in_effect is None else uuid_text(each.put_in_effect.event.event_id),
        "approved_by": [uuid_text(approval.event.event_id) for approval in each.approvals],
        "text": each.text,
        "text_unavailable": each.text_unavailable,
        "changes": [act(change) for change in each.changes],
        "flags": [flag.to_json() for flag in each.flags],
    }


def step(each: Step) -> dict[str, Any]:
    """One step of a story."""
    return {
        "number": each.number,
        "at": time_text(each.at),
        "time_known": each.time_known,
        "kind": each.kind,
        "ending": each.ending,
        "ended_at": time_text(each.ended_at),
        "requested_by_step": each.requested_by,
        "requested_by_basis": each.requested_by_basis,
        "tool_call_steps": list(each.tool_calls),
        "events": [event(one) for one in each.events],
        "amendments": [event(one) for one in each.amendments],
        "governance": [governed(one) for one in each.governance],
        "flags": [flag.to_json() for flag in each.flags],
    }


def checkpoint(each: SignedCheckpoint) -> dict[str, Any]:
    """A log's newest checkpoint."""
    return {"log": each.origin, "size": each.size, "root": each.root.hex(), "note": each.note}


def story(told: Story) -> dict[str, Any]:
    """A whole reconstruction."""
    return {
        "tenant": told.tenant,
        "selector": {"kind": told.selector.kind, "value": told.selector.value},
        "pseudonym": _hex(told.person),
        "window": window(told.window),
        "known_at": time_text(told.known_at),
        "effective_at": time_text(told.effective_at),
        "proven": told.proven,
        "steps": [step(each) for each in told.steps],
        "checkpoints": [checkpoint(each) for each in told.checkpoints],
    }


def window(each: Window) -> dict[str, Any]:
    """The bounds of a window."""
    return {"from": time_text(each.start), "to": time_text(each.end)}


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return uuid_text(value) if name in _UUIDS and len(value) == 16 else value.hex()
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, Mapping):
        return fields(value)
    if isinstance(value, (list, tuple)):
        return [_plain(name, each) for each in value]
    return value


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
