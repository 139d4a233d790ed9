"""Evaluations of an answer: each becomes a Finding about the event that it evaluates.

OpenTelemetry's `gen_ai.evaluation.result`, a log record of the evaluated span or an event on it; OpenInference's
`evaluations.<n>.evaluation.*` on the span. The rule is `evaluation.` and its name; score, label and explanation are the
note. A score says nothing of how bad it is: the severity is `info`, the status is not known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ledger.otlp.clearing import clear
from ledger.otlp.contents import content_of, cut_all
from ledger.otlp.envelope import new_event
from ledger.otlp.families import listed
from ledger.otlp.ids import TRACES, event_id_of
from ledger.otlp.mapped import MappingOptions
from ledger.otlp.names import fits
from ledger.otlp.parsing import RESULT
from ledger.otlp.record import Record
from ledger.otlp.resource import Service
from ledger.otlp.values import Value, text_of
from ledger.v1 import event_pb2 as pb

NAMES = ("gen_ai.evaluation.name", "name", "evaluation.name")
UNNAMED = "evaluation"
_FAMILY = "evaluations."


def evaluations_of(record: Record) -> Iterator[tuple[int, Mapping[str, Value]]]:
    """The evaluations on a span: when each was made (0: unknown), and what it says."""
    for event in record.events:
        if event.name == RESULT:
            yield event.time_ns, event.attributes
    for item in listed(record.under(_FAMILY)) or ():
        if isinstance(item, dict):
            inner = item.get("evaluation")
            yield 0, inner if isinstance(inner, dict) else item


def has_evaluations(span: Span) -> bool:
    """Whether a span may carry any. Cheap."""
    return any(event.name == RESULT for event in span.events) or any(
        each.key.startswith(_FAMILY) for each in span.attributes
    )


def finding(
    said: Mapping[str, Value],
    at_ns: int,
    key: tuple[bytes, bytes],
    which: str,
    tenant: str,
    service: Service,
    options: MappingOptions,
    *,
    signal: str = TRACES,
) -> pb.Event:
    """One evaluation of the span with these ids; of none where they are empty."""
    trace_id, span_id = key
    event = new_event(event_id_of(tenant, trace_id, span_id, signal, which), trace_id, span_id, at_ns, service, options)
    rule = next((text for name in NAMES if (text := text_of(said.get(name))) is not None), "")
    event.finding.rule = f"{UNNAMED}.{rule}" if rule and fits(f"{UNNAMED}.{rule}") else UNNAMED
    event.finding.severity = pb.SEVERITY_INFO
    if trace_id:
        event.story.correlation_id = trace_id.hex()
        event.story.session_id = trace_id.hex()
        event.derived_fields.append("story.session_id")
    if trace_id and span_id:
        evaluated = event_id_of(tenant, trace_id, span_id)
        event.finding.evidence_event_ids.append(evaluated)
        event.story.parent_event_id = evaluated
    note = dict(said)
    note.update(clear(event))
    if not event.finding.rule:
        event.finding.rule = UNNAMED
    event.finding.note.CopyFrom(content_of(note))
    cut_all([event.finding.note], options.content_bytes_max, options.event_bytes_max)
    return event
