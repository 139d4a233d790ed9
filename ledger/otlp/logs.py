"""Log records to events: contents that come beside their span, calls that only a log tells of, evaluations.

Instrumentation may write contents to logs instead of spans (`gen_ai.client.inference.operation.details`, or one record
a message), and logs travel by themselves: before the span, after it, or without it. So they never change an event. The
records of one span in one export become one event that **amends** the span's, whose id is known from the span's ids,
whether it has come or not; it says everything that the records say, so that it can stand alone. Where one of them
contradicts those before it, it tells of another call under the same span (an application's own span, say, around
several calls whose instrumentation makes no spans): then it begins another event, so that nothing of it is lost. A
record of no span is a request of its own.

An event's id is made from its records' names and times: an export that is retried adds nothing, and if a collector puts
the records into other exports than before, contents come twice and are never lost.

Ids of the wrong length, or all zero, mean that a record is of no span, as OTLP has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from ledger.otlp.building import fill
from ledger.otlp.circumstances import add_circumstances
from ledger.otlp.completing import add_finish, complete, give_up_nameless_prompt, keep_rest
from ledger.otlp.conventions import CONVENTIONS
from ledger.otlp.envelope import add_sampling, add_story, new_event
from ledger.otlp.evaluations import finding
from ledger.otlp.ids import LOGS, event_id_of
from ledger.otlp.kinds import REQUEST, about
from ledger.otlp.mapped import Mapped, MappedEvent, MappingOptions, Refused
from ledger.otlp.message_events import MESSAGE_EVENTS
from ledger.otlp.parsing import OURS, RESULT, SPAN_ID_BYTES, TRACE_ID_BYTES, heads_of, id_problem, log_event
from ledger.otlp.record import Found, Record, SpanEvent
from ledger.otlp.resource import TENANT, Service, resource_service
from ledger.otlp.traces import OTHER_TENANT
from ledger.otlp.values import Value, text_of
from ledger.v1 import event_pb2 as pb


def map_logs(request: ExportLogsServiceRequest, tenant: str, options: MappingOptions | None = None) -> Mapped:
    """What the log records of an export become in the ledger of this tenant. Never raises for what a request holds."""
    return _Logs(tenant, options or MappingOptions()).map(request)


@dataclass(frozen=True, slots=True)
class _Note:
    """A log record about generative AI, in its place in the export. `key` has empty ids where it is of no span."""

    ordinal: int
    record: LogRecord
    event: SpanEvent
    service: Service
    key: tuple[bytes, bytes]

    @property
    def label(self) -> str:
        """What tells it from the other records of its span."""
        return f"{self.event.name}:{self.record.time_unix_nano}:{self.record.observed_time_unix_nano}"


@dataclass(slots=True)
class _Logs:
    """One export on its way."""

    tenant: str
    options: MappingOptions
    seen: dict[tuple[bytes, bytes, str], int] = field(default_factory=dict)

    def map(self, request: ExportLogsServiceRequest) -> Mapped:
        """What becomes of it."""
        refused: list[Refused] = []
        events: list[MappedEvent] = []
        of_spans: dict[tuple[bytes, bytes, int], list[_Note]] = {}
        ignored = 0
        for ordinal, record, service in _records(request):
            event = log_event(record, self.options)
            if not event.name.startswith(OURS):
                ignored += 1
                continue
            named = text_of(event.attributes.get(TENANT))
            if named is not None and named != self.tenant:
                refused.append(Refused(ordinal, OTHER_TENANT))
                continue
            note = _Note(ordinal, record, event, service, _key_of(record))
            if event.name == RESULT:
                events.append(MappedEvent(ordinal, self._evaluation(note)))
            elif note.key[1]:
                of_spans.setdefault((*note.key, id(service)), []).append(note)
            else:
                events.append(MappedEvent(ordinal, self._request([note])))
        for notes in chain.from_iterable(map(_calls, of_spans.values())):
            others = tuple(each.ordinal for each in notes[1:])
            events.append(MappedEvent(notes[0].ordinal, self._request(notes), others))
        events.sort(key=lambda each: each.ordinal)
        return Mapped(tuple(events), tuple(refused), ignored)

    def _request(self, notes: Sequence[_Note]) -> pb.Event:
        first = notes[0]
        record = _merged(notes)
        what = about(record) or REQUEST
        found = Found("request" if what.kind == "context" else what.kind)
        for convention in CONVENTIONS:
            convention.read(record, found)
        add_circumstances(record, found, what.operation)
        trace_id, span_id = first.key
        which = self._numbered(trace_id, span_id, "\n".join(sorted(each.label for each in notes)))
        event_id = event_id_of(self.tenant, trace_id, span_id, LOGS, which)
        event = new_event(event_id, trace_id, span_id, record.start_ns, first.service, self.options)
        if span_id:
            event.amends_event_id = event_id_of(self.tenant, trace_id, span_id)
            add_finish(found)
            give_up_nameless_prompt(found)
            keep_rest(record, found, what, keep_context=self.options.keep_context)
        else:
            complete(record, found, what, keep_context=self.options.keep_context)
        add_sampling(event, "", first.service, self.options)
        add_story(found, trace_id, first.service)
        return fill(event, found, self.options)

    def _evaluation(self, note: _Note) -> pb.Event:
        which = self._numbered(*note.key, note.label)
        said = dict(note.event.attributes)
        if isinstance(note.event.body, dict):
            said = {**note.event.body, **said}
        at_ns = note.event.time_ns
        return finding(said, at_ns, note.key, which, self.tenant, note.service, self.options, signal=LOGS)

    def _numbered(self, trace_id: bytes, span_id: bytes, label: str) -> str:
        """The label; of those that are the same in an export, the further ones are numbered."""
        place = (trace_id, span_id, label)
        self.seen[place] = number = self.seen.get(place, -1) + 1
        return f"{label}#{number}" if number else label


def _calls(notes: Sequence[_Note]) -> Iterator[list[_Note]]:
    """The records of one span, taken together as long as they don't contradict each other.

    Messages never do: each is a part of a conversation, whatever its attributes say.
    """
    together: list[_Note] = []
    known: dict[str, Value] = {}
    for note in notes:
        said = {} if note.event.name in MESSAGE_EVENTS else _said(note)
        if any(known.get(key, value) != value for key, value in said.items()):
            yield together
            together, known = [], {}
        together.append(note)
        known.update(said)
    if together:
        yield together


def _said(note: _Note) -> dict[str, Value]:
    """A record's attributes, but for the event's name; and its body: what it names, or the text that it is."""
    body = note.event.body
    said: dict[str, Value] = {}
    if note.event.name not in MESSAGE_EVENTS and body is not None:
        said = dict(body) if isinstance(body, Mapping) else {note.event.name: body}
    said.update(note.event.attributes)
    said.pop("event.name", None)
    return said


def _merged(notes: Sequence[_Note]) -> Record:
    """What the records of one call say together; of an attribute that several have, the first."""
    attributes: dict[str, Value] = {}
    for note in notes:
        for key, value in _said(note).items():
            attributes.setdefault(key, value)
    dropped = sum(note.record.dropped_attributes_count for note in notes)
    times = [note.event.time_ns for note in notes if note.event.time_ns]
    return Record(
        attributes=attributes,
        heads=heads_of(attributes) | {"gen_ai"},  # its name says so
        name=notes[0].event.name,
        start_ns=min(times, default=0),
        events=tuple(note.event for note in notes),
        dropped=dropped,
    )


def _key_of(record: LogRecord) -> tuple[bytes, bytes]:
    trace_id = b"" if id_problem(record.trace_id, TRACE_ID_BYTES, "") else record.trace_id
    span_id = b"" if not trace_id or id_problem(record.span_id, SPAN_ID_BYTES, "") else record.span_id
    return trace_id, span_id


def _records(request: ExportLogsServiceRequest) -> Iterator[tuple[int, LogRecord, Service]]:
    ordinal = 0
    for resource_logs in request.resource_logs:
        service = resource_service(resource_logs.resource)
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                yield ordinal, record, service
                ordinal += 1
