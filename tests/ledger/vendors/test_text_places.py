"""Where text stands in a body, and taking values out of it: it stays JSON, and all else stays to the byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.proxy.redacting import BETWEEN, look
from ledger.redaction.numbering import DerivedNumbering
from ledger.redaction.redactor import Redactor
from ledger.vendors.text_places import text_places
from tests.ledger.vendors.test_frames import JsonValues

REDACTOR = Redactor()
NUMBERING = DerivedNumbering(bytes(32), b"story")
MAIL = "mia.meier@example.org"
CARD = "4111111111111111"


def texts(value: Any) -> list[str]:
    """The texts of a body."""
    found = text_places(json.dumps(value))
    assert found is not None
    return [each.text for each in found.texts]


def test_text_is_told_from_structure() -> None:
    """Messages are text; models, roles, ids and names of tools are none, but for what a tool was given."""
    body = {
        "model": "m",
        "user": "mia",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "one"}]},
            {
                "role": "assistant",
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"id":"two"}'}}],
            },
            {"role": "user", "content": [{"type": "tool_use", "id": "x", "input": {"id": "three", "n": 4111111111}}]},
        ],
        "metadata": {"type": "four"},
        "temperature": 0.123456789,
    }
    assert texts(body) == ["mia", "one", '{"id":"two"}', "three", "4111111111", "four"]


def test_a_conversation_under_input_keeps_what_the_vendor_needs() -> None:
    """Items of OpenAI's responses are messages, not what a tool was given: ids, roles and encrypted reasoning stay."""
    items = [
        {"type": "reasoning", "id": f"rs_{CARD}", "encrypted_content": f"x{CARD}x", "summary": []},
        {
            "type": "function_call",
            "call_id": f"call_{CARD}",
            "name": "f",
            "arguments": '{"card":1}',
            "status": "completed",
        },
        {"type": "function_call_output", "call_id": f"call_{CARD}", "output": "two"},
        {"role": "user", "content": [{"type": "input_text", "text": "three"}]},
    ]
    assert texts({"model": "m", "input": items}) == ['{"card":1}', "two", "three"]
    assert texts({"messages": [{"content": [{"toolUse": {"input": {"id": "four"}}}]}]}) == ["four"]


def test_who_speaks_is_text() -> None:
    """The name in a message is a person's, and leaves no more than what he says; that of a tool stays."""
    body = {"messages": [{"role": "user", "name": MAIL, "content": "hi"}], "tools": [{"function": {"name": "f"}}]}
    assert texts(body) == [MAIL, "hi"]


def test_what_can_not_be_looked_into_is_counted() -> None:
    """Images and files in base64 are no text, and are counted."""
    body = {
        "contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "aGVsbG8="}}, {"text": "what?"}]}],
        "image_url": {"url": "data:image/png;base64,aGVsbG8="},
    }
    found = text_places(json.dumps(body))
    assert found is not None
    assert ([each.text for each in found.texts], found.opaque) == (["what?"], 2)


def test_what_is_no_json_has_no_places() -> None:
    """A body that is no JSON is not looked into."""
    assert text_places('{"a": ') is None
    assert look(b"\xff\xfe", REDACTOR, NUMBERING) is None


@given(JsonValues, st.booleans(), st.integers(0, 2))
def test_what_has_nothing_in_it_stays_to_the_byte(value: Any, escape: bool, indent: int) -> None:
    """A body in which nothing is found comes back as the same bytes, whatever its spelling."""
    body = json.dumps(value, ensure_ascii=escape, indent=indent or None).encode("utf-8", "replace")
    found = look(body, REDACTOR, NUMBERING)
    if found is not None and not found.counts:
        assert found.body == body


@given(JsonValues, st.sampled_from(["content", "text", "input", "arguments", "weird"]), st.booleans())
def test_values_are_taken_out_wherever_they_stand(value: Any, key: str, nested: bool) -> None:
    """An address and a card number are gone from any text, the body stays JSON of the same shape, the rest the same."""
    said = f"write to {MAIL}, card {CARD}"
    text = json.dumps({"card": int(CARD), "mail": said}) if nested else said
    body = json.dumps({"model": "m", "messages": [{"role": "user", key: text, "also": value}]}).encode()
    found = look(body, REDACTOR, NUMBERING)
    assert found is not None
    assert MAIL.encode() not in found.body
    assert CARD.encode() not in found.body
    assert found.classification == "restricted"
    after = json.loads(found.body)
    assert (after["model"], after["messages"][0]["role"]) == ("m", "user")
    if nested:
        assert set(json.loads(after["messages"][0][key])) == {"card", "mail"}


def test_a_value_found_once_is_taken_out_of_every_message() -> None:
    """Messages are looked at together: a number announced in one of them is gone from all."""
    body = {
        "messages": [
            {"role": "user", "content": f"my card is {CARD}"},
            {"role": "user", "content": f"as said: {CARD}"},
            {"role": "user", "content": f"a text with {BETWEEN} in it, and {MAIL}"},
        ]
    }
    found = look(json.dumps(body).encode(), REDACTOR, NUMBERING)
    assert found is not None
    assert CARD.encode() not in found.body
    assert MAIL.encode() not in found.body
    assert len(json.loads(found.body)["messages"]) == 3


@pytest.mark.parametrize("model", [CARD, MAIL])
def test_a_model_is_not_redacted(model: str) -> None:
    """Structure stays what it is: a vendor must be able to understand the call."""
    body = json.dumps({"model": model, "messages": []}).encode()
    found = look(body, REDACTOR, NUMBERING)
    assert found is not None
    assert found.body == body
