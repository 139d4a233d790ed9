"""Arrow columns, as DuckDB hands them out without loss, to JSON values (the table in `query.sandbox.model`).

Whole columns at a time. Times never pass through Python's datetime, which knows neither nanoseconds, nor years
outside 1 to 9999, nor infinity. A value in a batch that was cut by `slice` is converted only where it lies inside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
from pyarrow import types as pt

_INFINITE_DATE = 2**31 - 1
_INFINITE_TIME = 2**63 - 1
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_NANOSECONDS = 9


class Unshowable(ValueError):
    """A type that has no JSON form here; the message names it."""


def json_values(array: pa.Array) -> list[Any]:
    """The column's values, None for NULL. Raises `Unshowable`."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _extension(array)
    for matches, convert in _CONVERTERS:
        if matches(kind):
            return convert(array)
    raise Unshowable(f"values of type {kind} cannot be shown")


def _plain(array: pa.Array) -> list[Any]:
    return array.to_pylist()  # type: ignore[no-any-return]


def _mapped(convert: Callable[[Any], Any]) -> Callable[[pa.Array], list[Any]]:
    def column(array: pa.Array) -> list[Any]:
        return [None if value is None else convert(value) for value in array.to_pylist()]

    return column


def _float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _decimal(value: Decimal) -> str:
    return format(value, "f")


def _integers(array: pa.Array, kind: pa.DataType) -> Any:
    """The column's own integers as a numpy array; 0 for NULL."""
    return array.view(kind).fill_null(0).to_numpy(zero_copy_only=False)


def _named_times(numbers: Any, infinite: int, texts: list[str], array: pa.Array) -> list[Any]:
    """The texts, but NULL and the two infinities by their names."""
    result: list[Any] = [_four_digits(text) if text[0] == "-" else text for text in texts]
    for value, name in ((infinite, "infinity"), (-infinite, "-infinity")):
        for index in np.flatnonzero(numbers == value).tolist():
            result[index] = name
    if array.null_count:
        for index in np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False)).tolist():
            result[index] = None
    return result


def _four_digits(text: str) -> str:
    """A date before the year 0 with a year of four digits; numpy counts the sign among them."""
    year, rest = text[1:].split("-", 1)
    return f"-{year:0>4}-{rest}"


def _timestamps(array: pa.Array) -> list[Any]:
    numbers, unit = _integers(array, pa.int64()), array.type.unit
    texts = np.datetime_as_string(numbers.view(f"datetime64[{unit}]"), unit=unit)
    return _named_times(numbers, _INFINITE_TIME, [text + "Z" for text in texts.tolist()], array)


def _dates(array: pa.Array) -> list[Any]:
    numbers = _integers(array, pa.int32())
    texts = np.datetime_as_string(numbers.astype("int64").view("datetime64[D]"), unit="D")
    return _named_times(numbers, _INFINITE_DATE, texts.tolist(), array)


def _times(array: pa.Array) -> list[Any]:
    digits = _DIGITS[array.type.unit]

    def text(value: int) -> str:
        seconds, fraction = divmod(value, 10**digits)
        clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        return f"{clock}.{fraction:0{digits}}" if digits else clock

    return _mapped(text)(array.view(pa.int64() if array.type.bit_width == 64 else pa.int32()))


def _interval(value: Any) -> str:
    months, days, nanoseconds = value
    seconds = format(Decimal(nanoseconds).scaleb(-_NANOSECONDS), "f")
    seconds = seconds.rstrip("0").rstrip(".") if "." in seconds else seconds
    parts = [f"{months}M"] if months else []
    parts += [f"{days}D"] if days else []
    if nanoseconds or not parts:
        parts.append(f"T{seconds}S")
    return "P" + "".join(parts)


def _cut(array: pa.Array, items: list[Any], offsets: list[int]) -> list[Any]:
    """`items` in pieces; where the offsets begin is where the items do."""
    first = offsets[0]
    pieces = [items[start - first : end - first] for start, end in pairwise(offsets)]
    return [piece if valid else None for piece, valid in zip(pieces, array.is_valid().to_pylist(), strict=True)]


def _inside(child: pa.Array, offsets: list[int]) -> list[Any]:
    return json_values(child.slice(offsets[0], offsets[-1] - offsets[0]))


def _lists(array: pa.Array) -> list[Any]:
    if not len(array):
        return []
    offsets = array.offsets.to_pylist()
    return _cut(array, _inside(array.values, offsets), offsets)


def _fixed_lists(array: pa.Array) -> list[Any]:
    if not len(array):
        return []
    size = array.type.list_size
    offsets = [(array.offset + index) * size for index in range(len(array) + 1)]
    return _cut(array, _inside(array.values, offsets), offsets)


def _maps(array: pa.Array) -> list[Any]:
    if not len(array):
        return []
    offsets = array.offsets.to_pylist()
    pairs = list(zip(_inside(array.keys, offsets), _inside(array.items, offsets), strict=True))
    maps = _cut(array, pairs, offsets)
    if pt.is_string(array.type.key_type):
        return [None if one is None else dict(one) for one in maps]
    return [None if one is None else [list(pair) for pair in one] for one in maps]


def _structs(array: pa.Array) -> list[Any]:
    names = [array.type.field(index).name for index in range(array.type.num_fields)]
    # Not flatten(): it would push the struct's own NULLs into the fields, and aborts the process at a union.
    columns = [json_values(array.field(index)) for index in range(len(names))]
    named = "" not in names and len(set(names)) == len(names)
    rows: Sequence[tuple[Any, ...]] = list(zip(*columns, strict=True))
    values = [dict(zip(names, row, strict=True)) if named else list(row) for row in rows]
    return [value if valid else None for value, valid in zip(values, array.is_valid().to_pylist(), strict=True)]


def _extension(array: pa.Array) -> list[Any]:
    storage, kind = array.storage, array.type
    name = kind.type_name if isinstance(kind, pa.OpaqueType) else kind.extension_name
    if name in ("hugeint", "uhugeint"):
        return _mapped(lambda value: int.from_bytes(value, "little", signed=name == "hugeint"))(storage)
    if name == "arrow.uuid":
        return _mapped(lambda value: str(UUID(bytes=value)))(storage)
    if name == "arrow.bool8":
        return _mapped(bool)(storage)
    if name == "arrow.json":
        return _plain(storage)
    raise Unshowable(f"values of type {name.upper()} cannot be shown")


def _is_plain(kind: pa.DataType) -> bool:
    return bool(pt.is_integer(kind) or pt.is_boolean(kind) or pt.is_string(kind) or pt.is_null(kind))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_fixed_size_binary(kind))


_CONVERTERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], list[Any]]], ...] = (
    (_is_plain, _plain),
    (pt.is_large_string, _plain),
    (pt.is_floating, _mapped(_float)),
    (pt.is_timestamp, _timestamps),
    (_is_binary, _mapped(bytes.hex)),
    (pt.is_decimal, _mapped(_decimal)),
    (pt.is_date32, _dates),
    (pt.is_time, _times),
    (pt.is_interval, _mapped(_interval)),
    (pt.is_dictionary, lambda array: json_values(array.dictionary_decode())),
    (pt.is_map, _maps),
    (pt.is_list, _lists),
    (pt.is_large_list, _lists),
    (pt.is_fixed_size_list, _fixed_lists),
    (pt.is_struct, _structs),
)
