"""Events that a receipt promises and that were not met yet: found on the way, pending, or missing.

Two sources: receipts kept elsewhere (`--receipts`), and receipts sealed in a bundle some of whose events were not
sealed with them. An entry is answered by a leaf of its log with its leaf hash, or by a repeat of that leaf hash that
a statement records, whose first leaf then shows the same event id and submission digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ledger.receipt import ReceiptEntry
from ledger.segments.statement import Repeat
from ledger.verify.report import Collector, Place

AWAITED_MAX = 1_000_000
"""Entries of bundles that are waited for at a time; receipts from elsewhere are all held."""


@dataclass(frozen=True, slots=True)
class Expected:
    """An entry that waits: where findings about it stand, how messages name it, its deadline (Unix microseconds)."""

    place: Place
    where: str
    entry: ReceiptEntry
    deadline_us: int


FirstRows = Callable[[bytes, list[int]], dict[int, tuple[bytes, bytes, bytes]]]
"""(log id, indexes) to the event id, submission digest and key id that the payloads there show."""


@dataclass(slots=True)
class Awaited:
    """The entries that wait, by log and leaf hash."""

    _waiting: dict[bytes, dict[bytes, Expected]] = field(default_factory=dict)
    _repeats: dict[bytes, list[tuple[Expected, int]]] = field(default_factory=dict)
    _held: int = 0

    def expect(self, log_id: bytes, expected: Expected) -> None:
        """Waits for an entry's event."""
        waiting = self._waiting.setdefault(log_id, {})
        if expected.entry.leaf_hash not in waiting:
            self._held += 1
        waiting[expected.entry.leaf_hash] = expected

    @property
    def full(self) -> bool:
        """Whether no more entries of bundles should be added."""
        return self._held >= AWAITED_MAX

    def meet(self, log_id: bytes, leaves: Iterable[bytes], repeats: Iterable[Repeat]) -> None:
        """What a statement seals of a log: nobody needs to wait for that any longer."""
        waiting = self._waiting.get(log_id)
        if not waiting:
            return
        for leaf in waiting.keys() & set(leaves):
            del waiting[leaf]
            self._held -= 1
        for repeat in repeats:
            if repeat.leaf_hash in waiting:
                self._repeats.setdefault(log_id, []).append((waiting[repeat.leaf_hash], repeat.first_index))

    def forget(self, log_id: bytes) -> int:
        """Waits for nothing of this log any longer; how many entries waited."""
        left = self._waiting.pop(log_id, {})
        self._repeats.pop(log_id, None)
        self._held -= len(left)
        return len(left)

    def finish(self, collector: Collector, now_us: int, first_rows: FirstRows) -> None:
        """Judges what is left: repeats by their first leaf, the others by their deadline."""
        for log_id, repeats in self._repeats.items():
            waiting = self._waiting[log_id]
            pending = [(expected, index) for expected, index in repeats if expected.entry.leaf_hash in waiting]
            rows = first_rows(log_id, sorted({index for _, index in pending})) if pending else {}
            for expected, index in pending:
                entry = expected.entry
                if rows.get(index) == (entry.event_id, entry.submission_digest, entry.submission_key_id):
                    waiting.pop(entry.leaf_hash, None)
        for log_id, waiting in self._waiting.items():
            for expected in waiting.values():
                self._judge(collector, log_id, expected, now_us)

    @staticmethod
    def _judge(collector: Collector, log_id: bytes, expected: Expected, now_us: int) -> None:
        if now_us <= expected.deadline_us:
            collector.count(pending=1)
            return
        late_s = (now_us - expected.deadline_us) // 1_000_000
        event = expected.entry.event_id.hex()
        message = (
            f"event {event}, leaf {expected.entry.leaf_hash.hex()}: expected in log {log_id.hex()}, found neither "
            f"sealed nor as a repeat, {late_s} s after its sealing delay"
        )
        collector.add(expected.place, expected.where, "missing-event", message)
