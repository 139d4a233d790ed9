"""Questions and answers as the query service's messages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.errors import Rejected
from ledger.v1 import query_pb2
from query import plain, render, render_coverage, render_timeline
from query.coverage import Coverage
from query.evidence import ContentView, SealedEvent
from query.find import Filters, Finds
from query.governance import Governed
from query.plain import uuid_text
from query.prove import Proven
from query.replay import Replay
from query.sandbox import SqlResult
from query.story import Selector, SignedCheckpoint, Step, Story, Window
from query.told_once import told_once

PAGE_WIDTH_MIN, PAGE_WIDTH_MAX = 40, 400

_PROOFS = {"proven": query_pb2.PROOF_STATE_PROVEN, "failed": query_pb2.PROOF_STATE_FAILED}


def selector(message: query_pb2.Selector) -> Selector:
    """What a story is looked up by."""
    match message.WhichOneof("by"):
        case "user":
            return Selector("user", _said(message.user, "selector.user"))
        case "session_id":
            return Selector("session", _said(message.session_id, "selector.session_id"))
        case "correlation_id":
            return Selector("correlation", _said(message.correlation_id, "selector.correlation_id"))
        case "event_id":
            return Selector("event", uuid_text(event_id(message.event_id, "selector.event_id")))
        case _:
            raise Rejected("selector", "is required: a user, session, correlation id or event")


def event_id(value: bytes, field: str) -> bytes:
    """16 bytes."""
    if len(value) != 16:
        raise Rejected(field, f"expected 16 bytes, got {len(value)}")
    return value


def window(request: Any) -> Window:
    """The fields `from` and `to` of a request."""
    return Window(moment(request, "from"), moment(request, "to"))


def moment(request: Any, field: str) -> datetime | None:
    """A time, None where unset."""
    if not request.HasField(field):
        return None
    try:
        found: datetime = getattr(request, field).ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Rejected(field, "is not a valid timestamp (years 1 to 9999)") from None
    return found


def filters(request: query_pb2.FindRequest | query_pb2.CountRequest) -> Filters:
    """What to find."""
    return Filters(
        kinds=tuple(request.kinds),
        window=window(request),
        vendor=request.vendor or None,
        model=request.model or None,
        tool=request.tool or None,
        policy_version=request.policy_version or None,
    )


def page_width(request: Any) -> int:
    """How wide a page is wanted; 0 for none."""
    width: int = request.page_width
    if width and not PAGE_WIDTH_MIN <= width <= PAGE_WIDTH_MAX:
        raise Rejected("page_width", f"expected {PAGE_WIDTH_MIN} to {PAGE_WIDTH_MAX}, got {width}")
    return width


def reconstruction(told: Story, width: int) -> query_pb2.Reconstruction:
    """A story."""
    message = query_pb2.Reconstruction(
        steps=[_step(each) for each in told.steps],
        checkpoints=notes(told.checkpoints),
        json=_text(told.to_json()),
        page=render.story(told_once(told), width) if width else "",
        proven=told.proven,
    )
    if told.known_at is not None:
        message.known_at.CopyFrom(_timestamp(told.known_at))
    if told.effective_at is not None:
        message.effective_at.CopyFrom(_timestamp(told.effective_at))
    return message


def replayed(told: Replay, width: int) -> query_pb2.ReplayResponse:
    """A timeline."""
    return query_pb2.ReplayResponse(
        json=_text(told.to_json()),
        page=render_timeline.replay(told, width) if width else "",
        proven=told.story.proven,
    )


def coverage(found: Coverage, width: int) -> query_pb2.CoverageResponse:
    """What services send, and what that lacks."""
    page = render_coverage.page(found, width) if width else ""
    return query_pb2.CoverageResponse(json=_text(found.to_json()), page=page)


def sql_response(found: SqlResult) -> query_pb2.SqlResponse:
    """The answer to an auditor's SQL."""
    return query_pb2.SqlResponse(
        columns=[
            query_pb2.SqlColumn(name=name, type=kind) for name, kind in zip(found.columns, found.types, strict=True)
        ],
        rows=map(_text, found.rows),
        truncated_by=found.truncated_by or "",
        elapsed_ms=found.elapsed_ms,
        landlock=found.landlock,
    )


def sql_result(message: query_pb2.SqlResponse) -> SqlResult:
    """The answer that a message tells."""
    return SqlResult(
        columns=tuple(each.name for each in message.columns),
        types=tuple(each.type for each in message.columns),
        rows=[tuple(json.loads(row)) for row in message.rows],
        truncated_by=message.truncated_by or None,
        elapsed_ms=message.elapsed_ms,
        landlock=message.landlock,
    )


def finds(found: Finds, width: int) -> query_pb2.FindResponse:
    """What was found."""
    return query_pb2.FindResponse(
        events=[sealed_event(each) for each in found.events],
        more=found.more,
        json=_text(found.to_json()),
        page=render_timeline.finds(found, width) if width else "",
    )


def proof(proven: Proven) -> query_pb2.ProveResponse:
    """An event's proof."""
    return query_pb2.ProveResponse(proof=proven.proof, payload=proven.payload, json=_text(proven.to_json()))


def signed(checkpoints: tuple[SignedCheckpoint, ...]) -> query_pb2.CheckpointResponse:
    """The newest checkpoints of a tenant's logs."""
    return query_pb2.CheckpointResponse(
        checkpoints=notes(checkpoints), json=_text([plain.checkpoint(each) for each in checkpoints])
    )


def counts(found: Mapping[str, Mapping[str, int]]) -> query_pb2.CountResponse:
    """How many events of each tenant, by class."""
    return query_pb2.CountResponse(
        counts=[
            query_pb2.TenantCount(tenant=tenant, events=sum(classes.values()), by_class=classes)
            for tenant, classes in found.items()
        ]
    )


def notes(checkpoints: tuple[SignedCheckpoint, ...]) -> list[str]:
    """The signed notes there are."""
    return [each.note for each in checkpoints if each.note is not None]


def sealed_event(event: SealedEvent) -> query_pb2.SealedEvent:
    """One event."""
    message = query_pb2.SealedEvent(
        event_id=event.event_id,
        kind=event.kind,
        log_origin=event.log.origin,
        index=event.index,
        leaf_hash=event.leaf_hash,
        received_at=_timestamp(event.received_at),
        sealed_at=_timestamp(event.sealed_at),
        proof_state=_PROOFS.get(event.proof.state, query_pb2.PROOF_STATE_UNSPECIFIED),
        payload=event.payload,
        contents=[_content(each) for each in event.contents],
    )
    if event.occurred_at is not None:
        message.occurred_at.CopyFrom(_timestamp(event.occurred_at))
    return message


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _said(value: str, field: str) -> str:
    if not value.strip():
        raise Rejected(field, "is empty")
    return value


def _content(content: ContentView) -> query_pb2.OpenedContent:
    return query_pb2.OpenedContent(
        slot=content.slot,
        state=content.state,
        media_type=content.media_type or "",
        size=content.size or 0,
        original_size=content.original_size or 0,
        data=content.data,
        unavailable=content.unavailable or "",
    )


def _step(step: Step) -> query_pb2.Step:
    """One step. `event` is its first; all of them, with their contents, stand in `json`."""
    return query_pb2.Step(
        event=sealed_event(step.events[0]),
        governance=[_governance(each) for each in step.governance],
        flags=[f"{flag.code}: {flag.detail}" for flag in step.flags],
        json=json.dumps(plain.step(step), ensure_ascii=False),
    )


def _governance(governed: Governed) -> query_pb2.Governance:
    return query_pb2.Governance(
        artifact_kind=f"ARTIFACT_KIND_{governed.kind.upper()}",
        artifact_id=governed.artifact_id,
        revision=governed.revision or "",
        changes=[sealed_event(act.event) for act in governed.changes],
        text=governed.text,
        flags=[f"{flag.code}: {flag.detail}" for flag in governed.flags],
    )


def _timestamp(at: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(at)
    return message
