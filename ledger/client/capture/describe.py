"""Arguments and results as JSON. Pure; runs no code of the application.

    None, bool, int, float, str      as they are; NaN and infinities as text
    dict, list, tuple, set           their members; a dict's keys as JSON has them
    datetime, date, time, UUID,      their usual text
    Decimal, path, Enum (its value)
    bytes                            {"type": "bytes", "bytes": <length>}
    anything else                    {"type": "<module>.<name>"}

Nobody's `__repr__`, `__str__`, `__iter__` or properties are called: a private object is told by its type alone, because
what its text shows is not ours to know, and running it could fail, block, or change something. Members beyond
`NODES_MAX`, `DEPTH_MAX` or `CHARACTERS_MAX` in all are told by their type, with `"left_out": true`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

NODES_MAX = 10_000
DEPTH_MAX = 24
CHARACTERS_MAX = 1_000_000

Json = Any

_AS_TEXT = (datetime, date, time, timedelta, UUID, Decimal)


def describe(value: object) -> Json:
    """The value as JSON. Never raises for what it holds."""
    return _Walk().take(value, 0)


def describe_all(values: Mapping[str, object], leave_out: Iterable[str] = ()) -> dict[str, Json]:
    """Several by name, those of `leave_out` by type only."""
    walk, kept_back = _Walk(), frozenset(leave_out)
    return {
        name: left_out(value) if name in kept_back else walk.take(value, 1) for name, value in dict.items(dict(values))
    }


def type_name(value: object) -> str:
    """The name of the value's class."""
    return class_name(type(value))


def class_name(kind: type) -> str:
    """Module and name; builtins without their module."""
    # Straight from `type`: a metaclass may have its own ideas of names.
    name = type.__getattribute__(kind, "__qualname__")
    module = type.__getattribute__(kind, "__dict__").get("__module__", "builtins")
    return name if module == "builtins" or not isinstance(module, str) else f"{module}.{name}"


def left_out(value: object) -> Json:
    """What is said of a value that is not shown."""
    return {"type": type_name(value), "left_out": True}


class _Walk:
    """One description, with what is left of its bounds."""

    def __init__(self) -> None:
        self._nodes = NODES_MAX
        self._characters = CHARACTERS_MAX

    def take(self, value: object, depth: int) -> Json:
        """The value as JSON."""
        try:
            return self._take(value, depth)
        except Exception:
            # A container changed by another thread while it is read, a subclass that lies about what it is.
            return left_out(value)

    def _take(self, value: Any, depth: int) -> Json:
        self._nodes -= 1
        # Not `isinstance`: it asks the object for its `__class__` where the type alone says no.
        kind = type(value)
        if value is None or value is True or value is False:
            return value
        if self._nodes < 0:
            return left_out(value)
        if issubclass(kind, Enum):
            return self._take(value._value_, depth + 1)
        if issubclass(kind, str):
            return self._text(str.__str__(value), value)
        if issubclass(kind, int):
            return self._int(int.__int__(value), value)
        if issubclass(kind, float):
            number = float.__float__(value)
            return number if math.isfinite(number) else float.__repr__(number)
        if issubclass(kind, bytes | bytearray | memoryview):
            return {"type": type_name(value), "bytes": memoryview(value).nbytes}
        if kind in _AS_TEXT or issubclass(kind, PurePath):
            return self._text(PurePath.__str__(value) if issubclass(kind, PurePath) else str(value), value)
        if depth >= DEPTH_MAX:
            return left_out(value)
        if issubclass(kind, dict):
            return self._members(dict.items(value), depth)
        if issubclass(kind, list | tuple | set | frozenset):
            return [self.take(each, depth + 1) for each in self._within(_elements(value))]
        return {"type": type_name(value)}

    def _int(self, number: int, value: object) -> Json:
        # A longer one takes long to write and no reader of JSON takes it.
        return number if number.bit_length() <= 1_024 else left_out(value)

    def _text(self, text: str, value: object) -> Json:
        if len(text) > self._characters:
            return {"type": type_name(value), "characters": len(text), "left_out": True}
        self._characters -= len(text)
        return text

    def _members(self, items: Iterable[tuple[object, object]], depth: int) -> Json:
        found: dict[str, Json] = {}
        for key, value in self._within(items):
            found[self._key(key)] = self.take(value, depth + 1)
        return found

    def _key(self, key: object) -> str:
        shown = self._take(key, DEPTH_MAX)
        if isinstance(shown, str):
            return shown
        return {True: "true", False: "false", None: "null"}.get(shown, str(shown)) if _plain(shown) else type_name(key)

    def _within(self, items: Iterable[Any]) -> Iterator[Any]:
        for each in items:
            if self._nodes < 0:
                return
            yield each


def _plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float)


def _elements(value: list[Any] | tuple[Any, ...] | set[Any] | frozenset[Any]) -> Iterable[Any]:
    for kind in (list, tuple, set, frozenset):
        if issubclass(type(value), kind):
            return kind.__iter__(value)  # type: ignore[arg-type]
    return ()
