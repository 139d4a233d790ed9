"""Inside the box: DuckDB with its own doors shut, one query, its rows as JSON. Imported only after the lockdown.

The order matters. External access is switched off before any statement runs, and can't be switched on again while
the engine lives; the allowed paths (the given descriptors, one by one) can only be set before. The configuration is
locked last, since the views need the time zone and the rest.
"""

from __future__ import annotations

import mmap
import os
from typing import Any

import duckdb
import pyarrow as pa

from query.sandbox.child import Mouth
from query.sandbox.lockdown import tighten
from query.sandbox.values import Unshowable, json_values
from query.sandbox.wire import Job, to_json

# DuckDB hands out whole vectors of 2,048 rows; wide rows are converted in slices of about this many bytes.
_BATCH_ROWS = 2_048
_SLICE_BYTES = 4 << 20
_TYPE_CHARS_MAX = 256
_SELECT_LIKE = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
_ENGINE_ERRORS = (duckdb.Error, pa.ArrowException, OSError, RuntimeError, MemoryError)

_CLOSED_DOORS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
    "arrow_lossless_conversion": "true",
}


class _Refused(Exception):
    """The query cannot be answered: which wall, and why."""

    def __init__(self, wall: str, message: str) -> None:
        super().__init__(message)
        self.wall = wall


def answer(job: Job, landlock: int, mouth: Mouth) -> None:
    """Say everything there is to say about one job."""
    pa.set_cpu_count(job.threads)
    pa.set_io_thread_count(1)
    try:
        connection = _connect(job)
        _make_tables(connection, job)
        connection.execute("SET lock_configuration=true")
        tighten(job)
    except _ENGINE_ERRORS as error:
        mouth.fail("tables", str(error))
        return
    mouth.say("ready", to_json({"landlock": landlock}))
    try:
        _run(connection, job, mouth)
    except _Refused as refused:
        mouth.fail(refused.wall, str(refused))
    except RecursionError:
        mouth.fail("sql", "the query or a value of its result is nested too deeply")
    except _ENGINE_ERRORS as error:
        mouth.fail("memory" if _is_memory(error) else "sql", str(error))


def _connect(job: Job) -> duckdb.DuckDBPyConnection:
    settings = {**_CLOSED_DOORS, "threads": str(job.threads), "memory_limit": f"{job.memory_bytes}B"}
    connection = duckdb.connect(":memory:", config=dict(settings))
    connection.execute("SET TimeZone='UTC'")
    connection.execute("SET enable_progress_bar=false")
    paths = [_path(file) for file in job.files]
    if paths:
        connection.execute(f"SET allowed_paths=[{', '.join(map(_text, paths))}]")
    else:
        connection.execute("SET disabled_filesystems='LocalFileSystem'")
    connection.execute("SET enable_external_access=false")
    return connection


def _make_tables(connection: duckdb.DuckDBPyConnection, job: Job) -> None:
    for table in job.tables:
        sources = []
        if table.files:
            files = ", ".join(_text(_path(file)) for file in table.files)
            sources.append(f"read_parquet([{files}], union_by_name=true, hive_partitioning=false)")
        if table.arrow is not None:
            registered = f"{table.name} (arrow)"
            connection.register(registered, _open_arrow(table.arrow))
            sources.append(_name(registered))
        selects = " UNION ALL BY NAME ".join(f"SELECT * FROM {source}" for source in sources)
        connection.execute(f"CREATE VIEW {_name(table.name)} AS {selects}")
    for statement in job.setup:
        connection.execute(statement)


def _open_arrow(descriptor: int) -> pa.Table:
    """The stream the parent wrote, mapped and not copied."""
    size = os.fstat(descriptor).st_size
    return pa.ipc.open_stream(pa.py_buffer(mmap.mmap(descriptor, size, prot=mmap.PROT_READ))).read_all()


def _run(connection: duckdb.DuckDBPyConnection, job: Job, mouth: Mouth) -> None:
    statements = connection.extract_statements(job.query)
    if len(statements) != 1:
        raise _Refused("sql", f"expected one statement, found {len(statements)}")
    if job.select_only and statements[0].type not in _SELECT_LIKE:
        kind = statements[0].type.name
        raise _Refused("sql", f"only SELECT (also WITH, VALUES, DESCRIBE, EXPLAIN) can be asked here, found {kind}")
    result = connection.execute(statements[0])
    described = [(str(column[0]), str(column[1])[:_TYPE_CHARS_MAX]) for column in result.description or ()]
    names, types = [name for name, _ in described], [kind for _, kind in described]
    columns = to_json({"names": names, "types": types})
    if len(columns) > job.result_bytes_max:
        raise _Refused("result_bytes_max", f"the names of {len(names)} columns alone are larger than the limit")
    mouth.say("columns", columns)
    truncated_by = _send_rows(result.to_arrow_reader(_BATCH_ROWS), job, mouth)
    mouth.say("end", to_json({"truncated_by": truncated_by}))


def _send_rows(reader: pa.RecordBatchReader, job: Job, mouth: Mouth) -> str | None:
    """Send rows until there are no more or a limit is reached; returns the limit's name."""
    rows_left, bytes_left = job.rows_max, job.result_bytes_max
    for batch in reader:
        for part in _slices(batch):
            if rows_left == 0:
                return "rows_max"
            rows = _rows(part.slice(0, rows_left))
            encoded = to_json(rows)
            if len(encoded) > bytes_left:
                _send_what_fits(rows, bytes_left, mouth, first=bytes_left == job.result_bytes_max)
                return "result_bytes_max"
            mouth.say("rows", encoded)
            bytes_left -= len(encoded)
            rows_left -= len(rows)
            if len(rows) < part.num_rows:
                return "rows_max"
    return None


def _send_what_fits(rows: list[list[Any]], bytes_left: int, mouth: Mouth, *, first: bool) -> None:
    pieces, used = [], 2
    for row in rows:
        piece = to_json(row)
        used += len(piece) + 1
        if used > bytes_left:
            break
        pieces.append(piece)
    if pieces:
        mouth.say("rows", b"[" + b",".join(pieces) + b"]")
    elif first:
        raise _Refused("result_bytes_max", "the first row alone is larger than the limit")


def _slices(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    if batch.num_rows == 0:
        return []
    step = max(1, _SLICE_BYTES * batch.num_rows // max(1, batch.nbytes))
    return [batch.slice(start, step) for start in range(0, batch.num_rows, step)]


def _rows(batch: pa.RecordBatch) -> list[list[Any]]:
    columns = []
    for index, field in enumerate(batch.schema):
        try:
            columns.append(json_values(batch.column(index)))
        except Unshowable as error:
            raise _Refused("sql", f'column "{field.name}": {error}; cast it to VARCHAR') from error
    return [list(row) for row in zip(*columns, strict=True)]


def _is_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | pa.ArrowMemoryError | duckdb.OutOfMemoryException):
        return True
    # Through the Arrow reader every error of the engine arrives as OSError, with its kind in the text only.
    return any(mark in str(error) for mark in ("Out of Memory Error", "bad_alloc", "malloc of size"))


def _path(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'
