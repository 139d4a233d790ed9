"""A bounded cache whose entries are lent for a time.

Two limits, both needed for erasure: at most `entries_max` entries (the least recently used goes first), and none is
answered once its lease is over. The lease counts from *before* the entry was read from the store, so whoever destroys
a row and waits one lease knows that no process answers from a copy of it any more.

Safe for threads: every call holds the lock once, however many keys it asks for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LeaseCache(Generic[K, V]):
    """Values by (group, key); a group is a tenant. Times are seconds of one monotonic clock."""

    __slots__ = ("_entries", "_entries_max", "_lease_s", "_lock")

    def __init__(self, entries_max: int, lease_s: float) -> None:
        if entries_max < 1 or lease_s < 0:
            raise ValueError(f"cache: expected a limit above 0 and a lease, got {entries_max} and {lease_s}")
        self._entries: OrderedDict[tuple[str, K], tuple[V, float]] = OrderedDict()
        self._entries_max = entries_max
        self._lease_s = lease_s
        self._lock = Lock()

    def get_many(self, group: str, keys: Iterable[K], now: float) -> tuple[dict[K, V], list[K]]:
        """What is held of `keys`, and those that are absent or whose lease is over (with repeats, as asked)."""
        found: dict[K, V] = {}
        missing: list[K] = []
        with self._lock:
            entries = self._entries
            for key in keys:
                place = (group, key)
                entry = entries.get(place)
                if entry is None:
                    missing.append(key)
                elif entry[1] <= now:
                    del entries[place]
                    missing.append(key)
                else:
                    entries.move_to_end(place)
                    found[key] = entry[0]
        return found, missing

    def put_many(self, group: str, values: Iterable[tuple[K, V]], read_at: float) -> None:
        """Keep `values`, read from the store not before `read_at`."""
        until = read_at + self._lease_s
        with self._lock:
            entries = self._entries
            for key, value in values:
                place = (group, key)
                entries[place] = (value, until)
                entries.move_to_end(place)
            while len(entries) > self._entries_max:
                entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything now."""
        with self._lock:
            self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)
