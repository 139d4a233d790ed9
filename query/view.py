"""What the published rounds vouch for, kept up to date: which file holds which row of which log.

`LedgerView.refresh` follows the rounds of every partition through `ledger.segments.history`, which checks each one, and
returns a `Snapshot`: a consistent, immutable picture to answer one question from. What no round vouches for does not
exist here: files of a crashed sealer, proposals, another ledger's rows.

A log's rows [0, placed size) stand in the files of its committed placement; those after it in the files of the rounds
that sealed them. In a round's events file the rows of its logs stand one log after the other in the order of log ids,
so that a row's place follows from the statements: no search. Such a file is shared by tenants: whoever reads it checks
the log id of each row.

Sealing times come from the signed rounds (two integers a statement), never from a column.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Literal

from ledger.errors import IntegrityError
from ledger.merkle import EMPTY_ROOT
from ledger.segments.history import History, SealedRound
from ledger.segments.objects import ObjectStore
from ledger.segments.placement import NO_PLACEMENT, PlacedFile, Placement
from ledger.segments.round import CONTENTS, EVENTS, Round, round_digest
from ledger.segments.state import PartitionState
from ledger.segments.statement import Statement
from ledger.trust import TrustedKeys
from query.files import SegmentFile

MarkKind = Literal["conflict", "undetermined"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """The rows [first_index, end_index) of a log in a round's files; `base_row` is the first one's row.

    `alone`: the files hold no other log's rows.
    """

    first_index: int
    end_index: int
    round: int
    base_row: int
    events: SegmentFile
    contents: SegmentFile | None
    alone: bool


@dataclass(frozen=True, slots=True)
class PlacedRows:
    """A file of a placement; every row it holds has an index in [first_index, end_index)."""

    file: SegmentFile
    first_index: int
    end_index: int

    @classmethod
    def of(cls, placed: PlacedFile) -> PlacedRows:
        """As the placement states it."""
        return cls(SegmentFile(placed.name, placed.sha256, placed.rows), placed.first_index, placed.end_index)


@dataclass(frozen=True, slots=True)
class Placed:
    """A committed placement: the rows [0, size) in these files, and which contents are gone by which event."""

    digest: bytes = NO_PLACEMENT
    size: int = 0
    events: tuple[PlacedRows, ...] = ()
    contents: tuple[PlacedRows, ...] = ()
    removed: Mapping[tuple[int, str], bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """A sealed event whose id was seen before: how it differs, and the index of the first one."""

    kind: MarkKind
    first_index: int


@dataclass(frozen=True, slots=True)
class LogView:
    """One log as of a snapshot. `peaks`: its compact range, which gives `root`.

    The lists are only ever appended to behind what this view counts.
    """

    log_id: bytes
    partition: int
    size: int = 0
    root: bytes = EMPTY_ROOT
    peaks: tuple[bytes, ...] = ()
    placed: Placed = Placed()
    marks: Mapping[int, Seen] = field(default_factory=dict)
    _stretches: list[Stretch] = field(default_factory=list)
    _stretch_count: int = 0
    _starts: array[int] = field(default_factory=lambda: array("Q"))
    _rounds: array[int] = field(default_factory=lambda: array("Q"))
    _statement_count: int = 0

    def stretches(self) -> Iterator[Stretch]:
        """The stretches behind the placement, in order."""
        for at in range(self._stretch_count):
            yield self._stretches[at]

    def stretch_of(self, index: int) -> Stretch:
        """The stretch that holds a row behind the placement."""
        at = bisect_right(self._stretches, index, 0, self._stretch_count, key=lambda each: each.first_index) - 1
        if at < 0 or not self._stretches[at].first_index <= index < self._stretches[at].end_index:
            raise IntegrityError(f"log {self.log_id.hex()}: no round's file holds index {index}")
        return self._stretches[at]

    def round_of(self, index: int) -> int:
        """The number of the round that sealed this index."""
        return int(self._rounds[bisect_right(self._starts, index, 0, self._statement_count) - 1])

    @property
    def last_round(self) -> int:
        """The newest round that added to this log; -1 when none did."""
        return int(self._rounds[self._statement_count - 1]) if self._statement_count else -1

    def events_files(self, first: int, end: int) -> Iterator[tuple[SegmentFile, int, int]]:
        """The files that hold the rows [first, end), each with the indexes [low, high) that it may hold of them."""
        below = min(end, self.placed.size)
        for placed in self.placed.events:
            low, high = max(first, placed.first_index), min(below, placed.end_index)
            if low < high:
                yield placed.file, low, high
        at = bisect_right(self._stretches, first, 0, self._stretch_count, key=lambda each: each.end_index)
        for stretch in self._stretches[at : self._stretch_count]:
            if stretch.first_index >= end:
                return
            yield stretch.events, max(first, stretch.first_index), min(end, stretch.end_index)

    def rounds_back(self, most: int) -> list[int]:
        """The newest rounds that added to this log, the newest first."""
        return [
            int(each) for each in reversed(self._rounds[max(0, self._statement_count - most) : self._statement_count])
        ]

    def first_index_of_round(self, number: int) -> int:
        """The first index that this round or a later one adds; the log's size when there is none."""
        at = bisect_right(self._rounds, number - 1, 0, self._statement_count)
        return int(self._starts[at]) if at < self._statement_count else self.size

    def grown(self, statement: Statement, round_: Round, base_row: int, alone: bool) -> LogView:
        """This log after one more statement."""
        marks: dict[int, Seen] = {
            **{each.index: Seen("conflict", each.first_index) for each in statement.conflicts},
            **{each.index: Seen("undetermined", each.first_index) for each in statement.undetermined},
        }
        view = replace(
            self,
            size=statement.tree_size,
            root=statement.root,
            peaks=statement.range_hashes,
            marks={**self.marks, **marks} if marks else self.marks,
        )
        if statement.count == 0:
            return view
        events = _file(round_, EVENTS)
        if events is None:
            raise IntegrityError(f"partition {round_.partition}, round {round_.number}: adds rows without a file")
        self._stretches.append(
            Stretch(
                statement.first_index,
                statement.tree_size,
                round_.number,
                base_row,
                events,
                _file(round_, CONTENTS),
                alone,
            )
        )
        self._starts.append(statement.first_index)
        self._rounds.append(round_.number)
        return replace(view, _stretch_count=len(self._stretches), _statement_count=len(self._starts))

    def moved(self, placement: Placement, digest: bytes) -> LogView:
        """This log under a new placement."""
        placed = Placed(
            digest,
            placement.size,
            tuple(PlacedRows.of(each) for each in placement.files if each.role == EVENTS),
            tuple(PlacedRows.of(each) for each in placement.files if each.role == CONTENTS),
            {(each.index, each.slot): each.event_id for each in placement.removed},
        )
        # A new list: a snapshot taken before still reads the old one.
        left = [each for each in self.stretches() if each.end_index > placement.size]
        return replace(self, placed=placed, _stretches=left, _stretch_count=len(left))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All logs at one moment. `rounds`: how many rounds of each partition it covers."""

    logs: Mapping[bytes, LogView]
    rounds: tuple[int, ...]
    last_rounds: tuple[bytes, ...]
    _sealed_at_us: tuple[array[int], ...]

    def log(self, log_id: bytes, partition: int) -> LogView:
        """A log, empty where no round touched it yet; `IntegrityError` when it stands in another partition."""
        found = self.logs.get(log_id)
        if found is None:
            return LogView(log_id, partition)
        if found.partition != partition:
            raise IntegrityError(
                f"log {log_id.hex()}: sealed in partition {found.partition}, expected in partition {partition}"
            )
        return found

    def logs_of(self, partition: int) -> list[LogView]:
        """The logs of a partition that hold something, by log id."""
        return sorted((log for log in self.logs.values() if log.partition == partition), key=lambda log: log.log_id)

    def sealed_at_us(self, log: LogView, index: int) -> int:
        """When this row was sealed, Unix microseconds, by its signed round."""
        return self.sealed_at_us_of_round(log.partition, log.round_of(index))

    def sealed_at_us_of_round(self, partition: int, number: int) -> int:
        """When a round was sealed, Unix microseconds."""
        return int(self._sealed_at_us[partition][number])


class LedgerView:
    """The vouched state of a store. `refresh` may be called from any thread; snapshots are used without a lock."""

    def __init__(self, store: ObjectStore, trust: Callable[[], TrustedKeys], partitions: int) -> None:
        self._store = store
        self._trust = trust
        self._lock = Lock()
        self._snapshot: Snapshot | None = None
        self._logs: dict[bytes, LogView] = {}
        self._states = [PartitionState(partition) for partition in range(partitions)]
        self._sealed_at_us = [array("Q") for _ in range(partitions)]

    def snapshot(self) -> Snapshot:
        """The newest picture there is in memory; the first call reads all rounds."""
        return self._snapshot or self.refresh()

    def refresh(self) -> Snapshot:
        """Takes in every round published since. `IntegrityError` when one does not hold, or some are missing."""
        with self._lock:
            before = [state.next_number for state in self._states]
            trust = self._trust()
            for partition in range(len(self._states)):
                self._follow(History(self._store, partition, trust))
            after = [state.next_number for state in self._states]
            if self._snapshot is None or before != after:
                self._snapshot = Snapshot(
                    dict(self._logs),
                    tuple(after),
                    tuple(state.previous for state in self._states),
                    tuple(self._sealed_at_us),
                )
            return self._snapshot

    def round_digest(self, partition: int, number: int) -> bytes:
        """SHA-256 of a published round's body: what derived files are stamped with."""
        return round_digest(History(self._store, partition, self._trust()).read_round(number)[1])

    def _follow(self, history: History) -> None:
        partition = history.partition
        state = self._states[partition]
        try:
            if state.next_number == 0:
                history.check_contiguous()
            for sealed in history.follow(state):
                self._sealed_at_us[partition].append(sealed.round.sealed_at_us)
                _take(self._logs, sealed)
        except BaseException:
            # The round that failed may be half applied: begin again from round 0 next time, never behind it.
            self._states[partition] = PartitionState(partition)
            self._sealed_at_us[partition] = array("Q")
            self._logs = {key: log for key, log in self._logs.items() if log.partition != partition}
            self._snapshot = None
            raise


def _take(logs: dict[bytes, LogView], sealed: SealedRound) -> None:
    """Applies one round to the views of its logs."""
    partition = sealed.round.partition
    statements = sorted(sealed.statements, key=lambda each: each.log_id)
    filled = sum(1 for each in statements if each.count)
    base_row = 0
    for statement in statements:
        log = logs.get(statement.log_id) or LogView(statement.log_id, partition)
        if log.partition != partition:
            raise IntegrityError(
                f"partition {partition}, round {sealed.round.number}: holds log {log.log_id.hex()} of partition "
                f"{log.partition}"
            )
        logs[statement.log_id] = log.grown(statement, sealed.round, base_row, filled == 1)
        base_row += statement.count
    for digest, placement in sealed.placements:
        log = logs.get(placement.log_id) or LogView(placement.log_id, partition)
        logs[placement.log_id] = log.moved(placement, digest)


def _file(round_: Round, role: str) -> SegmentFile | None:
    found = round_.file(role)
    return None if found is None else SegmentFile(found.name, found.sha256, found.rows)
