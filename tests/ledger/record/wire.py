"""An encoder of protobuf messages of its own, to hold `pb1` against: fields in the order of their numbers.

It knows only what docs/FORMAT.md says of `pb1`, and reads values through descriptors; the serializer it is compared
with has no part in it.
"""

from __future__ import annotations

import struct
from typing import Any

from google.protobuf.descriptor import FieldDescriptor as F

_VARINT, _FIXED64, _SIZED = 0, 1, 2
_INTEGERS = {F.TYPE_INT32, F.TYPE_INT64, F.TYPE_UINT32, F.TYPE_UINT64, F.TYPE_ENUM, F.TYPE_BOOL}


def encode(message: Any) -> bytes:
    """The message's fields, ascending, unset ones left out."""
    return b"".join(_field(message, field) for field in sorted(message.DESCRIPTOR.fields, key=lambda each: each.number))


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; negative numbers as 64 bits in two's complement."""
    number &= 2**64 - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(message: Any, field: Any) -> bytes:
    value = getattr(message, field.name)
    if field.is_repeated:
        if not len(value):
            return b""
        if field.type in _INTEGERS or field.type == F.TYPE_DOUBLE:
            return _tag(field, _SIZED) + _sized(b"".join(_scalar(field, each) for each in value))
        return b"".join(_tagged(field, each) for each in value)
    if field.has_presence:
        return _tagged(field, value) if message.HasField(field.name) else b""
    return _tagged(field, value) if not _is_default(field, value) else b""


def _is_default(field: Any, value: Any) -> bool:
    # A double is left out only when it is +0: -0 is another number on the wire.
    return struct.pack("<d", value) == bytes(8) if field.type == F.TYPE_DOUBLE else not value


def _tagged(field: Any, value: Any) -> bytes:
    if field.type == F.TYPE_MESSAGE:
        return _tag(field, _SIZED) + _sized(encode(value))
    if field.type == F.TYPE_STRING:
        return _tag(field, _SIZED) + _sized(value.encode())
    if field.type == F.TYPE_BYTES:
        return _tag(field, _SIZED) + _sized(value)
    return _tag(field, _FIXED64 if field.type == F.TYPE_DOUBLE else _VARINT) + _scalar(field, value)


def _scalar(field: Any, value: Any) -> bytes:
    if field.type == F.TYPE_DOUBLE:
        return struct.pack("<d", value)
    if field.type not in _INTEGERS:
        raise TypeError(f"{field.full_name}: type {field.type} is not provided for")
    return varint(int(value))


def _tag(field: Any, wire_type: int) -> bytes:
    return varint(field.number << 3 | wire_type)


def _sized(data: bytes) -> bytes:
    return varint(len(data)) + data
