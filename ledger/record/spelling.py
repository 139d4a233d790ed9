"""Whether rows are spelled in the one way that `ledger.record.encode` writes, seen from decoded columns.

Avro lets the same values be written in several ways, and polars reads more than Avro allows. Against the one way,
others are

- longer: integers with useless leading bytes, arrays in several blocks or with a byte count, a union's branch in more
  than one byte. So each row must be exactly as long as its values need;
- as long, with another byte in two places: the branch of a nullable value (polars takes branches that there are not),
  and the last byte of an integer of ten (which has six bits to spare). Once the lengths hold, the place of every value
  is known, and these bytes are looked at where they stand.

All this is done column by column. Enums (of at most 64 symbols) and booleans take one byte; who turned it into a symbol
or truth value must have refused all others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

PRESENT = 2
"""Branch 1 of a union, as a zigzag varint; a null is branch 0."""

TEN_BYTES = 10
TIME_LEAST = -62_135_596_800_000_000
TIME_MOST = 253_402_300_799_999_999
"""The years 1 to 9999, in Unix microseconds."""


class OtherSpelling(ValueError):
    """A row is not the one encoding of its values, or holds a time that no calendar has."""


@dataclass(frozen=True, slots=True)
class _Measured:
    """How long each of some values is, and what checks their bytes once it is known where they start."""

    lengths: np.ndarray
    check: Callable[[np.ndarray], None]


def check_spelling(
    fields: list[dict[str, Any]], table: pa.Table, data: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> None:
    """`OtherSpelling` unless each row of `table` is what stands in `data` (bytes) from its start up to its end.

    `fields` are those of an Avro record without references to named types, `table` has a column for each.
    """
    measured = [_measure(field["type"], table[field["name"]].combine_chunks(), data) for field in fields]
    if not np.array_equal(starts + _sum(measured, len(starts)), ends):
        raise OtherSpelling("a row is not as long as its values need")
    _check_in_turn(measured, starts)


def _sum(measured: list[_Measured], rows: int) -> np.ndarray:
    total = np.zeros(rows, np.int64)
    for each in measured:
        total += each.lengths
    return total


def _check_in_turn(measured: list[_Measured], starts: np.ndarray) -> None:
    at = starts.copy()
    for each in measured:
        each.check(at)
        at += each.lengths


def _unchecked(_starts: np.ndarray) -> None:
    """Every byte of such values is data, or was checked by who read it."""


def _measure(node: Any, values: pa.Array, data: np.ndarray) -> _Measured:
    """Values of which none is null, unless the type is nullable."""
    if isinstance(node, list):
        return _nullable(node[1], values, data)
    kind = node["type"] if isinstance(node, dict) else node
    if kind == "record":
        return _record(node["fields"], values, data)
    if kind == "array":
        return _array(node["items"], values, data)
    if kind == "long":
        return _longs(node, values, data)
    if kind in ("string", "bytes"):
        sizes = pc.binary_length(values).to_numpy(zero_copy_only=False).astype(np.int64)
        return _Measured(sizes + varint_lengths(sizes), _unchecked)
    length = node["size"] if kind == "fixed" else {"double": 8, "enum": 1, "boolean": 1}[kind]
    return _Measured(np.full(len(values), length, np.int64), _unchecked)


def _nullable(node: Any, values: pa.Array, data: np.ndarray) -> _Measured:
    present = values.is_valid().to_numpy(zero_copy_only=False)
    inner = _measure(node, values.drop_null(), data)
    lengths = np.ones(len(values), np.int64)
    lengths[present] += inner.lengths

    def check(starts: np.ndarray) -> None:
        if (data[starts] != present * PRESENT).any():
            raise OtherSpelling("a nullable value is of no branch there is")
        inner.check(starts[present] + 1)

    return _Measured(lengths, check)


def _record(fields: list[dict[str, Any]], values: pa.Array, data: np.ndarray) -> _Measured:
    columns = zip(fields, values.flatten(), strict=True)
    measured = [_measure(field["type"], column, data) for field, column in columns]
    return _Measured(_sum(measured, len(values)), lambda starts: _check_in_turn(measured, starts))


def _array(items: Any, values: pa.Array, data: np.ndarray) -> _Measured:
    """One block where there are items: their count and they; then the count 0 that ends every array."""
    counts = pc.list_value_length(values).to_numpy(zero_copy_only=False).astype(np.int64)
    inner = _measure(items, values.flatten(), data)
    before = np.concatenate([[0], np.cumsum(inner.lengths)])
    ends = np.cumsum(counts)
    heads = np.where(counts > 0, varint_lengths(counts), 0)

    def check(starts: np.ndarray) -> None:
        # An item starts behind the head of its array and the items before it in the same array.
        first = starts + heads - before[ends - counts]
        inner.check(np.repeat(first, counts) + before[:-1])

    return _Measured(heads + before[ends] - before[ends - counts] + 1, check)


def _longs(node: Any, values: pa.Array, data: np.ndarray) -> _Measured:
    numbers = values.cast(pa.int64()).to_numpy(zero_copy_only=False)
    is_time = isinstance(node, dict) and node.get("logicalType") == "timestamp-micros"
    if is_time and len(numbers) and not TIME_LEAST <= int(numbers.min()) <= int(numbers.max()) <= TIME_MOST:
        raise OtherSpelling("a time outside the years 1 to 9999")
    lengths = varint_lengths(numbers)
    longest = np.flatnonzero(lengths == TEN_BYTES)

    def check(starts: np.ndarray) -> None:
        if (data[starts[longest] + TEN_BYTES - 1] != 1).any():
            raise OtherSpelling("an integer of ten bytes has other bits in its last")

    return _Measured(lengths, check if len(longest) else _unchecked)


def varint_lengths(numbers: np.ndarray) -> np.ndarray:
    """The bytes that each number takes as a zigzag varint: n bytes hold what lies in [-2^(7n-1), 2^(7n-1))."""
    lengths = np.ones(len(numbers), np.int64)
    if not len(numbers):
        return lengths
    least, most = int(numbers.min()), int(numbers.max())
    for size in range(1, TEN_BYTES):
        bound = 1 << (7 * size - 1)
        if -bound <= least and most < bound:
            break
        lengths += (numbers >= bound) | (numbers < -bound)
    return lengths
