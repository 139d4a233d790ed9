"""Spans and log records for tests, from plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

TRACE_ID = bytes(range(1, 17))
SPAN_ID = bytes(range(1, 9))
START_NS = 1_795_000_000_000_000_000


def any_value(value: Any) -> AnyValue:
    """A value as OTLP writes it."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, Mapping):
        return AnyValue(kvlist_value=KeyValueList(values=key_values(value)))
    if isinstance(value, (list, tuple)):
        return AnyValue(array_value=ArrayValue(values=[any_value(each) for each in value]))
    return AnyValue() if value is None else AnyValue(string_value=value)


def key_values(attributes: Mapping[str, Any]) -> list[KeyValue]:
    """Attributes as OTLP writes them."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def span(
    attributes: Mapping[str, Any] | None = None,
    *,
    name: str = "chat",
    trace_id: bytes = TRACE_ID,
    span_id: bytes = SPAN_ID,
    parent: bytes = b"",
    start_ns: int = START_NS,
    end_ns: int = START_NS + 1_500_000_000,
    error: str | None = None,
    events: Sequence[Span.Event] = (),
    kind: Any = Span.SPAN_KIND_CLIENT,
    dropped: int = 0,
    trace_state: str = "",
) -> Span:
    """One span."""
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=parent,
        name=name,
        kind=kind,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=end_ns,
        attributes=key_values(attributes or {}),
        dropped_attributes_count=dropped,
        events=events,
        trace_state=trace_state,
        status=Status() if error is None else Status(code=Status.STATUS_CODE_ERROR, message=error),
    )


def span_event(name: str, attributes: Mapping[str, Any], time_ns: int = START_NS) -> Span.Event:
    """A span's event."""
    return Span.Event(name=name, time_unix_nano=time_ns, attributes=key_values(attributes))


def export(*spans: Span, resource: Mapping[str, Any] | None = None) -> ExportTraceServiceRequest:
    """An export of these spans, of one resource and scope."""
    request = ExportTraceServiceRequest()
    one = request.resource_spans.add()
    one.resource.attributes.extend(key_values({"service.name": "desk"} if resource is None else resource))
    one.scope_spans.add().spans.extend(spans)
    return request


def log(
    event_name: str,
    attributes: Mapping[str, Any] | None = None,
    body: Any = None,
    *,
    trace_id: bytes = TRACE_ID,
    span_id: bytes = SPAN_ID,
    time_ns: int = 0,
    observed_ns: int = START_NS + 1,
) -> LogRecord:
    """One log record."""
    return LogRecord(
        event_name=event_name,
        attributes=key_values(attributes or {}),
        body=any_value(body),
        trace_id=trace_id,
        span_id=span_id,
        time_unix_nano=time_ns,
        observed_time_unix_nano=observed_ns,
    )


def log_export(*records: LogRecord, resource: Mapping[str, Any] | None = None) -> ExportLogsServiceRequest:
    """An export of these log records, of one resource and scope."""
    request = ExportLogsServiceRequest()
    one = request.resource_logs.add()
    one.resource.attributes.extend(key_values({"service.name": "desk"} if resource is None else resource))
    one.scope_logs.add().log_records.extend(records)
    return request
