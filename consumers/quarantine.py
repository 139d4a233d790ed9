"""What could not be admitted, kept: one finding for each record, in the partition's system log.

The record as it was found (key, headers, value) is the finding's content, encrypted like any other: it may hold
anything. In clear stand the reason, as rule `quarantine.<reason>`, and the place, as correlation id `offset:<n>`. The
system log's leaves have no receipt; the signed round vouches for them.

What came for a tenant that is deleted is not kept, here least of all: the finding says that it came, and how much.
"""

from __future__ import annotations

from collections.abc import Sequence

from consumers.admission import TENANT_DELETED, Quarantined
from ledger.canonical import blob, structure
from ledger.client.ids import derived_event_id
from ledger.keys.provider import KeyProvider
from ledger.log.interface import Record, headers_codec
from ledger.record.assemble import (
    AssembledEvent,
    ContentLimits,
    Reception,
    assemble,
    digest_of,
    needs,
)
from ledger.record.capture import Capture
from ledger.record.content import STORED_BYTES_MAX, ContentSealer
from ledger.record.submission import submission_bytes
from ledger.record.translate import translate
from ledger.tenants import SYSTEM, TenantLog
from ledger.v1 import event_pb2 as pb

RULE_PREFIX = "quarantine."
QUARANTINED_RECORD = structure(
    Record, tag="audit-ledger/quarantined-record/v1", key=blob, headers=headers_codec, value=blob
)
"""The content `note` of a quarantine finding: the record, byte for byte."""

_CAPTURE = Capture("full", "builtin-quarantine/1", "quarantine")
_LIMITS = ContentLimits(content_bytes_max=STORED_BYTES_MAX)


def findings(
    quarantined: Sequence[Quarantined], system_log: TenantLog, keys: KeyProvider, sealed_at_us: int, build: str
) -> list[AssembledEvent]:
    """One finding for each record, in the order given."""
    reception = Reception(
        tenant=SYSTEM,
        shard=system_log.shard,
        received_at_us=sealed_at_us,
        gateway_id=f"sealer-{system_log.partition}",
        gateway_build=build,
        submitted_by="sealer",
        authentication_method="local",
    )
    sealer = ContentSealer()
    assembled = []
    for each in quarantined:
        event = _finding(each, system_log, sealed_at_us)
        submission = translate(event)
        wanted = needs(submission, _CAPTURE, reception.month)
        grant = keys.acquire(SYSTEM, wanted.holders, wanted.scopes, wanted.links)
        digest = digest_of(submission, submission_bytes(event), grant, SYSTEM)
        assembled.append(assemble(submission, digest, grant, _CAPTURE, reception, _LIMITS, sealer))
    return assembled


def _finding(quarantined: Quarantined, system_log: TenantLog, sealed_at_us: int) -> pb.Event:
    offset = quarantined.stored.offset
    event_id = derived_event_id(sealed_at_us // 1_000, "quarantine", system_log.log_id, offset.to_bytes(8, "big"))
    event = pb.Event(event_id=event_id)
    event.phase = pb.PHASE_SINGLE
    event.occurred_at.FromMicroseconds(sealed_at_us)
    event.producer.service = "audit-ledger-sealer"
    event.story.session_id = f"partition:{system_log.partition}"
    event.story.correlation_id = f"offset:{offset}"
    event.classification = pb.CLASSIFICATION_RESTRICTED
    event.finding.rule = RULE_PREFIX + quarantined.reason
    event.finding.rule_version = "1"
    event.finding.severity = pb.SEVERITY_HIGH
    event.finding.status = pb.FINDING_STATUS_OPEN
    if quarantined.reason == TENANT_DELETED:
        event.finding.note.text = f"a receipt and {quarantined.events} events behind it, not kept"
    else:
        event.finding.note.data = QUARANTINED_RECORD.encode(quarantined.stored.record)
    return event
