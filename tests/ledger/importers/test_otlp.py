"""OTLP in JSON files: one export a line becomes what it would have become over the wire."""

from __future__ import annotations

import base64
import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import Rejected
from ledger.importers.otlp import otlp
from ledger.importers.records import Wrong
from ledger.importers.run import import_files
from ledger.otlp import event_id_of
from ledger.otlp.json_form import logs_from_json, traces_from_json
from ledger.v1 import event_pb2 as pb
from tests.ledger.cli.running import TENANT, Cli
from tests.ledger.importers.reading import events_of, written, wrong_in
from tests.ledger.otlp.captured import FOLDER

TRACE_ID, SPAN_ID = "0102030405060708090A0B0C0D0E0F10", "0102030405060708"
SPAN = {
    "traceId": TRACE_ID,
    "spanId": SPAN_ID,
    "parentSpanId": "",
    "name": "chat",
    "kind": 3,
    "startTimeUnixNano": "1795000000000000000",
    "endTimeUnixNano": 1795000000500000000,
    "attributes": [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}},
        {"key": "gen_ai.request.seed", "value": {"intValue": 7}},
    ],
    "status": {"code": 2, "message": "no"},
    "links": [{"traceId": TRACE_ID, "spanId": SPAN_ID}],
    "someday": {"new": True},
}


def export(*spans: Any) -> dict[str, Any]:
    """An export of these spans."""
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": list(spans)}]}]}


def test_a_line_is_an_export_with_ids_in_hex(tmp_path: Path) -> None:
    """Ids in hex, 64-bit numbers as texts or numbers, enums as numbers, unknown fields: read as OTLP has them."""
    (event,) = events_of(otlp("acme"), written(tmp_path / "spans.jsonl", export(SPAN)))
    assert event.event_id == event_id_of("acme", bytes.fromhex(TRACE_ID), bytes.fromhex(SPAN_ID))
    assert (event.request.tokens_in, event.request.seed, event.request.latency_ms) == (12, 7, 500)
    assert event.request.error_text.text == "no"
    assert event.producer.capture_path == pb.CAPTURE_PATH_IMPORTER


def test_ids_in_base64_are_the_same_ids(tmp_path: Path) -> None:
    """Exporters that write protobuf's own JSON form are understood."""
    as_base64 = {key: base64.b64encode(bytes.fromhex(SPAN[key])).decode() for key in ("traceId", "spanId")}  # type: ignore[arg-type]
    files = [written(tmp_path / name, export(one)) for name, one in (("a", SPAN), ("b", {**SPAN, **as_base64}))]
    first, second = (events_of(otlp("acme"), file) for file in files)
    assert first == second


def test_a_folder_of_collectors_files_is_imported_with_traces_and_logs(tmp_path: Path) -> None:
    """Lines of spans and of log records become events, gzipped or not; other telemetry is left out."""
    raw = (FOLDER / "openai-v2-old.jsonl").read_bytes()
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(raw))
    written(tmp_path / "b.jsonl", {"resourceMetrics": []})
    counts: Counter[str] = Counter()
    found = list(import_files(otlp("acme"), [tmp_path], counts))
    assert not [each for each in found if isinstance(each, Wrong)]
    assert counts == Counter({"files": 2, "exports": 3, "requests": 11})


def test_as_exported_they_are_what_the_gateway_would_have_made() -> None:
    """With the choice to fill a gap, an event says what it would have said over the wire."""
    file = FOLDER / "openllmetry-bedrock.jsonl"
    imported, exported = events_of(otlp("acme"), file), events_of(otlp("acme", as_exported=True), file)
    assert {event.producer.capture_path for event in exported} == {pb.CAPTURE_PATH_OTLP}
    for event in (*imported, *exported):
        event.producer.ClearField("capture_path")
    assert imported == exported


def test_a_wrong_span_is_told_and_the_others_of_its_line_are_kept(tmp_path: Path) -> None:
    """What is malformed in an export is named by line and record; the rest of the line becomes events."""
    file = written(tmp_path / "spans.jsonl", export({**SPAN, "spanId": "00" * 8}, SPAN))
    (wrong,) = wrong_in(otlp("acme"), file)
    assert (wrong.place.line, wrong.field, wrong.reason) == (1, "resourceSpans, record 1", "span_id: all zero")
    found = [each for each in import_files(otlp("acme"), [file], Counter()) if not isinstance(each, Wrong)]
    assert len(found) == 1
    assert [type(each) for each in import_files(otlp("acme"), [file], Counter(), stop=True)][-1] is Wrong


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"traceId": "xyz"}, "traceId: expected an id in hex"),
        ({"attributes": "many"}, "is no OTLP in JSON"),
        ({"startTimeUnixNano": "soon"}, "is no OTLP in JSON"),
    ],
)
def test_a_span_that_is_none_costs_itself_alone(tmp_path: Path, changed: dict[str, Any], reason: str) -> None:
    """A field of another type, or an id that is none, costs its own span; what comes before and behind it is kept, and
    what the mapping refuses behind it is still named by its own place."""
    second, zero = {**SPAN, "spanId": "1111111111111111"}, {**SPAN, "spanId": "00" * 8}
    value = export(SPAN, {**SPAN, **changed}, second, zero)
    value["resourceSpans"].append({"resource": 7, "scopeSpans": [{"spans": [SPAN]}]})
    value["resourceSpans"].append(export({**SPAN, "spanId": "2222222222222222"})["resourceSpans"][0])
    file = written(tmp_path / "spans.jsonl", value)
    found = list(import_files(otlp("acme"), [file], Counter()))
    kept = [each.event.story.span_id.hex() for each in found if not isinstance(each, Wrong)]
    assert kept == [SPAN_ID, "11" * 8, "22" * 8]
    first, zeros, headless = wrong_in(otlp("acme"), file)
    assert [each.field for each in (first, zeros, headless)] == [f"resourceSpans, record {at}" for at in (2, 4, 5)]
    assert first.reason.startswith(reason)
    assert zeros.reason == "span_id: all zero"


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"resourceSpans": {}}, "resourceSpans"),
        ({"resourceSpans": [7]}, "resourceSpans[0]"),
        (export({**SPAN, "traceId": "xyz"}), "resourceSpans[0].scopeSpans[0].spans[0].traceId"),
        (export({**SPAN, "traceId": 7}), "resourceSpans[0].scopeSpans[0].spans[0].traceId"),
        (export({**SPAN, "links": [{"spanId": "q"}]}), "resourceSpans[0].scopeSpans[0].spans[0].links[0].spanId"),
        (export({**SPAN, "links": [7]}), "resourceSpans[0].scopeSpans[0].spans[0].links[0]"),
        (export({**SPAN, "startTimeUnixNano": "soon"}), "resourceSpans"),
        (export({**SPAN, "attributes": "many"}), "resourceSpans"),
        ({"spans": []}, ""),
    ],
)
def test_what_is_no_otlp_is_named_by_its_place(tmp_path: Path, value: Any, field: str) -> None:
    """A line that is no OTLP is refused with the field that is wrong, and nothing of what stands there."""
    (wrong,) = wrong_in(otlp("acme"), written(tmp_path / "spans.jsonl", value))
    assert wrong.field == field
    assert "xyz" not in wrong.reason
    assert "soon" not in wrong.reason


def test_values_nested_without_end_are_refused() -> None:
    """A value nested deeper than protobuf goes is refused, not a crash."""
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(300):
        value = {"arrayValue": {"values": [value]}}
    deep = export({**SPAN, "attributes": [{"key": "gen_ai.input.messages", "value": value}]})
    with pytest.raises(Rejected):
        traces_from_json(deep)
    with pytest.raises(Rejected):
        logs_from_json({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": value}]}]}]})


def test_the_command_imports_once_and_fills_gaps(tmp_path: Path) -> None:
    """`import otlp` tries with --dry-run, imports, and adds nothing the second time."""
    files = [str(FOLDER / f"{name}.jsonl") for name in ("openai-v2-old", "google-genai-latest")]
    cli = Cli(tmp_path / "home")
    cli.make(TENANT)
    with cli.up() as up:
        tried = cli.good("import", "otlp", *files, "--tenant", TENANT, "--dry-run", "--json").json
        assert (tried["requests"], tried["tool_calls"], tried["accepted"], tried["rejected"]) == (19, 1, 0, 0)
        first, again = (
            cli.good("import", "otlp", *files, "--tenant", TENANT, "--to", up.gateway, "--wait", "--json").json
            for _ in range(2)
        )
        assert (first["accepted"], first["repeat"]) == (20, 0)
        assert (again["accepted"], again["repeat"]) == (0, 20)
        told = cli.good(
            "reconstruct", "--tenant", TENANT, "--session", "29a7b75fe1f7707f1810da5b7e3ea1c0", "--to", up.gateway
        ).out
        assert "find_order" in told
        assert "shipped" in told
