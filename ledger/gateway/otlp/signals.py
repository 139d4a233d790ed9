"""The two signals of OTLP that are taken, and the one that is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from ledger.otlp import Mapped, MappingOptions, map_logs, map_traces


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal. Names of fields are those of its messages: a request is resources, of scopes, of records."""

    name: str
    service: str
    path: str
    method: str
    request: type[Any]
    response: type[Any]
    record: type[Message]
    record_name: str
    resources: str
    scopes: str
    records: str
    rejected: str
    map: Callable[[Any, str, MappingOptions], Mapped]


TRACES = Signal(
    name="traces",
    service="opentelemetry.proto.collector.trace.v1.TraceService",
    path="/v1/traces",
    method="ExportTraces",
    request=trace_service_pb2.ExportTraceServiceRequest,
    response=trace_service_pb2.ExportTraceServiceResponse,
    record=trace_pb2.Span,
    record_name="span",
    resources="resource_spans",
    scopes="scope_spans",
    records="spans",
    rejected="rejected_spans",
    map=map_traces,
)
LOGS = Signal(
    name="logs",
    service="opentelemetry.proto.collector.logs.v1.LogsService",
    path="/v1/logs",
    method="ExportLogs",
    request=logs_service_pb2.ExportLogsServiceRequest,
    response=logs_service_pb2.ExportLogsServiceResponse,
    record=logs_pb2.LogRecord,
    record_name="log record",
    resources="resource_logs",
    scopes="scope_logs",
    records="log_records",
    rejected="rejected_log_records",
    map=map_logs,
)
SIGNALS = (TRACES, LOGS)

METRICS_SERVICE = "opentelemetry.proto.collector.metrics.v1.MetricsService"
METRICS_PATH = "/v1/metrics"
NO_METRICS = "this ledger takes traces and logs, no metrics; set OTEL_METRICS_EXPORTER=none, or send them elsewhere"
