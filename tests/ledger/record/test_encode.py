"""The compiled Avro encoder writes what fastavro writes, and refuses what does not fit without showing it."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.record.encode import compile_encoder, encode_long
from ledger.record.payload import encode_event_record
from ledger.record.schemas import EVENT_RECORD, PAYLOAD, Schema

PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(max_size=20),
    "bytes": st.binary(max_size=20),
    "long": st.integers(-(2**63), 2**63 - 1) | st.integers(-70, 5_000),
    "double": st.floats(allow_nan=False),
    "boolean": st.booleans(),
}


def values_of(node: Any, named: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Any value of a schema."""
    if isinstance(node, str):
        return named[node] if node in named else PRIMITIVES[node]
    if isinstance(node, list):
        return st.none() | values_of(node[1], named)
    if node["type"] == "array":
        return st.lists(values_of(node["items"], named), max_size=2)
    if node["type"] == "fixed":
        made: st.SearchStrategy[Any] = st.binary(min_size=node["size"], max_size=node["size"])
    elif node["type"] == "enum":
        made = st.sampled_from(node["symbols"])
    elif node["type"] == "record":
        made = st.fixed_dictionaries({each["name"]: values_of(each["type"], named) for each in node["fields"]})
    else:
        return PRIMITIVES[node["type"]]
    named[node["name"]] = made
    return made


def by_fastavro(schema: Schema, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema.parsed, value, strict=True)
    return out.getvalue()


@pytest.mark.parametrize("schema", [PAYLOAD, EVENT_RECORD], ids=lambda schema: schema.name)
def test_the_bytes_are_those_of_fastavro(schema: Schema) -> None:
    """Any value of a pinned schema is encoded to the very bytes that fastavro writes."""
    encode = compile_encoder(schema.definition)

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(values_of(schema.definition, {}))
    def check(value: Any) -> None:
        assert encode(value) == by_fastavro(schema, value)

    check()


@given(st.integers(0, 63).flatmap(lambda bits: st.integers(2**bits // 2 - 1, 2**bits - 1)), st.booleans())
def test_a_number_of_any_length_is_that_of_fastavro(number: int, negative: bool) -> None:
    """Numbers of every size in bytes, up to the ends of each, are written as fastavro writes them."""
    value = -number - 1 if negative else number
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", value)
    assert encode_long(value) == out.getvalue()


@pytest.mark.parametrize("bits", range(64))
def test_the_ends_of_each_length_are_those_of_fastavro(bits: int) -> None:
    """Where an integer takes one byte more, and one before, on both sides of zero."""
    for value in {2**bits - 1, min(2**bits, 2**63 - 1), -(2**bits), max(-(2**bits) - 1, -(2**63))}:
        out = io.BytesIO()
        fastavro.schemaless_writer(out, "long", value)
        assert encode_long(value) == out.getvalue()


@given(st.binary(max_size=5_000), st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=5_000)), max_size=4))
def test_an_event_record_is_that_of_its_schema(payload: bytes, contents: list[tuple[str, bytes]]) -> None:
    """The value of an event's record, which is put together by hand, is what fastavro writes."""
    value = {"payload": payload, "contents": [{"slot": slot, "ciphertext": data} for slot, data in contents]}
    assert encode_event_record(payload, contents) == EVENT_RECORD.header + by_fastavro(EVENT_RECORD, value)


RECORD = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "text", "type": "string"},
        {"name": "count", "type": ["null", "long"]},
        {"name": "id", "type": {"type": "fixed", "name": "f4", "size": 4}},
        {"name": "kind", "type": {"type": "enum", "name": "K", "symbols": ["a", "b"]}},
        {"name": "yes", "type": "boolean"},
    ],
}
GOOD = {"text": "t", "count": 1, "id": b"1234", "kind": "a", "yes": True}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", None),
        ("text", 7),
        ("text", "secret\ud800"),
        ("count", 2**63),
        ("count", "secret"),
        ("id", b"123"),
        ("id", "1234"),
        ("kind", "secret"),
        ("yes", 1),
    ],
)
def test_a_value_that_does_not_fit_is_refused_without_being_shown(field: str, value: Any) -> None:
    """What does not fit its schema is a ValueError that never shows the value."""
    with pytest.raises(ValueError, match=r"^(id|text|count|kind|yes|a value)") as caught:
        compile_encoder(RECORD)({**GOOD, field: value})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", [{**GOOD, "more": 1}, {key: GOOD[key] for key in list(GOOD)[1:]}])
def test_missing_and_surplus_fields_are_refused(value: dict[str, Any]) -> None:
    """A record must have exactly the schema's fields."""
    with pytest.raises(ValueError, match="expected other fields"):
        compile_encoder(RECORD)(value)


def test_the_way_to_a_value_that_does_not_fit_is_told() -> None:
    """A refusal names the field, and the fields of the records around it from the outermost on."""
    inner = {**RECORD, "name": "Inner"}
    outer = {
        "type": "record",
        "name": "Outer",
        "fields": [
            {"name": "one", "type": ["null", inner]},
            {"name": "many", "type": {"type": "array", "items": "Inner"}},
        ],
    }
    encode = compile_encoder(outer)
    assert encode({"one": None, "many": []}) == b"\x00\x00"
    with pytest.raises(ValueError, match=r"^one: id: has 3 bytes, expected 4$"):
        encode({"one": {**GOOD, "id": b"123"}, "many": []})
    with pytest.raises(ValueError, match=r"^many: kind: KeyError$"):
        encode({"one": None, "many": [GOOD, {**GOOD, "kind": "secret"}]})
    with pytest.raises(ValueError, match=r"^many: Inner: expected other fields"):
        encode({"one": None, "many": [{**GOOD, "more": 1}]})
