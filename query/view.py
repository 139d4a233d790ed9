"""What the published rounds vouch for, kept up to date: which file holds which row of which log.

`LedgerView.refresh` follows the rounds of every partition through `ledger.segments.history`, which checks each one, and
returns a `Snapshot`: a consistent, immutable picture to answer one question from. What no round vouches for does not
exist here: files of a crashed sealer, proposals, another ledger's rows; nor does a log that was deleted.

A log's rows [0, placed size) stand in the files of its committed placement; those after it in the files of the rounds
that sealed them. In a round's events file the rows of its logs stand one log after the other in the order of log ids,
so that a row's place follows from the statements: no search. Such a file is shared by tenants: whoever reads it checks
the log id of each row.

Sealing times come from the signed rounds (two integers a statement), never from a column.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock

from ledger.errors import IntegrityError
from ledger.segments.history import History, SealedRound
from ledger.segments.objects import ObjectStore
from ledger.segments.round import round_digest
from ledger.segments.state import PartitionState
from ledger.trust import TrustedKeys
from query.log_view import LogView


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All logs at one moment. `rounds`: how many rounds of each partition it covers."""

    logs: Mapping[bytes, LogView]
    rounds: tuple[int, ...]
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
        if placement.is_deletion:
            logs.pop(placement.log_id, None)
            continue
        log = logs.get(placement.log_id) or LogView(placement.log_id, partition)
        logs[placement.log_id] = log.moved(placement, digest)
