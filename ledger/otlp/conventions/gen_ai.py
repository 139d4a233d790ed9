"""OpenTelemetry's semantic conventions for generative AI, as they are now.

Spans carry `gen_ai.provider.name` and, where content is captured, `gen_ai.input.messages`, `gen_ai.output.messages` and
`gen_ai.system_instructions`: JSON as text on a span, structured on a log record. Instrumentation that uploads contents
instead writes where to, under the same name with `_ref` behind. A tool's run may tell what it took and gave as messages
too, with parts `tool_call` and `tool_call_response`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.otlp.reading import Convention, Family, Row
from ledger.otlp.record import Found, Record
from ledger.otlp.values import Value, count_of, integer_of, number_of, structure, text_of, texts_of, truth_of
from ledger.otlp.vendors import vendor_of
from ledger.v1 import event_pb2 as pb

INPUT, OUTPUT, INSTRUCTIONS = "request.input", "request.output", "request.system_instructions"
DEFINITIONS = "request.tool_definitions"
REFERENCE = "reference:"
"""In front of the path of a content that is kept elsewhere."""

JSON_DEPTH_MAX = 64

PARAMETERS = (
    ("frequency_penalty", "gen_ai.request.frequency_penalty"),
    ("presence_penalty", "gen_ai.request.presence_penalty"),
    ("top_k", "gen_ai.request.top_k"),
    ("choice_count", "gen_ai.request.choice.count"),
    ("embedding_dimensions", "gen_ai.embeddings.dimension.count"),
    ("retrieval_top_k", "gen_ai.retrieval.top_k"),
    ("tokens_cache_write", "gen_ai.usage.cache_write.input_tokens"),
    ("tokens_cache_write", "gen_ai.usage.cache_creation.input_tokens"),
)
"""Numbers that have no field of their own: the name they get, and their attribute."""

_ARGUMENTS, _RESULT = "gen_ai.tool.call.arguments", "gen_ai.tool.call.result"
_RUN = (
    ("tool_call.parameters", _ARGUMENTS, "gen_ai.input.messages", "tool_call", ("arguments",)),
    ("tool_call.result", _RESULT, "gen_ai.output.messages", "tool_call_response", ("response", "result")),
)


def json_of(value: Value) -> Value:
    """A content: a structure, or what a text of JSON says; None where it is empty."""
    found = structure(value, JSON_DEPTH_MAX)
    return None if found is None or found in ("", [], {}) else found


def reasons_of(value: Value) -> str | None:
    """Why each choice ended; one text, the different ones joined by commas."""
    texts = texts_of(value)
    return ",".join(dict.fromkeys(texts)) if texts else None


def milliseconds(value: Value) -> int | None:
    """Seconds, as milliseconds."""
    seconds = number_of(value)
    return round(seconds * 1_000) if seconds is not None and 0 <= seconds < 2**50 else None


def documents_of(value: Value) -> Value:
    """Retrieved documents: objects with `id`, `content` (or `text`) and `score`."""
    found = json_of(value)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        return None
    return [
        {**{key: each[key] for key in each if key != "content"}, "text": each.get("text", each.get("content"))}
        for each in found
    ]


def _add_run(record: Record, found: Found) -> None:
    """What a tool's run took and gave, where it is told as messages; and that it failed, where a framework says so."""
    for path, own, attribute, kind, keys in _RUN:
        for part in _parts(record.attributes.get(attribute)) if own not in record.attributes else ():
            value = next((part[key] for key in keys if part.get(key) is not None), None)
            if part.get("type") == kind and found.give(path, json_of(value), attribute):
                found.used.add(attribute)
                break
    if record.attributes.get("gen_ai.tool.status") == "error":
        found.give("tool_call.outcome", pb.TOOL_OUTCOME_ERROR, "gen_ai.tool.status")


def _parts(messages: Value) -> Iterator[dict[str, Value]]:
    found = json_of(messages)
    for message in found if isinstance(found, list) else ():
        parts = message.get("parts") if isinstance(message, dict) else None
        yield from (each for each in (parts if isinstance(parts, list) else ()) if isinstance(each, dict))


def _more(record: Record, found: Found) -> None:
    attributes = record.attributes
    if found.kind == "tool_call":
        _add_run(record, found)
    if found.kind == "request":
        for name, attribute in PARAMETERS:
            if attribute in attributes and found.give(
                f"request.parameters:{name}", number_of(attributes[attribute]), attribute
            ):
                found.used.add(attribute)
        variables = dict(record.under("gen_ai.prompt.variable."))
        if variables and found.give("request.variables", variables, "gen_ai.prompt.variable."):
            found.used_under.add("gen_ai.prompt.variable.")


GEN_AI = Convention(
    "OpenTelemetry GenAI",
    frozenset({"gen_ai"}),
    (
        Row("request.vendor", "gen_ai.provider.name", vendor_of),
        Row("request.model_requested", "gen_ai.request.model", text_of),
        Row("request.model_answered", "gen_ai.response.model", text_of),
        Row("request.provider_request_id", "gen_ai.response.id", text_of),
        Row("request.temperature", "gen_ai.request.temperature", number_of),
        Row("request.top_p", "gen_ai.request.top_p", number_of),
        Row("request.tokens_max", "gen_ai.request.max_tokens", count_of),
        Row("request.seed", "gen_ai.request.seed", integer_of),
        Row("request.finish_reason_raw", "gen_ai.response.finish_reasons", reasons_of),
        Row("request.tokens_in", "gen_ai.usage.input_tokens", count_of),
        Row("request.tokens_out", "gen_ai.usage.output_tokens", count_of),
        Row("request.tokens_cached", "gen_ai.usage.cache_read.input_tokens", count_of),
        Row("request.tokens_reasoning", "gen_ai.usage.reasoning.output_tokens", count_of),
        Row("request.streamed", "gen_ai.request.stream", truth_of),
        Row("request.time_to_first_token_ms", "gen_ai.response.time_to_first_chunk", milliseconds),
        Row("request.prompt.id", "gen_ai.prompt.name", text_of),
        Row("request.prompt.revision", "gen_ai.prompt.version", text_of),
        Row(INSTRUCTIONS, "gen_ai.system_instructions", json_of),
        Row(INPUT, "gen_ai.input.messages", json_of),
        Row(INPUT, "gen_ai.retrieval.query.text", text_of),
        Row(OUTPUT, "gen_ai.output.messages", json_of),
        Row(DEFINITIONS, "gen_ai.tool.definitions", json_of),
        Row("request.retrieved", "gen_ai.retrieval.documents", documents_of),
        Row(REFERENCE + INSTRUCTIONS, "gen_ai.system_instructions_ref", text_of),
        Row(REFERENCE + INPUT, "gen_ai.input.messages_ref", text_of),
        Row(REFERENCE + OUTPUT, "gen_ai.output.messages_ref", text_of),
        Row(REFERENCE + DEFINITIONS, "gen_ai.tool.definitions_ref", text_of),
        Row("tool_call.tool", "gen_ai.tool.name", text_of),
        Row("tool_call.call_id", "gen_ai.tool.call.id", text_of),
        Row("tool_call.parameters", _ARGUMENTS, json_of),
        Row("tool_call.result", _RESULT, json_of),
        Row("actor.agent", "gen_ai.agent.name", text_of),
        Row("actor.agent", "gen_ai.agent.id", text_of),
        Row("actor.agent_version", "gen_ai.agent.version", text_of),
    ),
    _more,
    (
        *(Family(f"request.parameters, {name}", attribute) for name, attribute in PARAMETERS),
        Family("request.variables", "gen_ai.prompt.variable.<name>"),
        Family("tool_call.parameters", "part `tool_call` of gen_ai.input.messages"),
        Family("tool_call.result", "part `tool_call_response` of gen_ai.output.messages"),
        Family("tool_call.outcome", "gen_ai.tool.status = `error`"),
    ),
)
