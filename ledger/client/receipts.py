"""The file of receipts: what the producer keeps, so that a ledger that lost its end can be held to its word.

    file = receipts, back to back: u64 length, big-endian, then the signed receipt

A receipt of a retried event may stand in it more than once. Several processes may append to one file: each holds its
lock while it writes. It is written before an acknowledgement is reported, and left to the kernel: it survives the death
of the process, and of the machine up to the kernel's last write-back. What a crash or a full disk left incomplete at
the end is cut off before the next receipt is added.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

if sys.platform != "win32":
    import fcntl

LENGTH_BYTES = 8


class ReceiptFile:
    """Appends receipts to a file. Safe for threads and processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._whole = 0
        self._file_id = (0, 0)

    def append(self, receipts: Sequence[bytes]) -> None:
        """Adds receipts. Raises OSError; then none of them is in the file."""
        if not receipts:
            return
        data = b"".join(len(each).to_bytes(LENGTH_BYTES, "big") + each for each in receipts)
        with self._lock:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
            try:
                if sys.platform != "win32":
                    fcntl.flock(file, fcntl.LOCK_EX)
                end = self._end(file)
                try:
                    _write_all(file, data, end)
                except OSError:
                    os.ftruncate(file, end)
                    raise
                self._whole = end + len(data)
            finally:
                os.close(file)

    def _end(self, file: int) -> int:
        """Where the last whole receipt ends; what stands behind it is cut off."""
        stat = os.fstat(file)
        size, file_id = stat.st_size, (stat.st_dev, stat.st_ino)
        # What this process knows to be whole holds for this very file only, not for one put in its place.
        at = self._whole if file_id == self._file_id and self._whole <= size else 0
        self._file_id = file_id
        while at < size:
            os.lseek(file, at, os.SEEK_SET)
            head = os.read(file, LENGTH_BYTES)
            length = int.from_bytes(head, "big")
            if len(head) < LENGTH_BYTES or at + LENGTH_BYTES + length > size:
                os.ftruncate(file, at)
                break
            at += LENGTH_BYTES + length
        return at


def _write_all(file: int, data: bytes, at: int) -> None:
    os.lseek(file, at, os.SEEK_SET)
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
