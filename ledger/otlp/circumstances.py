"""What every span says beside its attributes: how long it took, whether it failed, how sure its numbers are."""

from __future__ import annotations

from ledger.otlp.conventions import langfuse
from ledger.otlp.record import Found, Record
from ledger.otlp.values import text_of
from ledger.v1 import event_pb2 as pb

NANOS_PER_MS = 1_000_000
DROPPED, UNREAD = "otel.dropped_attributes_count", "otel.unread"
FAILED = "error"
"""The class of an error of which nothing says what it was."""


def add_circumstances(record: Record, found: Found, operation: int) -> None:
    """Adds latency, error and outcome; and what is known to be missing."""
    body = found.kind
    if 0 < record.start_ns <= record.end_ns:
        found.give(f"{body}.latency_ms", (record.end_ns - record.start_ns) // NANOS_PER_MS)
    _add_error(record, found)
    if body == "request":
        found.give("request.operation", operation or None)
    if record.dropped:
        found.misfits[DROPPED] = record.dropped
    if record.too_deep:
        found.misfits[UNREAD] = list(record.too_deep)


def _add_error(record: Record, found: Found) -> None:
    body = found.kind
    raised = next((each.attributes for each in reversed(record.events) if each.name == "exception"), {})
    error = text_of(record.attributes.get("error.type"))
    failed = langfuse.failed(record) or error is not None
    if not failed:
        if body == "tool_call":
            found.give("tool_call.outcome", pb.TOOL_OUTCOME_OK, derived=not record.ok)
        return
    found.give(f"{body}.error_class", error, "error.type")
    found.give(f"{body}.error_class", text_of(raised.get("exception.type")), "exception.type")
    found.give(f"{body}.error_class", FAILED, derived=True)
    found.used.add("error.type")
    found.give(f"{body}.error_text", record.status_message or None)
    found.give(f"{body}.error_text", text_of(raised.get("exception.message")), "exception.message")
    if body == "tool_call":
        found.give("tool_call.outcome", pb.TOOL_OUTCOME_ERROR)
