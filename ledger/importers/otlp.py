"""OTLP in JSON files to events, as a collector's file exporter writes them: one export a line.

    {"resourceSpans": [...]}    spans
    {"resourceLogs": [...]}     log records

They become what they would have become over the wire (docs/OTLP.md), ids included; other telemetry is counted and left
out. The tenant is the one that they are imported for, and a span that names another is refused.

That they were imported stands in each event, so a span that came by itself and is imported again is sealed twice, as a
conflict. To fill a gap in what was exported, they can be imported as if they had been exported: then what has arrived
already adds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ledger.errors import Rejected
from ledger.importers.records import Record, Wrong
from ledger.importers.run import Source
from ledger.otlp import Mapped, MappingOptions, map_logs, map_traces
from ledger.otlp.json_form import LOGS, SPANS, each_alone, logs_from_json, traces_from_json, without
from ledger.v1 import event_pb2 as pb

OTHERS = ("resourceMetrics", "resourceProfiles")


def otlp(tenant: str, options: MappingOptions | None = None, *, as_exported: bool = False) -> Source:
    """The kind of file that this module reads."""
    options = options or MappingOptions(capture_path=pb.CAPTURE_PATH_OTLP if as_exported else pb.CAPTURE_PATH_IMPORTER)

    def importer(record: Record) -> Iterator[pb.Event | Wrong]:
        if not any(name in record.value for name in (SPANS, LOGS, *OTHERS)):
            raise Rejected("", f"is no OTLP: expected {SPANS} or {LOGS}")
        if SPANS in record.value:
            spans = _read(record, SPANS, traces_from_json)
            yield from spans.told(map_traces(spans.request, tenant, options))
        if LOGS in record.value:
            logs = _read(record, LOGS, logs_from_json)
            yield from logs.told(map_logs(logs.request, tenant, options))

    return Source("exports", importer)


@dataclass(frozen=True, slots=True)
class _Export:
    """What of a line can be read. `wrong`: by ordinal, what is wrong with the records that can't be."""

    record: Record
    name: str
    request: Any
    wrong: Mapping[int, str]

    def told(self, mapped: Mapped) -> Iterator[pb.Event | Wrong]:
        """The events, then what became none."""
        for each in mapped.events:
            yield each.event
        ordinals = [at for at in range(len(self.wrong) + _records_in(mapped)) if at not in self.wrong]
        refused = {**self.wrong, **{ordinals[each.ordinal]: each.reason for each in mapped.refused}}
        for ordinal in sorted(refused):
            yield Wrong(self.record.place, f"{self.name}, record {ordinal + 1}", refused[ordinal])


def _records_in(mapped: Mapped) -> int:
    """As many as an ordinal of what was refused may say."""
    return 1 + max((each.ordinal for each in mapped.refused), default=-1)


def _read(record: Record, name: str, parse: Callable[[Mapping[str, Any]], Any]) -> _Export:
    """A line's export; record by record where that fails, so that one that is malformed costs itself alone."""
    try:
        return _Export(record, name, parse(record.value), {})
    except Rejected:
        wrong, count = {}, 0
        for ordinal, alone in enumerate(each_alone(record.value, name)):
            count += 1
            try:
                parse(alone)
            except Rejected as error:
                field = error.field.rpartition(".")[2]
                wrong[ordinal] = error.reason if field == name else f"{field}: {error.reason}"
        if len(wrong) in (0, count):
            raise
        return _Export(record, name, parse(without(record.value, name, wrong)), wrong)
