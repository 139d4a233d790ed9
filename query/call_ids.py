"""The ids under which an answer asks for tools, whichever vendor's or convention's form the answer is kept in.

| form                              | a call                                              |
| --------------------------------- | --------------------------------------------------- |
| OpenAI's chat                     | `{"tool_calls": [{"id": …}]}`                        |
| OpenAI's responses                | `{"type": "function_call", "call_id": …}`            |
| Anthropic's messages              | `{"type": "tool_use", "id": …}`                      |
| Bedrock's Converse                | `{"toolUse": {"toolUseId": …}}`                      |
| Gemini's                          | `{"functionCall": {"id": …}}`, where there is an id  |
| OpenTelemetry's parts             | `{"type": "tool_call", "id": …}`                     |
| OpenInference's                   | `{"tool_call": {"id": …}}`                           |

Pure; an answer that is no JSON names none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

_MARKS = ("tool_call", "tool_use", "toolUse", "functionCall", "function_call")
_TYPED = {"tool_call": "id", "tool_use": "id", "function_call": "call_id"}
_NESTED = {"toolUse": "toolUseId", "functionCall": "id", "tool_call": "id"}


def asked_for(output: str) -> Iterator[str]:
    """The ids of the calls that an answer asks for, in no particular order, maybe repeated."""
    if not any(mark in output for mark in _MARKS):
        return
    try:
        waiting: list[Any] = [json.loads(output)]
    except (ValueError, RecursionError):
        return
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from _named_by(value)
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _named_by(value: dict[str, Any]) -> Iterator[str]:
    """The ids that this object itself tells of."""
    kind = value.get("type")
    found = [value.get(_TYPED[kind])] if isinstance(kind, str) and kind in _TYPED else []
    for name, field in _NESTED.items():
        inner = value.get(name)
        if isinstance(inner, dict):
            found.append(inner.get(field))
    calls = value.get("tool_calls")
    found += [call.get("id") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    yield from (each for each in found if isinstance(each, str) and each)
