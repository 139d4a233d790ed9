"""One log as of a snapshot: its size, its tree's edge, and where each of its rows stands. Values only.

A log's rows [0, placed size) stand in the files of its committed placement; those after it in the files of the rounds
that sealed them, at a place that follows from the statements.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ledger.errors import IntegrityError
from ledger.segments.placement import NO_PLACEMENT, PlacedFile, Placement
from ledger.segments.round import CONTENTS, EVENTS, Round
from ledger.segments.statement import Statement
from ledger.tlog.merkle import EMPTY_ROOT
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


def _file(round_: Round, role: str) -> SegmentFile | None:
    found = round_.file(role)
    return None if found is None else SegmentFile(found.name, found.sha256, found.rows)
