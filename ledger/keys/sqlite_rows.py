"""SQL of the common dialect (`ledger.keys.database`) as SQLite runs it."""

from __future__ import annotations

import sqlite3


class SqliteRows(sqlite3.Connection):
    """A connection, as `ledger.keys.database.Rows`."""

    def define(self, statement: str, /) -> None:
        """See `Rows.define`: tables are strict and clustered by their primary key."""
        self.execute(f"{statement} STRICT, WITHOUT ROWID" if statement.startswith("CREATE TABLE") else statement)

    def has_table(self, name: str, /) -> bool:
        """See `Rows.has_table`."""
        return (
            self.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (name,)).fetchone()
            is not None
        )

    def tables_with(self, column: str, /) -> list[str]:
        """See `Rows.tables_with`."""
        found = self.execute(
            "SELECT t.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c "
            "WHERE t.type = 'table' AND c.name = ? ORDER BY 1",
            (column,),
        )
        return [name for (name,) in found]
