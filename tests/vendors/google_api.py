"""Google: `…/models/{model}:generateContent` and `:streamGenerateContent?alt=sse`, on Vertex AI's path and on Gemini's.

Vertex AI: `/v1/projects/{project}/locations/{location}/publishers/google/models/{model}:…` (also `v1beta1`).
Gemini API: `/v1beta/models/{model}:…`. `/token` stands for Google's OAuth token endpoint.

Shapes: `google.genai.types.GenerateContentResponse` of the vendor's client, in the camel case of the wire; errors as
`google.rpc.Status` in JSON, which its `APIError` reads.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime

from aiohttp import web

from tests.vendors.serving import JSON, cut, cut_after, event_frames, stream
from tests.vendors.turns import ARGUMENTS, TOOL, Turn, pieces, turn_of

VERSIONS = {"gemini-2.5-flash": "gemini-2.5-flash-001"}
ERRORS = {
    Turn.OVERLOADED: (429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later."),
    Turn.INVALID: (400, "INVALID_ARGUMENT", "The input token count exceeds the maximum number of tokens allowed."),
}
VERTEX = "/{version:v1|v1beta1}/projects/{project}/locations/{location}/publishers/google/models/{model}:{method}"
GEMINI = "/{version:v1|v1beta}/models/{model}:{method}"


def routes() -> list[web.RouteDef]:
    """Both paths, and where a service account's assertion becomes an access token."""
    return [web.post(VERTEX, generate), web.post(GEMINI, generate), web.post("/token", token)]


async def token(request: web.Request) -> web.StreamResponse:
    """An access token for whoever asks (RFC 7523)."""
    return web.json_response({"access_token": secrets.token_urlsafe(32), "expires_in": 3599, "token_type": "Bearer"})


async def generate(request: web.Request) -> web.StreamResponse:
    """Answers one request."""
    model, method = request.match_info["model"], request.match_info["method"]
    if method not in ("generateContent", "streamGenerateContent"):
        return _error(404, "NOT_FOUND", "Method not found.")
    asked = await request.json()
    turn = turn_of_contents(asked)
    if turn in ERRORS:
        return _error(*ERRORS[turn])
    version = VERSIONS.get(model, model)
    if method == "generateContent":
        if turn is Turn.CUT:
            cut(request)
        return web.json_response(answer(turn, version))
    if request.query.get("alt") != "sse":
        return web.json_response(list(chunks(turn, version)))
    frames = event_frames(chunks(turn, version), newline="\r\n")
    headers = {"content-type": "text/event-stream"}
    return await stream(request, cut_after(frames, 1) if turn is Turn.CUT else frames, headers)


def _error(status: int, name: str, message: str) -> web.Response:
    body = {"error": {"code": status, "message": message, "status": name}}
    return web.json_response(body, status=status)


def turn_of_contents(asked: JSON) -> Turn:
    """The turn that a request's contents ask for."""
    contents = asked["contents"]
    users = [content["parts"] for content in contents if content.get("role", "user") == "user"]
    texts = [text for parts in users if (text := "".join(part.get("text", "") for part in parts))]
    answered = any("functionResponse" in part for part in contents[-1]["parts"])
    return turn_of(texts[-1] if texts else "", tool_answered=answered, tools_offered=bool(asked.get("tools")))


def usage(turn: Turn) -> JSON:
    """The tokens of a turn."""
    tokens_in, tokens_out, cached = turn.tokens
    counted = {
        "promptTokenCount": tokens_in,
        "candidatesTokenCount": tokens_out,
        "totalTokenCount": tokens_in + tokens_out,
        "trafficType": "ON_DEMAND",
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens_in}],
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": tokens_out}],
    }
    return {**counted, "cachedContentTokenCount": cached} if cached else counted


def _base(version: str) -> JSON:
    return {
        "modelVersion": version,
        "createTime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "responseId": secrets.token_urlsafe(16),
    }


def answer(turn: Turn, version: str) -> JSON:
    """A whole answer."""
    return {
        "candidates": [{"content": {"role": "model", "parts": _parts(turn)}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": usage(turn),
        **_base(version),
    }


def chunks(turn: Turn, version: str) -> Iterator[JSON]:
    """A streamed answer: every chunk a response, the last with reason and tokens."""
    base = _base(version)
    parts = _parts(turn) if turn is Turn.ASK_TOOL else [{"text": piece} for piece in pieces(turn.text)]
    for part in parts[:-1]:
        yield {"candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0}], **base}
    last = {"content": {"role": "model", "parts": parts[-1:]}, "finishReason": "STOP", "index": 0}
    yield {"candidates": [last], "usageMetadata": usage(turn), **base}


def _parts(turn: Turn) -> list[JSON]:
    if turn is Turn.ASK_TOOL:
        return [{"functionCall": {"name": TOOL, "args": ARGUMENTS}}]
    return [{"text": turn.text}]
