"""OpenTelemetry's conventions for generative AI as they were: the two shapes before the present one.

- Up to version 1.36: `gen_ai.system` names the vendor; contents are events, `gen_ai.system.message`,
  `gen_ai.user.message`, `gen_ai.assistant.message`, `gen_ai.tool.message` and `gen_ai.choice`, as log records of the
  span (`ledger.otlp.logs`) or as events on it.
- Before that: `gen_ai.usage.prompt_tokens` and `completion_tokens`; contents as JSON in `gen_ai.prompt` and
  `gen_ai.completion`, on the span or on its events `gen_ai.content.prompt` and `gen_ai.content.completion`.
"""

from __future__ import annotations

from ledger.otlp.conventions.gen_ai import INPUT, OUTPUT, json_of
from ledger.otlp.message_events import CHOICE, TOOL_MESSAGE, messages_of
from ledger.otlp.reading import Convention, Family, Row
from ledger.otlp.record import Found, Record
from ledger.otlp.values import Value, count_of, integer_of, text_of
from ledger.otlp.vendors import vendor_of


def _more(record: Record, found: Found) -> None:
    if not record.events:
        return
    if found.kind == "tool_call":
        _add_run(record, found)
        return
    messages = messages_of(record.events)
    found.give(INPUT, messages.input, "gen_ai.user.message")
    found.give(OUTPUT, messages.output, "gen_ai.choice")
    found.give("request.finish_reason_raw", messages.finish_reason, "gen_ai.choice")
    for each in record.events:
        if each.name == "gen_ai.content.prompt":
            found.give(INPUT, _content(each.attributes.get("gen_ai.prompt")), "gen_ai.content.prompt")
        elif each.name == "gen_ai.content.completion":
            found.give(OUTPUT, _content(each.attributes.get("gen_ai.completion")), "gen_ai.content.completion")


def _add_run(record: Record, found: Found) -> None:
    """What a tool's run took and gave, where a framework tells it in a conversation's words."""
    for each in record.events:
        said = each.body if isinstance(each.body, dict) else each.attributes
        if each.name == TOOL_MESSAGE:
            found.give("tool_call.parameters", json_of(said.get("content")), TOOL_MESSAGE)
        elif each.name == CHOICE:
            found.give("tool_call.result", json_of(said.get("message")), CHOICE)


def _content(value: Value) -> Value:
    return json_of(value)


GEN_AI_OLDER = Convention(
    "OpenTelemetry GenAI, older shapes",
    frozenset({"gen_ai"}),
    (
        Row("request.vendor", "gen_ai.system", vendor_of),
        Row("request.tokens_in", "gen_ai.usage.prompt_tokens", count_of),
        Row("request.tokens_out", "gen_ai.usage.completion_tokens", count_of),
        Row("request.seed", "gen_ai.openai.request.seed", integer_of),
        Row(INPUT, "gen_ai.prompt", json_of),
        Row(OUTPUT, "gen_ai.completion", json_of),
        Row("request.endpoint_tier", "gen_ai.openai.response.service_tier", text_of),
        Row("request.endpoint_tier", "gen_ai.openai.request.service_tier", text_of),
    ),
    _more,
    (
        Family("request.input", "span events `gen_ai.{system,user,assistant,tool}.message`, `gen_ai.content.prompt`"),
        Family("tool_call.parameters, tool_call.result", "span events `gen_ai.tool.message`, `gen_ai.choice` of a run"),
        Family("request.output, request.finish_reason_raw", "span events `gen_ai.choice`, `gen_ai.content.completion`"),
    ),
)
