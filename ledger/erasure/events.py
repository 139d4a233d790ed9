"""The events by which the ledger says what it destroyed, or may not destroy.

A content may be removed from a log only under an Erasure or Expiry of the same log, so there is one in every log of the
tenant. Its id is derived from the destruction's: made again after a crash it is the same event, and a repeat. In a
tenant of several logs the id is drawn, in a fixed order, until it falls into the log's own shard. More scopes than one
event can name give several events.

`contents_count` is of the event's own log and stands in its first event there, `keys_destroyed` is of the whole, in
every one. A scope's key has the scope's id, so `key_ids_destroyed` are the scopes' ids.
"""

from __future__ import annotations

from itertools import count

from ledger.client.ids import derived_event_id
from ledger.keys.destruction import Destruction, Request
from ledger.keys.holds import Hold
from ledger.record.names import IDS_MAX
from ledger.tenants import Tenant, TenantLog
from ledger.v1 import event_pb2 as pb

SERVICE = "audit-ledger-erasure"


def events_of(destruction: Destruction, tenant: Tenant, build: str) -> list[tuple[TenantLog, pb.Event]]:
    """The events of an erasure or expiry that is counted, each with the log it falls into."""
    made = []
    for log in tenant.logs:
        for at in range(0, max(1, len(destruction.scope_ids)), IDS_MAX):
            event = _event(destruction.request, destruction.destroyed_at_ms or 0, build)
            event.event_id = _id_in(tenant, log, destruction, at)
            event.story.correlation_id = destruction.correlation_id
            scope_ids = destruction.scope_ids[at : at + IDS_MAX]
            contents = destruction.counts.get(log.log_id.hex(), 0) if at == 0 else 0
            if destruction.kind == "erasure":
                _erasure(event.erasure, destruction, scope_ids, contents)
            else:
                _expiry(event.expiry, destruction, scope_ids, contents)
            made.append((log, event))
    return made


def hold_event(hold: Hold, build: str) -> pb.Event:
    """The event of a hold's last change."""
    at_ms = hold.placed_at_ms if hold.released_at_ms is None else hold.released_at_ms
    event = _event(hold.request, at_ms, build)
    event.event_id = derived_event_id(at_ms, "legal-hold", hold.tenant, hold.hold_id, str(hold.stands))
    event.story.correlation_id = f"legal-hold:{hold.hold_id}"
    body = event.legal_hold
    body.hold_id = hold.hold_id
    body.pseudonyms.append(hold.pseudonym)
    body.legal_ground = hold.request.legal_ground
    body.approvers.extend(hold.request.approvers)
    body.released = not hold.stands
    if hold.request.reason:
        body.reason.text = hold.request.reason
    return event


def _event(request: Request, at_ms: int, build: str) -> pb.Event:
    event = pb.Event(phase=pb.PHASE_SINGLE, classification=pb.CLASSIFICATION_CONFIDENTIAL)
    event.occurred_at.FromMilliseconds(at_ms)
    event.producer.service = SERVICE
    event.producer.version = build
    event.producer.capture_path = pb.CAPTURE_PATH_STUB
    event.actor.credential_id = request.requester
    return event


def _erasure(body: pb.Erasure, destruction: Destruction, scope_ids: tuple[bytes, ...], contents: int) -> None:
    request = destruction.request
    body.pseudonyms.extend(destruction.pseudonyms)
    body.scope_ids.extend(scope_ids)
    body.key_ids_destroyed.extend(scope_ids)
    body.legal_ground = request.legal_ground
    body.approvers.extend(request.approvers)
    body.contents_count = contents
    body.keys_destroyed = destruction.keys_destroyed
    if request.reason:
        body.reason.text = request.reason


def _expiry(body: pb.Expiry, destruction: Destruction, scope_ids: tuple[bytes, ...], contents: int) -> None:
    request = destruction.request
    body.retention_class = destruction.retention_class or ""
    body.month = destruction.month or ""
    body.key_ids_destroyed.extend(scope_ids)
    body.legal_ground = request.legal_ground
    body.approvers.extend(request.approvers)
    body.contents_count = contents
    body.keys_destroyed = destruction.keys_destroyed
    if request.reason:
        body.reason.text = request.reason


def _id_in(tenant: Tenant, log: TenantLog, destruction: Destruction, at: int) -> bytes:
    for drawn in count():
        parts = (destruction.kind, destruction.destruction_id, str(log.shard), str(at), str(drawn))
        event_id = derived_event_id(destruction.destroyed_at_ms or 0, *parts)
        if tenant.log_of(event_id).log_id == log.log_id:
            return event_id
    raise RuntimeError("counting ended")
