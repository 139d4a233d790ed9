"""Spans to events: each call of a model and each run of a tool that a span tells of becomes one event.

A span is an operation that is over, so its event has the phase `single`; what failed says so in its error class. It
occurred when the span began.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ledger.otlp.building import build
from ledger.otlp.circumstances import add_circumstances
from ledger.otlp.conventions import CONVENTIONS
from ledger.otlp.ids import event_id_of
from ledger.otlp.kinds import About, about
from ledger.otlp.mapped import Mapped, MappedEvent, MappingOptions, Refused
from ledger.otlp.parsing import SPAN_ID_BYTES, TRACE_ID_BYTES, id_problem, span_record
from ledger.otlp.record import Found, Record
from ledger.otlp.resource import Service, resource_service
from ledger.v1 import event_pb2 as pb

NANOS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Node:
    """One span of a request that is about generative AI."""

    ordinal: int
    span: Span
    service: Service
    record: Record
    about: About
    found: Found


def map_traces(request: ExportTraceServiceRequest, tenant: str, options: MappingOptions | None = None) -> Mapped:
    """What the spans of an export become in the ledger of this tenant. Never raises for what a request holds."""
    options = options or MappingOptions()
    events: list[MappedEvent] = []
    refused: list[Refused] = []
    ignored = 0
    for ordinal, span, service in _spans(request):
        problem = _problem(span, service, tenant)
        if problem is not None:
            refused.append(Refused(ordinal, problem))
            continue
        node = _node(ordinal, span, service, options)
        if node is None or node.about.kind == "context":
            ignored += 1
            continue
        events.append(MappedEvent(ordinal, _event(node, tenant, options)))
    return Mapped(tuple(events), tuple(refused), ignored)


def _spans(request: ExportTraceServiceRequest) -> Iterator[tuple[int, Span, Service]]:
    ordinal = 0
    for resource_spans in request.resource_spans:
        service = resource_service(resource_spans.resource)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield ordinal, span, service
                ordinal += 1


def _problem(span: Span, service: Service, tenant: str) -> str | None:
    return id_problem(span.trace_id, TRACE_ID_BYTES, "trace_id") or id_problem(span.span_id, SPAN_ID_BYTES, "span_id")


def _node(ordinal: int, span: Span, service: Service, options: MappingOptions) -> Node | None:
    record = span_record(span, options)
    what = about(record.attributes, record.heads)
    if what is None:
        return None
    found = Found(what.kind)
    for convention in CONVENTIONS:
        convention.read(record, found)
    add_circumstances(record, found, what.operation)
    return Node(ordinal, span, service, record, what, found)


def _event(node: Node, tenant: str, options: MappingOptions) -> pb.Event:
    span, found = node.span, node.found
    found.give("story.correlation_id", span.trace_id.hex())
    event = build(found, event_id_of(tenant, span.trace_id, span.span_id), options)
    event.story.trace_id, event.story.span_id = span.trace_id, span.span_id
    if span.start_time_unix_nano:
        event.occurred_at.seconds, event.occurred_at.nanos = divmod(span.start_time_unix_nano, NANOS)
    producer = event.producer
    producer.service, producer.version = node.service.service, node.service.version
    producer.environment, producer.instance = node.service.environment, node.service.instance
    producer.capture_path = options.capture_path
    return event
