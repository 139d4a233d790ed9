"""Event ids in their logs: each once, but for those that a statement marks; repeats and marks what they claim to be.

- a repeat's first leaf shows the same event id, submission digest and key id as the repeat's receipt;
- a conflict's first leaf shows the same event id and key id, and another digest;
- an undetermined event's first leaf shows the same event id and another key id;
- of all leaves of a log with one event id, exactly the first is not marked.

The identities of all rows go to a temporary file, 80 bytes a row, so that any earlier one can be read back; the ids are
compared in buckets that fit into memory.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from ledger.verify.scratch import IDENTITY, Scratch

BUFFERED_ROWS_MAX = 1 << 20
BUCKETS = 64

Identity = tuple[bytes, bytes, bytes]
"""Event id, submission digest, submission key id."""

_ID_ROWS = np.dtype([("log", "u4"), ("high", ">u8"), ("low", ">u8"), ("index", "i8"), ("marked", "u1")])


@dataclass(frozen=True, slots=True)
class Twice:
    """A log has an event id at two indexes, and the later one is not marked."""

    log_id: bytes
    first_index: int
    index: int


@dataclass(slots=True)
class _LogRows:
    """Where a log's identities stand in the file: stretches by first index."""

    number: int
    first: array[int] = field(default_factory=lambda: array("q"))
    position: array[int] = field(default_factory=lambda: array("q"))
    end: int = 0


class Identities:
    """The identities of one partition's rows, appended in index order log by log. `close` it."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._file: BinaryIO = open(scratch.path(), "w+b", buffering=0)  # noqa: SIM115 - closed by `close`
        self._rows = 0
        self._logs: dict[bytes, _LogRows] = {}
        self._buffer: list[np.ndarray] = []
        self._buffered = 0
        self._buckets: list[BinaryIO] = []

    def close(self) -> None:
        """Lets go of the temporary files."""
        for file in (self._file, *self._buckets):
            file.close()

    def append(self, log_id: bytes, first_index: int, rows: np.ndarray, marked: np.ndarray) -> None:
        """Takes the rows of a statement: `IDENTITY` fields, and which of them the statement marks."""
        if not len(rows):
            return
        log = self._logs.setdefault(log_id, _LogRows(len(self._logs)))
        log.first.append(first_index)
        log.position.append(self._rows)
        log.end = first_index + len(rows)
        identities = np.empty(len(rows), IDENTITY)
        for name in IDENTITY.names or ():
            identities[name] = rows[name]
        self._file.write(identities.tobytes())
        self._rows += len(rows)
        ids = np.empty(len(rows), _ID_ROWS)
        halves = np.frombuffer(identities["event_id"].tobytes(), ">u8").reshape(len(rows), 2)
        ids["log"], ids["high"], ids["low"] = log.number, halves[:, 0], halves[:, 1]
        ids["index"], ids["marked"] = np.arange(first_index, log.end), marked
        self._buffer.append(ids)
        self._buffered += len(rows)
        if self._buffered >= BUFFERED_ROWS_MAX:
            self._flush()

    def at(self, log_id: bytes, index: int) -> Identity | None:
        """The identity of a row appended before; None when it was not, or its payload could not be decoded."""
        log = self._logs.get(log_id)
        if log is None or not 0 <= index < log.end:
            return None
        stretch = bisect_right(log.first, index) - 1
        if stretch < 0:
            return None
        row = log.position[stretch] + index - log.first[stretch]
        data = os.pread(self._file.fileno(), IDENTITY.itemsize, row * IDENTITY.itemsize)
        return (data[:16], data[16:48], data[48:80]) if any(data) else None

    def twice(self) -> Iterator[Twice]:
        """Every id that stands more often than the marks allow."""
        log_ids = {log.number: log_id for log_id, log in self._logs.items()}
        for ids in self._in_buckets():
            order = np.lexsort((ids["index"], ids["low"], ids["high"], ids["log"]))
            ordered = ids[order]
            same = np.ones(max(len(ids) - 1, 0), bool)
            for name in ("log", "high", "low"):
                same &= ordered[name][1:] == ordered[name][:-1]
            for at in np.flatnonzero(same & (ordered["marked"][1:] == 0)):
                earlier, later = ordered[at], ordered[at + 1]
                yield Twice(log_ids[int(later["log"])], int(earlier["index"]), int(later["index"]))

    def _flush(self) -> None:
        if not self._buckets:
            self._buckets = [open(self._scratch.path(), "w+b") for _ in range(BUCKETS)]  # noqa: SIM115
        ids = np.concatenate([np.empty(0, _ID_ROWS), *self._buffer])
        bucket = ids["low"] % BUCKETS
        for number, file in enumerate(self._buckets):
            file.write(ids[bucket == number].tobytes())
        self._buffer, self._buffered = [], 0

    def _in_buckets(self) -> Iterator[np.ndarray]:
        if not self._buckets:
            yield np.concatenate([np.empty(0, _ID_ROWS), *self._buffer])
            return
        self._flush()
        for file in self._buckets:
            file.flush()
            file.seek(0)
            yield np.frombuffer(file.read(), _ID_ROWS)
