"""A connection to an embedded event log that knows which files it works in.

SQLite keeps what is committed in `<log>-wal` until a checkpoint, and the index to that in `<log>-shm`. When somebody
deletes or replaces one of them under open connections, those go on with files that no longer have a name: what they
commit and acknowledge is seen by nobody who opens the log afterwards, and two processes with two indexes overwrite each
other. SQLite does not notice. So each connection notes device and inode of both once it has opened them, and compares
them with what the names say now, before it writes or reads and after it has committed.

No other change than such an intervention can come between: SQLite removes both files only when the last connection of
all processes closes, and while a connection has them open it holds the lock that keeps others from doing that.

A connection that has found it closes like any other: if it is the last one, SQLite moves what was committed through it
from the nameless file into the log. So what was acknowledged before is not lost by stopping.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from ledger.errors import IntegrityError, Unavailable

BESIDE = (("-wal", "write-ahead log"), ("-shm", "index of the write-ahead log"))

_File = tuple[int, int]


class LogConnection(sqlite3.Connection):
    """Made by `ledger.log.embedded_file.connect`, which calls `note_files`."""

    _noted: tuple[_File | None, ...] = ()

    def note_files(self, path: Path) -> None:
        """Open the files beside the log at `path`, and note which ones they are."""
        # The first read opens them.
        self.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        self._noted = tuple(_look(Path(f"{path}{suffix}")) for suffix, _ in BESIDE)
        self.check_files(path)

    def check_files(self, path: Path) -> None:
        """`IntegrityError` unless the names beside the log still mean the files that are open here."""
        for (suffix, what), noted in zip(BESIDE, self._noted, strict=True):
            beside = Path(f"{path}{suffix}")
            found = _look(beside)
            if found is None:
                raise IntegrityError(
                    f"{beside}: the {what} was deleted while the event log was open; nothing more is written or read: "
                    "stop every process that has the log open, then start them again, and run `verify`"
                )
            if found != noted:
                raise IntegrityError(
                    f"{beside}: the {what} was replaced while the event log was open: expected inode "
                    f"{noted[1] if noted else 'unknown'}, found {found[1]}; nothing more is written or read: "
                    "stop every process that has the log open, then start them again, and run `verify`"
                )


def _look(path: Path) -> _File | None:
    try:
        now = os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(f"{path} cannot be looked at: {error.strerror}") from None
    return now.st_dev, now.st_ino
