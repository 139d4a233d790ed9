"""Segment files, each opened only after its whole SHA-256 was found to be the one that a round or placement names.

A digest is computed once a process for each state of a file (inode, size, modification time); a file that changed on
disk since is hashed anew. What is read here is vouched for up to that moment; rows are checked against their leaf
hashes and proofs besides, contents against the digests in their payloads, so that a flip in between is seen too.

Few files stay open, the ones used last; and of the small columns that lead to rows (places, leaf hashes, slots) as much
stays in memory as `KEPT_BYTES_MAX` allows. Reading is safe from threads.
"""

from __future__ import annotations

import os
import weakref
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ledger.errors import IntegrityError, Unavailable
from ledger.segments.objects import FileStore
from ledger.segments.rows import file_sha256, open_parquet
from query import pages

OPEN_FILES_MAX = 64
CHECKED_FILES_MAX = 1_000_000
KEPT_BYTES_MAX = 128 * 1024 * 1024


class FileGone(IntegrityError):
    """A vouched file is not there. A newer placement may have superseded it: refresh the view and look again."""


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A Parquet file as the round or placement that vouches for it names it."""

    name: str
    sha256: bytes
    rows: int


@dataclass(frozen=True, slots=True)
class Range:
    """Smallest and largest value of a column in a row group."""

    low: Any
    high: Any


@dataclass(slots=True, weakref_slot=True, eq=False)
class OpenFile:
    """One open Parquet file. `ends[i]` is the first row behind row group i."""

    name: str
    sha256: bytes
    parquet: pq.ParquetFile
    ends: tuple[int, ...]
    descriptor: int
    lock: Lock = field(default_factory=Lock)
    _ranges: dict[str, tuple[Range | None, ...]] = field(default_factory=dict)
    _chunks: dict[tuple[int, str], pages.Chunk] = field(default_factory=dict)

    def group_of(self, row: int) -> tuple[int, int]:
        """The row group that holds a row of the file, and the row's place in it."""
        if not 0 <= row < self.ends[-1]:
            raise IntegrityError(f"{self.name}: has {self.ends[-1]} rows, asked for row {row}")
        group = bisect_right(self.ends, row)
        return group, row - (self.ends[group - 1] if group else 0)

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return list(self.parquet.schema_arrow.names)

    def read(self, group: int, columns: Sequence[str], *, threads: bool = False) -> pa.Table:
        """Some columns of one row group. `IntegrityError` when the file cannot be read as Parquet.

        `threads`: share the work, for many columns; for a few it only costs a wait for other threads.
        """
        try:
            with self.lock:
                return self.parquet.read_row_group(group, columns=list(columns), use_threads=threads)
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise IntegrityError(
                f"{self.name}: row group {group} cannot be read as Parquet ({type(error).__name__})"
            ) from None

    def values(self, group: int, column: str, rows: Sequence[int]) -> list[bytes]:
        """A byte-array column at some rows of a row group, which ascend; only the pages that hold them are read."""
        if not rows:
            return []
        try:
            key = (group, column)
            if key not in self._chunks:
                self._chunks[key] = pages.chunk_of(self.descriptor, self.parquet, group, column)
            return pages.values(self.descriptor, self._chunks[key], rows)
        except (pages.NotPaged, OSError):
            return self.values_by_group(group, column, rows)

    def values_by_group(self, group: int, column: str, rows: Sequence[int]) -> list[bytes]:
        """The same by pyarrow, which reads the whole row group."""
        found: list[bytes] = self.read(group, (column,)).column(column).take(pa.array(rows, pa.int64())).to_pylist()
        return found

    def ranges(self, column: str) -> tuple[Range | None, ...]:
        """For each row group the column's range, None where the file does not tell."""
        if column not in self._ranges:
            self._ranges[column] = _ranges(self.parquet.metadata, column)
        return self._ranges[column]


class VouchedFiles:
    """Opens segment files of one store, verified."""

    def __init__(self, store: FileStore, open_files_max: int = OPEN_FILES_MAX) -> None:
        self._store = store
        self._open_files_max = open_files_max
        self._lock = Lock()
        self._open: OrderedDict[str, tuple[tuple[int, ...], OpenFile]] = OrderedDict()
        self._checked: OrderedDict[tuple[str, bytes], tuple[int, ...]] = OrderedDict()
        self._kept: OrderedDict[tuple[bytes, int, tuple[str, ...]], pa.Table] = OrderedDict()
        self._kept_bytes = 0

    def path(self, file: SegmentFile) -> Path:
        """The path of a file whose digest holds; `FileGone` when there is none, `IntegrityError` when it is another."""
        path = self._store.path(file.name)
        state = _state(path, file.name)
        with self._lock:
            if self._checked.get((file.name, file.sha256)) == state:
                return path
        found = file_sha256(path, file.name)
        if found != file.sha256:
            raise IntegrityError(f"{file.name}: SHA-256 is {found.hex()}, expected {file.sha256.hex()}")
        if _state(path, file.name) != state:
            raise IntegrityError(f"{file.name}: changed while it was read")
        with self._lock:
            self._checked[(file.name, file.sha256)] = state
            while len(self._checked) > CHECKED_FILES_MAX:
                self._checked.popitem(last=False)
        return path

    def open(self, file: SegmentFile) -> OpenFile:
        """The file, ready to be read; its digest and its number of rows are those it is vouched for with."""
        path = self.path(file)
        state = _state(path, file.name)
        with self._lock:
            known = self._open.get(file.name)
            if known is not None and known[0] == state:
                self._open.move_to_end(file.name)
                return known[1]
        opened = _open(path, file)
        with self._lock:
            self._open[file.name] = (state, opened)
            while len(self._open) > self._open_files_max:
                self._open.popitem(last=False)
        return opened

    def kept(self, opened: OpenFile, group: int, columns: tuple[str, ...]) -> pa.Table:
        """Small columns of a row group, from memory where they were read before."""
        key = (opened.sha256, group, columns)
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
                return known
        table = opened.read(group, columns)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = table
                self._kept_bytes += table.nbytes
            while self._kept_bytes > KEPT_BYTES_MAX:
                self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes
        return table


def _open(path: Path, file: SegmentFile) -> OpenFile:
    try:
        parquet = open_parquet(path)
        groups = [parquet.metadata.row_group(group).num_rows for group in range(parquet.metadata.num_row_groups)]
    except (pa.ArrowException, OSError, KeyError) as error:
        raise IntegrityError(f"{file.name}: is not a readable Parquet file ({type(error).__name__})") from None
    if sum(groups) != file.rows:
        raise IntegrityError(f"{file.name}: has {sum(groups)} rows, expected {file.rows}")
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    opened = OpenFile(file.name, file.sha256, parquet, tuple(accumulate(groups)), descriptor)
    weakref.finalize(opened, os.close, descriptor)
    return opened


def _ranges(metadata: Any, column: str) -> tuple[Range | None, ...]:
    found: list[Range | None] = []
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        chunk = next(
            (each for i in range(group.num_columns) if (each := group.column(i)).path_in_schema == column), None
        )
        statistics = chunk.statistics if chunk is not None else None
        found.append(
            Range(statistics.min, statistics.max) if statistics is not None and statistics.has_min_max else None
        )
    return tuple(found)


def _state(path: Path, name: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise FileGone(f"{name}: is missing") from None
    except OSError as error:
        raise Unavailable(f"{name}: cannot be read: {os.strerror(error.errno or 0)}") from None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
