"""One lane's line: what waits in it, in order, and the batch in flight. Pure."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable
from operator import attrgetter

from ledger.client.items import ITEM_BYTES, Batch, Item, Lane

_BY_SEQUENCE = attrgetter("sequence")


class Line:
    """`width`: events the next batch may hold. `waiting_bytes`: wire bytes of what waits."""

    __slots__ = ("flight", "waiting", "waiting_bytes", "width")

    def __init__(self, width: int) -> None:
        self.width = width
        self.waiting: deque[Item] = deque()
        self.waiting_bytes = 0
        self.flight: Batch | None = None

    def add(self, item: Item) -> None:
        """To the end."""
        self.waiting.append(item)
        self.waiting_bytes += len(item.wire)

    def insert(self, item: Item) -> None:
        """To its number's place."""
        insort(self.waiting, item, key=_BY_SEQUENCE)
        self.waiting_bytes += len(item.wire)

    def put_back(self, item: Item) -> None:
        """To the front."""
        self.waiting.appendleft(item)
        self.waiting_bytes += len(item.wire)

    def pop(self) -> Item:
        """The first."""
        item = self.waiting.popleft()
        self.waiting_bytes -= len(item.wire)
        return item

    def remove(self, item: Item) -> None:
        """From anywhere."""
        self.waiting.remove(item)
        self.waiting_bytes -= len(item.wire)

    def take(self, lane: Lane, bytes_max: int, keep: Callable[[Item], bool]) -> Batch | None:
        """The next batch, put in flight: at most `width` events and `bytes_max` bytes, but at least one event.

        What `keep` says no to leaves the line and is in no batch.
        """
        taken: list[Item] = []
        size = 0
        while self.waiting and len(taken) < self.width:
            if taken and size + len(self.waiting[0].wire) > bytes_max:
                break
            item = self.pop()
            if keep(item):
                size += len(item.wire)
                taken.append(item)
        self.flight = Batch(lane, tuple(taken)) if taken else None
        return self.flight

    def land(self, batch: Batch) -> None:
        """The batch is not in flight any more."""
        if self.flight is not batch:
            raise ValueError("expected the batch in flight")
        self.flight = None

    @property
    def held_bytes(self) -> int:
        """What the waiting items cost in memory."""
        return self.waiting_bytes + len(self.waiting) * ITEM_BYTES

    def everything(self) -> Iterable[Item]:
        """In flight and waiting."""
        return (*(self.flight.items if self.flight is not None else ()), *self.waiting)
