"""The events of a tenant's deletion.

The last event of each of the tenant's logs is an Operation of CONFIGURATION with the target `tenant-deletion`: it says
that the tenant is closed, by whom and on what ground. It does not say that keys are destroyed, for they are not, yet:
they are needed to write it. What was destroyed, the final statement says, and an Operation in `_org`, whose target is
the SHA-256 of that statement, says that all of it was done.

Ids are derived from the deletion's, so that an event made again after a crash is the same one, and a repeat. Should
something slip in behind the last event, from a gateway that did not know yet, another one is made, the next attempt.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import count

from ledger.client.ids import derived_event_id
from ledger.keys.deletion_record import TenantDeletion
from ledger.tenants import Tenant, TenantLog
from ledger.v1 import event_pb2 as pb

SERVICE = "audit-ledger-deletion"
TARGET = "tenant-deletion"
ATTEMPTS_MAX = 16


def closing_event(deletion: TenantDeletion, tenant: Tenant, log: TenantLog, attempt: int, build: str) -> pb.Event:
    """What stands last in a log."""
    event = _event(deletion, deletion.closed_at_ms, build)
    event.event_id = closing_event_id(deletion, tenant, log, attempt)
    event.operation.target = TARGET
    return event


def closing_event_id(deletion: TenantDeletion, tenant: Tenant, log: TenantLog, attempt: int) -> bytes:
    """Its id, which falls into its log."""
    for drawn in count():
        parts = (TARGET, deletion.deletion_id, str(log.shard), str(attempt), str(drawn))
        event_id = derived_event_id(deletion.closed_at_ms, *parts)
        if tenant.log_of(event_id).log_id == log.log_id:
            return event_id
    raise RuntimeError("counting ended")


def done_event(deletion: TenantDeletion, build: str) -> pb.Event:
    """What `_org` is told when all is done."""
    event = _event(deletion, deletion.destroyed_at_ms or 0, build)
    event.event_id = derived_event_id(deletion.destroyed_at_ms or 0, TARGET, deletion.deletion_id, "done")
    event.operation.target = f"sha256:{sha256(deletion.statement.encode()).hexdigest()}"
    event.operation.count = sum(deletion.counts.values())
    return event


def _event(deletion: TenantDeletion, at_ms: int, build: str) -> pb.Event:
    event = pb.Event(phase=pb.PHASE_SINGLE, classification=pb.CLASSIFICATION_CONFIDENTIAL)
    event.occurred_at.FromMilliseconds(at_ms)
    event.producer.service = SERVICE
    event.producer.version = build
    event.producer.capture_path = pb.CAPTURE_PATH_STUB
    event.actor.credential_id = deletion.request.requester
    event.story.correlation_id = deletion.correlation_id
    event.operation.action = pb.OPERATION_ACTION_CONFIGURATION
    event.operation.approvers.extend(deletion.request.approvers)
    event.operation.legal_ground = deletion.request.legal_ground
    event.operation.succeeded = True
    return event
