"""OTLP as JSON: what collectors write to files, and exporters send where they can't send protobuf.

    {"resourceSpans": [...]}    an export of spans
    {"resourceLogs": [...]}     an export of log records

It is protobuf's JSON form with differences of its own: trace and span ids are in hex, enums are numbers, and fields
that nobody here knows are left out. 64-bit numbers are texts, times among them. Some exporters write ids in base64, as
protobuf's own form has it; the two differ in length, so those are taken as well.

What is none of these raises `Rejected` with the place that is wrong, never with what stands there. An export in which
one record is wrong can be taken apart: `each_alone` gives every record as an export of its own, `without` the export
that is left.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeVar

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ledger.errors import Rejected

SPANS, LOGS = "resourceSpans", "resourceLogs"
M = TypeVar("M", bound=Message)

_IDS = {"traceId": 16, "spanId": 8, "parentSpanId": 8, "trace_id": 16, "span_id": 8, "parent_span_id": 8}
_LISTS = {
    SPANS: ("scopeSpans", "spans"),
    LOGS: ("scopeLogs", "logRecords"),
}


def traces_from_json(value: Mapping[str, Any]) -> ExportTraceServiceRequest:
    """The export of spans that a JSON object is."""
    return _parsed(value, SPANS, ExportTraceServiceRequest())


def logs_from_json(value: Mapping[str, Any]) -> ExportLogsServiceRequest:
    """The export of log records that a JSON object is."""
    return _parsed(value, LOGS, ExportLogsServiceRequest())


def each_alone(value: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """Every record of an export as an export of its own, in their order; `Rejected` where it can't be told apart."""
    scopes, records = _LISTS[name]
    for resource, scope, record in _places(value, name):
        yield {name: [{**resource, scopes: [{**scope, records: [record]}]}]}


def without(value: Mapping[str, Any], name: str, left_out: Collection[int]) -> dict[str, Any]:
    """The export without the records of these ordinals, and without resources and scopes that have no others."""
    scopes, records = _LISTS[name]
    kept: list[dict[str, Any]] = []
    last: tuple[Any, Any] = (None, None)
    for ordinal, (resource, scope, record) in enumerate(_places(value, name)):
        if ordinal in left_out:
            continue
        if resource is not last[0]:
            kept.append({**resource, scopes: []})
        if resource is not last[0] or scope is not last[1]:
            kept[-1][scopes].append({**scope, records: []})
        kept[-1][scopes][-1][records].append(record)
        last = (resource, scope)
    return {name: kept}


def _places(value: Mapping[str, Any], name: str) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], Any]]:
    """Each record with its scope and its resource."""
    scopes, records = _LISTS[name]
    for at, each in enumerate(_items(value, name, "")):
        resource = _object(each, f"{name}[{at}]")
        for i, one in enumerate(_items(resource, scopes, f"{name}[{at}]")):
            scope = _object(one, f"{name}[{at}].{scopes}[{i}]")
            for record in _items(scope, records, f"{name}[{at}].{scopes}[{i}]"):
                yield resource, scope, record


def _parsed(value: Mapping[str, Any], name: str, message: M) -> M:
    plain = dict(value)
    plain[name] = [_with_ids(resource, name, f"{name}[{at}]") for at, resource in enumerate(_items(value, name, ""))]
    try:
        return ParseDict(plain, message, ignore_unknown_fields=True)
    except (ParseError, RecursionError, ValueError, TypeError, AttributeError):
        # protobuf's message quotes what it found.
        raise Rejected(name, "is no OTLP in JSON: a field of another type than expected, or nested too deep") from None


def _with_ids(resource: Any, name: str, where: str) -> dict[str, Any]:
    """The same resource with ids as protobuf's JSON form has them."""
    scopes, records = _LISTS[name]
    changed = dict(_object(resource, where))
    found = []
    for at, scope in enumerate(_items(changed, scopes, where)):
        place = f"{where}.{scopes}[{at}]"
        inner = dict(_object(scope, place))
        inner[records] = [
            dict(_record(_object(record, f"{place}.{records}[{i}]"), f"{place}.{records}[{i}]"))
            for i, record in enumerate(_items(inner, records, place))
        ]
        found.append(inner)
    changed[scopes] = found
    return changed


def _record(record: Mapping[str, Any], where: str) -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        if key in _IDS:
            yield key, _id(value, _IDS[key], f"{where}.{key}")
        elif key == "links" and isinstance(value, list):
            links = [_object(each, f"{where}.links[{at}]") for at, each in enumerate(value)]
            yield key, [dict(_record(each, f"{where}.links[{at}]")) for at, each in enumerate(links)]
        else:
            yield key, value


def _id(value: Any, size: int, where: str) -> str:
    """An id in base64, whatever its length: one that has another is the mapping's to refuse."""
    if not isinstance(value, str):
        raise Rejected(where, "expected an id in hex")
    if len(value) == len(base64.b64encode(bytes(size))) and value.endswith("="):
        return value
    try:
        return base64.b64encode(binascii.unhexlify(value)).decode("ascii")
    except (binascii.Error, ValueError):
        raise Rejected(where, "expected an id in hex") from None


def _items(value: Mapping[str, Any], name: str, where: str) -> list[Any]:
    items = value.get(name)
    if items is None:
        return []
    if not isinstance(items, list):
        raise Rejected(f"{where}.{name}".lstrip("."), "expected a list")
    return items


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Rejected(where, "expected an object")
    return value
