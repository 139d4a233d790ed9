"""Lines that are events, and what is said of those that are none."""

from __future__ import annotations

import json

import pytest
from google.protobuf.json_format import MessageToJson
from hypothesis import given
from hypothesis import strategies as st

from ledger.cli.event_lines import NotAnEvent, parse_line
from tests.ledger.cli.events import event

SECRET = "Mia's card number"


def refused(line: str | bytes) -> NotAnEvent:
    """Why this is no event."""
    with pytest.raises(NotAnEvent) as caught:
        parse_line(line if isinstance(line, bytes) else line.encode())
    return caught.value


def test_a_line_is_an_event() -> None:
    """Protobuf's JSON form, with names in either spelling, becomes the event it was."""
    sent = event()
    assert parse_line(MessageToJson(sent, indent=None).encode()) == sent
    assert parse_line(MessageToJson(sent, indent=None, preserving_proto_field_name=True).encode()) == sent


@pytest.mark.parametrize(
    ("line", "column", "expected"),
    [
        ("not JSON", 1, "a JSON value"),
        ('{"a" 1}', 6, "':'"),
        ('{"a": 1 "b": 2}', 9, "','"),
        ("{a: 1}", 2, "a field's name in double quotes"),
        ('{"a": "é', 7, "a closing double quote"),
        ('{"a": "\t"}', 8, "control characters"),
        ('{"a": "\\x"}', 8, "escapes"),
        ('{"a": "\\u12"}', 9, "four hexadecimal digits"),
        ('{"a": 1} {"b": 2}', 10, "the end of the line"),
        ("\ufeff{}", 1, "without a byte order mark"),
        (b'{"\xc3\xa9": "\xff"}', 8, "UTF-8"),
    ],
)
def test_a_syntax_error_is_told_with_its_column(line: str | bytes, column: int, expected: str) -> None:
    """Where the line stops being JSON, in characters from 1, and what could have stood there."""
    told = refused(line)
    assert told.column == column
    assert expected in told.reason


@pytest.mark.parametrize(
    ("value", "field", "expected"),
    [
        ({"requst": {}}, "", "fields of Event, found a name that is none; near it is request"),
        ({"request": {"vendor": 5}}, "request.vendor", "a text of Unicode characters, found a number"),
        ({"request": {"input": {"text": "\ud800"}}}, "request.input.text", "a text of Unicode characters"),
        ({"request": {"tokensIn": SECRET}}, "request.tokens_in", "a whole number of 64 bits, not negative"),
        ({"request": {"streamed": SECRET}}, "request.streamed", "true or false, found a text"),
        ({"request": {"operation": SECRET}}, "request.operation", "one of AI_OPERATION_CHAT, "),
        ({"request": SECRET}, "request", "an object with the fields of AiRequest, found a text"),
        ({"request": {"input": {"data": "a"}}}, "request.input.data", "bytes in base64"),
        ({"occurredAt": SECRET}, "occurred_at", "a time such as 2026-05-15T15:00:00Z, found a text"),
        ({"subjects": [{}, 1]}, "subjects[1]", "an object with the fields of Person, found a number"),
        ({"subjects": SECRET}, "subjects", "a list, found a text"),
        ({"request": {}, "toolCall": {}}, "", "one body, found several"),
        ([], "", "an object with the fields of Event, found a list"),
        (None, "", "an object with the fields of Event, found null"),
        (True, "", "an object with the fields of Event, found true or false"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_its_field(value: object, field: str, expected: str) -> None:
    """The path of the field as the gateway would name it, what belongs there, and what kind of thing was found."""
    told = refused(json.dumps(value))
    assert (told.column, told.field) == (None, field)
    assert told.reason.startswith(f"expected {expected}")


@pytest.mark.parametrize(
    "line",
    [
        '{"request": {}, "request": {}}',
        '{"a": ' * 50_000,
        "[" * 50_000,
        '{"request": {"tokensIn": ' + "1" * 5_000 + "}}",
        '{"request": {"costNanos": NaN}}',
    ],
)
def test_what_python_itself_stumbles_over_is_told_too(line: str) -> None:
    """Names given twice, endless nesting, endless numbers and what is no number are refused like all else."""
    assert refused(line).reason.startswith("expected ")


NAMES = st.sampled_from(["request", "vendor", "subjects", "input", "text", SECRET])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(SECRET),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
)


@given(VALUES)
def test_nothing_of_a_line_is_repeated(value: object) -> None:
    """Whatever stands in a line, names included, the refusal does not say it."""
    said = ""
    try:
        parse_line(json.dumps(value).encode())
    except NotAnEvent as told:
        said = str(told)
    assert SECRET not in said
