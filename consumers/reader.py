"""Reading the next stretch of a partition, anchored at the previous round's last record.

The anchor is read anew before and after each stretch. If the event log was cut, recreated or restored from a backup,
even in between, the record at that offset is gone or another one, and the sealer halts. A log that was never sealed
must begin at offset 0: if it was trimmed before anything was sealed, evidence is missing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from consumers import stretch
from ledger.errors import IntegrityError
from ledger.log.interface import EventLog, StoredRecord, record_digest
from ledger.segments.round import NO_RECORD
from ledger.segments.state import PartitionState

OPEN_BATCH_WAIT_S = 5.0
"""How long the rest of an open batch may take to become readable; appends are atomic, so it is there already."""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """When a stretch ends: rows, bytes of keys and values, or age of its first record (0: when nothing more is there).

    A first batch larger than that is read whole all the same.
    """

    rows_max: int
    bytes_max: int
    age_s: float


class StretchReader:
    """Reads one partition."""

    def __init__(self, log: EventLog, partition: int) -> None:
        self._log = log
        self._partition = partition

    async def check_anchor(self, state: PartitionState) -> None:
        """Raises `IntegrityError` unless the log still holds the last record that was sealed."""
        where = f"partition {self._partition}"
        if state.next_offset == 0 or state.last_record == NO_RECORD:
            bounds = await self._log.bounds(self._partition)
            if bounds.start > state.next_offset:
                raise IntegrityError(
                    f"{where}: the event log begins at offset {bounds.start}, records from {state.next_offset} on were "
                    "never sealed"
                )
            return
        offset = state.next_offset - 1
        stored = await self._log.reread(self._partition, offset)
        if stored is None:
            raise IntegrityError(
                f"{where}: the event log ends at offset {offset}, but the record there was sealed: it was cut, "
                "recreated or restored from a backup"
            )
        if record_digest(stored.record) != state.last_record:
            raise IntegrityError(
                f"{where}: the record at offset {offset} is not the one that was sealed: the event log was recreated "
                "or restored from a backup"
            )

    async def read(
        self, state: PartitionState, limits: ReadLimits, wait_s: float
    ) -> tuple[list[StoredRecord], stretch.Stretch]:
        """The next records, and how they are cut; ([], an empty stretch) when there is nothing within `wait_s`."""
        records: list[StoredRecord] = []
        size = 0
        until = time.monotonic() + limits.age_s + wait_s
        wait = wait_s
        while len(records) < limits.rows_max and size < limits.bytes_max:
            left = replace(limits, rows_max=limits.rows_max - len(records), bytes_max=limits.bytes_max - size)
            more = await self._more(state, records, left, wait)
            if not more:
                break
            if not records:
                until = time.monotonic() + limits.age_s
            records += more
            size += sum(len(each.record.key) + len(each.record.value) for each in more)
            wait = max(until - time.monotonic(), 0.0)
            if limits.age_s and not wait:
                break
        cut = stretch.cut(records, at_end=False)
        while records and not cut.length:
            bounds = await self._log.bounds(self._partition)
            more = []
            if bounds.end > records[-1].offset + 1:
                more = await self._more(state, records, limits, OPEN_BATCH_WAIT_S)
            records += more
            cut = stretch.cut(records, at_end=not more and bounds.end <= records[-1].offset + 1)
        return records, cut

    async def _more(
        self, state: PartitionState, records: list[StoredRecord], limits: ReadLimits, wait_s: float
    ) -> list[StoredRecord]:
        offset = records[-1].offset + 1 if records else state.next_offset
        return await self._log.read(
            self._partition, offset, records_max=limits.rows_max, bytes_max=limits.bytes_max, wait_s=wait_s
        )
