"""OpenInference: `openinference.span.kind`, `llm.*`, `input.value`, `tool.*`, `retrieval.*`, `embedding.*`.

Messages are families of numbered attributes, put back together in OpenAI's chat form (`role`, `content` or `contents`,
`tool_calls`); where they are missing, `input.value` and `output.value` stand in for them. Those two hold a call's whole
request and response where the instrumentation knows it: model and id are taken from there.

`llm.model_name` does not say which model it names: the one asked for, overwritten by the one that answered. Where no
other attribute tells, it is taken for the one that answered, or for the one asked for when the call failed, and marked
as derived. At Bedrock it is the model id that the call was made with, unless it has another form: Converse answers with
no model at all, so which version answered stays unknown. Costs are US dollars by the convention.
"""

from __future__ import annotations

import re
from hashlib import sha256

from ledger.otlp.conventions.gen_ai import DEFINITIONS, INPUT, JSON_DEPTH_MAX, OUTPUT, json_of
from ledger.otlp.conventions.openinference_parts import add_embedded, add_retrieved
from ledger.otlp.families import listed
from ledger.otlp.parameters import add_parameters, user_of
from ledger.otlp.reading import Convention, Family, Row
from ledger.otlp.record import Found, Record
from ledger.otlp.values import Value, count_of, number_of, structure, text_of
from ledger.otlp.vendors import vendor_of
from ledger.v1 import event_pb2 as pb

KIND = "openinference.span.kind"
FIRST_TOKEN = "First Token Stream Event"
NANOS_PER_UNIT = 1_000_000_000
_INPUT_MESSAGES, _OUTPUT_MESSAGES = "llm.input_messages.", "llm.output_messages."
_FAMILIES = (
    (_INPUT_MESSAGES, INPUT),
    (_OUTPUT_MESSAGES, OUTPUT),
    ("llm.prompts.", INPUT),
    ("llm.choices.", OUTPUT),
)
_TOOLS = "llm.tools."
_PARAMETERS = ("llm.invocation_parameters", "embedding.invocation_parameters")
_BEDROCK_ID = re.compile(r"arn:|(?:us-gov|[a-z][a-z0-9]*)\.[a-z]")
_VARIABLES, _TEMPLATE = "llm.prompt_template.variables", "llm.prompt_template.template"


def cost_nanos(value: Value) -> int | None:
    """An amount as billionths of its currency's unit."""
    amount = number_of(value)
    return round(amount * NANOS_PER_UNIT) if amount is not None and 0 <= amount < 2**32 else None


def template_digest(value: Value) -> str | None:
    """The SHA-256 of a template, in hex."""
    text = text_of(value)
    return None if text is None else sha256(text.encode("utf-8")).hexdigest()


def _more(record: Record, found: Found) -> None:
    if KIND not in record.attributes or found.kind != "request":
        return
    for prefix, path in _FAMILIES:
        _add_messages(record, found, prefix, path)
    _add_tools(record, found)
    add_retrieved(record, found)
    add_embedded(record, found)
    for attribute in _PARAMETERS:
        if add_parameters(json_of(record.attributes.get(attribute)), attribute, found):
            found.give("user", user_of(json_of(record.attributes[attribute])), f"{attribute}:user")
            found.used.add(attribute)
    _add_bodies(record, found)
    _add_model(record, found)
    if found.give("request.cost_nanos", cost_nanos(record.attributes.get("llm.cost.total")), "llm.cost.total"):
        found.give("request.currency", "USD", "llm.cost.total", derived=True)
        found.used.add("llm.cost.total")
    first = next((each.time_ns for each in record.events if each.name == FIRST_TOKEN), 0)
    if first > record.start_ns > 0:
        found.give("request.time_to_first_token_ms", (first - record.start_ns) // 1_000_000, FIRST_TOKEN, derived=True)
        found.give("request.streamed", True, FIRST_TOKEN, derived=True)
    if any(key.startswith((_INPUT_MESSAGES, _OUTPUT_MESSAGES)) for key in record.attributes):
        found.give("request.operation", pb.AI_OPERATION_CHAT, derived=True)


def _add_messages(record: Record, found: Found, prefix: str, path: str) -> None:
    items = listed(record.under(prefix))
    if items is None:
        return
    if found.give(path, items, prefix) and record.dropped:
        found.partial.add(path)
    found.used_under.add(prefix)


def _add_tools(record: Record, found: Found) -> None:
    items = listed(record.under(_TOOLS))
    if items is not None:
        schemas = [each.get("json_schema", each) if isinstance(each, dict) else each for each in items]
        if found.give(DEFINITIONS, [structure(each, JSON_DEPTH_MAX) for each in schemas], _TOOLS) and record.dropped:
            found.partial.add(DEFINITIONS)
        found.used_under.add(_TOOLS)


def _add_bodies(record: Record, found: Found) -> None:
    """The call's own request and response, where they are here."""
    asked, answered = (json_of(record.attributes.get(key)) for key in ("input.value", "output.value"))
    if isinstance(asked, dict):
        found.give("request.model_requested", text_of(asked.get("model")), "input.value:model")
    if isinstance(answered, dict):
        found.give("request.model_answered", text_of(answered.get("model")), "output.value:model")
        found.give("request.provider_request_id", text_of(answered.get("id")), "output.value:id")
        found.give("request.endpoint_tier", text_of(answered.get("service_tier")), "output.value:service_tier")
    for key, path in (("input", INPUT), ("output", OUTPUT)):
        found.used.add(f"{key}.mime_type")
        if found.says(path):
            found.used.add(f"{key}.value")


def _add_model(record: Record, found: Found) -> None:
    for attribute in ("llm.model_name", "embedding.model_name", "reranker.model_name"):
        name = text_of(record.attributes.get(attribute))
        if name is None:
            continue
        is_asked = record.failed or _is_bedrock_id(record, name)
        if "llm.request.model_name" not in record.attributes and (is_asked or attribute != "llm.model_name"):
            found.give("request.model_requested", name, attribute, derived=True)
        elif "llm.response.model_name" not in record.attributes and not is_asked:
            found.give("request.model_answered", name, attribute, derived=True)
        if name in (found.values.get("request.model_requested"), found.values.get("request.model_answered")):
            found.used.add(attribute)


def _is_bedrock_id(record: Record, name: str) -> bool:
    """Whether a model's name is one that only a request to Bedrock holds: `anthropic.claude-…`, with a region, an ARN.

    The models' own answers, where InvokeModel hands them on, name them without the vendor in front.
    """
    at_bedrock = vendor_of(record.attributes.get("llm.provider")) == "aws.bedrock"
    return at_bedrock and _BEDROCK_ID.match(name) is not None


OPENINFERENCE = Convention(
    "OpenInference",
    frozenset({"openinference"}),
    (
        Row("request.vendor", "llm.provider", vendor_of),
        Row("request.vendor", "llm.system", vendor_of),
        Row("request.model_requested", "llm.request.model_name", text_of),
        Row("request.model_answered", "llm.response.model_name", text_of),
        Row("request.finish_reason_raw", "llm.finish_reason", text_of),
        Row("request.tokens_in", "llm.token_count.prompt", count_of),
        Row("request.tokens_out", "llm.token_count.completion", count_of),
        Row("request.tokens_cached", "llm.token_count.prompt_details.cache_read", count_of),
        Row("request.tokens_reasoning", "llm.token_count.completion_details.reasoning", count_of),
        Row("request.prompt.id", "prompt.id", text_of),
        Row("request.prompt.revision", "llm.prompt_template.version", text_of),
        Row("request.prompt.sha256", _TEMPLATE, template_digest),
        Row("request.variables", _VARIABLES, json_of),
        Row(INPUT, "input.value", json_of),
        Row(OUTPUT, "output.value", json_of),
        Row("tool_call.tool", "tool.name", text_of),
        Row("tool_call.call_id", "tool.id", text_of),
        Row("tool_call.call_id", "tool_call.id", text_of),
        Row("tool_call.parameters", "input.value", json_of),
        Row("tool_call.parameters", "tool.parameters", json_of),
        Row("tool_call.result", "output.value", json_of),
        Row("actor.agent", "agent.name", text_of),
    ),
    _more,
    (
        Family("request.input", "llm.input_messages.<n>.message.*, llm.prompts.<n>.*, embedding.embeddings.<n>.*"),
        Family("request.output", "llm.output_messages.<n>.message.*, llm.choices.<n>.*"),
        Family("request.tool_definitions", "llm.tools.<n>.tool.json_schema"),
        Family("request.retrieved", "retrieval.documents.<n>.document.*, reranker.output_documents.<n>.document.*"),
        Family("request.input", "reranker.query with reranker.input_documents.<n>.document.*"),
        Family("parameters, model_requested, streamed, user", "llm.invocation_parameters (JSON)"),
        Family(
            "model_requested", "`model` inside input.value; llm.model_name of a failed call or at Bedrock (derived)"
        ),
        Family("model_answered", "`model` inside output.value; llm.model_name (derived)"),
        Family("provider_request_id, endpoint_tier", "`id`, `service_tier` inside output.value"),
        Family("cost_nanos, currency (derived: USD)", "llm.cost.total"),
        Family("time_to_first_token_ms, streamed (derived)", "span event `First Token Stream Event`"),
    ),
)
