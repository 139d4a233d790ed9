"""The values that the queue takes, holds and hands out."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum

from ledger.errors import LedgerError

ITEM_BYTES = 256
"""What an event costs in memory besides its wire bytes, rounded up."""
RETAINED_EVENTS_MAX = 256
RETAINED_BYTES_MAX = 4 * 1024 * 1024


class Lane(Enum):
    """Which way an event goes."""

    BULK = "bulk"
    DURABLE = "durable"


class Fate(Enum):
    """What became of an event that was offered."""

    QUEUED = "queued"
    WAKE = "queued, and its lane has something to do now"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the queue and of a batch. See `ledger.client.options` for units and meaning."""

    batch_events_max: int
    batch_bytes_max: int
    linger_s: float
    queue_events_max: int
    queue_bytes_max: int
    event_bytes_max: int
    deadline_s: float
    drop_oldest: bool


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """An event is durable. `leaf_hash`: SHA-256(0x00 || payload); `receipt`: the gateway's signed word for it."""

    event_id: bytes
    leaf_hash: bytes
    receipt: bytes


@dataclass(frozen=True, slots=True)
class Rejection:
    """An event the gateway refused for good. `field` is the path of the offending field."""

    event_id: bytes
    field: str
    reason: str


Waiter = Future[Acknowledgement]


@dataclass(slots=True, eq=False)
class Item:
    """One event in the queue. `wire` is final. A `copy` is a second sending of an event that was already counted.

    `sent`: it was part of a call that did not take it for certain, nor refuse it: the ledger may have it.
    """

    sequence: int
    event_id: bytes
    wire: bytes
    dropped: int
    entered: float
    waiter: Waiter | None = None
    copy: bool = False
    sent: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Items in flight together, in the order of their lane."""

    lane: Lane
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an answer said. `retried` events went back to their lane; waiters are told outside the queue's lock."""

    receipts: tuple[bytes, ...]
    rejections: tuple[Rejection, ...]
    retried: int


@dataclass(frozen=True, slots=True)
class RetainedEvent:
    """A durable event as it was sent the first time. `body` is a hash of what the application submitted."""

    sequence: int
    wire: bytes
    dropped: int
    body: int


class MalformedAnswer(LedgerError):
    """A gateway's answer does not fit the call."""


class Retained:
    """The last durable events, to `RETAINED_EVENTS_MAX` and `RETAINED_BYTES_MAX`; the oldest are forgotten first."""

    __slots__ = ("_bytes", "_events")

    def __init__(self) -> None:
        self._events: OrderedDict[bytes, RetainedEvent] = OrderedDict()
        self._bytes = 0

    def get(self, event_id: bytes, body: bytes) -> RetainedEvent | None:
        """The event as it was sent the first time, if this is the same event."""
        known = self._events.get(event_id)
        return known if known is not None and known.body == hash(body) else None

    def keep(self, item: Item, body: bytes) -> None:
        """Remembers what is sent for `body`."""
        self.forget(item.event_id)
        self._events[item.event_id] = RetainedEvent(item.sequence, item.wire, item.dropped, hash(body))
        self._bytes += len(item.wire)
        while len(self._events) > RETAINED_EVENTS_MAX or self._bytes > RETAINED_BYTES_MAX:
            _, oldest = self._events.popitem(last=False)
            self._bytes -= len(oldest.wire)

    def forget(self, event_id: bytes) -> None:
        """It was rejected: under its id nothing is sealed, and another try is another submission."""
        if (known := self._events.pop(event_id, None)) is not None:
            self._bytes -= len(known.wire)
