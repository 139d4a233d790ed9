"""A key store in an SQLite file: how it is opened, and how it is read and written.

- **Durable**: WAL with `synchronous=FULL`. SQLite syncs the log before it shows a commit to any connection, so what
  one process reads of another's is durable already.
- **Forgetting**: `secure_delete` overwrites what is deleted, temporary files stay in memory. Old pages in the
  write-ahead log live until it is truncated; `wipe` does that, for all tables at once.
- **Private**: mode 0600 from its first moment; SQLite gives its `-wal` and `-shm` the mode of the database. One that
  others can touch is refused.
- **Never made by accident**: `open` refuses a file that is absent. An empty key store in place of the real one would
  hand every person a second pseudonym. `create` refuses one that has a schema, and finishes one that a crash left
  without.
- A schema newer than this build's is refused: what it added would be missed.

- **Read where it cannot be written**: on a file or folder that this user can't write, `open` reads and changes nothing,
  not even beside the file; `write()` is then `Unavailable`. `ledger.keys.read_only` says how.

`write()` has SQLite's write lock from its start (BEGIN IMMEDIATE), and so has `insert()`. Reads use a connection of
their own, so readers never wait for a writer's sync. `alone` holds a lock on a file beside the database, which the
system frees when the process ends in whatever way.

When a transaction raises `Unavailable` (busy, full, I/O) nothing of it was committed.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import NoReturn, Self

from ledger.errors import IntegrityError, Misconfigured, Unavailable
from ledger.keys.database import KeyDatabase, Rows
from ledger.keys.master import require_private, sync_folder
from ledger.keys.read_only import ReadOnlyFile, is_writable
from ledger.keys.schema import APPLICATION_ID, SCHEMA_NAME, SCHEMA_VERSION, TABLES
from ledger.keys.sqlite_rows import SqliteRows

BUSY_TIMEOUT_MS = 5_000
"""How long a call waits for another process's write before it is `Unavailable`."""

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT}
_PRIMARY_CODE = 0xFF


class SqliteDatabase(KeyDatabase):
    """One open file. Make one with `create` or `open`, end it with `close`."""

    def __init__(self, path: Path, busy_timeout_ms: int = BUSY_TIMEOUT_MS, *, read_only: bool = False) -> None:
        self.path = path
        self._still: ReadOnlyFile | None = None
        self._writer: SqliteRows | None = None
        self._busy_timeout_ms = busy_timeout_ms
        self._read_lock, self._write_lock = Lock(), Lock()
        with self._errors():
            if read_only:
                self._still = ReadOnlyFile(path, busy_timeout_ms)
                self._reader = self._still.connect()
                return
            self._writer = self._connect()
            try:
                self._reader = self._connect()
            except BaseException:
                self._writer.close()
                raise

    @classmethod
    def create(cls, path: Path, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> Self:
        """A new database with empty tables; `Misconfigured` when there is one already."""
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Misconfigured(f"{path}: cannot make the key store: {error.strerror}") from None
        os.close(handle)
        sync_folder(path.parent)
        require_private(path, os.stat(path))
        database = cls(path, busy_timeout_ms)
        try:
            with database.write() as rows:
                if rows.execute("SELECT count(*) FROM sqlite_schema").fetchone() != (0,):
                    raise Misconfigured(f"{path}: is a database already; expected none")
                for statement in TABLES:
                    rows.define(statement)
                rows.execute("INSERT INTO meta VALUES (?, ?)", (SCHEMA_NAME, str(SCHEMA_VERSION)))
                rows.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        except BaseException:
            database.close()
            raise
        return database

    @classmethod
    def open(cls, path: Path, busy_timeout_ms: int = BUSY_TIMEOUT_MS, *, read_only: bool | None = None) -> Self:
        """An existing database; `Misconfigured` when it is absent, open to others or of another schema.

        `read_only`: only read it; None: only where it can't be written.
        """
        try:
            require_private(path, os.stat(path))
        except OSError as error:
            raise Misconfigured(f"{path}: cannot open the key store: {error.strerror}") from None
        database = cls(path, busy_timeout_ms, read_only=not is_writable(path) if read_only is None else read_only)
        try:
            with database.read() as rows:
                found = database._schema_version(rows)
            if found is None:
                raise Misconfigured(f"{path}: expected a key store, found a database without its schema")
            if found != str(SCHEMA_VERSION):
                raise Misconfigured(f"{path}: the key store has schema {found}, this build knows {SCHEMA_VERSION}")
        except BaseException:
            database.close()
            raise
        return database

    @property
    def where(self) -> str:
        """The file's path."""
        return str(self.path)

    @contextmanager
    def read(self) -> Iterator[Rows]:
        """One snapshot of the store."""
        with self._read_lock, self._errors():
            if self._still is not None:
                self._reader = self._still.current(self._reader)
            with self._transaction(self._reader, "BEGIN") as rows:
                yield rows
            if self._still is not None:
                self._still.check()

    @contextmanager
    def write(self) -> Iterator[Rows]:
        """One transaction, durable when the block ends; nothing of it stays when the block raises."""
        if self._writer is None:
            raise Unavailable(f"key store {self.path}: was opened for reading only; it can't be written here")
        with self._write_lock, self._errors(), self._transaction(self._writer, "BEGIN IMMEDIATE") as rows:
            yield rows

    def wipe(self, *tables: str) -> None:
        """Fold the write-ahead log into the database and cut it to nothing, so that no older page is left anywhere.

        `Unavailable` when somebody is in the way for longer than the busy time-out: a reader in a long transaction.
        """
        if self._writer is None:
            raise Unavailable(f"key store {self.path}: was opened for reading only; it can't be written here")
        with self._write_lock, self._errors():
            (busy, *_) = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise Unavailable(f"key store {self.path}: somebody is reading from its write-ahead log; try again")

    @contextmanager
    def alone(self, purpose: str) -> Iterator[None]:
        """See `KeyDatabase.alone`: by a lock on a file beside the database."""
        handle = os.open(self.path.parent / f"{purpose}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Misconfigured(f"key store {self.path}: another {purpose} is at work") from None
            yield
        finally:
            os.close(handle)

    @property
    def is_read_only(self) -> bool:
        """Whether it was opened for reading only."""
        return self._writer is None

    def remove(self) -> None:
        """See `KeyDatabase.remove`: closes it, and deletes its files."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def close(self) -> None:
        """Close both connections. The last one to leave folds the write-ahead log into the database."""
        with self._read_lock, self._write_lock:
            self._reader.close()
            if self._writer is not None:
                self._writer.close()

    def _connect(self) -> SqliteRows:
        connection = sqlite3.connect(
            self.path,
            timeout=self._busy_timeout_ms / 1_000,
            isolation_level=None,
            check_same_thread=False,
            factory=SqliteRows,
        )
        try:
            self._use_wal(connection)
            for pragma, value in (
                ("synchronous", "FULL"),
                ("fullfsync", "ON"),
                ("checkpoint_fullfsync", "ON"),
                ("secure_delete", "ON"),
                ("foreign_keys", "ON"),
                ("trusted_schema", "OFF"),
                ("temp_store", "MEMORY"),
            ):
                connection.execute(f"PRAGMA {pragma} = {value}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        """Switch to WAL. Two first openers can meet here, and SQLite's own waiting does not cover this switch."""
        deadline = time.monotonic() + self._busy_timeout_ms / 1_000
        while True:
            try:
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as error:
                if _primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                    raise
                time.sleep(0.005)
                continue
            if mode != "wal":
                raise Misconfigured(f"{self.path}: expected a file system that allows WAL, SQLite chose {mode}")
            return

    @contextmanager
    def _transaction(self, connection: SqliteRows, begin: str) -> Iterator[SqliteRows]:
        connection.execute(begin)
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            # SQLite rolls back by itself after some errors; a second failure must not hide the first.
            with suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            self._raise(error)

    def _raise(self, error: sqlite3.Error) -> NoReturn:
        if isinstance(error, sqlite3.ProgrammingError):
            raise error
        code = _primary_code(error)
        name = getattr(error, "sqlite_errorname", "")
        if code in _DAMAGE:
            raise IntegrityError(f"key store {self.path}: {error} ({name})") from None
        raise Unavailable(f"key store {self.path}: {error} ({name})") from None

    @staticmethod
    def _schema_version(rows: Rows) -> str | None:
        if not rows.has_table("meta"):
            return None
        found = rows.execute("SELECT value FROM meta WHERE name = ?", (SCHEMA_NAME,)).fetchone()
        return None if found is None else str(found[0])


def _primary_code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & _PRIMARY_CODE
