"""An auditor's SQL over one tenant: its vouched rows, the documented views, the sealed box.

What goes into the box is one table, `ledger_rows`, from

- files that hold this tenant's rows only, compacted ones and those of rounds that sealed nobody else's, by path;
- every other row as Arrow data, filtered here by log id and index: a file that tenants share is never handed over.

Where the kernel has no Landlock, all rows go in as Arrow data. `query.sandbox` says what the box holds against.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ledger.record.schemas import PAYLOAD
from ledger.segments.rows import LEDGER_COLUMNS
from query.files import SegmentFile, VouchedFiles
from query.log_view import LogView
from query.reading import Reading
from query.sandbox import SqlLimits, SqlResult, SqlTable, files_allowed, run_sql
from query.sql_views import ROWS, setup

_PRIMITIVES = {
    "string": pa.large_string(),
    "bytes": pa.large_binary(),
    "long": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
}

FILES_MAX = 800
"""Files handed to one query; the box takes a few more. Beyond, rows go in as Arrow data."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows [first_index, end_index) of a log in a file; `own` when the file holds nothing else."""

    file: SegmentFile
    log_id: bytes
    first_index: int
    end_index: int
    own: bool


def run(
    reading: Reading, files: VouchedFiles, query: str, limits: SqlLimits, *, landlock: bool | None = None
) -> SqlResult:
    """The answer to an auditor's query; blocks. Raises what `run_sql` raises."""
    allowed = files_allowed() if landlock is None else landlock
    parts = [part for log in reading.tenant.logs for part in _parts(reading.log_view(log))]
    own = [part for part in parts if part.own and allowed][:FILES_MAX]
    handed = {part.file.name for part in own}
    shared = [part for part in parts if part.file.name not in handed]
    table = SqlTable(
        ROWS,
        files=_paths(files, own),
        data=_arrow(files, shared) if shared or not own else None,
    )
    return run_sql(query=query, tables=[table], setup=setup(), limits=limits, landlock=landlock)


def _parts(log: LogView) -> list[_Part]:
    placed = [_Part(each.file, log.log_id, each.first_index, each.end_index, own=True) for each in log.placed.events]
    sealed = [
        _Part(each.events, log.log_id, each.first_index, each.end_index, own=each.alone) for each in log.stretches()
    ]
    return [*placed, *sealed]


def _paths(files: VouchedFiles, parts: Sequence[_Part]) -> tuple[Path, ...]:
    return tuple(files.path(part.file) for part in parts)


def _arrow(files: VouchedFiles, parts: Sequence[_Part]) -> pa.RecordBatchReader:
    batches = _batches(files, parts)
    first = next(batches, None)
    if first is None:
        return empty_rows()
    return pa.RecordBatchReader.from_batches(first.schema, _chain(first, batches))


def _chain(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    for batch in rest:
        yield batch.cast(first.schema)


def _batches(files: VouchedFiles, parts: Sequence[_Part]) -> Iterator[pa.RecordBatch]:
    """The parts' rows, and no others."""
    for part in parts:
        opened = files.open(part.file)
        for group, logs in enumerate(opened.ranges("log_id")):
            if logs is not None and not bytes(logs.low) <= part.log_id <= bytes(logs.high):
                continue
            table = opened.read(group, opened.columns, threads=True)
            indexes = table.column("index").to_numpy()
            own = pc.equal(table.column("log_id"), pa.scalar(part.log_id, table.column("log_id").type)).to_numpy()
            kept = table.take(
                pa.array(np.flatnonzero(own & (indexes >= part.first_index) & (indexes < part.end_index)))
            )
            yield from kept.combine_chunks().to_batches()


def empty_rows() -> pa.RecordBatchReader:
    """The rows of a tenant that has none yet, with their columns."""
    named: dict[str, Any] = {}
    fields = [pa.field(each["name"], _type(each["type"], named)) for each in PAYLOAD.definition["fields"]]
    schema = pa.schema([*(pa.field(name, kind) for name, kind in LEDGER_COLUMNS), *fields])
    return pa.RecordBatchReader.from_batches(schema, [])


def _type(node: Any, named: dict[str, Any]) -> pa.DataType:
    """The Arrow type in which `ledger.record.columns` gives an Avro type."""
    if isinstance(node, list):
        return _type(next(each for each in node if each != "null"), named)
    if isinstance(node, str):
        return _type(named[node], named) if node in named else _PRIMITIVES[node]
    if node["type"] in ("record", "enum", "fixed"):
        named.setdefault(node["name"], node)
    match node["type"]:
        case "record":
            return pa.struct([pa.field(each["name"], _type(each["type"], named)) for each in node["fields"]])
        case "array":
            return pa.large_list(_type(node["items"], named))
        case "enum":
            return pa.large_string()
        case "fixed":
            return pa.large_binary()
        case _:
            return pa.timestamp("us") if "logicalType" in node else _PRIMITIVES[node["type"]]
