"""Arrow columns as numpy arrays, exactly or not at all."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def fixed_bytes(column: pa.Array, width: int) -> np.ndarray | None:
    """A binary column whose values are all there and have `width` bytes, as a (rows, width) byte array; else None."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if column.null_count:
        return None
    if not pa.types.is_large_binary(column.type):
        column = column.cast(pa.large_binary())
    rows = len(column)
    if rows == 0:
        return np.empty((0, width), np.uint8)
    _, offsets, data = column.buffers()
    bounds = np.frombuffer(offsets, np.int64)[column.offset : column.offset + rows + 1]
    if bounds[-1] - bounds[0] != rows * width or (np.diff(bounds) != width).any():
        return None
    return np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]].reshape(rows, width)


def as_rows(values: np.ndarray) -> np.ndarray:
    """Fixed-size values (`V32`, say) as a (rows, bytes) byte array, which compares byte by byte."""
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), values.dtype.itemsize)


def joined(values: list[bytes], width: int) -> np.ndarray:
    """Byte strings of `width` bytes as a (rows, width) byte array."""
    return np.frombuffer(b"".join(values), np.uint8).reshape(len(values), width)


def differing(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The rows in which two (rows, width) arrays differ."""
    return np.flatnonzero((left != right).any(axis=1))


def integers(column: pa.Array) -> np.ndarray | None:
    """An integer or time column without nulls, as int64; None when it has nulls or is something else."""
    if column.null_count:
        return None
    try:
        return np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
    except pa.ArrowException:
        return None


def objects(column: pa.Array) -> list[bytes | None]:
    """A binary or text column as Python values; far faster than `to_pylist`."""
    values: list[bytes | None] = column.to_numpy(zero_copy_only=False).tolist()
    return values
