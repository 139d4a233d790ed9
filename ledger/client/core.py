"""The queue of one numbered stream: numbers, batches, drops, answers. Pure: no clock, no threads, no I/O.

Numbering. (tenant, instance, boot id) names a stream. An event gets its number when it enters, from 1 without gaps,
whether there is room for it or not; its bytes are final from then on, so that whatever is sent twice is a repeat.
`dropped_count` of an event is the number of events dropped since the event before it entered. All of them have smaller
numbers, because this one's is the largest so far. What is dropped after it entered, the next to enter declares; the
close marker, the last. An event that is dropped hands back what it had declared. So, at every moment,

    numbers given out = numbers of (answered accepted or repeat) + waiting + declared by those two + undeclared

and every number is delivered or declared. (A drop whose outcome was unknown may be both: it was sent, and no answer
came until its deadline. A declaration may say too much then, never too little.) A rejected event is declared like a
dropped one: its number is not in the ledger.

Lanes. The bulk lane keeps the order of numbers and has one batch in flight. Durable events (somebody waits for their
acknowledgement) have a lane of their own, so that they stand behind no backlog and no hanging bulk call. One whose
waiter gave up goes back to the bulk lane, in its place. If it is submitted again, whatever became of it meanwhile, the
bytes of the first time are sent again (`Retained`), so that the ledger knows the repeat instead of marking a conflict.

Bounds: at most `queue_events_max` events and `queue_bytes_max` bytes (wire bytes + `ITEM_BYTES` each) wait, those in
flight included. Over that, drop="newest" drops the event that enters; "oldest" drops waiting bulk events, oldest first,
until there is room, and the event that enters only when that does not help. A durable event that finds no room is
refused to its caller, without a number.

Times are seconds of any clock that only goes forward; every method that needs it is told.
"""

from __future__ import annotations

from collections.abc import Iterable

from ledger.client.books import Books
from ledger.client.items import (
    ITEM_BYTES,
    Acknowledgement,
    Batch,
    Fate,
    Item,
    Lane,
    Limits,
    MalformedAnswer,
    Rejection,
    Retained,
    Settlement,
    Waiter,
)
from ledger.client.line import Line
from ledger.client.wire import Stamp, producer_place
from ledger.errors import LedgerError, Rejected, Unavailable
from ledger.v1.ingest_pb2 import EventStatus, PublishResponse

_ACCEPTED = EventStatus.EVENT_STATUS_ACCEPTED
_REPEAT = EventStatus.EVENT_STATUS_REPEAT
_REJECTED = EventStatus.EVENT_STATUS_REJECTED


class Core(Books):
    """The queue. Not safe for threads: its owner holds a lock around every method."""

    def __init__(self, limits: Limits, stamp: Stamp) -> None:
        super().__init__(limits)
        self._stamp = stamp
        self._lines = {lane: Line(limits.batch_events_max) for lane in Lane}
        self._retained = Retained()
        self._hurry_through = 0
        self._told: list[tuple[Waiter, Acknowledgement | LedgerError]] = []

    # --- entering ---------------------------------------------------------------------------------------------------

    def offer(
        self, event_id: bytes, body: bytes, now: float, sampling: bytes = b"", *, needs_room: bool = True
    ) -> Fate:
        """Numbers the serialized event `body` and queues it, or drops it by the policy.

        The client's own few markers are queued even where there is no room.
        """
        self._number()
        if len(body) > self._limits.event_bytes_max:
            self._count_drop("oversize")
            return Fate.DROPPED
        if needs_room and not self._make_room(len(body) + self._stamp.bytes_max + ITEM_BYTES):
            self._count_drop("full")
            return Fate.DROPPED
        line = self._lines[Lane.BULK]
        before = line.waiting_bytes
        self._enter(line, self._item(event_id, body, now, sampling))
        waiting, bytes_max = len(line.waiting), self._limits.batch_bytes_max
        wakes = waiting == 1 or waiting == line.width or before < bytes_max <= line.waiting_bytes
        return Fate.WAKE if wakes else Fate.QUEUED

    def offer_durable(self, event_id: bytes, body: bytes, now: float, waiter: Waiter, sampling: bytes = b"") -> None:
        """Queues an event whose `waiter` will be told.

        `Unavailable` when there is no room, `Rejected` when it is too large; neither is numbered.
        """
        if len(body) > self._limits.event_bytes_max:
            raise Rejected("", f"event of {len(body)} bytes, expected at most {self._limits.event_bytes_max}")
        retained = self._retained.get(event_id, body)
        if not self._fits(len(retained.wire if retained else body) + self._stamp.bytes_max + ITEM_BYTES):
            raise Unavailable(f"the client's queue is full ({self.held_events} events, {self.held_bytes} bytes)")
        if retained is not None:
            item = Item(retained.sequence, event_id, retained.wire, retained.dropped, now, copy=True)
        else:
            self._number()
            item = self._item(event_id, body, now, sampling)
            self._retained.keep(item, body)
        item.waiter = waiter
        self._enter(self._lines[Lane.DURABLE], item)

    def give_up(self, waiter: Waiter) -> None:
        """`waiter` does not wait any more. Its event stays, as an ordinary one."""
        line = self._lines[Lane.DURABLE]
        for item in line.everything():
            if item.waiter is waiter:
                item.waiter = None
                if line.flight is None or item not in line.flight.items:
                    line.remove(item)
                    self._lines[Lane.BULK].insert(item)
                return

    def _item(self, event_id: bytes, body: bytes, now: float, sampling: bytes) -> Item:
        """The event with the number just given out; it declares what was dropped before it."""
        dropped = self._declared_now()
        wire = self._stamp.stamp(body, producer_place(body), self.sequence, dropped, sampling)
        return Item(self.sequence, event_id, wire, dropped, now)

    def _enter(self, line: Line, item: Item) -> None:
        line.add(item)
        self._hold(item)

    def _make_room(self, size: int) -> bool:
        if self._fits(size):
            return True
        if not self._limits.drop_oldest:
            return False
        line = self._lines[Lane.BULK]
        # What can't be dropped (in flight, durable) may leave too little even so: then nothing is sacrificed for it.
        kept_events = self.held_events - len(line.waiting)
        kept_bytes = self.held_bytes - line.held_bytes
        if kept_events >= self._limits.queue_events_max or kept_bytes + size > self._limits.queue_bytes_max:
            return False
        while not self._fits(size):
            self._leave(line.pop(), "full")
        return True

    # --- leaving ----------------------------------------------------------------------------------------------------

    def due(self, lane: Lane, now: float) -> float | None:
        """When the lane's next batch should be cut: a time, `now` at the latest for at once; None while empty."""
        line = self._lines[lane]
        if line.flight is not None or not line.waiting:
            return None
        first = line.waiting[0]
        full = len(line.waiting) >= line.width or line.waiting_bytes >= self._limits.batch_bytes_max
        if full or lane is Lane.DURABLE or first.sequence <= self._hurry_through:
            return now
        return first.entered + self._limits.linger_s

    def cut(self, lane: Lane, now: float) -> Batch | None:
        """Takes the next batch into flight. None when nothing waits, or a batch is in flight already."""
        line = self._lines[lane]
        if line.flight is not None:
            return None
        oldest = now - self._limits.deadline_s
        return line.take(lane, self._limits.batch_bytes_max, lambda item: self._in_time(item, oldest))

    def _in_time(self, item: Item, oldest: float) -> bool:
        if item.entered > oldest:
            return True
        self._leave(item, "expired")
        return False

    def _leave(self, item: Item, why: str) -> None:
        """An item that stands in no line any more is dropped for good."""
        self._release(item)
        if item.waiter is not None:
            before = "before the client was closed" if why == "closed" else f"within {self._limits.deadline_s:g} s"
            self._told.append((item.waiter, Unavailable(f"not acknowledged {before}")))
        if not item.copy:
            self._count_drop(why)
            self.declare(item.dropped)

    # --- answers ----------------------------------------------------------------------------------------------------

    def answered(self, batch: Batch, response: PublishResponse, now: float) -> Settlement:
        """Settles each event of the batch in flight by its result. `MalformedAnswer` leaves the batch in flight."""
        results = list(response.results)
        receipts = [each.receipt for each in response.batches]
        if len(results) != len(batch.items):
            raise MalformedAnswer(f"{len(results)} results for {len(batch.items)} events")
        self._lines[batch.lane].land(batch)
        rejections: list[Rejection] = []
        again: list[Item] = []
        for item, result in zip(batch.items, results, strict=True):
            status = result.status
            if status in (_ACCEPTED, _REPEAT):
                if not item.copy:
                    self.counts["accepted" if status == _ACCEPTED else "repeated"] += 1
                if item.waiter is not None:
                    at = result.batch if result.HasField("batch") else len(receipts)
                    receipt = receipts[at] if at < len(receipts) else b""
                    self._told.append((item.waiter, Acknowledgement(item.event_id, result.leaf_hash, receipt)))
            elif status == _REJECTED:
                rejections.append(self._reject(item, result.field, result.reason))
            else:
                # RETRY, and what a newer gateway may say that this client does not know.
                item.sent = True
                again.append(item)
                continue
            self._release(item)
        self._return(batch.lane, again, now)
        self.counts["events_retried"] += len(again)
        line = self._lines[batch.lane]
        line.width = min(line.width * 2, self._limits.batch_events_max)
        return Settlement(tuple(each for each in receipts if each), tuple(rejections), len(again))

    def failed(self, batch: Batch, now: float, *, sent: bool = False) -> None:
        """The call failed: its events go back to the front, but for those past their deadline.

        `sent`: the gateway may have them all the same.
        """
        self._lines[batch.lane].land(batch)
        for item in batch.items:
            item.sent = item.sent or sent
        self.counts["events_retried"] += len(batch.items)
        self._return(batch.lane, batch.items, now)

    def refused(self, batch: Batch, field_: str, reason: str) -> tuple[Rejection, ...]:
        """The gateway refused the whole batch for good: its events leave as rejected."""
        self._lines[batch.lane].land(batch)
        for item in batch.items:
            self._release(item)
        return tuple(self._reject(item, field_, reason) for item in batch.items)

    def stored(self, batch: Batch) -> None:
        """The batch stands in the spool: it leaves memory."""
        self._lines[batch.lane].land(batch)
        for item in batch.items:
            self._release(item)
        self.counts["spooled_events"] += len(batch.items)

    def narrow(self, batch: Batch) -> None:
        """Halves the lane's next batches, after a failure that a smaller one may not have."""
        self._lines[batch.lane].width = max(1, len(batch.items) // 2)

    def _reject(self, item: Item, field_: str, reason: str) -> Rejection:
        if not item.copy:
            self.counts["rejected"] += 1
            self.declare(1 + item.dropped)
        if item.waiter is not None:
            self._told.append((item.waiter, Rejected(field_, reason)))
        self._retained.forget(item.event_id)
        return Rejection(item.event_id, field_, reason)

    def _return(self, lane: Lane, items: Iterable[Item], now: float) -> None:
        oldest = now - self._limits.deadline_s
        line = self._lines[lane]
        for item in reversed(tuple(items)):
            if not self._in_time(item, oldest):
                continue
            if lane is Lane.DURABLE and item.waiter is None:
                # Its waiter gave up while it was in flight.
                self._lines[Lane.BULK].insert(item)
            else:
                line.put_back(item)

    # --- the end ----------------------------------------------------------------------------------------------------

    def hurry(self) -> int:
        """From now on nothing that has entered lingers; returns the last number given out."""
        self._hurry_through = self.sequence
        return self.sequence

    def settled(self, through: int) -> bool:
        """Whether no event with a number up to `through` waits or is in flight."""
        for line in self._lines.values():
            if line.waiting and line.waiting[0].sequence <= through:
                return False
            if line.flight is not None and any(item.sequence <= through for item in line.flight.items):
                return False
        return True

    def abandon(self) -> list[Item]:
        """Drops everything that waits, as a close that ran out of time does; a marker may declare it."""
        dropped = []
        for line in self._lines.values():
            while line.waiting:
                item = line.pop()
                self._leave(item, "closed")
                dropped.append(item)
        return dropped

    def flight(self, lane: Lane) -> Batch | None:
        """The lane's batch in flight."""
        return self._lines[lane].flight

    @property
    def in_flight(self) -> int:
        """How many events are in flight."""
        return sum(len(line.flight.items) for line in self._lines.values() if line.flight is not None)

    def take_told(self) -> list[tuple[Waiter, Acknowledgement | LedgerError]]:
        """What waiters are to be told, once; the owner does so outside its lock."""
        told, self._told = self._told, []
        return told
