"""Anthropic messages: `POST /v1/messages`, whole and as server-sent events.

Shapes: `anthropic.types.Message` and the union `RawMessageStreamEvent` of the vendor's client; errors as its
`anthropic.types.shared.ErrorResponse`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

from aiohttp import web

from tests.vendors.serving import JSON, cut, cut_after, named_event_frames, stream
from tests.vendors.turns import ARGUMENTS, TOOL, Turn, pieces, turn_of

VERSIONS = {"claude-haiku-4-5": "claude-haiku-4-5-20251001"}
ERRORS = {
    Turn.OVERLOADED: (429, "rate_limit_error", "This request would exceed your organization's rate limit"),
    Turn.INVALID: (400, "invalid_request_error", "prompt is too long"),
}


def routes() -> list[web.RouteDef]:
    """The endpoint."""
    return [web.post("/v1/messages", messages)]


async def messages(request: web.Request) -> web.StreamResponse:
    """Answers one request."""
    asked = await request.json()
    request_id = f"req_{secrets.token_hex(12)}"
    headers = {"request-id": request_id, "anthropic-organization-id": "4d1f1b2c-0000-4000-8000-5f7a00c0ffee"}
    turn = turn_of_messages(asked)
    if turn in ERRORS:
        status, kind, message = ERRORS[turn]
        body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}
        return web.json_response(body, status=status, headers=headers)
    version = VERSIONS.get(asked["model"], asked["model"])
    if not asked.get("stream"):
        if turn is Turn.CUT:
            cut(request)
        return web.json_response(message_of(turn, version), headers=headers)
    frames = named_event_frames(events(turn, version))
    headers["content-type"] = "text/event-stream; charset=utf-8"
    return await stream(request, cut_after(frames, 4) if turn is Turn.CUT else frames, headers)


def turn_of_messages(asked: JSON) -> Turn:
    """The turn that a request's messages ask for."""
    users = [message["content"] for message in asked["messages"] if message["role"] == "user"]
    texts = [text for content in users if (text := _text(content))]
    last = asked["messages"][-1]["content"]
    answered = isinstance(last, list) and any(block.get("type") == "tool_result" for block in last)
    return turn_of(texts[-1] if texts else "", tool_answered=answered, tools_offered=bool(asked.get("tools")))


def _text(content: str | list[JSON]) -> str:
    if isinstance(content, str):
        return content
    return "".join(block.get("text", "") for block in content if block.get("type") == "text")


def usage(turn: Turn) -> JSON:
    """The tokens of a turn: those read from the cache are not among the input's."""
    tokens_in, tokens_out, cached = turn.tokens
    return {
        "input_tokens": tokens_in - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": tokens_out,
        "service_tier": "standard",
    }


def stop_reason(turn: Turn) -> str:
    """Why the model stopped."""
    return "tool_use" if turn is Turn.ASK_TOOL else "end_turn"


def message_of(turn: Turn, version: str) -> JSON:
    """A whole answer."""
    if turn is Turn.ASK_TOOL:
        block: JSON = {"type": "tool_use", "id": f"toolu_{secrets.token_hex(12)}", "name": TOOL, "input": ARGUMENTS}
    else:
        block = {"type": "text", "text": turn.text}
    return {
        "id": f"msg_{secrets.token_hex(12)}",
        "type": "message",
        "role": "assistant",
        "model": version,
        "content": [block],
        "stop_reason": stop_reason(turn),
        "stop_sequence": None,
        "usage": usage(turn),
    }


def events(turn: Turn, version: str) -> Iterator[JSON]:
    """A streamed answer."""
    whole = message_of(turn, version)
    begun = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    yield {"type": "message_start", "message": begun}
    block = whole["content"][0]
    empty = {**block, "input": {}} if turn is Turn.ASK_TOOL else {**block, "text": ""}
    yield {"type": "content_block_start", "index": 0, "content_block": empty}
    yield {"type": "ping"}
    if turn is Turn.ASK_TOOL:
        text = json.dumps(ARGUMENTS)
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", text[:7], text[7:])]
    else:
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces(turn.text)]
    for delta in deltas:
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    tokens = {"output_tokens": whole["usage"]["output_tokens"]}
    stopped = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": stopped, "usage": tokens}
    yield {"type": "message_stop"}
