"""OpenLLMetry (Traceloop): `traceloop.*`, `llm.*`, and its own names under `gen_ai.*`.

Its present instrumentation writes messages as OpenTelemetry does; the older one writes families of numbered attributes,
`gen_ai.prompt.<n>.*` and `gen_ai.completion.<n>.*`, put back together in OpenAI's chat form. What a decorated function
took and gave (`traceloop.entity.input`, `traceloop.entity.output`) is JSON. Tools have no call id. Its MCP
instrumentation says `tools/call` only inside what went in.
"""

from __future__ import annotations

import json

from ledger.otlp.conventions.gen_ai import DEFINITIONS, INPUT, JSON_DEPTH_MAX, OUTPUT, json_of
from ledger.otlp.families import listed, nested
from ledger.otlp.reading import Convention, Family, Row
from ledger.otlp.record import Found, Record
from ledger.otlp.values import Value, count_of, number_of, structure, text_of, truth_of
from ledger.otlp.vendors import vendor_of
from ledger.v1 import event_pb2 as pb

PARAMETERS = (
    ("frequency_penalty", "llm.frequency_penalty"),
    ("presence_penalty", "llm.presence_penalty"),
    ("top_k", "llm.top_k"),
    ("choice_count", "gen_ai.request.n"),
    ("repetition_penalty", "gen_ai.request.repetition_penalty"),
    ("repetition_penalty", "llm.request.repetition_penalty"),
    ("tokens_cache_write", "gen_ai.usage.cache_creation_input_tokens"),
)
CHUNKS = ("gen_ai.content.completion.chunk", "llm.content.completion.chunk")
_PROMPT, _COMPLETION, _FUNCTIONS = "gen_ai.prompt.", "gen_ai.completion.", "llm.request.functions."
_VARIABLES = "traceloop.prompt.template_variables."
_FAMILIES = (_PROMPT, _COMPLETION, _FUNCTIONS, _VARIABLES)
_ENTITY_INPUT, _ENTITY_OUTPUT = "traceloop.entity.input", "traceloop.entity.output"


def whole_json(value: Value) -> Value:
    """What a text of JSON says, also where it is a single text or number; else the value itself."""
    if isinstance(value, str) and value[:1] == '"':
        try:
            return json.loads(value)
        except ValueError:
            return value
    return json_of(value)


def _more(record: Record, found: Found) -> None:
    if found.kind == "tool_call":
        _add_mcp(record, found)
        return
    if any(key.startswith(_FAMILIES) for key in record.attributes):
        _add_families(record, found)
    for name, attribute in PARAMETERS:
        if attribute in record.attributes:
            value = number_of(record.attributes[attribute])
            if found.give(f"request.parameters:{name}", value, attribute):
                found.used.add(attribute)
    first = min((each.time_ns for each in record.events if each.name in CHUNKS), default=0)
    if first > record.start_ns > 0:
        found.give("request.time_to_first_token_ms", (first - record.start_ns) // 1_000_000, CHUNKS[0], derived=True)
    if record.attributes.get("traceloop.span.kind") == "agent":
        found.give("actor.agent", text_of(record.attributes.get("traceloop.entity.name")), "traceloop.entity.name")


def _add_families(record: Record, found: Found) -> None:
    for prefix, path in ((_PROMPT, INPUT), (_COMPLETION, OUTPUT), (_FUNCTIONS, DEFINITIONS)):
        items = listed(each for each in record.under(prefix) if each[0][:1].isdecimal())
        if items is not None:
            if found.give(path, [_message(each) for each in items], prefix) and record.dropped:
                found.partial.add(path)
            found.used_under.add(prefix)
    reason = text_of(record.attributes.get("gen_ai.completion.0.finish_reason"))
    found.give("request.finish_reason_raw", reason, "gen_ai.completion.0.finish_reason")
    variables = nested(record.under(_VARIABLES))
    if variables is not None and found.give("request.variables", variables, _VARIABLES):
        found.used_under.add(_VARIABLES)


def _message(item: Value) -> Value:
    """A message; its tool calls as OpenAI's chat form has them, its content's JSON as a structure."""
    if not isinstance(item, dict):
        return item
    message = {key: structure(value, JSON_DEPTH_MAX) if key == "content" else value for key, value in item.items()}
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        message["tool_calls"] = [_call(each) for each in calls]
    if "parameters" in message:
        message["parameters"] = structure(message["parameters"], JSON_DEPTH_MAX)
    return message


def _call(item: Value) -> Value:
    if not isinstance(item, dict) or "name" not in item:
        return item
    rest = {key: value for key, value in item.items() if key not in ("name", "arguments")}
    return {**rest, "function": {"name": item["name"], "arguments": item.get("arguments")}}


def _add_mcp(record: Record, found: Found) -> None:
    """A tool that was called over MCP: the protocol's own request and result."""
    asked = mcp_call(record)
    if asked is None:
        return
    found.give("tool_call.tool", text_of(asked.get("name")), _ENTITY_INPUT)
    found.give("tool_call.parameters", asked.get("arguments"), _ENTITY_INPUT)
    result = json_of(record.attributes.get(_ENTITY_OUTPUT))
    if isinstance(result, dict) and result.get("isError") is True:
        found.give("tool_call.outcome", pb.TOOL_OUTCOME_ERROR, _ENTITY_OUTPUT)
    found.used.add(_ENTITY_INPUT)


def mcp_call(record: Record) -> dict[str, Value] | None:
    """The parameters of MCP's `tools/call`, where that is what the record tells of."""
    if not record.name.startswith("tools/call"):
        return None
    asked = json_of(record.attributes.get(_ENTITY_INPUT))
    if not isinstance(asked, dict) or asked.get("method") != "tools/call":
        return None
    parameters = asked.get("params")
    return parameters if isinstance(parameters, dict) else None


OPENLLMETRY = Convention(
    "OpenLLMetry",
    frozenset({"traceloop", "llm", "gen_ai"}),
    (
        Row("request.vendor", "llm.vendor", vendor_of),
        Row("request.model_requested", "llm.request.model", text_of),
        Row("request.model_answered", "llm.response.model", text_of),
        Row("request.tokens_max", "gen_ai.request.max_completion_tokens", count_of),
        Row("request.tokens_cached", "gen_ai.usage.cache_read_input_tokens", count_of),
        Row("request.tokens_reasoning", "gen_ai.usage.reasoning_tokens", count_of),
        Row("request.tokens_reasoning", "llm.usage.reasoning_tokens", count_of),
        Row("request.tokens_in", "llm.usage.prompt_tokens", count_of),
        Row("request.tokens_out", "llm.usage.completion_tokens", count_of),
        Row("request.streamed", "gen_ai.is_streaming", truth_of),
        Row("request.streamed", "llm.is_streaming", truth_of),
        Row("request.finish_reason_raw", "gen_ai.response.finish_reason", text_of),
        Row("request.finish_reason_raw", "gen_ai.response.stop_reason", text_of),
        Row("request.finish_reason_raw", "llm.response.finish_reason", text_of),
        Row("request.finish_reason_raw", "llm.response.stop_reason", text_of),
        Row("request.prompt.id", "traceloop.prompt.key", text_of),
        Row("request.prompt.revision", "traceloop.prompt.version", text_of),
        Row("request.prompt.revision", "traceloop.prompt.version_hash", text_of),
        Row(INPUT, _ENTITY_INPUT, whole_json),
        Row(OUTPUT, _ENTITY_OUTPUT, whole_json),
        Row("tool_call.tool", "traceloop.entity.name", text_of),
        Row("tool_call.version", "traceloop.entity.version", text_of),
        Row("tool_call.parameters", _ENTITY_INPUT, whole_json),
        Row("tool_call.result", _ENTITY_OUTPUT, whole_json),
        Row("story.correlation_id", "traceloop.correlation.id", text_of),
    ),
    _more,
    (
        Family("request.input", "gen_ai.prompt.<n>.*"),
        Family("request.output, finish_reason_raw", "gen_ai.completion.<n>.*"),
        Family("request.tool_definitions", "llm.request.functions.<n>.*"),
        *(Family(f"request.parameters, {name}", attribute) for name, attribute in PARAMETERS),
        Family("request.variables", "traceloop.prompt.template_variables.<name>"),
        Family("actor.agent", "traceloop.entity.name of an agent"),
        Family("time_to_first_token_ms (derived)", "first span event `gen_ai.content.completion.chunk`"),
        Family("tool_call.tool, parameters, outcome", "MCP's `tools/call` inside traceloop.entity.input and .output"),
    ),
)
