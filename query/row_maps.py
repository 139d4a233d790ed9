"""Row maps: where the rows of a log stand in a compacted file, whose order is that of subjects. Derived, rebuildable.

    <derived>/query/rows/<SHA-256 of the file, hex>.rows      `query.pairs`: index in the log -> row of the file
    stamp = SHA-256 of the file || log id || u64 rows || 16 zero bytes

Made from the file's own `index` column when the file is first used. The reader compares the log id and index of each
row it is led to; the number of rows, checked here, says that none is missing. Where a map cannot be written it is kept
in memory.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np

from ledger.canonical import u64
from ledger.errors import IntegrityError
from ledger.tiles import DerivedDamaged
from query.files import SegmentFile, VouchedFiles
from query.pairs import STAMP_BYTES, Pairs, PairsFile, join, open_pairs, remove, spill, write

MAPS_MAX = 256
_SPILL_PAIRS = 1 << 22
_log = logging.getLogger(__name__)


class RowMaps:
    """The row maps of one store. Safe for threads."""

    def __init__(self, folder: Path, files: VouchedFiles, maps_max: int = MAPS_MAX) -> None:
        self._folder = folder
        self._files = files
        self._maps_max = maps_max
        self._lock = Lock()
        self._maps: OrderedDict[bytes, tuple[Pairs, PairsFile | None]] = OrderedDict()

    def rows(self, file: SegmentFile, log_id: bytes, indexes: Sequence[int]) -> list[tuple[int, int]]:
        """(index, row) of every row of the file that has one of these indexes, in the order of the indexes."""
        found = self._map(file, log_id).under_each(indexes)
        return [(index, row) for index, rows in zip(indexes, found, strict=True) for row in rows]

    def _map(self, file: SegmentFile, log_id: bytes) -> Pairs:
        with self._lock:
            known = self._maps.get(file.sha256)
            if known is not None and (known[1] is None or known[1].intact()):
                self._maps.move_to_end(file.sha256)
                return known[0]
            made = self._open(file, log_id) or self._make(file, log_id)
            self._maps[file.sha256] = made
            while len(self._maps) > self._maps_max:
                self._maps.popitem(last=False)
            return made[0]

    def _open(self, file: SegmentFile, log_id: bytes) -> tuple[Pairs, PairsFile] | None:
        path = self._path(file)
        if not path.exists():
            return None
        try:
            found = open_pairs(path)
            if found.stamp != _stamp(file, log_id) or len(found.pairs) != file.rows:
                raise DerivedDamaged(f"{path}: was made from another file")
        except DerivedDamaged as error:
            _log.warning("row map: %s; it is made again", error)
            remove(path)
            return None
        return found.pairs, found

    def _make(self, file: SegmentFile, log_id: bytes) -> tuple[Pairs, PairsFile | None]:
        sources = self._read(file)
        if sum(map(len, sources)) != file.rows:
            raise IntegrityError(f"{file.name}: holds {sum(map(len, sources))} rows, expected {file.rows}")
        path = self._path(file)
        try:
            write(path, _stamp(file, log_id), sources)
            found = open_pairs(path)
        except (OSError, DerivedDamaged) as error:
            _log.warning("row map of %s stays in memory: %s", file.name, type(error).__name__)
            return join(sources), None
        return found.pairs, found

    def _read(self, file: SegmentFile) -> list[Pairs]:
        opened = self._files.open(file)
        done: list[Pairs] = []
        parts: list[Pairs] = []
        first = 0
        for group, end in enumerate(opened.ends):
            column = opened.read(group, ("index",)).column("index").combine_chunks()
            indexes = column.to_numpy(zero_copy_only=False).astype(np.uint64)
            parts.append(Pairs(indexes, np.arange(first, end, dtype=np.uint64)))
            first = end
            if sum(map(len, parts)) >= _SPILL_PAIRS:
                done.append(spill(self._folder, parts))
                parts = []
        return [*done, join(parts)]

    def _path(self, file: SegmentFile) -> Path:
        return self._folder / f"{file.sha256.hex()}.rows"


def _stamp(file: SegmentFile, log_id: bytes) -> bytes:
    return (file.sha256 + log_id + u64.encode(file.rows)).ljust(STAMP_BYTES, b"\0")
