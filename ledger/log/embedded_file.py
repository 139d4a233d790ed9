"""The SQLite file of an embedded event log: its tables, its settings, its connections.

    log         one row: format, incarnation (16 random bytes made with the file), partitions
    partition   partition, start_offset (first kept), next_offset (next to be given out)
    record_<p>  offset (the rowid), key, headers (canonical bytes), value       one table a partition

One table a partition, keyed by rowid: every append lands at the right edge of its own tree, where SQLite fills pages
in order instead of splitting them, and a read is one range scan. `next_offset` moves in the transaction that inserts
the records and never goes back, so offsets outlive the rows.

A file is made under another name, complete and synced, and then linked to its own: it exists whole or not at all, and
an existing one is never overwritten. Opening never creates: an event log that has vanished must be noticed.

No setting that matters is left to a default or to how SQLite was compiled; each is set on each connection and read
back. `synchronous=FULL` syncs the write-ahead log before a commit returns. Memory mapping is off, because an I/O error
in mapped memory kills the process instead of failing the call. Trimmed rows are not overwritten with zeros
(`secure_delete`): what they hold is sealed for ever elsewhere, and encrypted where it is personal.
"""

from __future__ import annotations

import errno
import os
import secrets
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ledger.errors import IntegrityError, LedgerError, Misconfigured, Unavailable
from ledger.log.embedded_beside import LogConnection

FORMAT = 1
APPLICATION_ID = 0x414C4F47
PARTITIONS_MAX = 1024
PAGE_BYTES = 16_384
"""Six records of 2.5 KB fill such a page; of SQLite's usual 4096 bytes, one would waste a third."""

WAL_BYTES_KEPT = 64 * 1024 * 1024
"""A write-ahead log that grew beyond this is cut back once it is checkpointed."""

_PRAGMAS: tuple[tuple[str, str | int, str | int], ...] = (
    # name, value to set, value read back
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),
    ("fullfsync", 1, 1),
    ("checkpoint_fullfsync", 1, 1),
    ("locking_mode", "NORMAL", "normal"),
    ("wal_autocheckpoint", 0, 0),
    ("journal_size_limit", WAL_BYTES_KEPT, WAL_BYTES_KEPT),
    ("mmap_size", 0, 0),
    ("cache_size", -16_384, -16_384),
    ("temp_store", "MEMORY", 2),
    ("cell_size_check", 1, 1),
    ("trusted_schema", 0, 0),
    ("secure_delete", 0, 0),
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which log a file is, and which file it is in: device and inode tell when another one has taken its place."""

    incarnation: bytes
    partitions: int
    device: int
    inode: int


def create(path: Path, partitions: int) -> bytes:
    """Make a new, empty log at `path`; returns its incarnation. `Misconfigured` when something is there already."""
    if not 1 <= partitions <= PARTITIONS_MAX:
        raise Misconfigured(f"{partitions} partitions asked for, expected 1 to {PARTITIONS_MAX}")
    incarnation = secrets.token_bytes(16)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    try:
        # The mode is right from the first byte; SQLite gives the files beside it the same one.
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _fill(draft, incarnation, partitions)
        _sync(draft)
        os.link(draft, path)
        _sync(path.parent)
    except FileExistsError:
        raise Misconfigured(f"{path} exists already; an event log is never overwritten") from None
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"{path} could not be made: {error}") from None
    finally:
        draft.unlink(missing_ok=True)
    return incarnation


def connect(path: Path, *, writes: bool, busy_ms: int) -> LogConnection:
    """A connection with every setting made and read back. It never creates the file and begins no transaction itself.

    It waits up to `busy_ms` for another writer, and has noted the files beside the log. Raises `sqlite3.Error`, and
    `Misconfigured` when SQLite refuses a setting.
    """
    uri = f"file:{quote(str(path.absolute()))}?mode=rw"
    connection = sqlite3.connect(
        uri,
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=busy_ms / 1000,
        factory=LogConnection,
    )
    try:
        for name, value, expected in (*_PRAGMAS, ("busy_timeout", busy_ms, busy_ms)):
            connection.execute(f"PRAGMA {name}={value}")
            (found,) = connection.execute(f"PRAGMA {name}").fetchone()
            if found != expected:
                raise Misconfigured(f"SQLite would not set {name} to {value}: expected {expected}, found {found}")
        if not writes:
            connection.execute("PRAGMA query_only=1")
        connection.note_files(path)
    except BaseException:
        connection.close()
        raise
    return connection


def identify(path: Path) -> Identity:
    """Open the log at `path` for a moment and say which one it is."""
    try:
        before = os.stat(path)
        connection = connect(path, writes=False, busy_ms=1_000)
    except FileNotFoundError:
        raise Misconfigured(f"{path}: there is no event log; `init` makes one, a lost one is restored") from None
    except (OSError, sqlite3.Error) as error:
        raise failure(path, "could not be opened", error) from None
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        if application != APPLICATION_ID:
            raise Misconfigured(f"{path} is a SQLite file, but not an event log")
        number, incarnation, partitions = connection.execute(
            "SELECT format, incarnation, partitions FROM log"
        ).fetchone()
    except sqlite3.Error as error:
        raise failure(path, "could not be read", error) from None
    finally:
        connection.close()
    if number != FORMAT:
        raise Misconfigured(f"{path} has format {number}, this version reads {FORMAT}")
    return Identity(incarnation, partitions, before.st_dev, before.st_ino)


def check_same_file(path: Path, identity: Identity, connection: LogConnection | None = None) -> None:
    """`IntegrityError` when `path` no longer names the file that was opened: it was moved, deleted or replaced.

    A process that goes on with the old one would acknowledge what nobody will ever read. With a `connection`, the same
    for the files beside it.
    """
    try:
        now = os.stat(path)
    except FileNotFoundError:
        raise IntegrityError(f"{path} was deleted while the event log was open") from None
    except OSError as error:
        raise Unavailable(f"{path} cannot be looked at: {error.strerror}") from None
    if (now.st_dev, now.st_ino) != (identity.device, identity.inode):
        raise IntegrityError(
            f"{path} was replaced while the event log was open: opened inode {identity.inode}, found {now.st_ino}"
        )
    if connection is not None:
        connection.check_files(path)


def check_not_older(path: Path, identity: Identity, partition: int, end: int, incarnation: bytes, known: int) -> None:
    """`IntegrityError` when a partition's end went back behind `known`, or the incarnation is not the one opened.

    That is how a file shows whose content another copy was written over, its inode the same.
    """
    if incarnation != identity.incarnation or end < known:
        raise IntegrityError(
            f"{path}: partition {partition} ends at {end} in incarnation {incarnation.hex()}, expected at least {known}"
            f" in {identity.incarnation.hex()}: another copy of the log was put in its place"
        )


def failure(path: Path, what: str, error: Exception) -> LedgerError:
    """The error to raise for one of SQLite's or the system's: damage is for a person, all else may pass."""
    name = getattr(error, "sqlite_errorname", None) or errno.errorcode.get(getattr(error, "errno", 0)) or ""
    name = name or type(error).__name__
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return IntegrityError(f"{path} {what}: the file is damaged ({name})")
    return Unavailable(f"{path} {what}: {name}")


def _fill(draft: Path, incarnation: bytes, partitions: int) -> None:
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(
            "CREATE TABLE log (format INTEGER NOT NULL, incarnation BLOB NOT NULL, partitions INTEGER NOT NULL)"
        )
        connection.execute("INSERT INTO log VALUES (?, ?, ?)", (FORMAT, incarnation, partitions))
        connection.execute(
            "CREATE TABLE partition"
            " (partition INTEGER PRIMARY KEY, start_offset INTEGER NOT NULL, next_offset INTEGER NOT NULL)"
        )
        for number in range(partitions):
            connection.execute("INSERT INTO partition VALUES (?, 0, 0)", (number,))
            connection.execute(
                f"CREATE TABLE record_{number}"
                " (offset INTEGER PRIMARY KEY, key BLOB NOT NULL, headers BLOB NOT NULL, value BLOB NOT NULL)"
            )
        connection.execute("COMMIT")
    finally:
        # The last connection to close moves everything into the file and removes the write-ahead log.
        connection.close()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
