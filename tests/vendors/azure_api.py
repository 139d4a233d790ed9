"""Azure OpenAI chat completions, on its two paths.

`POST /openai/deployments/{deployment}/chat/completions?api-version=…` and `POST /openai/v1/chat/completions`.

Shapes: as OpenAI's (`openai.AzureOpenAI` reads the same types). What is Azure's own: the deployment's name stands where
the model's would, the answer names the model behind it, `x-ms-region` names the region, and a stream begins with a
chunk without choices that holds the prompt's content filter results.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

from aiohttp import web

from tests.vendors import openai_chat
from tests.vendors.serving import JSON, cut_after, event_frames, stream
from tests.vendors.turns import Turn

# Deployments and the models behind them.
DEPLOYMENTS = {"support-gpt4o": "gpt-4o-2024-08-06"}
REGION = "Sweden Central"
_SAFE = {kind: {"filtered": False, "severity": "safe"} for kind in ("hate", "self_harm", "sexual", "violence")}


def routes() -> list[web.RouteDef]:
    """Both paths: with a dated API version, and v1."""
    return [
        web.post("/openai/deployments/{deployment}/chat/completions", of_deployment),
        web.post("/openai/v1/chat/completions", version_1),
    ]


async def of_deployment(request: web.Request) -> web.StreamResponse:
    """The deployment stands in the path; a request without an API version is refused, as there."""
    if "api-version" not in request.query:
        return web.json_response({"error": {"code": "404", "message": "Resource not found"}}, status=404)
    return await _answer(request, request.match_info["deployment"])


async def version_1(request: web.Request) -> web.StreamResponse:
    """The deployment stands in `model`."""
    asked = await request.json()
    return await _answer(request, asked["model"])


async def _answer(request: web.Request, deployment: str) -> web.StreamResponse:
    headers = {
        "x-ms-region": REGION,
        "apim-request-id": str(secrets.token_hex(16)),
        "x-request-id": secrets.token_hex(16),
        "x-ms-deployment-name": deployment,
    }
    version = DEPLOYMENTS.get(deployment)
    if version is None:
        missing = {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}
        return web.json_response({"error": missing}, status=404, headers=headers)
    asked = await request.json()
    turn = openai_chat.turn_of_chat(asked)
    if turn in openai_chat.ERRORS or not asked.get("stream"):
        return await openai_chat.answer(request, asked, version, headers)
    with_usage = bool((asked.get("stream_options") or {}).get("include_usage"))
    frames = event_frames(chunks(turn, version, with_usage=with_usage), done=True)
    headers["content-type"] = "text/event-stream; charset=utf-8"
    return await stream(request, cut_after(frames, 3) if turn is Turn.CUT else frames, headers)


def chunks(turn: Turn, version: str, *, with_usage: bool) -> Iterator[JSON]:
    """The content filter's verdict on the prompt, then what OpenAI streams."""
    yield {
        "id": "",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": "",
        "choices": [],
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": _SAFE}],
    }
    yield from openai_chat.chunks(turn, version, with_usage=with_usage)
