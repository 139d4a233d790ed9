"""Values of attributes: one form for one meaning, within limits."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from ledger.otlp import MappingOptions
from ledger.otlp.values import canonical, count_of, integer_of, number_of, plain, structure, text_of, texts_of, truth_of
from tests.ledger.otlp.mapping import CHAT, TOOL, event_of, kept
from tests.ledger.otlp.spans import any_value

json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=12,
)


@given(st.one_of(st.lists(json_values), st.dictionaries(st.text(), json_values)))
def test_a_map_and_the_json_that_says_the_same_are_one(value: Any) -> None:
    """A structure and a text of JSON with the same meaning become the same content, whatever order and spacing."""
    import json

    structured = canonical(plain(any_value(value), 64))
    for text in (json.dumps(value), json.dumps(value, indent=2, ensure_ascii=False)):
        assert canonical(structure(text, 64)) == structured
    assert canonical(structure(structured, 64)) == structured


def test_numbers_have_one_form() -> None:
    """1.0 and 1 are the same number; what is none has protobuf's names; bytes are base64."""
    value = [1.0, -0.0, 1.5, math.nan, math.inf, -math.inf, b"\x00\xff"]
    assert canonical(plain(any_value(value), 4)) == '[1,0,1.5,"NaN","Infinity","-Infinity","AP8="]'
    assert canonical(structure("[1.0, -0.0, 1.5, NaN, Infinity, -Infinity]", 4)) == (
        '[1,0,1.5,"NaN","Infinity","-Infinity"]'
    )


@pytest.mark.parametrize(
    "text",
    ["{", "[1,", '{"a":1,"a":2}', "[" * 5_000, '[{"a": ' * 70 + "1" + "}]" * 70, "plain", '"text"', "17", "", "["],
)
def test_a_text_that_is_no_json_structure_stays_as_it_is(text: str) -> None:
    """Broken JSON, a key twice, nesting without end: nothing of the text is lost."""
    assert structure(text, 64) == text
    event = event_of({**CHAT, "gen_ai.input.messages": text})
    assert event.request.input.text == text


def test_lone_surrogates_are_kept_escaped() -> None:
    """What UTF-8 can't hold is escaped in structures, and replaced in names."""
    assert canonical(structure('["\\ud800", "é"]', 4)) == '["\\ud800","\\u00e9"]'
    parameters = '{"model": "m\\ud800"}'
    event = event_of({"openinference.span.kind": "LLM", "llm.invocation_parameters": parameters})
    assert event.request.model_requested == "m\ufffd"


def test_values_nested_too_deep_are_named_and_their_content_is_absent() -> None:
    """An attribute deeper than the limit is not read; the event says which, and that the content was not captured."""
    deep: Any = "x"
    for _ in range(1_000):
        deep = [deep]
    attribute = AnyValue()
    at = attribute
    for _ in range(1_000):
        at = at.array_value.values.add()
    event = event_of({**CHAT, "gen_ai.output.messages": "said"}, MappingOptions(depth_max=4))
    assert event.request.output.text == "said"
    shallow = event_of({**CHAT, "gen_ai.input.messages": [[[[["x"]]]]]}, MappingOptions(depth_max=4))
    assert shallow.request.input.absent
    assert kept(shallow)["otel.unread"] == ["gen_ai.input.messages"]
    from ledger.otlp import map_traces
    from tests.ledger.otlp.spans import export, span

    request = export(span(CHAT))
    given_ = request.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="gen_ai.input.messages")
    given_.value.CopyFrom(attribute)
    (one,) = map_traces(request, "acme").events
    assert one.event.request.input.absent


@pytest.mark.parametrize(
    ("value", "text", "number", "integer", "truth"),
    [
        ("12", "12", 12.0, 12, None),
        (" 12 ", " 12 ", 12.0, 12, None),
        (12, "12", 12.0, 12, None),
        (12.0, "12", 12.0, 12, None),
        (12.5, "12.5", 12.5, None, None),
        ("12.5", "12.5", 12.5, None, None),
        (True, None, None, None, True),
        ("TRUE", "TRUE", None, None, True),
        ("1e400", "1e400", None, None, None),
        ("nan", "nan", None, None, None),
        ("9" * 30, "9" * 30, 1e30, None, None),
        (2**63, str(2**63), float(2**63), None, None),
        ("", None, None, None, None),
        (None, None, None, None, None),
        ([1], None, None, None, None),
        (b"1", None, None, None, None),
    ],
)
def test_values_are_read_as_what_they_are_meant_to_be(
    value: Any, text: str | None, number: float | None, integer: int | None, truth: bool | None
) -> None:
    """Numbers as texts count as numbers; what a field can't take is nothing."""
    assert (text_of(value), number_of(value), integer_of(value), truth_of(value)) == (text, number, integer, truth)


def test_counts_and_lists() -> None:
    """A count is not negative; one text is a list of one."""
    assert (count_of(-1), count_of(0), count_of("7")) == (None, 0, 7)
    assert (texts_of("a"), texts_of(["a", 1, None, ""]), texts_of('["a", "b"]')) == (["a"], ["a", "1"], ["a", "b"])
    assert (texts_of([]), texts_of("")) == (None, None)


def test_large_contents_are_cut_and_say_so() -> None:
    """A content over its limit is cut at a character, with the bytes that it had; the event fits its own limit."""
    options = MappingOptions(content_bytes_max=1_001)
    event = event_of({**CHAT, "gen_ai.input.messages": "é" * 800}, options)
    assert (event.request.input.text, event.request.input.media_type) == ("é" * 500, "text/plain;truncated=1600")
    many = {f"gen_ai.custom.{i}": "x" * 50_000 for i in range(20)}
    small = MappingOptions(event_bytes_max=200_000)
    event = event_of({**CHAT, **many, "gen_ai.input.messages": "y" * 90_000, "gen_ai.output.messages": "z"}, small)
    assert event.ByteSize() <= 200_000
    assert event.request.output.text == "z"
    assert event.request.attributes.media_type.startswith("application/json;truncated=1000")


def test_attributes_beyond_the_limit_count_as_dropped() -> None:
    """Of thousands of attributes the first are read; how many were left is kept."""
    given_ = {**CHAT, **{f"gen_ai.a{i}": i for i in range(3_000)}}
    event = event_of(given_, MappingOptions(attributes_max=100))
    assert kept(event)["otel.dropped_attributes_count"] == 3_001 - 100
    assert "gen_ai.a98" in kept(event)


def test_what_the_exporter_dropped_is_said_where_it_may_be_missing() -> None:
    """With attributes dropped, messages put together from attributes are partial; whole attributes are whole."""
    family = {"openinference.span.kind": "LLM", "llm.input_messages.5.message.content": "last"}
    event = event_of({**family, "llm.model_name": "m"}, dropped=40)
    assert (event.request.input.text, event.request.input.media_type) == (
        '[{"content":"last"}]',
        "application/json;partial=dropped",
    )
    assert kept(event)["otel.dropped_attributes_count"] == 40
    whole = event_of({**CHAT, "gen_ai.output.messages": "[1]"}, dropped=40)
    assert whole.request.output.media_type == "application/json"
    assert whole.request.input.absent


def test_of_an_attribute_that_comes_twice_the_last_counts() -> None:
    """Repeated keys are the exporter's mistake; the last one counts, as for a map that is assigned to."""
    from ledger.otlp import map_traces
    from tests.ledger.otlp.spans import export, key_values, span

    request = export(span(TOOL))
    request.resource_spans[0].scope_spans[0].spans[0].attributes.extend(key_values({"gen_ai.tool.name": "second"}))
    assert map_traces(request, "acme").events[0].event.tool_call.tool == "second"
