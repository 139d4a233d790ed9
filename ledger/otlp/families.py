"""Families of numbered attributes, put back together: `llm.input_messages.0.message.role` and its like.

    0.message.role = user, 0.message.content = Hi, 1.message.role = …   ->   [{"role": "user", "content": "Hi"}, …]

A part of the key that is a number is a place in a list; lists are closed up where places are missing. Words that only
say what kind of item comes next (`message.`, `tool_call.`, …) are taken out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.otlp.values import Value

PARTS_MAX = 24
"""Of one key. What has more is no member of any family known."""

WRAPPERS = frozenset(
    {"message", "message_content", "tool_call", "document", "tool", "embedding", "prompt", "completion"}
)


def nested(members: Iterable[tuple[str, Value]]) -> Value:
    """The structure that these keys spell; None where there are none."""
    root: dict[str, Any] = {}
    for key, value in members:
        parts = key.split(".")
        if len(parts) > PARTS_MAX:
            continue
        at = root
        for part in parts[:-1]:
            inner = at.get(part)
            if not isinstance(inner, _Node):
                inner = at[part] = _Node({} if inner is None else {"value": inner})
            at = inner
        last = at.get(parts[-1])
        if isinstance(last, _Node):
            last["value"] = value
        else:
            at[parts[-1]] = value
    return _closed(root) if root else None


def listed(members: Iterable[tuple[str, Value]]) -> list[Value] | None:
    """The same for a family that is a list; None where it is none."""
    found = nested(members)
    return found if isinstance(found, list) else None


class _Node(dict[str, Any]):
    """A level of keys, as against a value that is a dict itself."""


def _closed(node: dict[str, Any]) -> Value:
    inner = {key: _closed(value) if isinstance(value, _Node) else value for key, value in node.items()}
    if all(key.isdecimal() for key in inner):
        return [_unwrapped(inner[key]) for key in sorted(inner, key=lambda key: (len(key.lstrip("0")), key))]
    return inner


def _unwrapped(item: Value) -> Value:
    if not isinstance(item, dict):
        return item
    if len(item) == 1:
        (key,) = item
        if key in WRAPPERS and isinstance(item[key], dict):
            return item[key]
    merged: dict[str, Value] = {}
    for key, value in item.items():
        if key in ("message", "message_content", "document") and isinstance(value, dict):
            merged.update(value)
        else:
            merged[key] = value
    return merged
