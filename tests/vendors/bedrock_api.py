"""AWS Bedrock runtime: `POST /model/{modelId}/converse`, `/converse-stream`, `/invoke`, `/invoke-with-response-stream`.

Shapes: the service model `bedrock-runtime` that botocore carries (`Converse`, `ConverseStream`, `InvokeModel`,
`InvokeModelWithResponseStream`). `invoke` speaks the Anthropic body of Bedrock (`anthropic_version` in the request, no
`model`), whose answer is `anthropic.types.Message`. Streams are real AWS event streams. Converse names no model in its
answer: which version answered is known only by the model id asked for.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator

from aiohttp import web

from tests.vendors import anthropic_api, aws_event_stream
from tests.vendors.serving import JSON, cut, cut_after, stream
from tests.vendors.turns import ARGUMENTS, TOOL, Turn, pieces, turn_of

MODEL = "anthropic.claude-haiku-4-5-20251001-v1:0"
ANSWERING = "claude-haiku-4-5-20251001"
EVENT_STREAM = "application/vnd.amazon.eventstream"
ERRORS = {
    Turn.OVERLOADED: (429, "ThrottlingException", "Too many requests, please wait before trying again."),
    Turn.INVALID: (400, "ValidationException", "Input is too long for requested model."),
}


def routes() -> list[web.RouteDef]:
    """The four operations. A model id may be an ARN, so it may hold slashes and colons."""
    return [
        web.post("/model/{model:.+}/converse", converse),
        web.post("/model/{model:.+}/converse-stream", converse_stream),
        web.post("/model/{model:.+}/invoke", invoke),
        web.post("/model/{model:.+}/invoke-with-response-stream", invoke_stream),
    ]


async def converse(request: web.Request) -> web.StreamResponse:
    """A whole answer."""
    turn = turn_of_converse(await request.json())
    if turn in ERRORS:
        return _error(turn)
    if turn is Turn.CUT:
        cut(request)
    return web.json_response(converse_output(turn), headers=_headers())


async def converse_stream(request: web.Request) -> web.StreamResponse:
    """A streamed answer."""
    turn = turn_of_converse(await request.json())
    if turn in ERRORS:
        return _error(turn)
    frames = (aws_event_stream.event(name, value) for name, value in converse_events(turn))
    headers = {**_headers(), "content-type": EVENT_STREAM}
    return await stream(request, cut_after(frames, 2) if turn is Turn.CUT else frames, headers)


async def invoke(request: web.Request) -> web.StreamResponse:
    """A whole answer in the model's own shape."""
    turn = anthropic_api.turn_of_messages(await request.json())
    if turn in ERRORS:
        return _error(turn)
    if turn is Turn.CUT:
        cut(request)
    headers = {**_headers(), **_counted(turn)}
    return web.json_response(anthropic_api.message_of(turn, ANSWERING), headers=headers)


async def invoke_stream(request: web.Request) -> web.StreamResponse:
    """A streamed answer: the model's own events, each in a `chunk`."""
    turn = anthropic_api.turn_of_messages(await request.json())
    if turn in ERRORS:
        return _error(turn)
    frames = (aws_event_stream.event("chunk", value) for value in invoke_chunks(turn))
    headers = {**_headers(), "content-type": EVENT_STREAM, "x-amzn-bedrock-content-type": "application/json"}
    return await stream(request, cut_after(frames, 3) if turn is Turn.CUT else frames, headers)


def _headers() -> dict[str, str]:
    return {"x-amzn-requestid": str(uuid.uuid4())}


def _counted(turn: Turn) -> dict[str, str]:
    tokens_in, tokens_out, _ = turn.tokens
    return {
        "x-amzn-bedrock-input-token-count": str(tokens_in),
        "x-amzn-bedrock-output-token-count": str(tokens_out),
        "x-amzn-bedrock-invocation-latency": "412",
    }


def _error(turn: Turn) -> web.Response:
    status, name, message = ERRORS[turn]
    headers = {**_headers(), "x-amzn-errortype": f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"}
    return web.json_response({"message": message}, status=status, headers=headers)


def turn_of_converse(asked: JSON) -> Turn:
    """The turn that a Converse request asks for."""
    messages = asked["messages"]
    users = [message["content"] for message in messages if message["role"] == "user"]
    texts = [text for blocks in users if (text := "".join(block.get("text", "") for block in blocks))]
    answered = any("toolResult" in block for block in messages[-1]["content"])
    offered = bool((asked.get("toolConfig") or {}).get("tools"))
    return turn_of(texts[-1] if texts else "", tool_answered=answered, tools_offered=offered)


def usage(turn: Turn) -> JSON:
    """The tokens of a turn: those read from the cache are not among the input's."""
    tokens_in, tokens_out, cached = turn.tokens
    return {
        "inputTokens": tokens_in - cached,
        "outputTokens": tokens_out,
        "totalTokens": tokens_in + tokens_out,
        "cacheReadInputTokens": cached,
        "cacheWriteInputTokens": 0,
    }


def stop_reason(turn: Turn) -> str:
    """Why the model stopped."""
    return "tool_use" if turn is Turn.ASK_TOOL else "end_turn"


def _tool_use_id() -> str:
    return f"tooluse_{uuid.uuid4().hex[:22]}"


def converse_output(turn: Turn) -> JSON:
    """A whole answer of Converse."""
    if turn is Turn.ASK_TOOL:
        block: JSON = {"toolUse": {"toolUseId": _tool_use_id(), "name": TOOL, "input": ARGUMENTS}}
    else:
        block = {"text": turn.text}
    return {
        "output": {"message": {"role": "assistant", "content": [block]}},
        "stopReason": stop_reason(turn),
        "usage": usage(turn),
        "metrics": {"latencyMs": 412},
    }


def converse_events(turn: Turn) -> Iterator[tuple[str, JSON]]:
    """A streamed answer of Converse, each event with its name."""
    yield "messageStart", {"role": "assistant"}
    if turn is Turn.ASK_TOOL:
        start = {"toolUse": {"toolUseId": _tool_use_id(), "name": TOOL}}
        yield "contentBlockStart", {"start": start, "contentBlockIndex": 0}
        text = json.dumps(ARGUMENTS)
        deltas: list[JSON] = [{"toolUse": {"input": piece}} for piece in (text[:7], text[7:])]
    else:
        deltas = [{"text": piece} for piece in pieces(turn.text)]
    for delta in deltas:
        yield "contentBlockDelta", {"delta": delta, "contentBlockIndex": 0}
    yield "contentBlockStop", {"contentBlockIndex": 0}
    yield "messageStop", {"stopReason": stop_reason(turn)}
    yield "metadata", {"usage": usage(turn), "metrics": {"latencyMs": 412}}


def invoke_chunks(turn: Turn) -> Iterator[JSON]:
    """The chunks of a streamed `invoke`; the last event carries Bedrock's own count."""
    tokens_in, tokens_out, cached = turn.tokens
    metrics = {
        "inputTokenCount": tokens_in - cached,
        "outputTokenCount": tokens_out,
        "invocationLatency": 412,
        "firstByteLatency": 180,
    }
    for each in anthropic_api.events(turn, ANSWERING):
        if each["type"] == "ping":
            continue
        if each["type"] == "message_stop":
            each = {**each, "amazon-bedrock-invocationMetrics": metrics}
        yield {"bytes": base64.b64encode(json.dumps(each).encode()).decode()}
