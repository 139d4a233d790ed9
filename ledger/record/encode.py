"""Avro encoding, compiled once from a pinned schema.

A payload has some 150 fields, most of them null, and a gateway writes one for every event. fastavro decides for each
nullable field anew which branch a value belongs to; here the schema is walked once, and each of its nodes becomes a
function that already knows. The bytes are the same (the tests hold them against fastavro's, which also reads them).

Only what the pinned schemas use is known: record, enum, fixed, array, union of null and one other type, string, bytes,
long, double, boolean, and long as timestamp-micros, which takes Unix microseconds or an aware `datetime`. A value that
does not fit is a `ValueError` that names the field, never the value.

There is one encoding of a value: shortest integers, an array as one block without a byte count, booleans 0 and 1.
`ledger.record.payload` reads no other.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

Parts = list[bytes]
Encode = Callable[[Any, Parts], None]
"""Appends the encoding of a value to the parts."""

_NULL = b"\x00"
_PRESENT = b"\x02"
_END_OF_ARRAY = b"\x00"
_LONG_LEAST, _LONG_MOST = -(2**63), 2**63 - 1
_READY_FROM, _READY_TO = -64, 4_096
_DOUBLE = struct.Struct("<d")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _long_bytes(value: int) -> bytes:
    """A long: zigzag, then seven bits a byte, the lowest first."""
    rest = (value << 1) ^ (value >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append((rest & 0x7F) | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


_READY = [_long_bytes(value) for value in range(_READY_FROM, _READY_TO)]
"""Counts and small numbers, encoded once."""

_SIZES = _READY[-_READY_FROM:]
"""The same from 0 on, for lengths."""


def _long(value: int, parts: Parts) -> None:
    if _READY_FROM <= value < _READY_TO:
        parts.append(_READY[value - _READY_FROM])
    elif _LONG_LEAST <= value <= _LONG_MOST:
        parts.append(_long_bytes(value))
    else:
        raise ValueError("is not a 64-bit signed integer")


def _timestamp(value: int | datetime, parts: Parts) -> None:
    _long((value - _EPOCH) // _MICROSECOND if isinstance(value, datetime) else value, parts)


def _bytes(value: bytes, parts: Parts) -> None:
    size = len(value)
    parts.append(_SIZES[size] if size < _READY_TO else _long_bytes(size))
    parts.append(value)


def _string(value: str, parts: Parts) -> None:
    encoded = value.encode()
    size = len(encoded)
    parts.append(_SIZES[size] if size < _READY_TO else _long_bytes(size))
    parts.append(encoded)


def _double(value: float, parts: Parts) -> None:
    parts.append(_DOUBLE.pack(value))


def _boolean(value: bool, parts: Parts) -> None:
    if value is True:
        parts.append(b"\x01")
    elif value is False:
        parts.append(b"\x00")
    else:
        raise ValueError("is not a boolean")


_PRIMITIVES: dict[str, Encode] = {
    "long": _long,
    "bytes": _bytes,
    "string": _string,
    "double": _double,
    "boolean": _boolean,
}


def compile_encoder(definition: Any) -> Callable[[Any], bytes]:
    """The encoder of a schema: a value to its bytes."""
    write = _compile(definition, {})

    def encode(value: Any) -> bytes:
        parts: Parts = []
        try:
            write(value, parts)
            return b"".join(parts)
        except (TypeError, KeyError, AttributeError, struct.error, OverflowError) as error:
            raise ValueError(f"a value does not fit the schema ({type(error).__name__})") from None

    return encode


def _compile(node: Any, named: dict[str, Encode]) -> Encode:
    if isinstance(node, str):
        return named[node] if node in named else _PRIMITIVES[node]
    if isinstance(node, list):
        return _nullable(node, named)
    kind = node["type"]
    if kind == "record":
        made = _record(node, named)
    elif kind == "enum":
        made = _enum(node["symbols"])
    elif kind == "fixed":
        made = _fixed(node["size"])
    elif kind == "array":
        return _array(_compile(node["items"], named))
    elif node.get("logicalType") == "timestamp-micros":
        return _timestamp
    else:
        return _PRIMITIVES[kind]
    named[node["name"]] = made
    return made


def _nullable(branches: list[Any], named: dict[str, Encode]) -> Encode:
    write = _inside_nullable(branches, named)

    def nullable(value: Any, parts: Parts) -> None:
        if value is None:
            parts.append(_NULL)
        else:
            parts.append(_PRESENT)
            write(value, parts)

    return nullable


def _inside_nullable(branches: list[Any], named: dict[str, Encode]) -> Encode:
    if len(branches) != 2 or branches[0] != "null":
        raise ValueError("a union other than of null and one type is not supported")
    return _compile(branches[1], named)


def _array(write: Encode) -> Encode:
    def array(values: Any, parts: Parts) -> None:
        if values:
            _long(len(values), parts)
            for value in values:
                write(value, parts)
        parts.append(_END_OF_ARRAY)

    return array


def _enum(symbols: list[str]) -> Encode:
    encoded = {symbol: _long_bytes(index) for index, symbol in enumerate(symbols)}

    def enum(value: str, parts: Parts) -> None:
        parts.append(encoded[value])

    return enum


def _fixed(size: int) -> Encode:
    def fixed(value: bytes, parts: Parts) -> None:
        if len(value) != size:
            raise ValueError(f"has {len(value)} bytes, expected {size}")
        parts.append(value)

    return fixed


def _record(node: dict[str, Any], named: dict[str, Encode]) -> Encode:
    # Nullable fields are decided here, not in a function of their own: most of them are null.
    fields = [
        (each["name"], True, _inside_nullable(each["type"], named))
        if isinstance(each["type"], list)
        else (each["name"], False, _compile(each["type"], named))
        for each in node["fields"]
    ]
    names = {name for name, _, _ in fields}

    def record(values: dict[str, Any], parts: Parts) -> None:
        if len(values) != len(fields):
            raise ValueError(f"{node['name']}: expected other fields, differs in {sorted(names ^ values.keys())}")
        append = parts.append
        name = ""
        try:
            for name, nullable, write in fields:
                value = values[name]
                if nullable:
                    if value is None:
                        append(_NULL)
                        continue
                    append(_PRESENT)
                write(value, parts)
        except (ValueError, TypeError, KeyError, AttributeError, struct.error, OverflowError) as error:
            # Only messages of this module: Python's own show the value.
            detail = str(error) if type(error) is ValueError else type(error).__name__
            raise ValueError(f"{name}: {detail}") from None

    return record
