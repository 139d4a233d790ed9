"""How long the one encoding of each row is, from decoded columns.

Avro lets the same values be written in several ways: integers with useless leading bytes, arrays in several blocks.
Each other way is longer than the one that `ledger.record.encode` writes. So a batch of datums is canonical when each is
as long as its values need, which is found without looking at the bytes again, column by column.

One exception: an integer that takes ten bytes has bits to spare in the last. Rows that hold one are told besides, for
the caller to look at them by themselves. Booleans and enums are not seen here: who decodes them must refuse all but
their own bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Lengths = int | np.ndarray
"""One length for all rows, or one for each (int64)."""

_TEN_BYTES = 1 << 40
"""Added for each ten-byte integer: no datum is that long, so sums keep both counts apart."""

_TIME_LEAST = -62_135_596_800_000_000
_TIME_MOST = 253_402_300_799_999_999
"""The years 1 to 9999, in Unix microseconds."""


class OutOfRange(ValueError):
    """A time outside the years 1 to 9999."""


@dataclass(frozen=True, slots=True)
class RowLengths:
    """`bytes[i]`: how long row i must be. `spare[i]`: whether it holds an integer of ten bytes."""

    bytes: np.ndarray
    spare: np.ndarray


def row_lengths(definition: dict[str, Any], table: pa.Table) -> RowLengths:
    """The length of each row of `table`, whose columns are the fields of the record `definition`, in their order.

    Enums may stand in `table` in any form. `OutOfRange` for a time that is none.
    """
    named: dict[str, Any] = {}
    total = np.zeros(table.num_rows, np.int64)
    for field in definition["fields"]:
        total += _lengths(field["type"], table[field["name"]].combine_chunks(), named)
    return RowLengths(total % _TEN_BYTES, total >= _TEN_BYTES)


def _lengths(node: Any, values: pa.Array, named: dict[str, Any]) -> Lengths:
    """The length of each value; of a null, which only a nullable field or a null record holds, anything."""
    if isinstance(node, list):
        return _nullable(node[1], values, named)
    if isinstance(node, str):
        return _lengths(named[node], values, named) if node in named else _primitive(node, values)
    kind = node["type"]
    if kind in ("record", "enum", "fixed"):
        named[node["name"]] = node
    if kind == "fixed":
        return int(node["size"])
    if kind == "enum":
        return 1 if len(node["symbols"]) <= 64 else _too_many_symbols(node["name"])
    if kind == "record":
        return sum(
            (
                _lengths(field["type"], column, named)
                for field, column in zip(node["fields"], values.flatten(), strict=True)
            ),
            start=0,
        )
    if kind == "array":
        return _array(node["items"], values, named)
    if node.get("logicalType") == "timestamp-micros":
        values = values.cast(pa.int64())
        bounds = pc.min_max(values)
        if bounds["min"].is_valid and not _TIME_LEAST <= bounds["min"].as_py() <= bounds["max"].as_py() <= _TIME_MOST:
            raise OutOfRange("a time outside the years 1 to 9999")
    return _primitive(kind, values)


def _nullable(node: Any, values: pa.Array, named: dict[str, Any]) -> Lengths:
    if values.null_count == len(values):
        _learn(node, named)
        return 1
    inner = _lengths(node, values, named)
    if values.null_count == 0:
        return inner + 1
    present: np.ndarray = np.where(values.is_valid().to_numpy(zero_copy_only=False), inner, 0)
    return present + 1


def _learn(node: Any, named: dict[str, Any]) -> None:
    """Notes the named types inside a type whose values are not looked at: later fields may refer to them."""
    if not isinstance(node, dict):
        return
    if node["type"] in ("record", "enum", "fixed"):
        named[node["name"]] = node
    for field in node.get("fields", ()):
        for each in field["type"] if isinstance(field["type"], list) else [field["type"]]:
            _learn(each, named)
    _learn(node.get("items"), named)


def _primitive(kind: str, values: pa.Array) -> Lengths:
    if kind == "long":
        return _integers(values.fill_null(0).to_numpy(zero_copy_only=False))
    if kind in ("string", "bytes"):
        sizes = pc.binary_length(values).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        total: np.ndarray = sizes + _integers(sizes)
        return total
    return {"double": 8, "boolean": 1}[kind]


def _integers(values: np.ndarray) -> Lengths:
    """The length of each as a zigzag varint: n bytes hold what lies in [-2^(7n-1), 2^(7n-1))."""
    if not len(values):
        return 1
    least, most = int(values.min()), int(values.max())
    lengths: Lengths = 1
    for size in range(1, 10):
        bound = 1 << (7 * size - 1)
        if -bound <= least and most < bound:
            break
        longer = (values >= bound) | (values < -bound)
        lengths = lengths + (longer * (1 + _TEN_BYTES) if size == 9 else longer.astype(np.int64))
    return lengths


def _array(items: Any, values: pa.Array, named: dict[str, Any]) -> Lengths:
    """One block, where there are items: their count and they; and the count 0 that ends every array."""
    counts = pc.list_value_length(values).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    flat = values.flatten()
    inner = _lengths(items, flat, named)
    if not len(flat):
        return 1
    ends = np.cumsum(counts)
    sums = np.concatenate([[0], np.cumsum(np.broadcast_to(inner, len(flat)))])
    return np.where(counts > 0, sums[ends] - sums[ends - counts] + _integers(counts) + 1, 1)


def _too_many_symbols(name: str) -> int:
    raise ValueError(f"enum {name}: more than 64 symbols take more than one byte, which is not provided for")
