"""LangChain's messages, answers and documents as fields of events. Pure; takes anything with their attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.client.capture.describe import describe
from ledger.client.capture.finish import answer_message, calls_of, finish_fields

VENDORS = {
    "amazon_bedrock": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "google_vertexai": "gcp.vertex_ai",
    "google_genai": "gcp.gemini",
    "mistral": "mistral_ai",
    "xai": "x_ai",
    "ibm": "ibm.watsonx.ai",
}
"""LangChain's `ls_provider` as OpenTelemetry's GenAI conventions spell it; others keep LangChain's name."""

_TOLD = frozenset(
    {"openai", "azure.ai.openai", "anthropic", "gcp.gemini", "gcp.vertex_ai", "ollama", "deepseek", "x_ai"}
)
"""Vendors whose chat models' classes give the model that the answer names."""

_ROLES = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant", "system": "system", "tool": "tool"}
_REASONING = ("reasoning", "thinking")
_NUMBERS = ("frequency_penalty", "presence_penalty", "n", "top_k", "repeat_penalty")


def known(**fields: Any) -> dict[str, Any]:
    """Those that say something."""
    return {name: value for name, value in fields.items() if value is not None and value != "" and value != []}


def message(given: Any) -> dict[str, Any]:
    """One message, in OpenAI's chat format as far as it goes."""
    role = getattr(given, "type", "")
    calls = [call.as_message_part() for call in calls_of(getattr(given, "tool_calls", None) or ())]
    return known(
        role=_ROLES.get(role) or getattr(given, "role", None) or role,
        content=describe(getattr(given, "content", None)),
        name=getattr(given, "name", None),
        tool_calls=calls,
        tool_call_id=getattr(given, "tool_call_id", None),
    )


def asked(messages: Sequence[Any]) -> dict[str, Any]:
    """Input and instructions of a conversation: system messages in front are the instructions."""
    shown = [message(each) for each in messages]
    leading = next((at for at, each in enumerate(shown) if each.get("role") != "system"), len(shown))
    system = shown[:leading]
    only = system[0].get("content") if len(system) == 1 else None
    return known(system_instructions=only if isinstance(only, str) else system, input=shown[leading:])


def parameters(metadata: Mapping[str, Any], invocation: Mapping[str, Any]) -> dict[str, Any]:
    """Who is asked for which model, with which parameters."""
    provider = metadata.get("ls_provider")
    numbers = {name: invocation[name] for name in _NUMBERS if _is_number(invocation.get(name))}
    model = _first(metadata.get("ls_model_name"), invocation.get("model"), invocation.get("model_name"))
    return known(
        vendor=VENDORS.get(provider, provider) if isinstance(provider, str) else None,
        model_requested=model,
        temperature=_number(metadata.get("ls_temperature"), invocation.get("temperature")),
        top_p=_number(invocation.get("top_p")),
        tokens_max=_number(metadata.get("ls_max_tokens"), invocation.get("max_tokens")),
        seed=_number(invocation.get("seed")),
        parameters=numbers or None,
        tool_definitions=describe(invocation.get("tools") or invocation.get("functions")),
    )


def answer(response: Any) -> tuple[dict[str, Any], tuple[Any, ...], str | None]:
    """Of an `LLMResult`: the fields, the calls it asks for, and the text beside them."""
    generations = [each for one in getattr(response, "generations", None) or () for each in one]
    whole = getattr(response, "llm_output", None)
    whole = whole if isinstance(whole, Mapping) else {}
    if not generations:
        return {}, (), None
    if len(generations) > 1:
        return {"output": [_shown(each) for each in generations], **_usage(generations[0], whole)}, (), None
    (one,) = generations
    given = getattr(one, "message", None)
    said = getattr(one, "text", None) or None
    calls = calls_of(getattr(given, "tool_calls", None) or ())
    content = getattr(given, "content", said)
    blocks = content if isinstance(content, list) else []
    reasoning = [_reasoning(each) for each in blocks if isinstance(each, Mapping)]
    extra = getattr(given, "additional_kwargs", None) or {}
    fields = known(
        output=answer_message(said if isinstance(content, str) or said else describe(content), calls),
        reasoning="\n".join(filter(None, (*reasoning, extra.get("reasoning_content") or ""))),
        **_usage(one, whole),
    )
    return fields, calls, said


def _shown(generation: Any) -> Any:
    given = getattr(generation, "message", None)
    return message(given) if given is not None else getattr(generation, "text", None)


def _reasoning(block: Mapping[str, Any]) -> str:
    kind = block.get("type")
    found = block.get(kind) or block.get("text") if kind in _REASONING else None
    return found if isinstance(found, str) else ""


def _usage(generation: Any, whole: Mapping[str, Any]) -> dict[str, Any]:
    """Tokens, the model that answered, why it ended."""
    given = getattr(generation, "message", None)
    usage = getattr(given, "usage_metadata", None) or {}
    said = {**(getattr(generation, "generation_info", None) or {}), **(getattr(given, "response_metadata", None) or {})}
    counts = whole.get("token_usage") or whole.get("usage") or {}
    counts = counts if isinstance(counts, Mapping) else {}
    details_in, details_out = usage.get("input_token_details") or {}, usage.get("output_token_details") or {}
    finish = _first(said.get("finish_reason"), said.get("stop_reason"), said.get("stopReason"), said.get("done_reason"))
    return known(
        model_answered=_first(said.get("model_name"), said.get("model"), whole.get("model_name"), whole.get("model")),
        provider_request_id=_first(said.get("id"), said.get("request_id")),
        tokens_in=_number(usage.get("input_tokens"), counts.get("prompt_tokens")),
        tokens_out=_number(usage.get("output_tokens"), counts.get("completion_tokens")),
        tokens_cached=_number(details_in.get("cache_read")),
        tokens_reasoning=_number(details_out.get("reasoning")),
        **finish_fields(finish),
    )


def without_echo(asked: Mapping[str, Any], answered: dict[str, Any]) -> dict[str, Any]:
    """The answer's fields without a model that may be only the one asked for: a class that has none of the vendor's
    puts its own there, and nobody can tell them apart."""
    told = asked.get("operation") == "chat" and asked.get("vendor") in _TOLD
    if told or answered.get("model_answered") != asked.get("model_requested"):
        return answered
    return {name: value for name, value in answered.items() if name != "model_answered"}


def document(given: Any, index: str | None, rank: int) -> dict[str, Any]:
    """A retrieved document."""
    metadata = getattr(given, "metadata", None)
    metadata = metadata if isinstance(metadata, Mapping) else {}
    identity = _first(getattr(given, "id", None), metadata.get("id"), metadata.get("source"))
    return known(
        index_id=index,
        rank=rank,
        score=_number(metadata.get("score"), metadata.get("relevance_score")),
        document_id=identity,
        text=getattr(given, "page_content", None),
    )


def result(output: Any) -> Any:
    """What a tool gave back: of a tool message its content."""
    if getattr(output, "type", None) == "tool":
        output = getattr(output, "content", None)
    return output if output is None or isinstance(output, str) else describe(output)


def _first(*values: Any) -> str | None:
    return next((value for value in values if isinstance(value, str) and value), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(*values: Any) -> Any:
    return next((value for value in values if _is_number(value)), None)
