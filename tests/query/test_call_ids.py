"""Ids of tool calls, found in answers of every form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from query.call_ids import asked_for
from tests.vendors import anthropic_api, bedrock_api, openai_chat, openai_responses
from tests.vendors.turns import Turn

OPENAI = openai_chat.completion(Turn.ASK_TOOL, "m")["choices"][0]["message"]
RESPONSE = openai_responses.response(Turn.ASK_TOOL, "m", {})["output"]
ANTHROPIC = anthropic_api.message_of(Turn.ASK_TOOL, "m")["content"]
BEDROCK = bedrock_api.converse_output(Turn.ASK_TOOL)["output"]["message"]["content"]


@pytest.mark.parametrize(
    ("output", "call_id"),
    [
        (OPENAI, OPENAI["tool_calls"][0]["id"]),
        ([OPENAI], OPENAI["tool_calls"][0]["id"]),
        (RESPONSE, RESPONSE[0]["call_id"]),
        (ANTHROPIC, ANTHROPIC[0]["id"]),
        (BEDROCK, BEDROCK[0]["toolUse"]["toolUseId"]),
        ({"parts": [{"functionCall": {"id": "call-1", "name": "find_order", "args": {}}}]}, "call-1"),
        ([{"role": "assistant", "parts": [{"type": "tool_call", "id": "call-1", "name": "find_order"}]}], "call-1"),
        ([{"message": {"tool_calls": [{"tool_call": {"id": "call-1", "function": {}}}]}}], "call-1"),
    ],
    ids=["openai", "openai list", "responses", "anthropic", "bedrock", "gemini", "opentelemetry", "openinference"],
)
def test_the_call_is_found(output: Any, call_id: str) -> None:
    """Every vendor's own form, and those of the conventions, name the call."""
    assert set(asked_for(json.dumps(output))) == {call_id}


@pytest.mark.parametrize(
    "output",
    [
        "a text about a tool_call",
        '{"tool_calls": {"id": "x"}}',
        '{"type": ["tool_call"], "id": "x"}',
        '{"functionCall": {"name": "find_order"}}',
        '{"type": "tool_call_response", "id": "call-1"}',
        '[{"type": "tool_use", "id": 7}]',
        "[" * 100_000 + '"tool_call"',
    ],
)
def test_nothing_is_found_where_nothing_is_asked_for(output: str) -> None:
    """Texts, results, and shapes that only look alike name no call, however deep they are."""
    assert list(asked_for(output)) == []
