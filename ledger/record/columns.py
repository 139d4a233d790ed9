"""Many Avro datums as Arrow columns, at millions a second.

polars decodes an Avro Object Container File natively; we build one in memory whose block is the concatenated datums.
Four things make that exact, so that a batch decodes here just when each of its datums decodes by itself
(`ledger.record.payload.decode_datum`), to the same values:

- *Boundaries.* Concatenation trusts every datum to end where its bytes end. A random 16-byte guard stands in front of
  each datum as an extra first field, and once more behind the last one, before a copy of the first datum: if any datum
  ran over its end or stopped short of it, some later guard differs from the one expected. The guard is fresh for each
  batch, so that no datum can contain it on purpose.
- *Types.* polars knows no references to named types and no enums inside other types, and takes any byte but 1 for
  false. The columnar schema inlines the first, reads enums as `long` (an enum is written as its zigzag index, which is
  how a long is written) and booleans as one fixed byte; both are turned into symbols and truth values afterwards, and
  what is neither is refused.
- *One encoding.* Avro allows several for the same values, and readers differ in what they make of them. Each datum must
  be spelled as its values need (`ledger.record.spelling`), and its texts must be UTF-8.
- *Failure.* A batch that fails in any of this is `NotColumnar`; the caller then decodes datum by datum to find the bad
  one. Nothing is decided from a batch that failed. Where polars panics over hostile bytes it says so on stderr, with
  positions and lengths, never with bytes.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from ledger.errors import IntegrityError
from ledger.record.schemas import HEADER_BYTES, Schema
from ledger.record.spelling import OtherSpelling, check_spelling

_SYNC = bytes(16)
_GUARD = "guard"
GUARD_BYTES = 16


class NotColumnar(IntegrityError):
    """The batch holds a datum that is not what its schema says; decode one by one to find it."""


def decode_columns(schema: Schema, data: Sequence[bytes]) -> pa.Table:
    """The fields of `schema` as Arrow columns, one row for each single-object encoding in `data`.

    Every item must carry the schema's header; that is the caller's check. Fixed types come as large_binary, enums as
    large_string. `NotColumnar` when any item is not the one encoding of a value of the schema.
    """
    if not data:
        raise ValueError("at least one datum is needed")
    guard = os.urandom(GUARD_BYTES)
    body = guard + guard.join([item[HEADER_BYTES:] for item in data]) + guard + data[0][HEADER_BYTES:]
    rows = len(data) + 1
    plan = _plan(schema)
    block = b"".join([plan.head, _long(rows), _long(len(body)), body, _SYNC])
    try:
        frame = pl.read_avro(io.BytesIO(block))
        if frame.height != rows or not frame.select((pl.col(_GUARD) == pl.lit(guard)).all()).item():
            raise NotColumnar(f"{len(data)} datums of {schema.name}: a datum does not end where its bytes end")
        frame = frame.head(len(data)).drop(_GUARD)
        lengths = np.fromiter(map(len, data), np.int64, len(data)) - HEADER_BYTES
        ends = np.cumsum(lengths + GUARD_BYTES)
        table = frame.with_columns(plan.restorations).to_arrow(compat_level=pl.CompatLevel.oldest())
        table.validate(full=True)
        check_spelling(plan.fields, table, np.frombuffer(body, np.uint8), ends - lengths, ends)
    except OtherSpelling as error:
        raise NotColumnar(f"{len(data)} datums of {schema.name}: {error}") from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowInvalid, OSError) as error:
        raise NotColumnar(f"{len(data)} datums of {schema.name}: {type(error).__name__}") from None
    return table


def _long(value: int) -> bytes:
    value <<= 1
    out = bytearray()
    while value > 0x7F:
        out.append((value & 0x7F) | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is made once for a schema: the head of the container file, its fields, what turns columns into values."""

    head: bytes
    fields: list[dict[str, Any]]
    restorations: tuple[pl.Expr, ...]


_plans: dict[bytes, _Plan] = {}


def _plan(schema: Schema) -> _Plan:
    plan = _plans.get(schema.sha256)
    if plan is None:
        fields = _inline(schema.definition, {}, count(1), columnar=False)["fields"]
        head = _head(_inline(schema.definition, {}, count(1), columnar=True))
        plan = _plans[schema.sha256] = _Plan(head, fields, tuple(_restorations(schema)))
    return plan


def _head(inlined: dict[str, Any]) -> bytes:
    """The head of a container file for the schema polars can read, with the guard in front."""
    guard = {"name": _GUARD, "type": {"type": "fixed", "name": "guard_16", "size": GUARD_BYTES}}
    definition = {**inlined, "fields": [guard, *inlined["fields"]]}
    head = bytearray(b"Obj\x01")
    meta = {"avro.schema": json.dumps(definition).encode(), "avro.codec": b"null"}
    head += _long(len(meta))
    for key, value in meta.items():
        head += _long(len(key)) + key.encode() + _long(len(value)) + value
    return bytes(head + b"\x00" + _SYNC)


def _inline(node: Any, named: dict[str, Any], numbers: Iterator[int], *, columnar: bool) -> Any:
    """`node` with every named type written out under a name of its own; if `columnar`, as polars is to read it."""
    if isinstance(node, list):
        return [_inline(each, named, numbers, columnar=columnar) for each in node]
    if node == "boolean" and columnar:
        return {"type": "fixed", "name": f"t{next(numbers)}", "size": 1}
    if isinstance(node, str):
        return _inline(named[node], named, numbers, columnar=columnar) if node in named else node
    if node["type"] in ("record", "enum", "fixed"):
        named.setdefault(node["name"], node)
    if node["type"] == "enum":
        return "long" if columnar else node
    if node["type"] == "fixed":
        return {"type": "fixed", "name": f"t{next(numbers)}", "size": node["size"]}
    if node["type"] == "array":
        return {"type": "array", "items": _inline(node["items"], named, numbers, columnar=columnar)}
    if node["type"] == "record":
        fields = [
            {"name": each["name"], "type": _inline(each["type"], named, numbers, columnar=columnar)}
            for each in node["fields"]
        ]
        return {"type": "record", "name": f"t{next(numbers)}", "fields": fields}
    return node


def _restorations(schema: Schema) -> list[pl.Expr]:
    named: dict[str, Any] = {}
    expressions = []
    for field in schema.definition["fields"]:
        expression = _restore(pl.col(field["name"]), field["type"], named)
        if expression is not None:
            expressions.append(expression)
    return expressions


def _restore(value: pl.Expr, node: Any, named: dict[str, Any]) -> pl.Expr | None:
    """The expression that turns enum indexes and boolean bytes inside `value` into what they say; None without any.

    It fails on an index or a byte that says nothing.
    """
    if isinstance(node, list):
        return _restore(value, node[1], named)
    if node == "boolean":
        return value.replace_strict({b"\x00": False, b"\x01": True, None: None}, return_dtype=pl.Boolean)
    if isinstance(node, str):
        return _restore(value, named[node], named) if node in named else None
    if node["type"] in ("record", "enum", "fixed"):
        named.setdefault(node["name"], node)
    if node["type"] == "enum":
        return value.replace_strict({**dict(enumerate(node["symbols"])), None: None}, return_dtype=pl.String)
    if node["type"] == "array":
        inner = _restore(pl.element(), node["items"], named)
        return None if inner is None else value.list.eval(inner)
    if node["type"] == "record":
        restored = [
            inner.alias(each["name"])
            for each in node["fields"]
            if (inner := _restore(value.struct.field(each["name"]), each["type"], named)) is not None
        ]
        return pl.when(value.is_not_null()).then(value.struct.with_fields(*restored)) if restored else None
    return None
