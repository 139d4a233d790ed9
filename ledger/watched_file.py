"""Files that may be replaced or changed while they are in use: telling that one was, and reading it again then.

A file that was replaced has another inode, or stands on another device. One that was written in place has another size
or other times; whoever writes can set the time of modification back, but not that of the change. Times are as fine as
the file system keeps them: two writes of one size within a tick of its clock look alike.

For files that somebody edits. Evidence is looked at without the time of the change: another name for a file, as backups
by hard links make, changes that time and no byte.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from ledger.errors import Misconfigured

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What changes with a file. `changed_ns`: when anything about it did, which nobody but the system can set."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, path: Path) -> FileStamp:
        """Of the file that a path names now; `OSError` when it can't be looked at."""
        found = os.stat(path)
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    @classmethod
    def if_there(cls, path: Path) -> FileStamp | None:
        """The same; None when it can't be looked at."""
        try:
            return cls.of(path)
        except OSError:
            return None


class Watched(Generic[T]):
    """What `read` makes of files, which stay in use as they were until they change. Safe for threads.

    Whoever asks gets the newest value. A file that can't be read or is wrong raises every time it is asked for, unless
    `keep` says to go on with the last good one and to say so.
    """

    def __init__(self, paths: tuple[Path, ...], read: Callable[[], T], *, keep: bool = False) -> None:
        self._paths = paths
        self._read = read
        self._keep = keep
        self._lock = Lock()
        self._held: tuple[tuple[FileStamp, ...], T] | None = None
        self._complained: str | None = None

    def get(self) -> T:
        """The value of the files as they are now. `Misconfigured` when they are wrong."""
        with self._lock:
            try:
                stamps = tuple(_stamp(path) for path in self._paths)
                if self._held is None or self._held[0] != stamps:
                    self._held = (stamps, self._read())
            except Misconfigured as error:
                if not self._keep or self._held is None:
                    raise
                self._complain(str(error))
            return self._held[1]

    def _complain(self, text: str) -> None:
        if text != self._complained:
            self._complained = text
            log.error("%s; what was read before stays in force", text)


def _stamp(path: Path) -> FileStamp:
    try:
        return FileStamp.of(path)
    except OSError as error:
        raise Misconfigured(f"{path}: cannot be read: {error.strerror}") from None
