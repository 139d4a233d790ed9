"""Ids of events that come from telemetry, made from the source's own ids: an export that is retried adds nothing.

    event id = UUIDv8 of (no time, "otlp", tenant, trace id, span id, signal, which)

`which` is empty for the span's own event, so that whoever knows a span's ids knows its event's id: a log record that
brings the span's content later, or a child that names its parent. That is why an id has no time in front: the span's
start is not known to those. In place of a time stand 36 bits of a hash of the trace id, which read as times of 1970 to
1972, before there was anything to record: ids are spread evenly, so that they are found in sorted runs at the cost of
any other id, and those of one trace stand together.

No id is derived from what may hold a person's data: ids stand in the payload, where a digest of a content could be
guessed at.
"""

from __future__ import annotations

from hashlib import sha256

from ledger.canonical import text
from ledger.client.ids import derived_event_id

TRACES, LOGS = "traces", "logs"
_SOURCE = "otlp"
_PLACE_BITS = 36
_TAG = text.encode("audit-ledger/otlp-place/v1")


def event_id_of(tenant: str, trace_id: bytes, span_id: bytes, signal: str = TRACES, which: str = "") -> bytes:
    """The id of the event that a record becomes; by default, that of a span itself."""
    return derived_event_id(_place_of(tenant, trace_id), _SOURCE, tenant, trace_id, span_id, signal, which)


def _place_of(tenant: str, trace_id: bytes) -> int:
    digest = sha256(_TAG + text.encode(tenant) + trace_id).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - _PLACE_BITS)
