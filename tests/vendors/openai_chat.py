"""OpenAI chat completions: `POST /v1/chat/completions`, whole and as server-sent events.

Shapes: `openai.types.chat.ChatCompletion` and `ChatCompletionChunk` of the vendor's client, errors as its
`APIStatusError` reads them (`error.message`, `.type`, `.param`, `.code`).
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator

from aiohttp import web

from tests.vendors.serving import JSON, cut, cut_after, event_frames, stream
from tests.vendors.turns import ARGUMENTS, TOOL, Turn, pieces, turn_of

VERSIONS = {"gpt-4o": "gpt-4o-2024-08-06", "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14"}
FINGERPRINT = "fp_7f31c1a2b0"
ERRORS = {
    Turn.OVERLOADED: (429, "rate_limit_exceeded", "requests", "Rate limit reached for requests"),
    Turn.INVALID: (400, "context_length_exceeded", "invalid_request_error", "This model's maximum context is exceeded"),
}


def routes() -> list[web.RouteDef]:
    """The endpoint, under the path that the client's default base URL has."""
    return [web.post("/v1/chat/completions", completions)]


async def completions(request: web.Request) -> web.StreamResponse:
    """Answers one request."""
    asked = await request.json()
    headers = {
        "x-request-id": f"req_{secrets.token_hex(16)}",
        "openai-organization": "acme-org",
        "openai-project": "proj_support",
        "openai-version": "2020-10-01",
        "openai-processing-ms": "5",
    }
    return await answer(request, asked, VERSIONS.get(asked["model"], asked["model"]), headers)


async def answer(request: web.Request, asked: JSON, version: str, headers: dict[str, str]) -> web.StreamResponse:
    """Answers with a model's version; Azure's deployments answer the same way."""
    turn = turn_of_chat(asked)
    if turn in ERRORS:
        return error_response(turn, headers)
    if not asked.get("stream"):
        if turn is Turn.CUT:
            cut(request)
        return web.json_response(completion(turn, version), headers=headers)
    with_usage = bool((asked.get("stream_options") or {}).get("include_usage"))
    frames = event_frames(chunks(turn, version, with_usage=with_usage), done=True)
    headers = {**headers, "content-type": "text/event-stream; charset=utf-8"}
    return await stream(request, cut_after(frames, 2) if turn is Turn.CUT else frames, headers)


def error_response(turn: Turn, headers: dict[str, str]) -> web.Response:
    """An error as the API writes it."""
    status, code, kind, message = ERRORS[turn]
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return web.json_response(body, status=status, headers=headers)


def turn_of_chat(asked: JSON) -> Turn:
    """The turn that a request's messages ask for."""
    messages = asked["messages"]
    texts = [_text(message["content"]) for message in messages if message["role"] == "user"]
    answered = messages[-1]["role"] == "tool"
    return turn_of(texts[-1] if texts else "", tool_answered=answered, tools_offered=bool(asked.get("tools")))


def _text(content: str | list[JSON]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def usage(turn: Turn) -> JSON:
    """The tokens of a turn."""
    tokens_in, tokens_out, cached = turn.tokens
    return {
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def finish_reason(turn: Turn) -> str:
    """Why the model stopped."""
    return "tool_calls" if turn is Turn.ASK_TOOL else "stop"


def completion(turn: Turn, version: str) -> JSON:
    """A whole answer."""
    message: JSON = {"role": "assistant", "content": turn.text or None, "refusal": None, "annotations": []}
    if turn is Turn.ASK_TOOL:
        function = {"name": TOOL, "arguments": json.dumps(ARGUMENTS)}
        message["tool_calls"] = [{"id": _call_id(), "type": "function", "function": function}]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(turn)}
    return {
        "id": _id(),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": version,
        "choices": [choice],
        "usage": usage(turn),
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }


def chunks(turn: Turn, version: str, *, with_usage: bool) -> Iterator[JSON]:
    """A streamed answer: the role, the pieces, the end, and (asked for) the tokens."""
    base: JSON = {
        "id": _id(),
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": version,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }
    if with_usage:
        base["usage"] = None

    def chunk(delta: JSON, reason: str | None = None) -> JSON:
        return {**base, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}

    if turn is Turn.ASK_TOOL:
        function = {"name": TOOL, "arguments": ""}
        call = {"index": 0, "id": _call_id(), "type": "function", "function": function}
        yield chunk({"role": "assistant", "content": None, "tool_calls": [call], "refusal": None})
        text = json.dumps(ARGUMENTS)
        for piece in (text[:7], text[7:]):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    else:
        yield chunk({"role": "assistant", "content": "", "refusal": None})
        for piece in pieces(turn.text):
            yield chunk({"content": piece})
    yield chunk({}, finish_reason(turn))
    if with_usage:
        yield {**base, "choices": [], "usage": usage(turn)}


def _id() -> str:
    return f"chatcmpl-{secrets.token_hex(12)}"


def _call_id() -> str:
    return f"call_{secrets.token_hex(12)}"
