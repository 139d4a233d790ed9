"""Vendors' words for how an answer ended, and the calls it asks for, in one form. Pure.

Calls are taken as the vendors' clients give them, as dicts or as objects with the same attributes:

    OpenAI            {"id": ..., "function": {"name": ..., "arguments": "<JSON>"}}
    Anthropic         {"id": ..., "name": ..., "input": {...}}
    Bedrock Converse  {"toolUseId": ..., "name": ..., "input": {...}}
    LangChain         {"id": ..., "name": ..., "args": {...}}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ledger.client.capture.describe import describe

FINISH_REASONS = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "finished": "stop",
    "complete": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "safety": "content_filter",
    "refusal": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
    "error": "error",
}
"""A vendor's word, in lower case, to the record's. What is not here is kept as the vendor says it, and is "other"."""


def finish_fields(reason: Any) -> dict[str, Any]:
    """`finish_reason_raw` and `finish_reason` of what a vendor said; none of them for nothing."""
    if not isinstance(reason, str) or not reason:
        return {}
    plain = reason.rpartition(".")[2].lower()
    return {"finish_reason_raw": str(reason), "finish_reason": FINISH_REASONS.get(plain, "other")}


@dataclass(frozen=True, slots=True)
class Call:
    """A call that an answer asks for. `arguments`: JSON text."""

    call_id: str
    tool: str
    arguments: str

    def as_message_part(self) -> dict[str, Any]:
        """As OpenAI's chat format has it, which is what readers of the ledger look for."""
        return {
            "id": self.call_id,
            "type": "function",
            "function": {"name": self.tool, "arguments": self.arguments},
        }


def calls_of(given: Any) -> tuple[Call, ...]:
    """The calls in a list of them; what is none of the known forms is left out."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        return ()
    return tuple(call for call in (_call(each) for each in given) if call is not None)


def _call(given: Any) -> Call | None:
    function = _get(given, "function")
    source = given if function is None else function
    tool, arguments = _get(source, "name"), None
    for name in ("arguments", "input", "args"):
        arguments = _get(source, name) if arguments is None else arguments
    call_id = _get(given, "id") or _get(given, "toolUseId") or _get(given, "tool_use_id") or ""
    if not isinstance(tool, str) or not tool or not isinstance(call_id, str):
        return None
    return Call(call_id, tool, arguments if isinstance(arguments, str) else json_text(arguments or {}))


def _get(given: Any, name: str) -> Any:
    return given.get(name) if isinstance(given, Mapping) else getattr(given, name, None)


def json_text(value: Any) -> str:
    """A value as JSON text, in one form for equal values."""
    return json.dumps(describe(value), sort_keys=True, separators=(",", ":"))


def answer_message(output: Any, calls: Iterable[Call]) -> Any:
    """The content for an answer: its text, or the message that holds the calls too."""
    parts = [call.as_message_part() for call in calls]
    if not parts:
        return output
    text = output if output is None or isinstance(output, str) else describe(output)
    return {"role": "assistant", "content": text, "tool_calls": parts}
