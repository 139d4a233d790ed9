"""From a span or log record of OTLP to a `Record`, within the limits; ids and times checked.

Contents may stand on an event of the span instead of the span: `gen_ai.client.inference.operation.details`, which some
frameworks write in several, one with what went in and one with what came out. Their attributes, and those of every
other event about generative AI that nobody else reads, are the span's own where it has none of that name; what
contradicts it is kept beside, under the event's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from ledger.otlp.mapped import MappingOptions
from ledger.otlp.message_events import CONTENT_EVENTS, MESSAGE_EVENTS
from ledger.otlp.record import Record, SpanEvent
from ledger.otlp.values import TooDeep, Value, holding, key_values, plain

TRACE_ID_BYTES, SPAN_ID_BYTES = 16, 8
EVENTS_MAX = 1_024
OURS = "gen_ai."
"""How the names of all events begin that are about generative AI."""

RESULT = "gen_ai.evaluation.result"
_READ = MESSAGE_EVENTS | CONTENT_EVENTS | {RESULT}
"""Events that others read."""

_CLIENTS = (Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_PRODUCER)


def id_problem(value: bytes, size: int, what: str) -> str | None:
    """What is wrong with an id; None where nothing is."""
    if len(value) != size:
        return f"{what}: expected {size} bytes, got {len(value)}"
    return None if any(value) else f"{what}: all zero"


def heads_of(keys: Iterable[str]) -> frozenset[str]:
    """The first parts of these keys."""
    return frozenset([key.partition(".")[0] for key in keys])


def span_record(span: Span, options: MappingOptions) -> Record:
    """A span."""
    attributes, too_deep, dropped = _attributes(span.attributes, options)
    dropped += span.dropped_attributes_count
    events = tuple(
        SpanEvent(each.name, each.time_unix_nano, _attributes(each.attributes, options)[0])
        for each in span.events[:EVENTS_MAX]
    )
    _add_details(attributes, events)
    return Record(
        attributes=attributes,
        name=span.name,
        is_client=span.kind in _CLIENTS,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        ok=span.status.code == Status.STATUS_CODE_OK,
        status_message=span.status.message,
        events=events,
        too_deep=tuple(too_deep),
        dropped=dropped,
        heads=heads_of(attributes),
    )


def _add_details(attributes: dict[str, Value], events: Iterable[SpanEvent]) -> None:
    """Adds what events say that tell of the whole operation; see the module."""
    for event in events:
        if not event.name.startswith(OURS) or event.name in _READ:
            continue
        others = {key: value for key, value in event.attributes.items() if attributes.setdefault(key, value) != value}
        if others:
            attributes.setdefault(event.name, []).append(others)


def log_event(record: LogRecord, options: MappingOptions) -> SpanEvent:
    """A log record, as what it notes. Its name: the field, else the attribute `event.name` of older SDKs."""
    attributes, _, _ = _attributes(record.attributes, options)
    body: Value
    try:
        body = plain(record.body, options.depth_max)
    except TooDeep:
        body = None
    name = record.event_name or attributes.get("event.name")
    time_ns = record.time_unix_nano or record.observed_time_unix_nano
    return SpanEvent(holding(name) if isinstance(name, str) else "", time_ns, attributes, body)


def _attributes(given: Sequence[KeyValue], options: MappingOptions) -> tuple[dict[str, Value], list[str], int]:
    """Attributes by key, keys too deep to be read, and how many were too many."""
    attributes, too_deep = key_values(given[: options.attributes_max], options.depth_max)
    return attributes, too_deep, max(len(given) - options.attributes_max, 0)
