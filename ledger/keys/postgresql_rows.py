"""SQL of the common dialect (`ledger.keys.database`) as PostgreSQL runs it.

- `?` and `?1` become `$1`. The values travel beside the statement, as the server's own protocol has them.
- TEXT becomes TEXT COLLATE "C", which is the order of bytes whatever the server's language; INTEGER becomes BIGINT;
  BLOB becomes BYTEA.
- Columns of bytes are kept out of the planner's statistics (SET STATISTICS 0). ANALYZE would put samples of them,
  hashes of persons and sealed keys, into `pg_statistic`, where no erasure reaches them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import count

import psycopg

from ledger.keys.database import Found

STATEMENTS_MAX = 4_096
"""Translated statements that are remembered. Those with lists of values come in as many lengths as lists."""

_MARK = re.compile(r"\?(\d*)")
_TYPE = re.compile(r"\b(TEXT|INTEGER|BLOB)\b")
_TYPES = {"TEXT": 'TEXT COLLATE "C"', "INTEGER": "BIGINT", "BLOB": "BYTEA"}
_CREATES_TABLE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)")


@lru_cache(STATEMENTS_MAX)
def translated(statement: str) -> str:
    """The statement with PostgreSQL's marks for values."""
    numbers = count(1)
    return _MARK.sub(lambda mark: f"${mark[1] or next(numbers)}", statement)


class PostgresqlRows:
    """A connection within a transaction, as `ledger.keys.database.Rows`."""

    __slots__ = ("_connection",)

    def __init__(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Sequence[object] = (), /) -> Found:
        """See `Rows.execute`."""
        return self._cursor().execute(translated(statement).encode(), values or None, binary=True)

    def executemany(self, statement: str, values: Iterable[Sequence[object]], /) -> None:
        """See `Rows.executemany`. They go to the server together, not one after the other."""
        many = list(values)
        if many:
            self._cursor().executemany(translated(statement).encode(), many)

    def define(self, statement: str, /) -> None:
        """See `Rows.define`."""
        self._cursor().execute(_TYPE.sub(lambda found: _TYPES[found[0]], statement).encode())
        made = _CREATES_TABLE.match(statement)
        if made is None:
            return
        for (column,) in self.execute(
            "SELECT attname FROM pg_catalog.pg_attribute "
            "WHERE attrelid = ?::text::regclass AND attnum > 0 AND atttypid = 'bytea'::regtype",
            (made[1],),
        ):
            self._cursor().execute(f'ALTER TABLE {made[1]} ALTER COLUMN "{column}" SET STATISTICS 0'.encode())

    def has_table(self, name: str, /) -> bool:
        """See `Rows.has_table`."""
        found = self.execute(
            "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = ?", (name,)
        )
        return found.fetchone() is not None

    def tables_with(self, column: str, /) -> list[str]:
        """See `Rows.tables_with`."""
        found = self.execute(
            "SELECT c.relname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid "
            "WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attname = ? "
            "AND NOT a.attisdropped ORDER BY 1",
            (column,),
        )
        return [name for (name,) in found]

    def _cursor(self) -> psycopg.RawCursor[tuple[object, ...]]:
        return psycopg.RawCursor(self._connection)
