"""A request taken apart: resources, of scopes, of records, each read by itself.

`Parts` says where the parts of a request are, in protobuf or in JSON, and reads one message at a time: what is
malformed is `Malformed` alone, and what is beyond a limit is never built. (Eight million empty spans, two bytes each,
would be a gigabyte of objects.)

Protobuf nests at most 100 messages deep, by its own limit; so does JSON here. JSON is that of OTLP: names in lower
camel case, ids of traces and spans in hex, unknown names left out.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from ledger.errors import LedgerError
from ledger.gateway.otlp.signals import Signal
from ledger.v1 import otlp_frame_pb2 as frames

M = TypeVar("M", bound=Message)

DEPTH_MAX = 100
_IDS = ("traceId", "spanId", "parentSpanId")


class Malformed(LedgerError):
    """A part that can't be read. Its message holds nothing of it."""


class Group(NamedTuple):
    """A resource or a scope: what it is, of what it consists, and its schema's URL."""

    head: Any
    members: Sequence[Any]
    schema_url: str


class Parts(Protocol):
    """The parts of one request; what a part is, only its `Parts` knows."""

    def resources(self) -> Sequence[Any]:
        """The request's parts. `Malformed` when it can't be told where they are."""

    def resource(self, part: Any) -> Group:
        """A part's scopes; `Malformed` likewise."""

    def scope(self, part: Any) -> Group:
        """A scope's records; `Malformed` likewise."""

    def message(self, kind: type[M], part: Any) -> M:
        """A head or a record; `Malformed` when it is none."""


class ProtobufParts:
    """Of a request in protobuf."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def resources(self) -> Sequence[bytes]:
        """See `Parts`."""
        return self.message(frames.OtlpExportFrame, self._data).resources

    def resource(self, part: bytes) -> Group:
        """See `Parts`."""
        frame = self.message(frames.OtlpResourceFrame, part)
        return Group(frame.resource, frame.scopes, _url(frame.schema_url))

    def scope(self, part: bytes) -> Group:
        """See `Parts`."""
        frame = self.message(frames.OtlpScopeFrame, part)
        return Group(frame.scope, frame.records, _url(frame.schema_url))

    def message(self, kind: type[M], part: bytes) -> M:
        """See `Parts`."""
        made = kind()
        try:
            made.ParseFromString(part)
        except DecodeError:
            name = kind.DESCRIPTOR.name.removeprefix("Otlp")
            raise Malformed(f"is no valid {name}: truncated, malformed, nested too deeply, or not UTF-8") from None
        return made


class JsonParts:
    """Of a request in JSON."""

    def __init__(self, data: bytes, signal: Signal) -> None:
        self._signal = signal
        try:
            # In UTF-8 only: `loads` would guess at others.
            self._tree = json.loads(data.decode("utf-8"))
        except (ValueError, RecursionError):
            raise Malformed("is no JSON in UTF-8, or nested too deeply") from None

    def resources(self) -> Sequence[Any]:
        """See `Parts`."""
        return _list(_object(self._tree), _camel(self._signal.resources))

    def resource(self, part: Any) -> Group:
        """See `Parts`."""
        return self._group(part, "resource", _camel(self._signal.scopes))

    def scope(self, part: Any) -> Group:
        """See `Parts`."""
        return self._group(part, "scope", _camel(self._signal.records))

    def message(self, kind: type[M], part: Any) -> M:
        """See `Parts`."""
        made = kind()
        try:
            json_format.ParseDict(
                _with_ids(_object(part)), made, ignore_unknown_fields=True, max_recursion_depth=DEPTH_MAX
            )
        except (json_format.ParseError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
            name = kind.DESCRIPTOR.name
            raise Malformed(f"is no valid {name}: a value of another type, or nested too deeply") from None
        return made

    def _group(self, part: Any, head: str, members: str) -> Group:
        found = _object(part)
        url = found.get("schemaUrl")
        given = found.get(head)
        return Group({} if given is None else given, _list(found, members), url if isinstance(url, str) else "")


def _url(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed("is no JSON object")
    return value


def _list(value: dict[str, Any], name: str) -> Sequence[Any]:
    found = value.get(name)
    if found is None:
        return ()
    if not isinstance(found, list):
        raise Malformed(f"{name}: is no JSON array")
    return found


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.title() for each in others)


def _with_ids(value: dict[str, Any]) -> dict[str, Any]:
    """The same with the ids of traces and spans as protobuf's JSON has bytes: OTLP's has them in hex."""
    changed: dict[str, Any] = {
        name: _base64(value[name]) for name in ("traceId", "spanId", "parentSpanId") if value.get(name)
    }
    links = value.get("links")
    if isinstance(links, list):
        changed["links"] = [_with_ids(each) if isinstance(each, dict) else each for each in links]
    return {**value, **changed} if changed else value


def _base64(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("an id is a text")
    return b64encode(bytes.fromhex(value)).decode("ascii")
