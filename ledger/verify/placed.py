"""Placements: the rows that compacted files hold, and what became of contents on the way.

The current placement's files are read before the rounds, and their rows put back into index order, so that each
statement finds its rows when its round is reached. Descent (R10) is checked where the round commits a placement; here
it is that the files it names can hold what it claims, that what was removed stays removed, and was removed under an
event. Files of superseded placements may be gone; if they are there, they must be what was named.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ledger.segments.placement import PlacedFile, Placement, Removal
from ledger.segments.round import CONTENTS, EVENTS
from ledger.verify.contents import ContentSums
from ledger.verify.files import Named
from ledger.verify.job import Job
from ledger.verify.plan import Plan
from ledger.verify.report import LATER, Place
from ledger.verify.scan import Scan, Span, Target
from ledger.verify.scratch import FULL_ROWS, LEAF_ROWS


class Placed:
    """The placements of one partition. `tables[log id]` are the rows [0, size) of the log in index order."""

    def __init__(self, job: Job, partition: int, plan: Plan) -> None:
        self._job = job
        self._place = Place(partition, LATER)
        self._plan = plan
        self._removed: dict[bytes, frozenset[Removal]] = {}
        self._aligned: set[bytes] = set()
        self.tables: dict[bytes, np.ndarray] = {}
        self.damaged: set[bytes] = set()

    def read(self, scan: Scan | None, sums: ContentSums | None) -> None:
        """Reads or hashes the files of every current placement that concerns the job."""
        for log_id, (digest, placement) in self._plan.placements.items():
            if not self._job.concerns(log_id) or placement.is_deletion:
                continue
            self._check_claims(placement, digest)
            if scan is None:
                for file in placement.files:
                    self._job.files.check_later(self._named(file))
                continue
            if placement.size > sum(file.bytes for file in placement.files):
                # Nothing is set aside for rows that cannot be: each takes more than one byte.
                message = f"covers {placement.size} events, more than its files have bytes"
                self._add(f"placement {digest.hex()} of log {log_id.hex()}", "placement", message)
                self.damaged.add(log_id)
                continue
            dtype = FULL_ROWS if sums is not None else LEAF_ROWS
            table = self._job.scratch.table(dtype, placement.size)
            self.tables[log_id] = table
            if sums is not None:
                sums.take(placement)
            for file in sorted(placement.files, key=lambda each: (each.role, each.first_index)):
                self._read_file(file, placement, table, scan, sums)

    def committed(self, placement: Placement, digest: bytes) -> None:
        """A placement that a round committed: what it removed, and its files where it is not the current one."""
        log_id = placement.log_id
        if not placement.is_deletion:
            self._check_removed(placement, digest)
        current = self._plan.placements.get(log_id)
        if current is None or current[0] == digest or not self._job.concerns(log_id):
            return
        kept = {file.name for file in current[1].files}
        for file in placement.files:
            if file.name not in kept:
                self._job.files.check_later(self._named(file), optional=True)

    def statement_ended(self, log_id: bytes, size: int) -> None:
        """A statement of the log ended at this size: a placement covers whole statements."""
        if size == self._plan.placed_size(log_id):
            self._aligned.add(log_id)

    def finish(self, sums: ContentSums | None, allowing: Mapping[bytes, Mapping[bytes, frozenset[bytes]]]) -> None:
        """What can be said only when all rows were read: sizes at which no statement ended, removals under no event."""
        for log_id, (digest, placement) in self._plan.placements.items():
            if not self._job.concerns(log_id) or placement.is_deletion:
                continue
            where = f"placement {digest.hex()} of log {log_id.hex()}"
            if log_id not in self._aligned:
                self._add(where, "placement", f"covers {placement.size} rows, a size at which no statement ended")
            if sums is None:
                continue
            self._check_causes(where, placement, sums.scopes_removed[log_id], allowing.get(log_id, {}))
            described = sums.absent[log_id]
            if described != len(placement.removed) and log_id not in self.damaged:
                message = (
                    f"says that {len(placement.removed)} contents are gone, the payloads describe {described} of them"
                )
                self._add(where, "removal", message)

    def _check_causes(
        self,
        where: str,
        placement: Placement,
        scopes_removed: Mapping[tuple[int, str], frozenset[bytes]],
        allowed: Mapping[bytes, frozenset[bytes]],
    ) -> None:
        """Each removal needs an Erasure or Expiry of the log, and where that names scopes, one of the content's."""
        for removal in placement.removed:
            slot = f"index {removal.index}, slot {removal.slot}"
            destroyed = allowed.get(removal.event_id)
            if destroyed is None:
                message = f"removed under event {removal.event_id.hex()}, no Erasure or Expiry of this log"
                self._add(where, "removal", f"{slot}: {message}")
            elif destroyed and destroyed.isdisjoint(scopes_removed.get((removal.index, removal.slot), destroyed)):
                message = f"removed under event {removal.event_id.hex()}, which destroyed none of its keys"
                self._add(where, "removal", f"{slot}: {message}")

    def _check_claims(self, placement: Placement, digest: bytes) -> None:
        """What a placement says about its files, before any is read."""
        where = f"placement {digest.hex()} of log {placement.log_id.hex()}"
        at = 0
        events = sorted((file.first_index, file.end_index) for file in placement.files if file.role == EVENTS)
        for first, end in (*events, (placement.size, placement.size)):
            if first != at or end < first:
                message = (
                    f"its events files do not lie side by side: one ends at index {at}, the next begins at {first}"
                )
                self._add(where, "placement", message)
            at = max(at, end)
        contents = [(file.first_index, file.end_index) for file in placement.files if file.role == CONTENTS]
        if len(set(contents)) != len(contents) or not set(contents) <= set(events):
            self._add(where, "placement", "a contents file of it does not belong to an events file")

    def _check_removed(self, placement: Placement, digest: bytes) -> None:
        where = f"placement {digest.hex()} of log {placement.log_id.hex()}"
        removed = frozenset(placement.removed)
        for lost in sorted(self._removed.get(placement.log_id, frozenset()) - removed, key=lambda each: each.index)[:1]:
            message = (
                f"index {lost.index}, slot {lost.slot}: its predecessor removed it; what is gone stays gone, and why"
            )
            self._add(where, "removal", message)
        self._removed[placement.log_id] = removed

    def _read_file(
        self, file: PlacedFile, placement: Placement, table: np.ndarray, scan: Scan, sums: ContentSums | None
    ) -> None:
        named = self._named(file)
        if file.role == CONTENTS and sums is None:
            self._job.files.check_later(named)
            return
        span = Span(placement.log_id, file.first_index, file.end_index - file.first_index, file.first_index)
        target = Target(table, [span], sorted=False)
        stream = self._job.files.open(named)
        if stream is None:
            self.damaged.add(placement.log_id)
            return
        with stream:
            if file.role == EVENTS:
                whole = scan.read(stream, file.name, self._place, target)
                rows: int | None = target.rows if whole else None
            else:
                rows = sums.read(stream, file.name, self._place, target) if sums is not None else file.rows
        if rows is None:
            self.damaged.add(placement.log_id)
        elif rows != file.rows:
            self._add(file.name, "rows", f"has {rows} rows, the placement says {file.rows}")
        self._job.report_progress()

    def _named(self, file: PlacedFile) -> Named:
        return Named(self._place, file.name, file.sha256, file.bytes)

    def _add(self, where: str, rule: str, message: str) -> None:
        self._job.collector.add(self._place, where, rule, message)
