"""Which files hold a log's rows now.

Follows the rounds and keeps, for each log, the stretches its statements added and the placement committed last. Rows
below the placement's size stand in its files, later ones in their rounds' files. A round's files may hold rows of other
logs too; a placed file holds its own log's only. The rows of a deleted log stand nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger.segments.history import History, SealedRound
from ledger.segments.placement import Placement, Removal
from ledger.segments.round import CONTENTS, EVENTS
from ledger.segments.state import PartitionState


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file with rows of a log in [first_index, end_index). `shared`: other logs' rows may stand in it as well."""

    role: str
    name: str
    sha256: bytes
    bytes: int
    first_index: int
    end_index: int
    round: int
    shared: bool


@dataclass(slots=True)
class LogHoldings:
    """One log: its rounds' files in index order, its placement, and the sizes at which a statement ended."""

    sealed: list[HeldFile] = field(default_factory=list)
    placement: Placement | None = None
    sizes: list[tuple[int, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many events the log holds."""
        return self.sizes[-1][1] if self.sizes else 0

    @property
    def is_deleted(self) -> bool:
        """Whether its rows are gone, under a final statement."""
        return self.placement is not None and self.placement.is_deletion

    def files(self) -> list[HeldFile]:
        """Every file that holds rows of the log now: the placement's, then those of the rounds after it."""
        placed: list[HeldFile] = []
        size = 0
        if self.placement is not None:
            size = self.placement.size
            placed = [
                HeldFile(file.role, file.name, file.sha256, file.bytes, file.first_index, file.end_index, -1, False)
                for file in self.placement.files
            ]
        return placed + [file for file in self.sealed if file.first_index >= size]

    def removed(self) -> tuple[Removal, ...]:
        """The contents that are gone, and why."""
        return self.placement.removed if self.placement is not None else ()


class Holdings:
    """The holdings of every log of a partition; `refresh` takes in the rounds published since.

    `state`: where to begin, a new one that somebody else moves on and hands to `take` round by round.
    """

    def __init__(self, history: History, state: PartitionState | None = None) -> None:
        self._history = history
        self.state = state or PartitionState(history.partition)
        self.logs: dict[bytes, LogHoldings] = {}

    def refresh(self) -> list[SealedRound]:
        """Follows to the newest round; returns the rounds that are new."""
        fresh = []
        for sealed in self._history.follow(self.state):
            self.take(sealed)
            fresh.append(sealed)
        return fresh

    def take(self, sealed: SealedRound) -> None:
        """Takes in one round that was applied to the state."""
        files = [file for role in (EVENTS, CONTENTS) if (file := sealed.round.file(role)) is not None]
        for statement in sealed.statements:
            log = self.logs.setdefault(statement.log_id, LogHoldings())
            log.sizes.append((sealed.round.number, statement.tree_size))
            end = statement.first_index + statement.count
            if statement.count:
                log.sealed += [
                    HeldFile(
                        file.role,
                        file.name,
                        file.sha256,
                        file.bytes,
                        statement.first_index,
                        end,
                        sealed.round.number,
                        len(sealed.statements) > 1,
                    )
                    for file in files
                ]
        for _, placement in sealed.placements:
            self.logs.setdefault(placement.log_id, LogHoldings()).placement = placement

    def of(self, log_ids: Iterable[bytes]) -> dict[bytes, LogHoldings]:
        """The holdings of some logs; a log without events has none."""
        return {log_id: self.logs[log_id] for log_id in log_ids if log_id in self.logs}
