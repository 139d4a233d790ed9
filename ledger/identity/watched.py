"""A file that is read again when it was replaced or changed, in use meanwhile as it was.

A change shows by modification time, size, inode and device. Whoever asks gets the newest value; a file that can't be
read or is wrong raises every time it is asked for, unless `keep` says to go on with the last good one and to say so.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from ledger.errors import Misconfigured

log = logging.getLogger(__name__)
T = TypeVar("T")
_Stamp = tuple[int, int, int, int]


class Watched(Generic[T]):
    """What `read` makes of files. Safe for threads."""

    def __init__(self, paths: tuple[Path, ...], read: Callable[[], T], *, keep: bool = False) -> None:
        self._paths = paths
        self._read = read
        self._keep = keep
        self._lock = Lock()
        self._held: tuple[tuple[_Stamp, ...], T] | None = None
        self._complained: tuple[_Stamp, ...] | str | None = None

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


def _stamp(path: Path) -> _Stamp:
    try:
        found = os.stat(path)
    except OSError as error:
        raise Misconfigured(f"{path}: cannot be read: {error.strerror}") from None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev
