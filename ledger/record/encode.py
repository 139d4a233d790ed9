"""Avro encoding, compiled once from a pinned schema.

A payload has some 150 fields, most of them null, and a gateway writes one for every event. fastavro decides for each
nullable field anew which branch a value belongs to; here each record of the schema becomes a Python function without
loops: its fields are taken out of the dictionary at once, and one `join` puts their encodings together.

    def encode(values):
        if len(values) != 3:
            raise other_fields(values)
        f0, f1, f2 = take(values)
        return join((
            f0 if len(f0) == 16 else wrong_length(f0, 16),
            NULL if f1 is None else PRESENT + text(f1),
            _K[f2],
        ))

Each field has a line of its own, and the line on which an error arose names the field: that costs nothing while there
is none. A payload takes 10 µs so, and took 16 with a function for each node of the schema. The bytes are the same (the
tests hold them against fastavro's, which also reads them).

Only what the pinned schemas use is known: record, enum, fixed, array, union of null and one other type, string, bytes,
long, double, boolean, and long as timestamp-micros, which takes Unix microseconds or an aware `datetime`. A value that
does not fit is a `ValueError` that names the field, never the value.

A record's encoding is those of its fields, one behind the other. So a list of records may be given as encodings that
were made elsewhere (`encoded`), and a stretch of a record's fields can have an encoder of its own (`compile_fields`).

There is one encoding of a value: shortest integers, an array as one block without a byte count, booleans 0 and 1.
`ledger.record.payload` reads no other.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from types import CodeType
from typing import Any, NoReturn

Encode = Callable[[Any], bytes]

TEXTS_REMEMBERED = 4_096
"""Texts whose encoding is remembered: names of at most 256 characters, most of them the same in event after event."""

LONGS_REMEMBERED = 64
"""Numbers whose encoding is remembered: the events of a batch share their time of receipt."""

_LONG_LEAST, _LONG_MOST = -(2**63), 2**63 - 1
_READY_TO = 4_096
_EIGHT_BYTES_FROM, _EIGHT_BYTES_TO = 1 << 49, 1 << 56
"""What takes eight bytes: the times of this era, one or two in every event, are written without a loop."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@lru_cache(maxsize=LONGS_REMEMBERED, typed=True)
def _long(value: int) -> bytes:
    """A long: zigzag, then seven bits a byte, the lowest first."""
    if not _LONG_LEAST <= value <= _LONG_MOST:
        raise ValueError("is not a 64-bit signed integer")
    rest = (value << 1) ^ (value >> 63)
    if _EIGHT_BYTES_FROM <= rest < _EIGHT_BYTES_TO:
        return bytes(
            (
                rest & 0x7F | 0x80,
                rest >> 7 & 0x7F | 0x80,
                rest >> 14 & 0x7F | 0x80,
                rest >> 21 & 0x7F | 0x80,
                rest >> 28 & 0x7F | 0x80,
                rest >> 35 & 0x7F | 0x80,
                rest >> 42 & 0x7F | 0x80,
                rest >> 49,
            )
        )
    out = bytearray()
    while rest > 0x7F:
        out.append((rest & 0x7F) | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


_READY = [_long(value) for value in range(_READY_TO)]
"""Counts and lengths, encoded once."""


def encode_long(value: int) -> bytes:
    """The encoding of one long."""
    return _READY[value] if 0 <= value < _READY_TO else _long(value)


def _moment(value: int | datetime) -> bytes:
    return _long((value - _EPOCH) // _MICROSECOND if isinstance(value, datetime) else value)


@lru_cache(maxsize=TEXTS_REMEMBERED)
def encode_text(value: str) -> bytes:
    """The encoding of one text."""
    encoded = value.encode()
    return _long(len(encoded)) + encoded


def _sized(value: bytes) -> bytes:
    return _long(len(value)) + value


def _wrong_length(value: bytes, size: int) -> NoReturn:
    raise ValueError(f"has {len(value)} bytes, expected {size}")


def _no_boolean() -> NoReturn:
    raise ValueError("is not a boolean")


_NAMES: dict[str, Any] = {
    "NULL": b"\x00",
    "PRESENT": b"\x02",
    "YES": b"\x01",
    "NO": b"\x00",
    "END": b"\x00",
    "READY": _READY,
    "READY_TO": _READY_TO,
    "join": b"".join,
    "long": _long,
    "moment": _moment,
    "text": encode_text,
    "sized": _sized,
    "double": struct.Struct("<d").pack,
    "wrong_length": _wrong_length,
    "no_boolean": _no_boolean,
}
"""What the compiled functions use, besides what is made for their schema."""

_PRIMITIVES = {
    "long": "READY[{0}] if 0 <= {0} < READY_TO else long({0})",
    "bytes": "sized({0})",
    "string": "text({0})",
    "double": "double({0})",
    "boolean": "YES if {0} is True else NO if {0} is False else no_boolean()",
}
"""Type to the expression that encodes a value of it."""

_TIMESTAMP = "moment({0})"
_ENCODED = "join((long(len({0})), *{0}, END)) if {0} else END"


def compile_encoder(definition: Any, encoded: Collection[str] = ()) -> Encode:
    """The encoder of a schema, a record: a value to its bytes. Fields of `encoded` hold lists of encoded items."""
    compiler = _Compiler(encoded)
    return _guarded(compiler, compiler.function_of(definition))


def compile_fields(definition: Any, record: str, first: str, last: str) -> Encode:
    """The encoder of a stretch of the fields of a record inside a schema."""
    compiler = _Compiler(())
    compiler.function_of(definition)
    fields = compiler.definitions[record]
    names = [each["name"] for each in fields]
    stretch = fields[names.index(first) : names.index(last) + 1]
    part = {"type": "record", "name": f"{record}.{first}-{last}", "fields": stretch}
    return _guarded(compiler, compiler.function_of(part))


def _guarded(compiler: _Compiler, write: Encode) -> Encode:
    def encode(value: Any) -> bytes:
        try:
            return write(value)
        except (ValueError, TypeError, KeyError, AttributeError, struct.error, OverflowError) as error:
            # Only messages of this module: Python's own show the value.
            detail = str(error) if type(error) is ValueError else type(error).__name__
            where = compiler.fields_on_the_way(error)
            if not where and type(error) is not ValueError:
                detail = f"a value does not fit the schema ({detail})"
            raise ValueError(": ".join((*where, detail))) from None

    return encode


class _Compiler:
    """Turns the nodes of one schema into expressions, and its records into functions."""

    def __init__(self, encoded: Collection[str]) -> None:
        self.definitions: dict[str, list[dict[str, Any]]] = {}
        self._encoded = encoded
        self._names = dict(_NAMES)
        self._named: dict[str, str] = {}
        self._fields: dict[CodeType, list[str]] = {}

    def function_of(self, node: Any) -> Encode:
        """The function that encodes values of a node which is a record."""
        self._expression(node)
        made: Encode = self._names[f"_{node['name']}"]
        return made

    def fields_on_the_way(self, error: BaseException) -> Iterable[str]:
        """The fields, from the outermost on, in which an error arose."""
        found, at = [], error.__traceback__
        while at is not None:
            fields = self._fields.get(at.tb_frame.f_code, [])
            line = at.tb_lineno - _FIRST_FIELD_LINE
            if 0 <= line < len(fields):
                found.append(fields[line])
            at = at.tb_next
        return found

    def _expression(self, node: Any) -> str:
        """A Python expression for the encoding of `{0}`."""
        if isinstance(node, str):
            return self._named.get(node) or _PRIMITIVES[node]
        if isinstance(node, list):
            return self._nullable(node)
        kind = node["type"]
        if kind == "array":
            return self._array(node["items"])
        if kind == "enum":
            self._names[f"_{node['name']}"] = {symbol: _long(index) for index, symbol in enumerate(node["symbols"])}
            made = f"_{node['name']}[{{0}}]"
        elif kind == "fixed":
            made = f"{{0}} if len({{0}}) == {node['size']} else wrong_length({{0}}, {node['size']})"
        elif kind == "record":
            self._names[f"_{node['name']}"] = self._record(node)
            made = f"_{node['name']}({{0}})"
        else:
            return _TIMESTAMP if node.get("logicalType") == "timestamp-micros" else _PRIMITIVES[kind]
        self._named[node["name"]] = made
        return made

    def _nullable(self, branches: list[Any]) -> str:
        if len(branches) != 2 or branches[0] != "null":
            raise ValueError("a union other than of null and one type is not supported")
        return f"NULL if {{0}} is None else PRESENT + ({self._expression(branches[1])})"

    def _array(self, items: Any) -> str:
        each = self._expression(items).format("each")
        return f"join((long(len({{0}})), *[{each} for each in {{0}}], END)) if {{0}} else END"

    def _record(self, node: dict[str, Any]) -> Encode:
        name, fields = node["name"], [each["name"] for each in node["fields"]]
        if len(fields) < 2:
            raise ValueError(f"{name}: a record of fewer than two fields is not supported")  # `take` gives no tuple
        self.definitions[name] = node["fields"]
        expressions = [
            _ENCODED if each["name"] in self._encoded else self._expression(each["type"]) for each in node["fields"]
        ]

        def other_fields(values: dict[str, Any]) -> ValueError:
            return ValueError(f"{name}: expected other fields, differs in {sorted(set(fields) ^ values.keys())}")

        lines = [
            "def encode(values):",
            f"    if len(values) != {len(fields)}: raise other_fields(values)",
            f"    {', '.join(f'f{i}' for i in range(len(fields)))} = take(values)",
            "    return join((",
            *(f"        {expression.format(f'f{i}')}," for i, expression in enumerate(expressions)),
            "    ))",
        ]
        # Names of the schema stand in the source as identifiers only (Avro allows no others); texts never do.
        names = self._names
        scope: dict[str, Any] = {"take": itemgetter(*fields), "other_fields": other_fields}
        exec(compile("\n".join(lines), f"<encoder of {name}>", "exec"), scope | names, scope)
        made: Encode = scope["encode"]
        self._fields[made.__code__] = fields
        return made


_FIRST_FIELD_LINE = 5
"""Where the fields begin in a compiled function."""
