"""Spans around requests and tool calls (an HTTP call, a query), kept where that is wanted: as amendments of the nearest
ancestor in the same export that is an event itself, with everything they say in the content `attributes`.
"""

from __future__ import annotations

from ledger.otlp.building import fill
from ledger.otlp.envelope import new_event
from ledger.otlp.ids import event_id_of
from ledger.otlp.lineage import Node
from ledger.otlp.mapped import MappingOptions
from ledger.otlp.record import Found
from ledger.otlp.resource import Service
from ledger.v1 import event_pb2 as pb

NAME, STATUS, DURATION = "otel.span.name", "otel.status", "otel.duration_ms"


def surrounding(node: Node, around: Node, tenant: str, service: Service, options: MappingOptions) -> pb.Event:
    """The amendment of `around`'s event by a span below it."""
    trace_id, span_id = node.key
    record = node.record
    found = Found(around.found.kind)
    found.misfits.update(record.attributes)
    found.misfits[NAME] = record.name
    if record.failed:
        found.misfits[STATUS] = record.status_message or "error"
    if 0 < record.start_ns <= record.end_ns:
        found.misfits[DURATION] = (record.end_ns - record.start_ns) // 1_000_000
    for path in ("tool_call.tool", "story.session_id", "story.correlation_id", "user"):
        found.give(path, around.found.values.get(path), around.found.sources.get(path, ""), derived=True)
    event = new_event(event_id_of(tenant, trace_id, span_id), trace_id, span_id, record.start_ns, service, options)
    if around.event_id is not None:
        event.amends_event_id = event.story.parent_event_id = around.event_id
    return fill(event, found, options)
