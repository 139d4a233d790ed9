"""Where event ids seen before are found: sorted runs on disk, mapped, never loaded whole. Derived.

A *run* covers the rounds [first, end) of a partition and holds one row for each event they sealed, sorted by event id:
ids tell their own time, so new ids mostly fall behind all older runs and cost one comparison a run. Runs of one size
class are merged eight at a time up to `RUN_ROWS_MAX` rows, so a ledger of n events has about log8(n) + n / RUN_ROWS_MAX
runs, and neither look-ups nor merges need memory that grows with it.

File: 64-byte head (magic, rows, first, end, reserved) ‖ SHA-256 of head and body ‖ columns back to back:
high, low (u64 halves of the event id), log (first 16 bytes of the log id), index, leaf, digest, key id.
A file with a wrong checksum, or one that does not fit between its neighbours, is removed when the index is opened, and
the rounds it covered are read again: damage costs time, never an answer.
"""

from __future__ import annotations

import os
import re
import secrets
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ledger.errors import Unavailable

RUN_ROWS_MAX = 4_000_000
MERGE_AT = 8
_MAGIC = b"audit-ledger/id-run/v1".ljust(24, b"\0")
_HEAD = struct.Struct("<24sQQQ16x")
_HEAD_BYTES = _HEAD.size + 32
_NAME = re.compile(r"(\d{12})-(\d{12})\.ids")

SEEN = np.dtype([("log", "V16"), ("index", "<u8"), ("leaf", "V32"), ("digest", "V32"), ("key_id", "V32")])
"""What is remembered about an event, beside its id."""

_ROW_BYTES = 16 + SEEN.itemsize


@dataclass(frozen=True, slots=True)
class SeenRows:
    """Rows to remember: event ids (16 bytes each) as an (n, 16) byte array, and `SEEN` rows beside them."""

    ids: np.ndarray
    seen: np.ndarray

    def __len__(self) -> int:
        return len(self.seen)


@dataclass(frozen=True, slots=True)
class _Run:
    path: Path
    first: int
    end: int
    high: np.ndarray
    low: np.ndarray
    seen: np.ndarray


class IdIndex:
    """The runs of one partition in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs: list[_Run] = []
        with _storage():
            folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(folder.iterdir()):
                run = _open(path)
                if run is None or run.first != self.covered:
                    path.unlink(missing_ok=True)
                else:
                    self._runs.append(run)

    @property
    def covered(self) -> int:
        """The first round that is not in the index."""
        return self._runs[-1].end if self._runs else 0

    def reset(self) -> None:
        """Forgets everything; the rounds are to be added again from 0."""
        with _storage():
            for run in self._runs:
                run.path.unlink(missing_ok=True)
        self._runs = []

    def forget(self, log_ids: Iterable[bytes]) -> int:
        """Drops what is remembered of these logs, to which nothing is added any more; how many rows that were."""
        prefixes = [np.frombuffer(log_id[:16], np.uint8) for log_id in log_ids]
        dropped = 0
        for at, run in enumerate(self._runs if prefixes else ()):
            logs = np.ascontiguousarray(run.seen["log"]).view(np.uint8).reshape(-1, 16)
            gone = np.zeros(len(logs), bool)
            for prefix in prefixes:
                gone |= (logs == prefix).all(axis=1)
            if gone.any():
                dropped += int(gone.sum())
                with _storage():
                    _write(run.path, run.first, run.end, [run.high[~gone], run.low[~gone], run.seen[~gone]])
                    self._runs[at] = self._read_back(run.path)
        return dropped

    def add(self, round_number: int, rows: SeenRows) -> None:
        """Adds the events of the next round; a round without events too."""
        if round_number != self.covered:
            raise ValueError(f"the index covers rounds below {self.covered}, got round {round_number}")
        high, low = _halves(rows.ids)
        with _storage():
            self._runs.append(self._written(round_number, round_number + 1, high, low, rows.seen))
            while self._merge_tail():
                pass

    def find(self, ids: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """(position in `ids`, `SEEN` row) of everything remembered under these event ids, oldest run first."""
        high, low = _halves(ids)
        for run in self._runs:
            if not len(run.high):
                continue
            inside = np.flatnonzero((high >= run.high[0]) & (high <= run.high[-1]))
            starts = np.searchsorted(run.high, high[inside], side="left")
            ends = np.searchsorted(run.high, high[inside], side="right")
            hits = np.flatnonzero(starts < ends)
            for position, start, end in zip(inside[hits], starts[hits], ends[hits], strict=True):
                # Many ids may share their first half (a producer chooses them), so the second one is searched for too.
                lows = run.low[start:end]
                first = start + np.searchsorted(lows, low[position], side="left")
                last = start + np.searchsorted(lows, low[position], side="right")
                for row in range(first, last):
                    yield int(position), run.seen[row]

    def _written(self, first: int, end: int, high: np.ndarray, low: np.ndarray, seen: np.ndarray) -> _Run:
        order = np.lexsort((low, high))
        path = self._folder / f"{first:012d}-{end:012d}.ids"
        _write(path, first, end, [high[order], low[order], seen[order]])
        return self._read_back(path)

    @staticmethod
    def _read_back(path: Path) -> _Run:
        run = _open(path)
        if run is None:
            raise Unavailable(f"id index: {path.name} could not be read back")
        return run

    def _merge_tail(self) -> bool:
        """Merges the last `MERGE_AT` runs when they are of one size class."""
        tail = self._runs[-MERGE_AT:]
        if len(tail) < MERGE_AT or sum(len(run.high) for run in tail) > RUN_ROWS_MAX:
            return False
        classes = [_size_class(run) for run in tail]
        if min(classes) != max(classes):
            return False
        high = np.concatenate([run.high for run in tail])
        low = np.concatenate([run.low for run in tail])
        seen = np.concatenate([run.seen for run in tail])
        self._runs[-MERGE_AT:] = [self._written(tail[0].first, tail[-1].end, high, low, seen)]
        for run in tail:
            run.path.unlink(missing_ok=True)
        return True


@contextmanager
def _storage() -> Iterator[None]:
    """A disk that is full or away is worth another try; nothing is lost with a derived file."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"id index: {os.strerror(error.errno or 0)}") from None


def _size_class(run: _Run) -> int:
    """By rounds covered, so that many small rounds merge as surely as large ones."""
    return (run.end - run.first).bit_length() // 3


def _halves(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    words = np.ascontiguousarray(ids).view(">u8").astype(np.uint64).reshape(len(ids), 2)
    return words[:, 0].copy(), words[:, 1].copy()


def _write(path: Path, first: int, end: int, columns: Iterable[np.ndarray]) -> None:
    parts = [np.ascontiguousarray(column).tobytes() for column in columns]
    rows = len(parts[0]) // 8
    head = _HEAD.pack(_MAGIC, rows, first, end)
    digest = sha256(head)
    for part in parts:
        digest.update(part)
    temporary = path.with_suffix(f".{secrets.token_hex(8)}.tmp")
    with open(temporary, "wb") as stream:
        stream.writelines([head, digest.digest(), *parts])
    os.replace(temporary, path)


def _open(path: Path) -> _Run | None:
    """The run in a file; None when it isn't a whole one, or another process has just merged it away."""
    if _NAME.fullmatch(path.name) is None:
        return None
    try:
        with open(path, "rb") as stream:
            return _checked(path, stream)
    except FileNotFoundError:
        return None


def _checked(path: Path, stream: BinaryIO) -> _Run | None:
    """The run in an open file, mapped from the very bytes whose checksum holds."""
    head = stream.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES:
        return None
    digest, size = sha256(head[: _HEAD.size]), len(head)
    while chunk := stream.read(1 << 20):
        digest.update(chunk)
        size += len(chunk)
    magic, rows, first, end = _HEAD.unpack(head[: _HEAD.size])
    if magic != _MAGIC or path.name != f"{first:012d}-{end:012d}.ids" or size != _HEAD_BYTES + rows * _ROW_BYTES:
        return None
    if digest.digest() != head[_HEAD.size :]:
        return None
    if not rows:
        empty = np.empty(0, np.uint64)
        return _Run(path, first, end, empty, empty, np.empty(0, SEEN))
    high = np.memmap(stream, np.uint64, "r", _HEAD_BYTES, (rows,))
    low = np.memmap(stream, np.uint64, "r", _HEAD_BYTES + 8 * rows, (rows,))
    seen = np.memmap(stream, SEEN, "r", _HEAD_BYTES + 16 * rows, (rows,))
    return _Run(path, first, end, high, low, seen)
