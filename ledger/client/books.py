"""What the queue counts: numbers, memory, drops, declarations. Pure."""

from __future__ import annotations

from collections import Counter

from ledger.client.items import ITEM_BYTES, Item, Limits


class Books:
    """The counters of one stream.

    `sequence`: the last number given out. `undeclared`: numbers that are neither delivered nor waiting, and that no
    event has declared yet. `held_events`, `held_bytes`: in memory, in flight included. `counts`: everything else.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.sequence = 0
        self.undeclared = 0
        self.held_events = 0
        self.held_bytes = 0
        self.counts: Counter[str] = Counter()

    @property
    def dropped(self) -> int:
        """Events dropped so far."""
        return sum(count for name, count in self.counts.copy().items() if name.startswith("dropped_"))

    def declare(self, count: int) -> None:
        """`count` numbers of this stream are lost: the next event to enter declares them."""
        self.undeclared += count

    def _number(self) -> None:
        self.counts["emitted"] += 1
        self.sequence += 1

    def _declared_now(self) -> int:
        """What the event that enters declares."""
        dropped, self.undeclared = self.undeclared, 0
        return dropped

    def _count_drop(self, why: str) -> None:
        self.undeclared += 1
        self.counts[f"dropped_{why}"] += 1

    def _fits(self, size: int) -> bool:
        limits = self._limits
        return self.held_events < limits.queue_events_max and self.held_bytes + size <= limits.queue_bytes_max

    def _hold(self, item: Item) -> None:
        self.held_events += 1
        self.held_bytes += len(item.wire) + ITEM_BYTES

    def _release(self, item: Item) -> None:
        self.held_events -= 1
        self.held_bytes -= len(item.wire) + ITEM_BYTES
