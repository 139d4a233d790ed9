"""What a path of a vendor's endpoint is: which wire format, and what of the call stands in the path.

Paths are told apart by their shape alone, behind any prefix, so that gateways and compatible servers of every kind are
understood. Everything here is a POST. What is none of these is unknown: None.

| path                                                                  | format                                      |
| --------------------------------------------------------------------- | ------------------------------------------- |
| `…/chat/completions`, `…/completions`, `…/embeddings`, `…/responses`  | OpenAI's                                    |
| `…/openai/deployments/{deployment}/…` of these                        | the same; on Azure the path names the model |
| `…/moderations`, `…/images/generations`, `…/audio/speech`, `…/rerank` | JSON that is kept as it is                  |
| `…/v1/messages`, `…/v1/messages/count_tokens`                         | Anthropic's; the second is kept as it is    |
| `…/models/{model}:generateContent`, `:streamGenerateContent`          | Gemini's                                    |
| `…/models/{model}:embedContent`, `:batchEmbedContents`, `:predict`    | Gemini's embeddings; predictions as they are |
| `…/models/{model}:rawPredict`, `:streamRawPredict`                    | Anthropic's on Vertex                       |
| `…/models/{model}:countTokens`                                        | kept as it is                               |
| `/model/{model}/converse`, `/converse-stream`                         | Bedrock's Converse                          |
| `/model/{model}/invoke`, `/invoke-with-response-stream`               | Bedrock's InvokeModel                       |
| `/model/{model}/count-tokens`                                         | kept as it is                               |

On Vertex the path also names project and location, and in place of a model it may name an endpoint.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote

from ledger.vendors.exchange import Operation

FormatName = Literal[
    "openai.chat",
    "openai.completions",
    "openai.embeddings",
    "openai.responses",
    "anthropic.messages",
    "gemini.generate",
    "gemini.embed",
    "bedrock.converse",
    "bedrock.invoke",
    "json",
]


PATHS_REMEMBERED = 1_024


@dataclass(frozen=True, slots=True)
class Route:
    """What a path says. `streamed`: None where the body says it. "" where the path does not say."""

    format: FormatName
    operation: Operation = "chat"
    model: str = ""
    deployment: str = ""
    region: str = ""
    project: str = ""
    streamed: bool | None = None


_OPENAI: dict[str, tuple[FormatName, Operation]] = {
    "chat/completions": ("openai.chat", "chat"),
    "completions": ("openai.completions", "completion"),
    "embeddings": ("openai.embeddings", "embedding"),
    "responses": ("openai.responses", "chat"),
    "moderations": ("json", "moderation"),
    "images/generations": ("json", "image"),
    "audio/speech": ("json", "speech"),
    "rerank": ("json", "rerank"),
    "v1/messages": ("anthropic.messages", "chat"),
    "v1/messages/count_tokens": ("json", "other"),
}
_GOOGLE: dict[str, tuple[FormatName, Operation, bool | None]] = {
    "generateContent": ("gemini.generate", "chat", False),
    "streamGenerateContent": ("gemini.generate", "chat", True),
    "embedContent": ("gemini.embed", "embedding", False),
    "batchEmbedContents": ("gemini.embed", "embedding", False),
    "predict": ("json", "other", False),
    "rawPredict": ("anthropic.messages", "chat", False),
    "streamRawPredict": ("anthropic.messages", "chat", True),
    "countTokens": ("json", "other", False),
}
_AWS: dict[str, tuple[FormatName, Operation, bool | None]] = {
    "converse": ("bedrock.converse", "chat", False),
    "converse-stream": ("bedrock.converse", "chat", True),
    "invoke": ("bedrock.invoke", "chat", False),
    "invoke-with-response-stream": ("bedrock.invoke", "chat", True),
    "count-tokens": ("json", "other", False),
}
_ENDINGS = "|".join(re.escape(each) for each in sorted(_OPENAI, key=len, reverse=True))
_ENDING = re.compile(rf"/(?:deployments/([^/]+)/)?({_ENDINGS})/?\Z")
_MODEL = re.compile(r"/(models|tunedModels|endpoints)/([^/:]+):([A-Za-z]+)\Z")
_PLACE = re.compile(r"/projects/([^/]+)(?:/locations/([^/]+))?/")
# A model may be named by an ARN, which has slashes; clients write them as %2F, or as they are.
_BEDROCK = re.compile(r"/model/(.+)/([a-z-]+)/?\Z")


@lru_cache(PATHS_REMEMBERED)
def route_of(method: str, path: str) -> Route | None:
    """What a request to this path (as it stands in the request, without its query) is; None where it is not known."""
    if method != "POST":
        return None
    return _bedrock(path) or _google(path) or _openai(path)


def _openai(path: str) -> Route | None:
    found = _ENDING.search(path)
    if found is None:
        return None
    deployment = unquote(found[1] or "")
    name, operation = _OPENAI[found[2]]
    return Route(name, operation, deployment, deployment, *_place(path))


def _google(path: str) -> Route | None:
    found = _MODEL.search(path)
    if found is None or found[3] not in _GOOGLE:
        return None
    name, operation, streamed = _GOOGLE[found[3]]
    named = unquote(found[2])
    model, deployment = ("", named) if found[1] == "endpoints" else (named, "")
    return Route(name, operation, model, deployment, *_place(path), streamed=streamed)


def _bedrock(path: str) -> Route | None:
    found = _BEDROCK.search(path)
    if found is None or found[2] not in _AWS:
        return None
    name, operation, streamed = _AWS[found[2]]
    return Route(name, operation, model=unquote(found[1]), streamed=streamed)


def _place(path: str) -> tuple[str, str]:
    """Region and project."""
    found = _PLACE.search(path)
    return ("", "") if found is None else (unquote(found[2] or ""), unquote(found[1]))
