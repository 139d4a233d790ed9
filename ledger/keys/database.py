"""What keys and tenants are kept in: one interface over the databases that can hold a key store, and one SQL for all.

Whoever needs rows writes SQL once, in the common part of the dialects, and runs it on `Rows`:

- `?` for a value; `?1` where one value stands twice. Never a value in the text of a statement.
- Values are `str`, `bytes`, `int` and None: no `bool` where a column holds a number.
- `INSERT … ON CONFLICT … DO NOTHING` and `DO UPDATE SET … = excluded.…`; a column of the row that is there with its
  table before it.
- Tables are made by `Rows.define`, with the types TEXT, INTEGER (64 bits) and BLOB; texts are ordered by their bytes.
- What a database knows of itself is asked by `has_table` and `tables_with`.

The implementations and what each does about durability, privacy and forgetting:

    ledger.keys.sqlite_database         a file; the processes of one machine
    ledger.keys.postgresql_database     a schema of a server; the processes of several machines

**Transactions.** `read()` is one snapshot. `write()` is alone: nobody else writes, here or in another process, from its
first statement to its end. `insert()` only adds what is absent and reads it again; a database may run several at once,
never beside a `write()`. All three may be called from any thread, not across a fork. A `write` or `insert` is durable
when its block ends, and has not happened when its block raises. One whose end raises `Unavailable` may have happened,
where the database is another process: everybody can ask again, for everything in a key store can be done twice.

Errors of the database become `Unavailable` (busy, full, away) or `IntegrityError` (a broken constraint, damage). Their
texts name tables and columns, never values.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Found(Protocol):
    """What a select found, as tuples."""

    def fetchone(self) -> Any:
        """The next row; None when there is none."""

    def fetchall(self) -> list[Any]:
        """All rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """All rows that are left, one by one."""


class Rows(Protocol):
    """The tables of a key store within one transaction."""

    def execute(self, statement: str, values: Sequence[object] = ..., /) -> Found:
        """Run one statement."""

    def executemany(self, statement: str, values: Iterable[Sequence[object]], /) -> object:
        """Run one statement for each of many tuples of values."""

    def define(self, statement: str, /) -> None:
        """Run one CREATE statement of the common dialect."""

    def has_table(self, name: str, /) -> bool:
        """Whether there is a table of this name."""

    def tables_with(self, column: str, /) -> list[str]:
        """The tables that have a column of this name."""


class KeyDatabase(ABC):
    """One open key database. End it with `close`."""

    @property
    @abstractmethod
    def where(self) -> str:
        """Which one it is, for people: a path or a URL, without any secret."""

    @property
    def leaves(self) -> str | None:
        """What `wipe` can't reach, for whoever has just destroyed keys; None where nothing is left to say."""
        return None

    @property
    @abstractmethod
    def is_read_only(self) -> bool:
        """Whether it can only be read here."""

    @abstractmethod
    def read(self) -> AbstractContextManager[Rows]:
        """One snapshot of the store."""

    @abstractmethod
    def write(self) -> AbstractContextManager[Rows]:
        """One transaction, alone and durable; `Unavailable` where the store was opened for reading only."""

    def insert(self) -> AbstractContextManager[Rows]:
        """One transaction, durable, that only adds what is absent, in one order of tables and keys, and reads it."""
        return self.write()

    @abstractmethod
    def wipe(self, *tables: str) -> None:
        """Leave no row that was deleted from these tables, or changed in them, in any file that the database uses.

        How far that goes is for each database to say. `Unavailable` while somebody is in the way.
        """

    @abstractmethod
    def alone(self, purpose: str) -> AbstractContextManager[None]:
        """Work of many transactions that only one process may do at a time; `Misconfigured` while another does it."""

    @abstractmethod
    def remove(self) -> None:
        """Take away a store that was just made, and nothing else: what was to use it could not be made."""

    @abstractmethod
    def close(self) -> None:
        """Close it."""
