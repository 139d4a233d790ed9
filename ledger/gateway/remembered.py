"""What was acknowledged lately: so that an event sent again is answered with its first receipt.

Only what is durable is remembered, and only in memory: after a restart the same event is accepted again, and the sealer
drops it. At most `events_max` events are kept. The one acknowledged first goes first, asked for or not: the events of a
batch share its receipt, so they have to leave together if memory is to be bounded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

from ledger.receipt import ENTRY

BODIES_OF_ONE_ID_MAX = 4
"""Different bodies remembered under one event id. Further ones are accepted like these, and not remembered."""

_ENTRY_BYTES = ENTRY.itemsize
_DIGEST = ENTRY.fields["submission_digest"][1] if ENTRY.fields else 0
_KEY_ID = ENTRY.fields["submission_key_id"][1] if ENTRY.fields else 0
_LEAF = ENTRY.fields["leaf_hash"][1] if ENTRY.fields else 0


@dataclass(frozen=True, slots=True)
class AcknowledgedBatch:
    """A durable batch: its signed receipt, the receipt's entries, and where it ends in the event log."""

    log_id: bytes
    receipt: bytes
    entries: bytes = field(repr=False)
    partition: int
    next_offset: int


@dataclass(frozen=True, slots=True)
class Remembered:
    """One acknowledged event: an entry of its batch."""

    batch: AcknowledgedBatch
    index: int

    @property
    def submission_digest(self) -> bytes:
        """What was submitted."""
        return self._at(_DIGEST)

    @property
    def submission_key_id(self) -> bytes:
        """The key of the digest."""
        return self._at(_KEY_ID)

    @property
    def leaf_hash(self) -> bytes:
        """What became of it."""
        return self._at(_LEAF)

    def _at(self, offset: int) -> bytes:
        start = self.index * _ENTRY_BYTES + offset
        return self.batch.entries[start : start + 32]


class RememberedEvents:
    """Safe for threads: each call takes the lock once."""

    def __init__(self, events_max: int) -> None:
        self._events_max = events_max
        self._lock = Lock()
        self._count = 0
        self._by_id: OrderedDict[bytes, tuple[Remembered, ...]] = OrderedDict()

    def find(self, log_id: bytes, event_ids: Iterable[bytes]) -> dict[bytes, tuple[Remembered, ...]]:
        """By event id, what is remembered under it: one, or several with different bodies."""
        with self._lock:
            by_id = self._by_id
            return {event_id: found for event_id in event_ids if (found := by_id.get(log_id + event_id))}

    def add(self, batch: AcknowledgedBatch, event_ids: Iterable[bytes]) -> None:
        """Remember a durable batch; `event_ids` in the order of its entries."""
        with self._lock:
            for index, event_id in enumerate(event_ids):
                place = batch.log_id + event_id
                before = self._by_id.get(place, ())
                if len(before) < BODIES_OF_ONE_ID_MAX:
                    self._by_id[place] = (*before, Remembered(batch, index))
                    self._count += 1
            while self._count > self._events_max:
                _, gone = self._by_id.popitem(last=False)
                self._count -= len(gone)

    def __len__(self) -> int:
        return self._count
