"""A file's own statistics: readers skip row groups by them, so a wrong one hides rows that are there.

For every row group and column that has statistics, the least and the greatest value they state must enclose those of
the rows, and the number of nulls must be right. Page indexes and bloom filters, by which rows are skipped as well,
are never written by the ledger and may not be there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_PHYSICAL = {"INT64": pa.int64(), "INT32": pa.int32(), "BYTE_ARRAY": pa.large_binary()}


def wrong_statistics(file: pq.ParquetFile) -> Iterator[str]:
    """A message for each row group and column whose statistics do not hold; `pa.ArrowException` for unreadable ones."""
    for group in range(file.metadata.num_row_groups):
        columns = file.metadata.row_group(group)
        for number in range(columns.num_columns):
            chunk = columns.column(number)
            where = f"row group {group}, column {chunk.path_in_schema}"
            if chunk.has_column_index or chunk.has_offset_index or chunk.bloom_filter_offset is not None:
                yield f"{where}: has a page index or a bloom filter, which the ledger never writes"
            if chunk.statistics is None:
                continue
            kind = _PHYSICAL.get(chunk.statistics.physical_type)
            if "." in chunk.path_in_schema or kind is None:
                yield f"{where}: has statistics, which the ledger does not write for it"
                continue
            problem = _problem(chunk.statistics, _column(file, group, chunk.path_in_schema), kind)
            if problem:
                yield f"{where}: {problem}"


def _column(file: pq.ParquetFile, group: int, name: str) -> pa.ChunkedArray:
    return file.read_row_group(group, [name], use_threads=False).column(0)


def _problem(stated: Any, column: pa.ChunkedArray, kind: pa.DataType) -> str | None:
    if stated.has_null_count and stated.null_count != column.null_count:
        return f"its statistics say {stated.null_count} nulls, it has {column.null_count}"
    if not stated.has_min_max or column.null_count == len(column):
        return None
    found = pc.min_max(column.cast(pa.binary() if pa.types.is_string(column.type) else kind).cast(kind))
    least, greatest = found["min"].as_py(), found["max"].as_py()
    lower, upper = _raw(stated.min_raw), _raw(stated.max_raw)
    if not lower <= least or not greatest <= upper:
        return "its statistics do not enclose its values"
    return None


def _raw(value: Any) -> Any:
    """Physical values: numbers as they are, texts as their bytes, which is how they are ordered."""
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
