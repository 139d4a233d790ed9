"""Which tools an answer asks for, in the forms in which vendors and conventions write that.

| form                          | a call |
| ----------------------------- | ------ |
| OpenTelemetry's message parts | `{"type": "tool_call", "id", "name", "arguments"}` |
| OpenAI chat, OpenInference    | `tool_calls: [{"id", "function": {"name", "arguments"}}]` |
| OpenAI responses              | `{"type": "function_call", "call_id", "name", "arguments"}` |
| Anthropic                     | `{"type": "tool_use", "id", "name", "input"}` |
| Bedrock                       | `{"toolUse": {"toolUseId", "name", "input"}}` |
| Gemini                        | `{"functionCall": {"id", "name", "args"}}` |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ledger.otlp.values import Value, text_of

NODES_MAX = 20_000
"""Of one answer that are looked at."""


class Asked(NamedTuple):
    """A tool that an answer asks for; what it does not say is None."""

    call_id: str | None
    tool: str | None


def asked_tools(output: Value) -> list[Asked]:
    """The calls in an answer, in their order, each once."""
    found = [_call(node) for node in _nodes(output)]
    return list(dict.fromkeys(each for each in found if each is not None and (each.call_id or each.tool)))


def _call(node: Mapping[str, Value]) -> Asked | None:
    kind = node.get("type")
    if kind in ("tool_call", "tool_use", "function_call") and "name" in node:
        return Asked(text_of(node.get("call_id")) or text_of(node.get("id")), text_of(node["name"]))
    function = node.get("function")
    if isinstance(function, Mapping) and "name" in function and "parameters" not in function:
        return Asked(text_of(node.get("id")), text_of(function["name"]))
    if "toolUseId" in node and "name" in node:
        return Asked(text_of(node["toolUseId"]), text_of(node["name"]))
    called = node.get("functionCall") or node.get("function_call")
    if isinstance(called, Mapping) and "name" in called:
        return Asked(text_of(called.get("id")), text_of(called["name"]))
    return None


def _nodes(value: Value) -> Iterator[Mapping[str, Value]]:
    waiting, seen = [value], 0
    while waiting and seen < NODES_MAX:
        node = waiting.pop()
        seen += 1
        if isinstance(node, Mapping):
            yield node
            waiting.extend(each for each in reversed(list(node.values())) if isinstance(each, (Mapping, list)))
        elif isinstance(node, list):
            waiting.extend(each for each in reversed(node) if isinstance(each, (Mapping, list)))
