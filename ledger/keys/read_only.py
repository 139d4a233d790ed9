"""Reading a key database that cannot be written: a home on a read-only mount, a snapshot, one whose write bits are off.

SQLite's WAL wants two files beside the database, and to make them it wants to write. So:

- Where there is a write-ahead log, a `mode=ro` connection reads it through the index (`-shm`) that stands beside it:
  shared with whoever writes, else, when that cannot be locked, rebuilt in memory. A log without its index is refused,
  for SQLite cannot read it without making one, and without the log the newest rows would be missing.
- Where there is none (every clean close removes it), the file alone is the whole database: it is read with
  `immutable=1`, which takes no lock and makes no file. That is right only while nobody writes, so the file and its log
  are looked at before and after each transaction. Changed before: the database is opened anew. Changed meanwhile:
  `Unavailable`, and what was read is not used.

Nothing is made or removed in the folder, and the database is not touched. In the index of a log that is in use only the
readers' own marks change, where they may.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from ledger.errors import Misconfigured, Unavailable
from ledger.keys.sqlite_rows import SqliteRows

_PRAGMAS = ("query_only = ON", "trusted_schema = OFF", "temp_store = MEMORY", "mmap_size = 0")

_State = tuple[tuple[int, int, int], int]


def is_writable(path: Path) -> bool:
    """Whether this process may write the database: the file, and the folder in which SQLite makes its others."""
    by = {"effective_ids": True} if os.access in os.supports_effective_ids else {}
    return os.access(path, os.W_OK, **by) and os.access(path.parent, os.W_OK, **by)


class ReadOnlyFile:
    """How one database file is read. Not for several threads at once."""

    def __init__(self, path: Path, busy_timeout_ms: int) -> None:
        self._path = path
        self._busy_timeout_ms = busy_timeout_ms
        self._immutable: _State | None = None

    def connect(self) -> SqliteRows:
        """A connection that can only read."""
        state = self._state()
        has_log = state[1] > 0
        if has_log and not self._beside("-shm").exists():
            raise Misconfigured(
                f"{self._path}-wal: a write-ahead log without its index can't be read where nothing can be written: "
                "open the ledger once where it can be written, or copy all files of the folder"
            )
        # Noted before the first page is read: what changes from here on is noticed.
        self._immutable = None if has_log else state
        connection = sqlite3.connect(
            f"file:{quote(str(self._path.absolute()))}?{'mode=ro' if has_log else 'mode=ro&immutable=1'}",
            uri=True,
            timeout=self._busy_timeout_ms / 1_000,
            isolation_level=None,
            check_same_thread=False,
            factory=SqliteRows,
        )
        try:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    def current(self, connection: SqliteRows) -> SqliteRows:
        """The connection, or a new one in its place when somebody wrote since it was made."""
        if self._immutable is None or self._state() == self._immutable:
            return connection
        connection.close()
        return self.connect()

    def check(self) -> None:
        """`Unavailable` when what was just read may be half of one state and half of another."""
        if self._immutable is not None and self._state() != self._immutable:
            raise Unavailable(f"key store {self._path}: was written while it was read; ask again")

    def _state(self) -> _State:
        """What shows a write: the file's identity, size and time, and how long the write-ahead log is."""
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise Unavailable(f"key store {self._path}: cannot be looked at: {error.strerror}") from None
        try:
            logged = os.stat(self._beside("-wal")).st_size
        except FileNotFoundError:
            logged = 0
        return (found.st_ino, found.st_size, found.st_mtime_ns), logged

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)
