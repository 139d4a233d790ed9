"""The look-up index: from a person, session, correlation id, event id, ... to the events in a log, by their indexes.

It keeps the keys (`query.lookup_keys`) of a partition's events in sorted runs, each made from the events that the
rounds [first, end) sealed, and those of the newest rounds in memory. Payloads never change, so a run never goes stale:
moving rows (compaction) does not touch it. Runs are merged as they accumulate, so that there are few, and memory and
search time do not grow with the ledger.

    <derived>/query/<pppp>/<first round>-<end round>.run      `query.pairs`: key -> index in the log
    stamp = u64 partition || u64 first round || u64 end round || SHA-256 of round (end - 1) || 32 zero bytes

The digest pins, through the chain of rounds, the history a run was made from: one of another ledger, or of a ledger
that was rolled back, does not fit. A run that is damaged, foreign or missing is made again from the segment files; one
that cannot be written stays in memory. So the index changes how long an answer takes, never the answer:

- completeness: checksum and stamp of each run, and at its making as many events as the rounds vouch for;
- correctness: the reader compares each event it is led to with what was asked.

Against damage, that is, and leftovers of other histories. Somebody who may write here and forges a run, checksum
and all, can hide events from look-ups (not from `find`, SQL or `verify`, which do not use it): the folder is as private
as the key store.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from ledger.canonical import u64
from ledger.errors import IntegrityError
from ledger.tiles import DerivedDamaged
from query.files import SegmentFile, VouchedFiles
from query.log_view import LogView
from query.lookup_keys import KEY_COLUMNS, KeyKind, key, keys_of
from query.pairs import STAMP_BYTES, Pairs, PairsFile, join, open_pairs, remove, spill, write
from query.view import LedgerView, Snapshot

RUN_PAIRS_LEAST = 1 << 16
"""Fewer than these stay in memory."""
SPILL_PAIRS = 1 << 22
"""How many a build holds in memory at a time."""
MERGE_RATIO = 4
RUNS_MAX = 16

_NAME = re.compile(r"(\d{12,})-(\d{12,})\.run")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Run:
    """The keys of the rounds [first_round, end_round); `file` is None when they are only in memory."""

    first_round: int
    end_round: int
    pairs: Pairs
    file: PairsFile | None

    def intact(self) -> bool:
        return self.file is None or self.file.intact()


class LookupIndex:
    """The index of one store. Safe for threads: runs are replaced, never changed."""

    def __init__(self, folder: Path, view: LedgerView, files: VouchedFiles) -> None:
        self._folder = folder
        self._view = view
        self._files = files
        self._lock = Lock()
        self._runs: dict[int, tuple[_Run, ...]] = {}

    def find(self, snapshot: Snapshot, log: LogView, kind: KeyKind, value: bytes | str) -> list[int]:
        """The indexes of the events that may be under this value, ascending; surely all that are.

        Compare each with what was asked for: two values can share a key.
        """
        return self.find_each(snapshot, log, [(kind, value)])[0]

    def find_each(
        self, snapshot: Snapshot, log: LogView, wanted: Sequence[tuple[KeyKind, bytes | str]]
    ) -> list[list[int]]:
        """`find` for several values at once."""
        if not log.size or not wanted:
            return [[] for _ in wanted]
        keys = [key(log.log_id, kind, value) for kind, value in wanted]
        found: list[set[int]] = [set() for _ in wanted]
        for run in self._covering(snapshot, log.partition):
            for own, indexes in zip(found, run.pairs.under_each(keys), strict=True):
                own.update(indexes)
        return [sorted(index for index in own if index < log.size) for own in found]

    def catch_up(self, snapshot: Snapshot) -> None:
        """Brings every partition's runs up to the snapshot."""
        for partition in range(len(snapshot.rounds)):
            self._covering(snapshot, partition)

    def _covering(self, snapshot: Snapshot, partition: int) -> tuple[_Run, ...]:
        runs = self._runs.get(partition, ())
        end = snapshot.rounds[partition]
        if (runs[-1].end_round if runs else 0) >= end and all(run.intact() for run in runs):
            return runs
        with self._lock:
            runs = self._runs.get(partition, ())
            if not runs or not all(run.intact() for run in runs):
                runs = self._load(snapshot, partition)
            begin = runs[-1].end_round if runs else 0
            if begin < end:
                runs = self._grow(runs, snapshot, partition, begin, end)
            self._runs[partition] = runs
            return runs

    def _load(self, snapshot: Snapshot, partition: int) -> tuple[_Run, ...]:
        """The runs on disk that fit, without a hole up to the last of them; holes are built anew."""
        found: dict[int, _Run] = {}
        folder = self._partition_folder(partition)
        for path in sorted(folder.glob("*.run")) if folder.is_dir() else []:
            run = self._open(path, snapshot, partition)
            if run is not None and (run.first_round not in found or found[run.first_round].end_round < run.end_round):
                found[run.first_round] = run
        runs: list[_Run] = []
        at = 0
        while later := [first for first in found if first >= at]:
            first = min(later)
            if first > at:
                runs.append(self._make(snapshot, partition, at, first))
            runs.append(found[first])
            at = found[first].end_round
        return tuple(runs)

    def _open(self, path: Path, snapshot: Snapshot, partition: int) -> _Run | None:
        """The run in a file; None when it is none, not whole, of another history, or ahead of the snapshot."""
        name = _NAME.fullmatch(path.name)
        if name is None:
            return None
        first, end = int(name[1]), int(name[2])
        if not first < end <= snapshot.rounds[partition]:
            return None
        try:
            file = open_pairs(path)
            if file.stamp != self._stamp(partition, first, end):
                raise DerivedDamaged(f"{path}: was made from another history")
        except DerivedDamaged as error:
            _log.warning("look-up index: %s; it is made again", error)
            remove(path)
            return None
        return _Run(first, end, file.pairs, file)

    def _grow(
        self, runs: tuple[_Run, ...], snapshot: Snapshot, partition: int, begin: int, end: int
    ) -> tuple[_Run, ...]:
        """The runs with the rounds [begin, end) added."""
        kept = list(runs)
        if kept and kept[-1].file is None:
            begin = kept[-1].first_round
            tail = join([kept.pop().pairs, *self._build(snapshot, partition, runs[-1].end_round, end)])
            sources = [tail]
        else:
            sources = self._build(snapshot, partition, begin, end)
        while len(kept) and (len(kept[-1].pairs) <= MERGE_RATIO * sum(map(len, sources)) or len(kept) >= RUNS_MAX):
            if sum(map(len, sources)) < RUN_PAIRS_LEAST:
                break
            merged = kept.pop()
            begin = merged.first_round
            sources.append(merged.pairs)
        return (*kept, self._keep(partition, begin, end, sources, runs))

    def _make(self, snapshot: Snapshot, partition: int, begin: int, end: int) -> _Run:
        return self._keep(partition, begin, end, self._build(snapshot, partition, begin, end), ())

    def _keep(self, partition: int, begin: int, end: int, sources: list[Pairs], before: tuple[_Run, ...]) -> _Run:
        """A run of these pairs: on disk when it is worth it and can be written."""
        if sum(map(len, sources)) < RUN_PAIRS_LEAST:
            return _Run(begin, end, join(sources), None)
        path = self._partition_folder(partition) / f"{begin:012d}-{end:012d}.run"
        try:
            write(path, self._stamp(partition, begin, end), sources)
            file = open_pairs(path)
        except (OSError, DerivedDamaged) as error:
            _log.warning("look-up index: rounds %d-%d stay in memory: %s", begin, end, type(error).__name__)
            return _Run(begin, end, join(sources), None)
        for run in before:
            if run.file is not None and begin <= run.first_round and run.file.path != path:
                remove(run.file.path)
        return _Run(begin, end, file.pairs, file)

    def _build(self, snapshot: Snapshot, partition: int, begin: int, end: int) -> list[Pairs]:
        """The keys of the events that the rounds [begin, end) sealed, as sorted sources."""
        expected = found = pending = 0
        parts: list[Pairs] = []
        done: list[Pairs] = []
        wanted: dict[SegmentFile, dict[bytes, tuple[int, int]]] = {}
        for log in snapshot.logs.values():
            if log.partition != partition or log.last_round < begin:
                continue
            first, stop = log.first_index_of_round(begin), log.first_index_of_round(end)
            expected += stop - first
            for file, low, high in log.events_files(first, stop):
                wanted.setdefault(file, {})[log.log_id] = (low, high)
        for pairs, rows in self._read(wanted):
            found += rows
            pending += len(pairs)
            parts.append(pairs)
            if pending >= SPILL_PAIRS:
                done.append(spill(self._folder, parts))
                parts, pending = [], 0
        if found != expected:
            raise IntegrityError(
                f"partition {partition}, rounds {begin} to {end - 1}: the files hold {found} of their {expected} events"
            )
        return [*done, join(parts)]

    def _read(self, wanted: dict[SegmentFile, dict[bytes, tuple[int, int]]]) -> Iterator[tuple[Pairs, int]]:
        for file, logs in wanted.items():
            opened = self._files.open(file)
            for group in range(len(opened.ends)):
                yield keys_of(opened.read(group, KEY_COLUMNS, threads=True), logs)

    def _partition_folder(self, partition: int) -> Path:
        return self._folder / f"{partition:04d}"

    def _stamp(self, partition: int, begin: int, end: int) -> bytes:
        numbers = b"".join(map(u64.encode, (partition, begin, end)))
        return (numbers + self._view.round_digest(partition, end - 1)).ljust(STAMP_BYTES, b"\0")
