"""Langfuse's SDK: `langfuse.observation.*`.

One attribute names a model, and nothing says whether it was asked for or answered: it is taken for the one that
answered, or for the one asked for when the call failed, and marked as derived. Which vendor it was is not said. Tools
and agents are called as their span is. Costs are US dollars.
"""

from __future__ import annotations

from datetime import UTC, datetime

from ledger.otlp.conventions.gen_ai import INPUT, OUTPUT, json_of
from ledger.otlp.conventions.openinference import cost_nanos
from ledger.otlp.parameters import add_parameters, user_of
from ledger.otlp.reading import Convention, Family, Row
from ledger.otlp.record import Found, Record
from ledger.otlp.values import Value, count_of, text_of

_PREFIX = "langfuse.observation."
TYPE, MODEL, LEVEL = f"{_PREFIX}type", f"{_PREFIX}model.name", f"{_PREFIX}level"
_PARAMETERS, _USAGE, _COST = f"{_PREFIX}model.parameters", f"{_PREFIX}usage_details", f"{_PREFIX}cost_details"
_FIRST_TOKEN = f"{_PREFIX}completion_start_time"
_TOKENS = (
    ("request.tokens_in", ("input", "prompt_tokens", "input_tokens")),
    ("request.tokens_out", ("output", "completion_tokens", "output_tokens")),
    ("request.tokens_cached", ("input_cached_tokens", "cache_read_input_tokens", "input_cache_read")),
    ("request.tokens_reasoning", ("output_reasoning_tokens", "output_reasoning")),
)


def failed(record: Record) -> bool:
    """Whether Langfuse calls the observation an error."""
    return record.failed or record.attributes.get(LEVEL) == "ERROR"


def _more(record: Record, found: Found) -> None:
    attributes = record.attributes
    if attributes.get(TYPE) == "agent":
        found.give("actor.agent", text_of(record.name), "span name")
    if found.kind == "tool_call":
        found.give("tool_call.tool", text_of(record.name), "span name")
        return
    asked = failed(record)
    path = "request.model_requested" if asked else "request.model_answered"
    if found.give(path, text_of(attributes.get(MODEL)), MODEL, derived=True):
        found.used.add(MODEL)
    parameters = json_of(attributes.get(_PARAMETERS))
    if add_parameters(parameters, _PARAMETERS, found):
        found.give("user", user_of(parameters), f"{_PARAMETERS}:user")
        found.used.add(_PARAMETERS)
    usage = json_of(attributes.get(_USAGE))
    if isinstance(usage, dict):
        for where, keys in _TOKENS:
            for key in keys:
                found.give(where, count_of(usage.get(key)), _USAGE)
    costs = json_of(attributes.get(_COST))
    if isinstance(costs, dict) and found.give("request.cost_nanos", cost_nanos(costs.get("total")), _COST):
        found.give("request.currency", "USD", _COST, derived=True)
        found.used.add(_COST)
    first = _nanos(attributes.get(_FIRST_TOKEN))
    if first is not None and 0 < record.start_ns < first:
        found.give("request.time_to_first_token_ms", (first - record.start_ns) // 1_000_000, _FIRST_TOKEN, derived=True)
        found.used.add(_FIRST_TOKEN)


def _nanos(value: Value) -> int | None:
    """A time in ISO 8601, with or without the quotes of JSON, as Unix nanoseconds."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value.strip('"'))
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        return int(at.timestamp() * 1_000_000) * 1_000
    except (ValueError, OverflowError):
        return None


LANGFUSE = Convention(
    "Langfuse",
    frozenset({"langfuse"}),
    (
        Row(INPUT, f"{_PREFIX}input", json_of),
        Row(OUTPUT, f"{_PREFIX}output", json_of),
        Row("request.prompt.id", f"{_PREFIX}prompt.name", text_of),
        Row("request.prompt.revision", f"{_PREFIX}prompt.version", text_of),
        Row("request.error_text", f"{_PREFIX}status_message", text_of),
        Row("tool_call.parameters", f"{_PREFIX}input", json_of),
        Row("tool_call.result", f"{_PREFIX}output", json_of),
        Row("tool_call.error_text", f"{_PREFIX}status_message", text_of),
    ),
    _more,
    (
        Family("request.model_answered (derived); of a failed call request.model_requested (derived)", MODEL),
        Family("parameters, user", f"{_PARAMETERS} (JSON)"),
        Family("tokens_in, tokens_out, tokens_cached, tokens_reasoning", f"{_USAGE} (JSON)"),
        Family("cost_nanos, currency (derived: USD)", f"{_COST} (JSON)"),
        Family("time_to_first_token_ms (derived)", _FIRST_TOKEN),
        Family("tool_call.tool; actor.agent of an agent", "the span's name"),
    ),
)
