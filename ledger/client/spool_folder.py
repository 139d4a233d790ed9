"""One boot's part of the spool: a locked folder of segment files.

    <spool>/<digest of the tenant, 16 hex>-<start, Unix ms, 12 hex>-<boot id, 32 hex>/
        lock                 locked (flock) for as long as its owner lives
        <number, 16 hex>.seg frames, see `spool_frame`

A process writes only in the folder it made. A folder whose lock is free has lost its owner: another client of the same
tenant takes it over, oldest first, sends its frames and removes it. Nobody ever appends behind another's frames.

Crash argument. A frame is appended with one write, and synced (`fsync`) before its events leave memory; a new segment's
name, and a new folder's, are synced too. A crash leaves at most one incomplete frame, at the end of the last segment. A
write that fails (a full disk) is undone by cutting the file back; where even that fails the segment is closed, and its
incomplete end is recognized like one after a crash. A segment file is removed when the gateway has answered for all its
frames; a crash before that sends them again, as repeats.

A folder appears under its name with its lock held: it is made and locked under a name that begins with a dot. What a
crash or a full disk leaves of that is removed `DRAFT_S` later by whoever looks.

What the disk or somebody else does to these files must not keep back what is newer:

- a segment that can't be removed once it is done with (a disk that became read-only) is not read again by this process;
  the next one sends it again, as repeats;
- one that is gone or can't be read is set aside, under its name with `.unreadable` behind it, for a person to look at;
- names that are none of these, folders without a lock, and what belongs to another user are left alone: frames are
  published under the credential of whoever drains them.
"""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

LOCK_NAME = "lock"
SEGMENT_SUFFIX = ".seg"
UNREADABLE_SUFFIX = ".unreadable"
DRAFT_S = 60.0
_SEGMENT = re.compile(r"[0-9a-f]{16}")


class Folder:
    """A folder of segments that this process holds the lock of."""

    def __init__(self, path: Path, lock: int, segment_bytes: int, fsync: bool) -> None:
        self.path = path
        self._lock = lock
        self._segment_bytes = segment_bytes
        self._fsync = fsync
        self._open_file: int | None = None
        self._open_size = 0
        names = (file.stem for file in path.glob(f"*{SEGMENT_SUFFIX}"))
        numbers = sorted(int(name, 16) for name in names if _SEGMENT.fullmatch(name))
        self._segments = {number: self._path(number).stat().st_size for number in numbers}
        self._next = numbers[-1] + 1 if numbers else 0

    @property
    def size_bytes(self) -> int:
        """On disk."""
        return sum(self._segments.values())

    @property
    def empty(self) -> bool:
        """Whether no segment is left."""
        return not self._segments

    def append(self, frame: bytes) -> None:
        """Adds a frame. Raises OSError; then nothing was added, or an incomplete frame that no reader takes for one."""
        if self._open_file is not None and self._open_size + len(frame) > self._segment_bytes:
            self.roll()
        if self._open_file is None:
            self._start_segment()
        file, before = self._open_file, self._open_size
        if file is None:
            raise OSError("no open segment")
        try:
            _write_all(file, frame)
            if self._fsync:
                os.fdatasync(file) if hasattr(os, "fdatasync") else os.fsync(file)
        except OSError:
            self._cut_back(file, before)
            raise
        self._open_size += len(frame)
        self._segments[self._next - 1] = self._open_size

    def roll(self) -> None:
        """Closes the open segment; the next frame starts another."""
        if self._open_file is not None:
            file, self._open_file = self._open_file, None
            os.close(file)

    def oldest(self) -> int | None:
        """The number of the first closed segment to send; the open one is closed if it is the only one."""
        if not self._segments:
            return None
        number = next(iter(self._segments))
        if self._open_file is not None and number == self._next - 1:
            self.roll()
        return number

    def read(self, number: int) -> bytes:
        """A closed segment's bytes."""
        return self._path(number).read_bytes()

    def remove(self, number: int) -> None:
        """A segment is done with. Raises OSError when its file stays; it is done with all the same."""
        del self._segments[number]
        self._path(number).unlink(missing_ok=True)

    def set_aside(self, number: int) -> None:
        """A segment that can't be read is kept for a person, as far as that can be done."""
        del self._segments[number]
        path = self._path(number)
        with suppress(OSError):
            path.rename(path.with_name(path.name + UNREADABLE_SUFFIX))

    def release(self) -> None:
        """Gives up the lock; removes the folder when nothing is in it. Raises OSError; even then the lock is free."""
        try:
            self.roll()
            if self.empty and not any(self.path.glob(f"*{SEGMENT_SUFFIX}")):
                # The name of the lock goes while it is held: who opened the file before sees by its link count that it
                # is the lock of nothing.
                (self.path / LOCK_NAME).unlink(missing_ok=True)
                _remove_if_empty(self.path)
        finally:
            os.close(self._lock)

    def forsake(self) -> None:
        """In a forked child: closes the copies of the descriptors and leaves lock and files to the parent."""
        if self._open_file is not None:
            os.close(self._open_file)
            self._open_file = None
        os.close(self._lock)

    def _path(self, number: int) -> Path:
        return self.path / f"{number:016x}{SEGMENT_SUFFIX}"

    def _start_segment(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._open_file = os.open(self._path(self._next), flags, 0o600)
        self._open_size = 0
        self._segments[self._next] = 0
        self._next += 1
        if self._fsync:
            _sync_folder(self.path)

    def _cut_back(self, file: int, size: int) -> None:
        try:
            os.ftruncate(file, size)
        except OSError:
            self.roll()


def make_folder(root: Path, name: str, segment_bytes: int, fsync: bool) -> Folder:
    """A new folder of this process. Raises OSError; then nothing of it is left, as far as the disk allows."""
    draft = root / f".{name}"
    draft.mkdir(mode=0o700)
    lock = -1
    try:
        lock = os.open(draft / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        draft.rename(root / name)
        if fsync:
            _sync_folder(root)
        return Folder(root / name, lock, segment_bytes, fsync)
    except OSError:
        for path in (draft, root / name):
            with suppress(OSError):
                (path / LOCK_NAME).unlink(missing_ok=True)
            _remove_if_empty(path)
        if lock >= 0:
            os.close(lock)
        raise


def take_over(path: Path, segment_bytes: int, fsync: bool) -> Folder | None:
    """The folder at `path` if its owner is gone, else None. Raises OSError."""
    if not is_own(path.stat(follow_symlinks=False)):
        return None
    lock = _take_lock(path)
    if lock is None:
        return None
    try:
        return Folder(path, lock, segment_bytes, fsync)
    except OSError:
        os.close(lock)
        raise


def remove_draft(path: Path) -> None:
    """Removes a folder that somebody began to make and never finished. Raises OSError."""
    state = path.stat(follow_symlinks=False)
    if not is_own(state) or time.time() - state.st_mtime < DRAFT_S:
        return
    lock = _take_lock(path)
    if lock is not None:
        try:
            (path / LOCK_NAME).unlink(missing_ok=True)
            _remove_if_empty(path)
        finally:
            os.close(lock)


def is_own(state: os.stat_result) -> bool:
    """Whether a file or folder is this user's, and nobody else's to write."""
    return state.st_uid == os.geteuid() and not state.st_mode & 0o022


def _take_lock(path: Path) -> int | None:
    """The lock of the folder at `path`, held; None where another process holds it or there is none."""
    try:
        lock = os.open(path / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        # Removed between listing and opening, or what a crash in the middle of the removal left.
        _remove_if_empty(path)
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    except OSError:
        os.close(lock)
        raise
    if os.fstat(lock).st_nlink == 0:
        os.close(lock)
        return None
    return lock


def _remove_if_empty(path: Path) -> None:
    # Gone already, or not empty: somebody's file. It stays then.
    with suppress(OSError):
        path.rmdir()


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
