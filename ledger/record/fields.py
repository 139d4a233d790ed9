"""How fields of a submitted message are read: names, counts, numbers, times, enums, contents.

Unset names become null, unset enums `unspecified`; nothing is invented.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.errors import Rejected
from ledger.record.names import finite, name, signed
from ledger.record.schemas import PAYLOAD
from ledger.v1 import event_pb2 as pb

Values = dict[str, Any]

TakeContent = Callable[[str, str, pb.Content], None]
"""Called with slot, field path and content for each content that is set."""


def _collect_enums(node: Any, found: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    if isinstance(node, list):
        for each in node:
            _collect_enums(each, found)
    elif isinstance(node, dict):
        if node.get("type") == "enum":
            found[node["name"]] = tuple(node["symbols"])
        for key in ("type", "items", "fields"):
            if key in node:
                _collect_enums(node[key], found)
    return found


SYMBOLS = _collect_enums(PAYLOAD.definition, {})
"""Enum name to its symbols, in the order of the protobuf numbers."""


def symbol(number: int, enum: str, field: str) -> str:
    """The payload's symbol for a protobuf enum number; an unknown number is refused."""
    symbols = SYMBOLS[enum]
    if not 0 <= number < len(symbols):
        raise Rejected(field, f"unknown value {number}, expected 0 to {len(symbols) - 1}")
    return symbols[number]


def moment(message: Any, attribute: str, field: str) -> int | None:
    """A timestamp as Unix microseconds, or None where unset. Refuses times outside the years 1 to 9999."""
    if not message.HasField(attribute):
        return None
    value: Timestamp = getattr(message, attribute)
    if not -62_135_596_800 <= value.seconds < 253_402_300_800 or not 0 <= value.nanos < 1_000_000_000:
        raise Rejected(field, "is not a valid timestamp (years 1 to 9999, nanos below 1e9)")
    return value.seconds * 1_000_000 + value.nanos // 1_000


Fields = tuple[tuple[str, str], ...]
"""Attributes of a message, each with its path for a refusal. Paths are made once, not for every event."""


def fields_of(path: str, *attributes: str) -> Fields:
    """These attributes of the message at `path`."""
    return tuple((attribute, f"{path}.{attribute}") for attribute in attributes)


def names_in(message: Any, fields: Fields) -> Values:
    """Names by attribute, None where unset. Most are unset: only the others are looked at further."""
    return {
        attribute: name(value, path) if (value := getattr(message, attribute)) else None for attribute, path in fields
    }


def optional(message: Any, attribute: str) -> Any:
    """The value, None where unset."""
    return getattr(message, attribute) if message.HasField(attribute) else None


def counts_in(message: Any, fields: Fields) -> Values:
    """Counts by attribute, None where unset."""
    has = message.HasField
    return {
        attribute: signed(getattr(message, attribute), path) if has(attribute) else None for attribute, path in fields
    }


def count(message: Any, attribute: str, field: str) -> int | None:
    """A count, None where unset."""
    return signed(getattr(message, attribute), field) if message.HasField(attribute) else None


def number(message: Any, attribute: str, field: str) -> float | None:
    """A finite number, None where unset."""
    return finite(getattr(message, attribute), field) if message.HasField(attribute) else None


def take_contents(message: Any, fields: Fields, take: TakeContent) -> None:
    """Hands over each of these contents that is set; its slot is the attribute's name."""
    for attribute, path in fields:
        if message.HasField(attribute):
            take(attribute, path, getattr(message, attribute))
