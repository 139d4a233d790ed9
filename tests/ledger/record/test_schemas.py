"""The pinned schemas: what makes them readable in columns, and that they say what the protocol says."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.descriptor import EnumDescriptor

from ledger.record.fields import SYMBOLS
from ledger.record.schemas import EVENT_RECORD, EVENT_RECORDS, PAYLOAD, PAYLOADS, Schema
from ledger.v1 import event_pb2 as pb

SCHEMAS = pytest.mark.parametrize("schema", [PAYLOAD, EVENT_RECORD], ids=["payload", "event record"])
PRIMITIVES = {"string", "bytes", "long", "double", "boolean"}
NO_PROTOBUF = {"Kind", "CaptureMode", "ContentState", "AuthenticationMethod"}
"""Enums that the gateway fills in."""


def nodes(node: Any) -> list[Any]:
    """All types inside a schema, in the order in which a reader meets them."""
    if isinstance(node, list):
        return [node, *(inner for each in node for inner in nodes(each))]
    if isinstance(node, str):
        return [node]
    inner = [each["type"] for each in node.get("fields", ())] + ([node["items"]] if "items" in node else [])
    return [node, *(found for each in inner for found in nodes(each))]


@SCHEMAS
def test_only_what_both_readers_agree_on_is_used(schema: Schema) -> None:
    """Records, enums, fixed, arrays, unions of null and one type, five primitives: no map, no recursion, no default."""
    defined: set[str] = set()
    for node in nodes(schema.definition):
        if isinstance(node, list):
            assert len(node) == 2
            assert node[0] == "null"
        elif isinstance(node, str):
            assert node in PRIMITIVES | defined | {"null"}, f"{node} is used before it is defined"
        else:
            assert node["type"] in {"record", "enum", "fixed", "array", "long"}
            assert node["type"] != "long" or node["logicalType"] == "timestamp-micros"
            if "name" in node:
                assert node["name"] not in defined
                defined.add(node["name"])
            assert len(node.get("symbols", ())) <= 64
            for field in node.get("fields", ()):
                assert field.keys() == {"name", "type"}


@SCHEMAS
def test_enums_are_never_null_inside_other_types(schema: Schema) -> None:
    """An unknown enum is `unspecified`: polars reads no nullable enums."""
    named = {node["name"]: node for node in nodes(schema.definition) if isinstance(node, dict) and "name" in node}
    for node in nodes(schema.definition):
        if isinstance(node, list):
            inner = named.get(node[1], {}) if isinstance(node[1], str) else node[1]
            assert inner.get("type") != "enum"


def enums() -> list[EnumDescriptor]:
    """The protocol's enums that an event uses."""
    return list(pb.DESCRIPTOR.enum_types_by_name.values())


@pytest.mark.parametrize("enum", enums(), ids=lambda enum: enum.name)
def test_enum_numbers_are_symbol_positions(enum: EnumDescriptor) -> None:
    """Number n of the protocol's enum is symbol n of the payload's, by name; phases have no `unspecified`."""
    prefix = "".join(f"_{c}" if c.isupper() else c for c in enum.name).lstrip("_").upper() + "_"
    numbers = [each.number for each in enum.values]
    assert numbers == list(range(len(numbers)))
    symbols = tuple(each.name.removeprefix(prefix).lower() for each in enum.values)
    assert symbols[0] == "unspecified"
    assert SYMBOLS[enum.name] == (symbols[1:] if enum.name == "Phase" else symbols)


def test_every_payload_enum_has_a_source() -> None:
    """An enum of the payload is the protocol's or the gateway's own."""
    assert set(SYMBOLS) - {enum.name for enum in enums()} == NO_PROTOBUF


def test_schemas_are_found_by_their_headers() -> None:
    """Each known schema stands under its own header, and no two share one."""
    assert PAYLOADS[PAYLOAD.header] is PAYLOAD
    assert EVENT_RECORDS[EVENT_RECORD.header] is EVENT_RECORD
    assert not PAYLOADS.keys() & EVENT_RECORDS.keys()
    assert all(len(header) == 10 and header[:2] == b"\xc3\x01" for header in (*PAYLOADS, *EVENT_RECORDS))
