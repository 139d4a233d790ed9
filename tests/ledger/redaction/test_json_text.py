"""JSON stays JSON, and what is not redacted stays byte for byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.redaction.json_text import scan, walk
from tests.ledger.redaction.shared import redact

JSON = "application/json"


def test_a_bare_number_becomes_a_string() -> None:
    """A card number written as a JSON number is replaced whole, by a string, and the document still parses."""
    text = '{"card": 4111111111111111, "n": [4111111111111111, 7]}'
    assert redact(text, JSON).text == '{"card": "⟨card:1⟩", "n": ["⟨card:1⟩", 7]}'


def test_everything_else_is_as_it_was_written() -> None:
    """Duplicate keys, blanks, numbers of any size and spelling, escapes and case of escapes survive."""
    rest = '"a":1.0e+05,"a" : -0, "big": 123456789012345678901234567890123456789E400 ,\r\n "e":"\\u00E9\\/\\u00e9\\n"'
    text = f'{{ {rest}, "mail": "x@example.com" }}'
    assert redact(text, JSON).text == f'{{ {rest}, "mail": "⟨email:1⟩" }}'


def test_escaped_forms_are_found() -> None:
    """A value is found however its characters are escaped, and the escapes around it stay."""
    assert redact('{"m":"\\u0061nna\\u0040example.com\\u002c ok"}', JSON).text == '{"m":"⟨email:1⟩\\u002c ok"}'
    assert redact('{"d":"born 05\\/04\\/1990\\n"}', JSON).text == '{"d":"born ⟨birth_date:1⟩\\n"}'
    assert redact('{"m":"line\\nanna@example.com\\n"}', JSON).text == '{"m":"line\\n⟨email:1⟩\\n"}'


def test_no_escape_is_cut() -> None:
    """Whatever escape stands before a value or behind it stays whole, and backslashes that are meant stay too."""
    for escape in ("\\b", "\\f", "\\n", "\\r", "\\t", '\\"', "\\\\", "\\/", "\\u0008", "\\\\b", "\\\\\\b"):
        for value in ("anna@example.com", "4111111111111111", "password=hunter2"):
            before = json.loads(f'["{escape}{value}{escape}"]')[0]
            after = json.loads(redact(f'["{escape}{value}{escape}"]', JSON).text)[0]
            assert "⟨" in after
            assert len(after) < len(before) + 12


def test_keys_are_redacted_too() -> None:
    """A value used as a key goes like any other."""
    assert redact('{"anna@example.com": {"n": 1}}', JSON).text == '{"⟨email:1⟩": {"n": 1}}'


def test_a_key_announces_its_value() -> None:
    """A birth date is one because its key says so, as string or number."""
    assert redact('{"dob": "1990-04-05"}', JSON).text == '{"dob": "⟨birth_date:1⟩"}'
    assert redact('{"dob": 19900405}', JSON).text == '{"dob": "⟨birth_date:1⟩"}'
    assert redact('{"ssn": 78051120, "x": 1}', JSON).text == '{"ssn": 78051120, "x": 1}'


def test_json_inside_a_string_stays_json_too() -> None:
    """A tool call's arguments are JSON in a string: a number in there is replaced in that string's own escaping."""
    inner = '{"card": 4111111111111111, "dob": "1990-04-05", "note": "x@example.com\\n"}'
    for text in (json.dumps({"arguments": inner}), json.dumps({"a": json.dumps({"arguments": inner})})):
        out = json.loads(redact(text, JSON).text)
        while "arguments" not in out:
            out = json.loads(out["a"])
        assert json.loads(out["arguments"]) == {"card": "⟨card:1⟩", "dob": "⟨birth_date:1⟩", "note": "⟨email:1⟩\n"}


def test_any_depth_of_nesting_is_taken() -> None:
    """A document nested a hundred thousand deep is scanned without recursion."""
    text = "[" * 100_000 + '"x@example.com", 4111111111111111' + "]" * 100_000
    expected = "[" * 100_000 + '"⟨email:1⟩", "⟨card:1⟩"' + "]" * 100_000
    assert redact(text, JSON).text == expected


def test_json_is_recognized_in_a_text_that_was_not_declared_as_json() -> None:
    """A text that is an object or array stays one whatever its media type says."""
    assert redact(" [4111111111111111]", "text/plain").text == ' ["⟨card:1⟩"]'


def test_json_lines_are_taken_line_by_line() -> None:
    """Several documents one after the other are JSON where the media type says so."""
    text = '{"c":4111111111111111}\n{"c":4111111111111111}\n'
    assert redact(text, "application/x-ndjson").text == '{"c":"⟨card:1⟩"}\n{"c":"⟨card:1⟩"}\n'


def test_what_is_not_json_is_text() -> None:
    """A broken document is redacted as plain text: nothing in it is quoted, nothing is missed."""
    assert redact('{"card": 4111111111111111, ', JSON).text == '{"card": ⟨card:1⟩, '


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_the_scanner_takes_all_json(value: object, ascii_only: bool, indent: int | None) -> None:
    """Whatever a JSON writer writes is scanned, and the tokens are its strings and numbers."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    tokens = scan(text)
    assert tokens is not None
    for token in tokens:
        start, end, string = token
        json.loads(text[start - 1 : end + 1] if string else text[start:end])
    assert walk(text) == tokens


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet='{}[]:,"\\u0a1-.eE tfnulrse\n\x01', max_size=14))
def test_the_scanner_agrees_with_a_parser(text: str) -> None:
    """What Python's parser refuses the scanner refuses, and the other way round."""
    try:
        json.loads(text)
        parses = True
    except ValueError:
        parses = False
    assert (walk(text) is not None) == parses
    assert scan(text) == walk(text)


def test_numbers_are_read_strictly() -> None:
    """What looks like a number and is none makes a document no JSON."""
    for text in ("01", "1.", ".5", "+1", "1e", "--1", "NaN", "Infinity", "0x10"):
        assert scan(text) is None, text
        assert walk(text) is None, text


@pytest.mark.parametrize("text", ["[1 2]", '{"a" 1}', "[1,]", '{"a":1,}', "{1:2}", "]", "[}", "1 2", '{"a":}', "", " "])
def test_broken_structure_is_refused(text: str) -> None:
    """Brackets, commas and colons must stand where the grammar has them."""
    assert scan(text) is None
    assert walk(text) is None
