"""LiteLLM's names of calls and providers, in the record's words (`CallTypes` and `LlmProviders` of litellm 1.106)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ledger.vendors.exchange import Answered
from ledger.vendors.json_values import Json, table, tables
from ledger.vendors.routes import FormatName

VENDORS = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "azure_text": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "vertex_ai": "gcp.vertex_ai",
    "vertex_ai_beta": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "text-completion-openai": "openai",
    "anthropic_text": "anthropic",
    "cohere_chat": "cohere",
    "mistral": "mistral_ai",
    "codestral": "mistral_ai",
    "text-completion-codestral": "mistral_ai",
    "xai": "x_ai",
    "watsonx": "ibm.watsonx.ai",
    "watsonx_text": "ibm.watsonx.ai",
}
"""As OpenTelemetry's GenAI conventions spell them; a provider that is not here keeps LiteLLM's name."""

_TOLD_IN_STREAMS = frozenset({"azure", "azure_ai"})
_TOLD = frozenset(
    {
        *("openai", "text-completion-openai", "azure", "azure_text", "anthropic", "gemini", "vertex_ai"),
        *("vertex_ai_beta", "mistral", "codestral", "groq", "deepseek", "xai", "perplexity", "together_ai"),
        *("fireworks_ai", "openrouter", "hosted_vllm"),
    }
)
"""Providers of which LiteLLM hands on the model that the answer names."""

_CALLS: dict[str, tuple[str, ...]] = {
    "chat": (
        "completion",
        "responses",
        "anthropic_messages",
        "generate_content",
        "generate_content_stream",
        "_arealtime",
        "_aresponses_websocket",
        "send_message",
        "create_interaction",
    ),
    "completion": ("text_completion",),
    "embedding": ("embedding",),
    "image": ("image_generation", "image_edit", "image_variation"),
    "moderation": ("moderation",),
    "transcription": ("transcription",),
    "speech": ("speech",),
    "rerank": ("rerank",),
}
OPERATIONS = {name: operation for operation, calls in _CALLS.items() for call in calls for name in (call, f"a{call}")}
"""A call and its async twin to the operation; what is not here is another one."""

_SHAPES: dict[str, FormatName] = {
    "text_completion": "openai.completions",
    "embedding": "openai.embeddings",
    "responses": "openai.responses",
    "anthropic_messages": "anthropic.messages",
    "generate_content": "gemini.generate",
    "generate_content_stream": "gemini.generate",
}


def format_of(call_type: str, response: Json) -> FormatName:
    """The wire format of a call's bodies. A call passed through to a vendor's own API is told by its answer."""
    named = _SHAPES.get(call_type) or _SHAPES.get(call_type.removeprefix("a"))
    if named is not None:
        return named
    body = table(response)
    if call_type == "pass_through_endpoint":
        if body.get("type") == "message":
            return "anthropic.messages"
        if "candidates" in body:
            return "gemini.generate"
        if table(body.get("output")).get("message") is not None:
            return "bedrock.converse"
        return "openai.chat" if tables(body.get("choices")) else "json"
    return "openai.chat" if OPERATIONS.get(call_type) == "chat" else "json"


def without_additions(response: dict[str, Json]) -> dict[str, Json]:
    """An answer in OpenAI's shape without what LiteLLM adds to each message and leaves empty."""
    choices = response.get("choices")
    if not isinstance(choices, list):
        return response
    return {**response, "choices": [_choice(each) if isinstance(each, dict) else each for each in choices]}


def _choice(choice: dict[str, Json]) -> dict[str, Json]:
    message = choice.get("message")
    if not isinstance(message, dict):
        return choice
    said = {name: value for name, value in message.items() if value not in (None, [], {})}
    extra = said.pop("provider_specific_fields", None)
    if isinstance(extra, dict) and any(value is not None for value in extra.values()):
        said["provider_specific_fields"] = extra
    return {**choice, "message": said}


def without_echo(answered: Answered, provider: str, asked: Iterable[str], *, streamed: bool) -> Answered:
    """The answer without a model that is LiteLLM's echo of the one asked for.

    An answer that names no model, and every stream but Azure's, gets the model that LiteLLM was asked for (`asked`: its
    name, and that of its group). Which version answered is then not known. Only where LiteLLM hands on what the
    provider says, a name that is both was told.
    """
    told = (streamed and provider in _TOLD_IN_STREAMS) or (not streamed and provider in _TOLD)
    if told or _bare(answered.model) not in {_bare(each) for each in asked}:
        return answered
    return replace(answered, model="")


def _bare(model: str) -> str:
    """A model's name without the routes that LiteLLM puts in front."""
    return model.rpartition("/")[2]
