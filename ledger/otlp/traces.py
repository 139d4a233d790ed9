"""Spans to events: each call of a model and each run of a tool that a span tells of becomes one event.

A span is an operation that is over, so its event has the phase `single`; what failed says so in its error class. It
occurred when the span began.

Most spans of a service are not about generative AI. They are told from the others by their attributes' keys alone, and
looked into only as ancestors of those that are (`ledger.otlp.lineage`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ledger.otlp.building import fill
from ledger.otlp.circumstances import add_circumstances
from ledger.otlp.completing import ABSENT, complete
from ledger.otlp.conventions import CONVENTIONS
from ledger.otlp.envelope import add_sampling, add_story, new_event
from ledger.otlp.evaluations import evaluations_of, finding, has_evaluations
from ledger.otlp.ids import event_id_of
from ledger.otlp.kinds import CONTEXT, HEADS, About, about
from ledger.otlp.lineage import Lineage, Node, SpanKey
from ledger.otlp.mapped import Mapped, MappedEvent, MappingOptions, Refused
from ledger.otlp.parsing import SPAN_ID_BYTES, TRACE_ID_BYTES, id_problem, span_record
from ledger.otlp.record import Found
from ledger.otlp.resource import TENANT, Service, resource_service
from ledger.otlp.surroundings import surrounding
from ledger.otlp.values import text_of
from ledger.v1 import event_pb2 as pb

OTHER_TENANT = f"{TENANT}: names another tenant than the export was taken for"


def map_traces(request: ExportTraceServiceRequest, tenant: str, options: MappingOptions | None = None) -> Mapped:
    """What the spans of an export become in the ledger of this tenant. Never raises for what a request holds."""
    return _Traces(tenant, options or MappingOptions()).map(request)


@dataclass(slots=True)
class _Spot:
    """A span in its place in the export. `node` and `about` are known once it was looked into."""

    ordinal: int
    span: Span
    service: Service
    node: Node | None = None
    about: About | None = None


class _Traces:
    """One export on its way."""

    def __init__(self, tenant: str, options: MappingOptions) -> None:
        self._tenant = tenant
        self._options = options
        self._spots: list[_Spot] = []
        self._by_key: dict[SpanKey, _Spot] = {}

    def map(self, request: ExportTraceServiceRequest) -> Mapped:
        """What becomes of it."""
        refused: list[Refused] = []
        for spot in _spots(request):
            problem = self._take(spot)
            if problem is not None:
                refused.append(Refused(spot.ordinal, problem))
        ours = [spot for spot in self._spots if spot.node is not None and spot.node.event_id is not None]
        nodes = [spot.node for spot in ours if spot.node is not None]
        lineage = Lineage(nodes, self._find)
        lineage.connect()
        events = [MappedEvent(spot.ordinal, self._event(spot, node)) for spot, node in zip(ours, nodes, strict=True)]
        around = list(self._surroundings(lineage)) if self._options.keep_context else []
        events += [*around, *self._evaluations()]
        events.sort(key=lambda each: each.ordinal)
        return Mapped(tuple(events), tuple(refused), len(self._spots) - len(ours) - len(around))

    def _take(self, spot: _Spot) -> str | None:
        """Notes a span; what is wrong with it, where it can be no event."""
        span = spot.span
        problem = id_problem(span.trace_id, TRACE_ID_BYTES, "trace_id")
        problem = problem or id_problem(span.span_id, SPAN_ID_BYTES, "span_id")
        if problem is not None:
            return problem
        if any(each.key.partition(".")[0] in HEADS for each in span.attributes):
            node = self._look(spot)
            named = text_of(node.record.attributes.get(TENANT))
            if spot.about is not None and spot.about.kind != "context":
                if named is not None and named != self._tenant:
                    return OTHER_TENANT
                node.event_id = event_id_of(self._tenant, span.trace_id, span.span_id)
        self._spots.append(spot)
        self._by_key.setdefault((span.trace_id, span.span_id), spot)
        return None

    def _look(self, spot: _Spot) -> Node:
        """Reads a span, once."""
        if spot.node is None:
            span = spot.span
            record = span_record(span, self._options)
            spot.about = about(record)
            what = spot.about or CONTEXT
            found = Found(what.kind)
            for convention in CONVENTIONS:
                convention.read(record, found)
            if what.kind != "context":
                add_circumstances(record, found, what.operation)
                complete(record, found, what, keep_context=self._options.keep_context)
            spot.node = Node((span.trace_id, span.span_id), span.parent_span_id, record, found)
        return spot.node

    def _find(self, key: SpanKey) -> Node | None:
        spot = self._by_key.get(key)
        return None if spot is None else self._look(spot)

    def _event(self, spot: _Spot, node: Node) -> pb.Event:
        trace_id, span_id = node.key
        event = new_event(node.event_id or b"", trace_id, span_id, node.record.start_ns, spot.service, self._options)
        add_sampling(event, spot.span.trace_state, spot.service, self._options)
        add_story(node.found, trace_id, spot.service)
        if node.parent_event is not None:
            event.story.parent_event_id = node.parent_event
        if node.amends is not None:
            event.amends_event_id = node.amends
            for path in [path for path in node.found.values if path.startswith(ABSENT)]:
                del node.found.values[path]
        return fill(event, node.found, self._options)

    def _surroundings(self, lineage: Lineage) -> Iterator[MappedEvent]:
        for spot in self._spots:
            node = self._look(spot)
            if node.event_id is None:
                around = lineage.above(node).event
                if around is not None:
                    event = surrounding(node, around, self._tenant, spot.service, self._options)
                    yield MappedEvent(spot.ordinal, event)

    def _evaluations(self) -> Iterator[MappedEvent]:
        for spot in self._spots:
            if has_evaluations(spot.span):
                node = self._look(spot)
                for at, (at_ns, said) in enumerate(evaluations_of(node.record)):
                    which = f"evaluation:{at}"
                    event = finding(said, at_ns, node.key, which, self._tenant, spot.service, self._options)
                    yield MappedEvent(spot.ordinal, event)


def _spots(request: ExportTraceServiceRequest) -> Iterator[_Spot]:
    ordinal = 0
    for resource_spans in request.resource_spans:
        service = resource_service(resource_spans.resource)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield _Spot(ordinal, span, service)
                ordinal += 1
