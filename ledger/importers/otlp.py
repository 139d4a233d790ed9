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

from collections.abc import Iterator

from ledger.errors import Rejected
from ledger.importers.records import Record, Wrong
from ledger.importers.run import Source
from ledger.otlp import Mapped, MappingOptions, map_logs, map_traces
from ledger.otlp.json_form import LOGS, SPANS, logs_from_json, traces_from_json
from ledger.v1 import event_pb2 as pb

OTHERS = ("resourceMetrics", "resourceProfiles")


def otlp(tenant: str, options: MappingOptions | None = None, *, as_exported: bool = False) -> Source:
    """The kind of file that this module reads."""
    options = options or MappingOptions(capture_path=pb.CAPTURE_PATH_OTLP if as_exported else pb.CAPTURE_PATH_IMPORTER)

    def importer(record: Record) -> Iterator[pb.Event | Wrong]:
        if not any(name in record.value for name in (SPANS, LOGS, *OTHERS)):
            raise Rejected("", f"is no OTLP: expected {SPANS} or {LOGS}")
        if SPANS in record.value:
            yield from _events(map_traces(traces_from_json(record.value), tenant, options), record, SPANS)
        if LOGS in record.value:
            yield from _events(map_logs(logs_from_json(record.value), tenant, options), record, LOGS)

    return Source("exports", importer)


def _events(mapped: Mapped, record: Record, name: str) -> Iterator[pb.Event | Wrong]:
    for each in mapped.events:
        yield each.event
    for refused in mapped.refused:
        yield Wrong(record.place, f"{name}, record {refused.ordinal + 1}", refused.reason)
