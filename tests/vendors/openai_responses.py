"""OpenAI responses: `POST /v1/responses`, whole and as server-sent events with their types.

Shapes: `openai.types.responses.Response` and the union `ResponseStreamEvent` of the vendor's client.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator

from aiohttp import web

from tests.vendors.openai_chat import ERRORS, VERSIONS, error_response
from tests.vendors.serving import JSON, cut, cut_after, named_event_frames, stream
from tests.vendors.turns import ARGUMENTS, TOOL, Turn, pieces, turn_of


def routes() -> list[web.RouteDef]:
    """The endpoint, under the path that the client's default base URL has."""
    return [web.post("/v1/responses", responses)]


async def responses(request: web.Request) -> web.StreamResponse:
    """Answers one request."""
    asked = await request.json()
    headers = {"x-request-id": f"req_{secrets.token_hex(16)}", "openai-organization": "acme-org"}
    turn = turn_of_input(asked)
    if turn in ERRORS:
        return error_response(turn, headers)
    version = VERSIONS.get(asked["model"], asked["model"])
    if not asked.get("stream"):
        if turn is Turn.CUT:
            cut(request)
        return web.json_response(response(turn, version, asked), headers=headers)
    frames = named_event_frames(events(turn, version, asked))
    headers["content-type"] = "text/event-stream; charset=utf-8"
    return await stream(request, cut_after(frames, 4) if turn is Turn.CUT else frames, headers)


def turn_of_input(asked: JSON) -> Turn:
    """The turn that a request's input asks for."""
    items = asked["input"]
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    texts = [_text(item["content"]) for item in items if item.get("role") == "user"]
    answered = items[-1].get("type") == "function_call_output"
    return turn_of(texts[-1] if texts else "", tool_answered=answered, tools_offered=bool(asked.get("tools")))


def _text(content: str | list[JSON]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def usage(turn: Turn) -> JSON:
    """The tokens of a turn."""
    tokens_in, tokens_out, cached = turn.tokens
    return {
        "input_tokens": tokens_in,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": tokens_out,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens_in + tokens_out,
    }


def output_item(turn: Turn) -> JSON:
    """The one item of an answer: a message, or the call of a tool."""
    if turn is Turn.ASK_TOOL:
        return {
            "id": f"fc_{secrets.token_hex(16)}",
            "type": "function_call",
            "status": "completed",
            "call_id": f"call_{secrets.token_hex(12)}",
            "name": TOOL,
            "arguments": json.dumps(ARGUMENTS),
        }
    part = {"type": "output_text", "text": turn.text, "annotations": [], "logprobs": []}
    return {
        "id": f"msg_{secrets.token_hex(16)}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }


def response(turn: Turn, version: str, asked: JSON) -> JSON:
    """A whole answer; what was asked for is echoed."""
    return {
        "id": f"resp_{secrets.token_hex(16)}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": asked.get("instructions"),
        "metadata": asked.get("metadata") or {},
        "model": version,
        "output": [output_item(turn)],
        "parallel_tool_calls": True,
        "temperature": asked.get("temperature", 1.0),
        "tool_choice": "auto",
        "tools": asked.get("tools") or [],
        "top_p": 1.0,
        "max_output_tokens": asked.get("max_output_tokens"),
        "previous_response_id": asked.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "text": {"format": {"type": "text"}},
        "truncation": "disabled",
        "usage": usage(turn),
        "user": None,
    }


def events(turn: Turn, version: str, asked: JSON) -> Iterator[JSON]:
    """A streamed answer, its events numbered from 0."""
    for number, event in enumerate(_events(turn, version, asked)):
        yield {**event, "sequence_number": number}


def _events(turn: Turn, version: str, asked: JSON) -> Iterator[JSON]:
    whole = response(turn, version, asked)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    item = whole["output"][0]
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    yield from (_call_events if turn is Turn.ASK_TOOL else _message_events)(item)
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": whole}


def _call_events(item: JSON) -> Iterator[JSON]:
    place = {"item_id": item["id"], "output_index": 0}
    begun = {**item, "status": "in_progress", "arguments": ""}
    yield {"type": "response.output_item.added", "output_index": 0, "item": begun}
    text = item["arguments"]
    for piece in (text[:7], text[7:]):
        yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
    yield {"type": "response.function_call_arguments.done", **place, "name": item["name"], "arguments": text}


def _message_events(item: JSON) -> Iterator[JSON]:
    part = item["content"][0]
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    begun = {**item, "status": "in_progress", "content": []}
    yield {"type": "response.output_item.added", "output_index": 0, "item": begun}
    yield {"type": "response.content_part.added", **place, "part": {**part, "text": ""}}
    for piece in pieces(part["text"]):
        yield {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **place, "part": part}
