"""Events out of JSON Lines: one event a line, in protobuf's JSON form.

A line that is none is told by its number, and where that can be said, by the column (in characters, from 1) or the
path of the field, with what was expected there. Nothing of the line itself is ever repeated, for it may be content: of
a name that no field has, only the field is told whose name is like it.
"""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import Any, NoReturn

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message_factory import GetMessageClass

from ledger.errors import Rejected
from ledger.v1 import event_pb2 as pb

_Kind = Any
"""A message's descriptor. Protobuf has several implementations, and no type that all their descriptors share."""

_ENUM_NAMES_SHOWN = 12
_SYNTAX = {
    "Expecting ':' delimiter": "':'",
    "Expecting ',' delimiter": "',' or the end of the object or list",
    "Expecting property name enclosed in double quotes": "a field's name in double quotes",
    "Expecting value": "a JSON value",
    "Unterminated string starting at": "a closing double quote for the text that begins here",
    "Extra data": "the end of the line after one event",
    "Invalid control character at": "control characters in texts to be written as \\u and four digits",
    "Invalid \\escape": "one of the escapes of JSON after the backslash",
    "Invalid \\uXXXX escape": "four hexadecimal digits after \\u",
    "Unexpected UTF-8 BOM (decode using utf-8-sig)": "UTF-8 without a byte order mark",
}
"""What Python's reader says of a syntax error: what it had expected."""

_SCALARS = {
    FieldDescriptor.CPPTYPE_INT32: "a whole number of 32 bits",
    FieldDescriptor.CPPTYPE_UINT32: "a whole number of 32 bits, not negative",
    FieldDescriptor.CPPTYPE_INT64: "a whole number of 64 bits",
    FieldDescriptor.CPPTYPE_UINT64: "a whole number of 64 bits, not negative",
    FieldDescriptor.CPPTYPE_DOUBLE: "a number",
    FieldDescriptor.CPPTYPE_FLOAT: "a number",
    FieldDescriptor.CPPTYPE_BOOL: "true or false",
}
_WELL_KNOWN = {"google.protobuf.Timestamp": "a time such as 2026-05-15T15:00:00Z"}


class NotAnEvent(Rejected):
    """A line is no event. `column`: where in the line, None where only the field, or nothing, can be told."""

    def __init__(self, column: int | None, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.column = column


def parse_line(line: bytes) -> pb.Event:
    """The event of one line; `NotAnEvent`."""
    value = _json(line)
    event = pb.Event()
    if not isinstance(value, dict):
        # An empty list would pass for an empty event.
        _explain(pb.Event.DESCRIPTOR, value, "")
    try:
        ParseDict(value, event)
    except (ParseError, ValueError, TypeError, RecursionError):
        _explain(pb.Event.DESCRIPTOR, value, "")
    return event


def _json(line: bytes) -> Any:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        column = len(line[: error.start].decode("utf-8")) + 1
        raise NotAnEvent(column, "", "expected UTF-8, found another byte") from None
    try:
        return json.loads(text, object_pairs_hook=_each_once)
    except json.JSONDecodeError as error:
        expected = _SYNTAX.get(error.msg.partition(": ")[0].rstrip(": "), "JSON")
        raise NotAnEvent(error.colno, "", f"expected {expected}") from None
    except RecursionError:
        raise NotAnEvent(None, "", "expected objects and lists in each other less deeply") from None
    except ValueError:
        raise NotAnEvent(None, "", "expected numbers of at most 4300 digits") from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotAnEvent(None, "", "expected each name once in an object, found one twice")
    return found


def _explain(kind: _Kind, value: Any, path: str) -> NoReturn:
    """Say what is wrong in `value`, which is not a message of this kind."""
    if not isinstance(value, dict):
        raise NotAnEvent(
            None, path, f"expected an object with the fields of {kind.name}, found {_what(value)}"
        ) from None
    names = {name: field for field in kind.fields for name in (field.name, field.camelcase_name)}
    for name, inner in value.items():
        field = names.get(name)
        if field is None:
            near = get_close_matches(name, sorted({field.camelcase_name for field in kind.fields}), n=1)
            hint = f"; near it is {near[0]}" if near else ""
            raise NotAnEvent(None, path, f"expected fields of {kind.name}, found a name that is none{hint}") from None
        if not _fits(kind, name, inner):
            _explain_field(kind, field, inner, f"{path}.{field.name}" if path else field.name)
    for oneof in kind.oneofs:
        if sum(names[name].containing_oneof is oneof for name in value) > 1:
            raise NotAnEvent(None, path, f"expected one {oneof.name}, found several") from None
    raise NotAnEvent(None, path, f"expected a {kind.name}") from None


def _fits(kind: _Kind, name: str, value: Any) -> bool:
    try:
        ParseDict({name: value}, GetMessageClass(kind)())
    except (ParseError, ValueError, TypeError, RecursionError):
        return False
    return True


def _explain_field(kind: _Kind, field: FieldDescriptor, value: Any, path: str) -> NoReturn:
    if not field.is_repeated:
        _explain_value(field, value, path)
    if not isinstance(value, list):
        raise NotAnEvent(None, path, f"expected a list, found {_what(value)}") from None
    for index, each in enumerate(value):
        if not _fits(kind, field.name, [each]):
            _explain_value(field, each, f"{path}[{index}]")
    raise NotAnEvent(None, path, "expected another list") from None


def _explain_value(field: FieldDescriptor, value: Any, path: str) -> NoReturn:
    message = field.message_type
    if message is not None and message.full_name not in _WELL_KNOWN:
        _explain(message, value, path)
    raise NotAnEvent(None, path, f"expected {_expected(field)}, found {_what(value)}") from None


def _expected(field: FieldDescriptor) -> str:
    if field.message_type is not None:
        return _WELL_KNOWN[field.message_type.full_name]
    if field.enum_type is not None:
        names = [value.name for value in field.enum_type.values if value.number]
        return f"one of {', '.join(names)}" if len(names) <= _ENUM_NAMES_SHOWN else f"a name of {field.enum_type.name}"
    if field.type == FieldDescriptor.TYPE_BYTES:
        return "bytes in base64"
    return _SCALARS.get(field.cpp_type, "a text of Unicode characters")


def _what(value: Any) -> str:
    """What kind of JSON this is, and nothing of what stands in it."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "an object"
