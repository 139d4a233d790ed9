"""How fields of a submitted message are read: names, counts, numbers, times, enums, contents.

Unset names become null, unset enums `unspecified`; nothing is invented.

Most fields of an event are unset, and asking for each of them costs more than reading those that are there. So a
message of many fields is read by a `Table`: what its record holds while nothing is set, and how each field that is set
changes that. protobuf lists the set ones in the order of their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from ledger.errors import Rejected
from ledger.record.names import exactly, finite, name, signed
from ledger.record.schemas import PAYLOAD
from ledger.v1 import event_pb2 as pb

Values = dict[str, Any]

Descriptor = Any
FieldDescriptor = Any
"""protobuf's, of a message and of a field; its stubs know two classes of each."""

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


def _collect_records(node: Any, found: dict[str, list[Values]]) -> dict[str, list[Values]]:
    if isinstance(node, list):
        for each in node:
            _collect_records(each, found)
    elif isinstance(node, dict):
        if node.get("type") == "record":
            found[node["name"]] = node["fields"]
        for key in ("type", "items", "fields"):
            if key in node:
                _collect_records(node[key], found)
    return found


SYMBOLS = _collect_enums(PAYLOAD.definition, {})
"""Enum name to its symbols, in the order of the protobuf numbers."""


RECORDS = _collect_records(PAYLOAD.definition, {})
"""Record name to its fields as the schema defines them."""


def unset(record: str) -> Values:
    """The values of a record while nothing is set: null, `unspecified`, the empty list. To be copied, never changed."""
    return {field["name"]: _unset_value(field["type"]) for field in RECORDS[record]}


def _unset_value(node: Any) -> Any:
    if isinstance(node, str) and node in SYMBOLS:
        return SYMBOLS[node][0]
    if isinstance(node, dict) and node["type"] == "enum":
        return node["symbols"][0]
    return [] if isinstance(node, dict) and node["type"] == "array" else None


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
    return moment_of(getattr(message, attribute), field)


def moment_of(value: Timestamp, field: str) -> int:
    """A timestamp as Unix microseconds. Refuses times outside the years 1 to 9999."""
    seconds, nanos = value.seconds, value.nanos
    if not -62_135_596_800 <= seconds < 253_402_300_800 or not 0 <= nanos < 1_000_000_000:
        raise Rejected(field, "is not a valid timestamp (years 1 to 9999, nanos below 1e9)")
    return seconds * 1_000_000 + nanos // 1_000


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


Check = Callable[[Any, str], Any]
"""The value of a set field and its path, to what the payload holds of it; `Rejected` when it cannot."""


def as_it_is(value: Any, _path: str) -> Any:
    """For types that protobuf has checked: booleans, signed integers."""
    return value


def symbol_of(enum: str) -> Check:
    """The check of a field of this enum."""
    return lambda number, path: symbol(number, enum, path)


def bytes_of(length: int) -> Check:
    """The check of an id or digest of this length."""
    return lambda value, path: exactly(value, length, path)


Entries = dict[FieldDescriptor, tuple[Check, str, str]]
"""By field: how its value is checked, the name of what it becomes in the payload, its path for a refusal."""


def entries_of(message: Descriptor, path: str, checks: Mapping[str, Check], prefix: str = "") -> Entries:
    """The entries of the fields named in `checks`; in the payload they have the prefix in front."""
    fields = message.fields_by_name
    return {fields[name]: (check, prefix + name, f"{path}.{name}") for name, check in checks.items()}


def read_set(message: Message, entries: Entries, values: Values) -> None:
    """Puts what is set in `message` into `values`. Every field of the message needs an entry."""
    for field, value in message.ListFields():
        check, into, path = entries[field]
        values[into] = check(value, path)


@dataclass(frozen=True, slots=True)
class Table:
    """How a body is read: its record while nothing is set, single fields, contents (by slot and path)."""

    unset: Values
    entries: Entries
    contents: Mapping[FieldDescriptor, tuple[str, str]]

    def read(self, body: Message, take: TakeContent) -> tuple[Values, list[tuple[str, Any]]]:
        """The body's values, its contents handed to `take`; and the set fields of which the table says nothing."""
        values, entries, contents = self.unset.copy(), self.entries, self.contents
        others = []
        for field, value in body.ListFields():
            if field in contents:
                slot, path = contents[field]
                take(slot, path, value)
            elif field in entries:
                check, into, path = entries[field]
                values[into] = check(value, path)
            else:
                others.append((field.name, value))
        return values, others


def table_of(record: str, message: Descriptor, path: str, checks: Mapping[str, Check]) -> Table:
    """The table of a body; its contents are those fields of the message that are contents."""
    contents = {
        field: (field.name, f"{path}.{field.name}")
        for field in message.fields
        if field.message_type is pb.Content.DESCRIPTOR
    }
    return Table(unset(record), entries_of(message, path, checks), contents)
