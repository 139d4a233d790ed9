"""One stream of one process: the queue, its threads, its channel, its spool. `Client` holds one, and a new one after a
fork.

Threads. `emit` runs in the application's thread: it serializes the event, takes the lock for some microseconds, and
returns. Everything else (sending, sealing, disk, callbacks, log lines) runs in two daemon threads, one a lane, started
with the first event; see `lanes`.

The end. `close` sends what is left, then the marker; at the end of its time it stores what is left in the spool if
there is one, and drops it if not. `emit` after that counts as unusable. What is left behind then, marker included, is
told in one line of two numbers: *dropped* events were never sent; *unacknowledged* ones were, and no answer came that
settles them: the ledger may have them.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from ledger.client.bulk_lane import BulkLane
from ledger.client.core import Core
from ledger.client.gate import Gate
from ledger.client.items import Fate, Item, Lane, Waiter
from ledger.client.lanes import DurableLane, Reports
from ledger.client.markers import closed_marker
from ledger.client.notices import Notices
from ledger.client.options import Options
from ledger.client.prepare import Prepared, prepare, producer
from ledger.client.receipts import ReceiptFile
from ledger.client.spool import spool_of
from ledger.client.stats import ClientStats
from ledger.client.transport import Transport
from ledger.client.wire import PlainStamp, RequestWriter, Stamp
from ledger.errors import Unavailable
from ledger.v1.event_pb2 import Event

EMIT_WAIT_S = 0.02
"""The longest an emit waits for its turn; then its event stands aside."""
CALL_WAIT_S = 5.0
"""The same for calls that wait for the gateway anyway."""
ASIDE_EVENTS_MAX = 10_000
FAULTS_TOLD_MAX = 32
JOIN_S = 1.0
"""How long `close` waits, beyond its time, for a thread whose call it cancelled."""
MARKER_SHARE = 0.25
MARKER_MAX_S = 1.0
"""What `close` keeps of its time for the marker: a share of it, at most so long."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a close waits without progress, before the end of its time: `idle_s`, counted from `since` at first."""

    idle_s: float
    since: float


class Engine:
    """See the module. Public methods may be called from any thread."""

    def __init__(self, options: Options, *, takes_over: bool = True) -> None:
        """`takes_over`: look at once for what earlier clients left in the spool, not only with the first event."""
        self.options = options
        self.boot_id = os.urandom(16)
        self.gate = Gate()
        stamp = Stamp if options.numbered else PlainStamp
        self.core = Core(options.limits, stamp(producer(options, self.boot_id)))
        self.transport = Transport(options)
        self.writer = RequestWriter(options.tenant)
        self.notices = Notices(options.log_interval_s)
        receipts = ReceiptFile(Path(options.receipts_path)) if options.receipts_path is not None else None
        self.reports = Reports(options, self.notices, receipts)
        self.spool = spool_of(options, self.boot_id)
        self.stopping = False
        self.closing = False
        self.progressed_at = 0.0
        self._marked = False
        self._aside: deque[Prepared] = deque()
        self._unusable: list[None] = []
        self._faults: deque[str] = deque(maxlen=FAULTS_TOLD_MAX)
        self._fault_count = count(1)
        self._fault_total = 0
        self._bulk = BulkLane(self)
        self._durable = DurableLane(self)
        self._threads: dict[Lane, threading.Thread] = {}
        if takes_over and self.spool is not None and self.spool.left_over():
            with self.gate:
                self._start(Lane.BULK)

    # --- the application's side -------------------------------------------------------------------------------------

    def emit(self, event: Event) -> bytes | None:
        """Queues an event; its id, or None when it is not an event. Raises nothing unless `strict`."""
        try:
            prepared = prepare(event)
            self._offer(prepared)
        except Exception:
            if self.options.strict:
                raise
            # One C call: as good as a lock, and nothing to wait for.
            self._unusable.append(None)
            return None
        return prepared[0]

    def _offer(self, prepared: Prepared) -> None:
        gate = self.gate
        if not gate.enter(EMIT_WAIT_S):
            # This very thread is changing the queue, or another one is held up inside: whoever is next takes it along.
            if len(self._aside) >= ASIDE_EVENTS_MAX:
                raise Unavailable("the client is held up, and too many events stand aside")
            self._aside.append(prepared)
            return
        try:
            if self._aside:
                self.take_aside()
            if self.closing:
                raise Unavailable("the client is closed")
            fate = self.core.offer(prepared[0], prepared[1], time.monotonic(), prepared[2])
            if Lane.BULK not in self._threads:
                self._start(Lane.BULK)
            if fate is Fate.WAKE:
                gate.notify()
        finally:
            gate.leave()
        if fate is Fate.DROPPED and self.options.strict:
            raise Unavailable("the client's queue is full, or the event is larger than event_bytes_max")

    def emit_durable(self, event: Event) -> Waiter:
        """Queues an event; the future is told when it is acknowledged. Raises `Unavailable`, `Rejected`, TypeError."""
        identity, body, sampling = prepare(event)
        waiter: Waiter = Future()
        # Nobody can cancel it: what it is told is always kept.
        waiter.set_running_or_notify_cancel()
        with self._from_outside():
            if self.closing:
                raise Unavailable("the client is closed")
            self.core.offer_durable(identity, body, time.monotonic(), waiter, sampling)
            self._start(Lane.DURABLE)
            self._start(Lane.BULK)
            self.gate.notify()
        return waiter

    def fault(self, what: str) -> None:
        """Something was no event, or not whole. Waits for nothing: a lane, or the close, says it."""
        self._fault_total = next(self._fault_count)
        self._faults.append(what)

    def report_faults(self) -> None:
        """A line on what was not recorded, as far as it was not told yet."""
        while self._faults:
            what = self._faults.popleft()
            self.notices.warn("fault", f"{what}; {self._fault_total} such faults since the start")

    def give_up(self, waiter: Waiter) -> None:
        """The caller does not wait any more. Where that can't be noted now, its event just stays a durable one."""
        if self.gate.enter(CALL_WAIT_S):
            try:
                self.core.give_up(waiter)
                self.gate.notify()
            finally:
                self.gate.leave()

    def flush(self, timeout_s: float) -> bool:
        """Waits until everything emitted before is answered, in the spool too; False when time ran out."""
        end = time.monotonic() + timeout_s
        with self._from_outside():
            self.take_aside()
            through = self.core.hurry()
            self.gate.notify()
            spool = self.spool if self._threads else None
            return self._wait(lambda: self.core.settled(through) and (spool is None or spool.empty), end)

    def hurry(self) -> None:
        """Lets nothing linger that was emitted before."""
        with self._from_outside():
            self.take_aside()
            self.core.hurry()
            self.gate.notify()

    def close(self, timeout_s: float, patience: Patience | None = None) -> bool:
        """See the module. True when everything was answered or stands in the spool. May be called again."""
        end = time.monotonic() + timeout_s
        dropped: list[Item] = []
        with self._from_outside():
            if self.closing:
                return self.core.held_events == 0
            self.take_aside()
            self.closing = True
            through = self.core.hurry()
            self.gate.notify()
            marker_s = MARKER_SHARE * (timeout_s if patience is None else min(timeout_s, patience.idle_s))
            marker_s = min(MARKER_MAX_S, marker_s)
            sooner = None if patience is None else Patience(patience.idle_s - marker_s, patience.since)
            if not self._wait(lambda: self.core.settled(through), end - marker_s, sooner):
                end = min(end, time.monotonic() + marker_s)
                if not self._bulk.can_store():
                    # The marker says so, if it still gets through.
                    dropped += self.core.abandon()
            if self.core.sequence > 0 and self.options.numbered:
                self.offer_own(closed_marker())
                self._marked = True
                through = self.core.hurry()
                self.gate.notify()
                self._wait(lambda: self.core.settled(through), end, patience)
            # What stands in the spool is safe; while the gateway answers, it may as well go now.
            spool = self.spool
            self._wait(lambda: spool is None or spool.empty or self._bulk.away_since is not None, end, patience)
        return self._stop(dropped)

    def _stop(self, dropped: list[Item]) -> bool:
        """Ends threads and channel, stores or drops what is left. Whether nothing was dropped."""
        with self.gate:
            self.stopping = True
            self.gate.notify()
        self.transport.close()
        for thread in self._threads.values():
            thread.join(JOIN_S)
        if not any(thread.is_alive() for thread in self._threads.values()):
            self._bulk.finish()
        with self.gate:
            # What a thread that hangs still holds was sent.
            unacknowledged = self.core.in_flight
            dropped += self.core.abandon()
        self.tell()
        self.report_faults()
        unacknowledged += sum(item.sent for item in dropped)
        unsent = sum(not item.sent for item in dropped)
        if dropped or unacknowledged:
            self.notices.warn(
                "left",
                f"closed: dropped {unsent}, unacknowledged {unacknowledged} events for {self.options.to}"
                + ("; the ledger may have those that are unacknowledged" if unacknowledged else ""),
            )
        return not dropped and not unacknowledged

    def stats(self) -> ClientStats:
        """What was counted so far. Takes no lock: each counter is right, their sum may be one event off."""
        core, counts = self.core, self.core.counts.copy()
        return replace(
            ClientStats(**{name: counts[name] for name in ClientStats.__dataclass_fields__ if name in counts}),
            dropped=core.dropped,
            unusable=counts["unusable"] + len(self._unusable),
            undeclared=core.undeclared,
            faults=self._fault_total,
            queued_events=core.held_events,
            queued_bytes=core.held_bytes,
            in_flight_events=core.in_flight,
            last_sequence=core.sequence,
            spool_bytes=self.spool.size_bytes if self.spool is not None else 0,
        )

    @property
    def is_away(self) -> bool:
        """Whether the last calls for ordinary events failed, as far as is known without a lock."""
        return self._bulk.away_since is not None

    def prepare_spool(self) -> None:
        """Gets the spool ready before the first event."""
        with self.gate:
            self._bulk.is_eager = True
            self._start(Lane.BULK)
            self.gate.notify()

    @property
    def can_spool(self) -> bool:
        """Whether the spool takes events now, as far as is known without a lock."""
        return self._bulk.can_store()

    # --- for the lanes and the fork ---------------------------------------------------------------------------------

    def offer_own(self, event: Event) -> None:
        """Inside the gate: queues an event of the client's own, room or not. Nothing follows the close marker."""
        if not self._marked:
            identity, body, sampling = prepare(event)
            self.core.offer(identity, body, time.monotonic(), sampling, needs_room=False)

    def take_aside(self) -> None:
        """Inside the gate: queues what was emitted while nobody could get in, and counts what was no event."""
        while self._unusable:
            self._unusable.pop()
            self.core.counts["unusable"] += 1
        while self._aside:
            identity, body, sampling = self._aside.popleft()
            if self.closing:
                self.core.counts["unusable"] += 1
            else:
                self.core.offer(identity, body, time.monotonic(), sampling)

    def tell(self) -> None:
        """Tells waiters what became of their events."""
        with self.gate:
            told = self.core.take_told()
        for waiter, result in told:
            if isinstance(result, Exception):
                waiter.set_exception(result)
            else:
                waiter.set_result(result)

    def forsake(self) -> None:
        """In a forked child: what is the parent's stays the parent's."""
        if self.spool is not None:
            self.spool.forsake()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _start(self, lane: Lane) -> None:
        """Inside the gate: starts the lane's thread if it does not run. Without one to be had, the next event tries."""
        if lane in self._threads:
            return
        sender = self._bulk if lane is Lane.BULK else self._durable
        thread = threading.Thread(target=sender.run, name=f"ledger-client-{lane.value}", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self.core.counts["threads_refused"] += 1
        else:
            self._threads[lane] = thread

    def _wait(self, reached: Callable[[], bool], end: float, patience: Patience | None = None) -> bool:
        while not reached():
            until = end
            if patience is not None:
                until = min(end, max(patience.since, self.progressed_at) + patience.idle_s)
            left = until - time.monotonic()
            if left <= 0 or not self._threads:
                return False
            self.gate.wait(left)
        return True

    @contextmanager
    def _from_outside(self) -> Iterator[None]:
        """Inside the gate, for calls that may wait, but not for ever."""
        if not self.gate.enter(CALL_WAIT_S):
            raise Unavailable("the client is held up by a signal handler or destructor that interrupted it")
        try:
            yield
        finally:
            self.gate.leave()
