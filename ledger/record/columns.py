"""Many Avro datums as Arrow columns, at millions a second.

polars decodes an Avro Object Container File natively; we build one in memory whose block is the concatenated datums. Three
things make that exact:

- *Boundaries.* Concatenation trusts every datum to end where its bytes end. A random 16-byte guard stands in front of
  each datum as an extra first field, and once more behind the last one, before a copy of the first datum: if any datum
  ran over its end or stopped short of it, some later guard differs from the one expected. The guard is fresh for each
  batch, so that no datum can contain it on purpose.
- *Types.* polars knows no references to named types and no enums inside other types. The columnar schema inlines the
  first and reads the second as `long` (an enum is written as its zigzag index, which is how a long is written); indexes
  are turned into symbols afterwards, column by column.
- *Failure.* A batch that does not decode, or whose guards differ, is `NotColumnar`; the caller then decodes datum by
  datum to find the bad one. Nothing is decided from a batch that failed.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from functools import cache
from typing import Any

import polars as pl
import pyarrow as pa

from ledger.errors import IntegrityError
from ledger.record.schemas import HEADER_BYTES, Schema

_SYNC = bytes(16)
_GUARD = "guard"


class NotColumnar(IntegrityError):
    """The batch holds a datum that is not what its schema says; decode one by one to find it."""


def decode_columns(schema: Schema, data: Sequence[bytes]) -> pa.Table:
    """The fields of `schema` as Arrow columns, one row for each single-object encoding in `data`.

    Every item must carry the schema's header; that is the caller's check. Fixed types come as large_binary, enums as
    large_string.
    """
    if not data:
        raise ValueError("at least one datum is needed")
    guard = os.urandom(16)
    body = guard + guard.join([item[HEADER_BYTES:] for item in data]) + guard + data[0][HEADER_BYTES:]
    count = len(data) + 1
    head = _container_head(schema.name, json.dumps(_columnar(schema)))
    block = b"".join([head, _long(count), _long(len(body)), body, _SYNC])
    try:
        frame = pl.read_avro(io.BytesIO(block))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise NotColumnar(f"{len(data)} datums of {schema.name}: {type(error).__name__}") from None
    if frame.height != count or not frame.select((pl.col(_GUARD) == pl.lit(guard)).all()).item():
        raise NotColumnar(f"{len(data)} datums of {schema.name}: a datum does not end where its bytes end")
    frame = frame.head(len(data)).drop(_GUARD).with_columns(_restorations(schema))
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


def _long(value: int) -> bytes:
    value <<= 1
    out = bytearray()
    while value > 0x7F:
        out.append((value & 0x7F) | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


@cache
def _container_head(_name: str, definition: str) -> bytes:
    head = bytearray(b"Obj\x01")
    meta = {"avro.schema": definition.encode(), "avro.codec": b"null"}
    head += _long(len(meta))
    for key, value in meta.items():
        head += _long(len(key)) + key.encode() + _long(len(value)) + value
    return bytes(head + b"\x00" + _SYNC)


def _columnar(schema: Schema) -> dict[str, Any]:
    """The schema polars can read, binary-compatible with the pinned one, with the guard in front."""
    inlined = _inline(schema.definition, {}, [0], top=True)
    guard = {"name": _GUARD, "type": {"type": "fixed", "name": "guard_16", "size": 16}}
    return {**inlined, "fields": [guard, *inlined["fields"]]}


def _inline(node: Any, named: dict[str, Any], counter: list[int], *, top: bool = False, field: bool = False) -> Any:
    """`node` with every named type written out under a name of its own, and nested enums as long.

    `field` is true for the type of a top-level field, the one place where polars takes an enum.
    """
    if isinstance(node, list):
        return [_inline(each, named, counter) for each in node]
    if isinstance(node, str):
        return _inline(named[node], named, counter, field=field) if node in named else node
    node = dict(node)
    if node["type"] in ("record", "enum", "fixed"):
        named.setdefault(node["name"], dict(node))
        counter[0] += 1
        node["name"] = f"t{counter[0]}"
        node.pop("namespace", None)
        node.pop("doc", None)
    if node["type"] == "enum" and not field:
        return "long"
    if node["type"] == "record":
        node["fields"] = [
            {"name": each["name"], "type": _inline(each["type"], named, counter, field=top)} for each in node["fields"]
        ]
    if node["type"] == "array":
        node["items"] = _inline(node["items"], named, counter)
    return node


def _restorations(schema: Schema) -> list[pl.Expr]:
    named: dict[str, Any] = {}
    expressions = []
    for field in schema.definition["fields"]:
        expression = _restore(pl.col(field["name"]), field["type"], named, nested=False)
        if expression is not None:
            expressions.append(expression)
    return expressions


def _restore(value: pl.Expr, node: Any, named: dict[str, Any], *, nested: bool) -> pl.Expr | None:
    """The expression that turns enum indexes inside `value` into symbols; None where there are none."""
    if isinstance(node, list):
        return _restore(value, next(each for each in node if each != "null"), named, nested=nested)
    if isinstance(node, str):
        return _restore(value, named[node], named, nested=nested) if node in named else None
    if node["type"] in ("record", "enum", "fixed"):
        named.setdefault(node["name"], node)
    if node["type"] == "enum":
        if not nested:
            return value.cast(pl.String)
        return value.replace_strict(dict(enumerate(node["symbols"])), return_dtype=pl.String)
    if node["type"] == "array":
        inner = _restore(pl.element(), node["items"], named, nested=True)
        return None if inner is None else value.list.eval(inner)
    if node["type"] == "record":
        restored = [
            inner.alias(each["name"])
            for each in node["fields"]
            if (inner := _restore(value.struct.field(each["name"]), each["type"], named, nested=True)) is not None
        ]
        if not restored:
            return None
        return pl.when(value.is_not_null()).then(value.struct.with_fields(*restored))
    return None
