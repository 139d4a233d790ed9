"""What goes into the box and what comes out of it, as values.

Values of a result are JSON's own: they were written by the child as JSON, and mean

| SQL type                                  | value                                                                |
| ----------------------------------------- | -------------------------------------------------------------------- |
| BOOLEAN, integers up to HUGEINT, VARCHAR  | bool, int (exact, also beyond 2^53), str                             |
| FLOAT, DOUBLE                             | float; "NaN", "Infinity", "-Infinity" as text                        |
| DECIMAL                                   | text, so that no digit is lost                                       |
| BLOB                                      | lower-case hex text                                                  |
| TIMESTAMP (all), TIMESTAMPTZ              | RFC 3339 text in UTC with Z, as many digits as the type has; a time  |
|                                           | without a zone is taken for UTC; "infinity", "-infinity"             |
| DATE, TIME                                | ISO 8601 text                                                        |
| INTERVAL                                  | ISO 8601 duration: P14M3DT1.5S                                       |
| UUID, ENUM, JSON                          | text                                                                 |
| LIST, ARRAY                               | list                                                                 |
| STRUCT                                    | dict; a list where its fields have no names                          |
| MAP                                       | dict where the keys are text, else a list of [key, value]            |
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger.errors import Misconfigured

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class SqlLimits:
    """How much one query may take. Every one is enforced; the error names the one that was reached.

    `memory_bytes` is the engine's own limit; the process's address space ends a little above it. `result_bytes_max`
    counts the rows as JSON; reaching it or `rows_max` cuts the result short (`SqlResult.truncated_by`).
    `arrow_bytes_max` bounds the Arrow data handed in with one query, which is held in memory for its time.
    """

    time_s: float = 30
    memory_bytes: int = 1 << 30
    rows_max: int = 100_000
    result_bytes_max: int = 64 << 20
    threads: int = 2
    query_bytes_max: int = 1 << 20
    arrow_bytes_max: int = 4 << 30

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) <= 0:
                raise Misconfigured(f"sql limits: {field.name} must be above 0, found {getattr(self, field.name)}")


@dataclass(frozen=True, slots=True)
class SqlTable:
    """One relation of the tenant, read from `files` (Parquet), from `data` (Arrow), or the union by name of both.

    Everything in `files` can be read in full by the query, whatever the views hide: only files of this one tenant,
    whose digests were checked, may stand there. `data` may be a table or a reader, which is read once.
    """

    name: str
    files: tuple[Path, ...] = ()
    data: pa.Table | pa.RecordBatchReader | None = None


@dataclass(frozen=True, slots=True)
class SqlResult:
    """The answer; `types` are DuckDB's names, `rows` hold JSON values as the module describes.

    `truncated_by` names the limit that cut the rows short (`rows_max`, `result_bytes_max`), None when they are all
    there. `elapsed_ms` counts from the moment the box was ready. `landlock` is False where the kernel has none, and
    the engine's own settings and the resource limits were the only walls.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    truncated_by: str | None
    elapsed_ms: int
    landlock: bool

    @property
    def truncated(self) -> bool:
        """Whether there was more than `rows` holds."""
        return self.truncated_by is not None

    def to_json_rows(self) -> list[dict[str, Any]]:
        """One object a row. Columns of the same name are told apart as DuckDB does in a subquery: a, a_1, a_2."""
        names = _distinct(self.columns)
        return [dict(zip(names, row, strict=True)) for row in self.rows]


def _distinct(columns: tuple[str, ...]) -> list[str]:
    taken: set[str] = set()
    names = []
    for column in columns:
        name, count = column, 0
        # A suffixed name may itself be a column's real name further on; that one has to keep it.
        while name in taken or (count and name in columns):
            count += 1
            name = f"{column}_{count}"
        taken.add(name)
        names.append(name)
    return names
