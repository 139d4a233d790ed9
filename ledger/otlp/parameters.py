"""A call's parameters as its client was given them: a JSON object with the vendor's own spellings."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.otlp.record import Found
from ledger.otlp.values import Value, count_of, integer_of, number_of, text_of, truth_of

TEMPERATURE = ("temperature",)
TOP_P = ("top_p", "topP")
TOKENS_MAX = ("max_tokens", "max_completion_tokens", "max_output_tokens", "maxTokens", "maxOutputTokens")
SEED = ("seed",)
STREAM = ("stream",)
STORE = ("store",)
MODEL = ("model", "modelId", "model_name", "model_id")
USER = ("user",)
_OWN = frozenset((*TEMPERATURE, *TOP_P, *TOKENS_MAX, *SEED, *STREAM, *STORE, *MODEL, *USER))
NUMBERS_MAX = 64


def add_parameters(parameters: Value, source: str, found: Found) -> bool:
    """Adds what such an object says of the request. False when it is none."""
    if not isinstance(parameters, Mapping) or found.kind != "request":
        return False
    for path, keys, read in (
        ("request.temperature", TEMPERATURE, number_of),
        ("request.top_p", TOP_P, number_of),
        ("request.tokens_max", TOKENS_MAX, count_of),
        ("request.seed", SEED, integer_of),
        ("request.streamed", STREAM, truth_of),
        ("request.store_requested", STORE, truth_of),
        ("request.model_requested", MODEL, text_of),
    ):
        for key in keys:
            if key in parameters:
                found.give(path, read(parameters[key]), source)
    for key in list(parameters)[:NUMBERS_MAX]:
        value = parameters[key]
        if key not in _OWN and isinstance(value, (int, float)) and not isinstance(value, bool):
            found.give(f"request.parameters:{key}", number_of(value), source)
    return True


def user_of(parameters: Value) -> str | None:
    """The end user that a call's parameters name: `user`, or `user_id` in its `metadata`."""
    if not isinstance(parameters, Mapping):
        return None
    metadata = parameters.get("metadata")
    named = text_of(parameters.get("user"))
    return named or (text_of(metadata.get("user_id")) if isinstance(metadata, Mapping) else None)
