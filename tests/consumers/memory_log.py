"""An event log in memory that a test scripts: how much a read yields, and what happens between two calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ledger.errors import IntegrityError
from ledger.log.interface import Bounds, Record, StoredRecord


@dataclass
class MemoryLog:
    """One partition of the event log's interface. `before_call` is called with a call's name before it looks."""

    records: list[Record] = field(default_factory=list)
    start_offset: int = 0
    records_a_read: int = 1_000_000
    before_call: Callable[[str], None] = lambda name: None
    calls: list[tuple[str, int]] = field(default_factory=list)
    incarnation: bytes = bytes(16)
    partitions: int = 1
    batch_bytes_max: int = 1 << 30

    @property
    def end(self) -> int:
        """The next offset."""
        return self.start_offset + len(self.records)

    async def start(self) -> None:
        """Nothing to open."""

    async def append(self, partition: int, records: Sequence[Record], deadline_s: float) -> int:
        """Appends."""
        first = self.end
        self.records += records
        return first

    async def read(
        self, partition: int, offset: int, *, records_max: int, bytes_max: int, wait_s: float
    ) -> list[StoredRecord]:
        """As the interface says; it never waits."""
        self._called("read", records_max)
        return self._read(offset, records_max, bytes_max)

    async def reread(self, partition: int, offset: int) -> StoredRecord | None:
        """As the interface says."""
        self._called("reread", offset)
        found = self._read(offset, 1, 1)
        return found[0] if found else None

    async def bounds(self, partition: int) -> Bounds:
        """As the interface says."""
        self._called("bounds", 0)
        return Bounds(self.start_offset, self.end)

    async def trim(self, partition: int, before_offset: int) -> None:
        """As the interface says."""
        self._called("trim", before_offset)
        del self.records[: max(before_offset - self.start_offset, 0)]
        self.start_offset = max(before_offset, self.start_offset)

    async def healthy(self) -> None:
        """Always."""

    async def close(self) -> None:
        """Nothing to close."""

    def _called(self, name: str, argument: int) -> None:
        self.calls.append((name, argument))
        self.before_call(name)

    def _read(self, offset: int, records_max: int, bytes_max: int) -> list[StoredRecord]:
        if not self.start_offset <= offset <= self.end:
            raise IntegrityError(f"memory log holds {self.start_offset} to {self.end}, offset {offset} was asked")
        found: list[StoredRecord] = []
        size = 0
        for at in range(offset, min(offset + min(records_max, self.records_a_read), self.end)):
            record = self.records[at - self.start_offset]
            size += len(record.key) + len(record.value)
            if found and size > bytes_max:
                break
            found.append(StoredRecord(at, record))
        return found
