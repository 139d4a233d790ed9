"""What is read from requests, in the vendors' own shapes."""

from __future__ import annotations

import json

import pytest

from ledger.vendors import read_request
from tests.ledger.vendors.wires import route
from tests.vendors import bedrock_api
from tests.vendors.turns import ARGUMENTS, TOOL

TOOL_HISTORY = {
    "/v1/chat/completions": {
        "model": "gpt-4o",
        "user": "mia@example.org",
        "store": False,
        "max_completion_tokens": 100,
        "temperature": 0.5,
        "seed": 7,
        "stream": True,
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Where is it?"},
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "old", "type": "function", "function": {"name": "look", "arguments": "{}"}},
                ],
            },
            {"role": "tool", "tool_call_id": "old", "content": "nothing"},
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": TOOL, "arguments": json.dumps(ARGUMENTS)}}
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "on its way"},
        ],
    },
    "/v1/responses": {
        "model": "gpt-4o",
        "instructions": "Be kind.",
        "user": "mia@example.org",
        "store": False,
        "max_output_tokens": 100,
        "temperature": 0.5,
        "stream": True,
        "input": [
            {"role": "user", "content": "Where is it?"},
            {"type": "function_call", "call_id": "old", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "old", "output": "nothing"},
            {"type": "function_call", "call_id": "c1", "name": TOOL, "arguments": json.dumps(ARGUMENTS)},
            {"type": "function_call_output", "call_id": "c1", "output": "on its way"},
        ],
    },
    "/v1/messages": {
        "model": "claude-haiku-4-5",
        "system": "Be kind.",
        "metadata": {"user_id": "mia@example.org"},
        "max_tokens": 100,
        "temperature": 0.5,
        "stream": True,
        "messages": [
            {"role": "user", "content": "Where is it?"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "old", "name": "look", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "old", "content": "nothing"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": TOOL, "input": ARGUMENTS}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "on its way"}]},
        ],
    },
    "/v1/projects/acme-ai/locations/europe-west4/publishers/google/models/gemini-2.5-flash:streamGenerateContent": {
        "systemInstruction": {"parts": [{"text": "Be kind."}]},
        "generationConfig": {"maxOutputTokens": 100, "temperature": 0.5, "seed": 7},
        "contents": [
            {"role": "user", "parts": [{"text": "Where is it?"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"output": "nothing"}}}]},
            {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": TOOL, "args": ARGUMENTS}}]},
            {
                "role": "user",
                "parts": [{"functionResponse": {"id": "c1", "name": TOOL, "response": {"output": "on its way"}}}],
            },
        ],
    },
    f"/model/{bedrock_api.MODEL}/converse-stream": {
        "system": [{"text": "Be kind."}],
        "inferenceConfig": {"maxTokens": 100, "temperature": 0.5},
        "messages": [
            {"role": "user", "content": [{"text": "Where is it?"}]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "old", "name": "look", "input": {}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "old", "content": [{"text": "nothing"}]}}]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "c1", "name": TOOL, "input": ARGUMENTS}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "c1", "content": [{"text": "on its way"}]}}]},
        ],
    },
}


@pytest.mark.parametrize("path", list(TOOL_HISTORY))
def test_a_request_with_results_of_tools(path: str) -> None:
    """Model, instructions, parameters and the user's own words are read; of the results, which one is new."""
    found = read_request(route(path), json.dumps(TOOL_HISTORY[path]).encode())
    assert found.model in ("gpt-4o", "claude-haiku-4-5", "gemini-2.5-flash", bedrock_api.MODEL)
    assert (found.system, found.temperature, found.tokens_max, found.streamed) == ("Be kind.", 0.5, 100, True)
    assert "Where is it?" in json.dumps(found.input)
    assert "Be kind." not in json.dumps(found.input)
    old, new = found.tools_ran
    assert (old.tool, old.is_new, new.tool, new.is_new, new.call_id) == ("look", False, TOOL, True, "c1")
    arguments = json.loads(new.arguments) if isinstance(new.arguments, str) else new.arguments
    assert arguments == ARGUMENTS
    assert "on its way" in json.dumps(new.result)
    assert new.outcome is None
    if "user" in TOOL_HISTORY[path] or "metadata" in TOOL_HISTORY[path]:
        assert found.user == "mia@example.org"
