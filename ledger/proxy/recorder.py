"""Records calls, off the path of the calls.

One thread reads requests and answers, makes events of them and hands them to the ledger's client (`ledger.client`),
which sends them in the background and keeps them in its spool on disk while the ledger is away. What a stream brings is
handed over in pieces as it comes, so that a long answer is read while it runs; `Tape.room` holds a stream back that
comes faster than it is read, for no piece is ever dropped for want of time.

`state` is what a call is told of its record (`x-ledger-recorded`):

    yes      with `refuse`: the ledger has acknowledged its beginning; with `spool`: the ledger takes records
    spooled  the ledger is away, and records go to the spool on this machine's disk
    no       neither: records are being lost, or this call has none

A record that can't be made is a fault of ours: it is reported, counted, and what is known without reading the bodies is
recorded in its place. One that the gateway refuses for good is counted, and told with its field.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from ledger.client.ids import derived_event_id
from ledger.client.items import Rejection, Waiter
from ledger.client.stats import ClientStats
from ledger.errors import Rejected, Unavailable
from ledger.gateway.faults import report_fault
from ledger.proxy.calls import Call, End
from ledger.proxy.exchange_events import Recorded, beginning, ending
from ledger.proxy.fitting import fit
from ledger.proxy.metrics import ProxyMetrics
from ledger.proxy.metrics import Recorded as State
from ledger.v1 import event_pb2 as pb
from ledger.vendors import AnswerReader, Asked, read_request

log = logging.getLogger(__name__)

HAND_OVER_BYTES = 64 * 1024
JOIN_S = 10.0
Job = Callable[[], None]


class Publisher(Protocol):
    """What the recorder needs of a client (`ledger.client.Client`)."""

    @property
    def is_away(self) -> bool: ...

    @property
    def can_spool(self) -> bool: ...

    def emit(self, event: pb.Event) -> bytes | None: ...

    def start_durable(self, event: pb.Event) -> Waiter: ...

    def give_up(self, waiter: Waiter) -> None: ...

    def stats(self) -> ClientStats: ...

    def close(self, timeout_s: float = ...) -> bool: ...


@dataclass(frozen=True, slots=True)
class Publishers:
    """One tenant's: of events made once, and of those that others may make alike."""

    numbered: Publisher
    seen: Publisher


class Tape:
    """What came of one answer, on its way to its reader. Used on the event loop, but for `_read`."""

    def __init__(self, recorder: Recorder, reader: AnswerReader, pending_bytes_max: int) -> None:
        self._recorder = recorder
        self._reader = reader
        self._pending_bytes_max = pending_bytes_max
        self._pieces: list[tuple[bytes, float]] = []
        self._gathered = 0
        self._pending = 0
        self._read_on: asyncio.Event | None = None

    def add(self, piece: bytes, at_s: float) -> None:
        """The next bytes."""
        self._pieces.append((piece, at_s))
        self._gathered += len(piece)
        if self._gathered >= HAND_OVER_BYTES:
            self._hand_over()

    @property
    def is_full(self) -> bool:
        """Whether the stream should wait for `room`."""
        return self._pending > self._pending_bytes_max

    async def room(self) -> None:
        """Returns once the reader has caught up."""
        while self.is_full:
            self._read_on = asyncio.Event()
            await self._read_on.wait()

    def end(self, call: Call, end: End, *, whole: bool) -> None:
        """The answer came to its end, `whole` or not."""
        self._hand_over()
        self._recorder.ended(call, end, lambda: self._finished(end, whole))

    def _finished(self, end: End, whole: bool) -> End:
        answered = self._reader.end(whole)
        return replace(end, answered=answered, first_token_at_s=self._reader.first_token_at)

    def _hand_over(self) -> None:
        pieces, self._pieces = self._pieces, []
        size, self._gathered = self._gathered, 0
        if not pieces:
            return
        self._pending += size
        self._recorder.hold(size)
        loop = asyncio.get_running_loop()
        self._recorder.do(lambda: self._read(pieces, size, loop))

    def _read(self, pieces: list[tuple[bytes, float]], size: int, loop: asyncio.AbstractEventLoop) -> None:
        """On the recorder's thread."""
        try:
            for piece, at_s in pieces:
                self._reader.feed(piece, at_s)
        finally:
            self._recorder.hold(-size)
            loop.call_soon_threadsafe(self._read_some, size)

    def _read_some(self, size: int) -> None:
        self._pending -= size
        if self._read_on is not None:
            self._read_on.set()


class Recorder:
    """See the module. `do`, `ended`, `begun` are called on the event loop; `close` blocks."""

    def __init__(
        self,
        publishers: Mapping[str, Publishers],
        metrics: ProxyMetrics,
        *,
        content_bytes_max: int,
        pending_bytes_max: int,
        stand_in: Callable[[str], str],
    ) -> None:
        self._publishers = publishers
        self._metrics = metrics
        self._content_bytes_max = content_bytes_max
        self._pending_bytes_max = pending_bytes_max
        self._stand_in = stand_in
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._held = 0
        self._held_lock = threading.Lock()
        self._losses: dict[str, int] = {}
        self._losing: set[str] = set()
        self._draining: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="proxy-recorder", daemon=True)
        self._thread.start()

    # --- on the event loop ------------------------------------------------------------------------------------------

    def tape(self, reader: AnswerReader) -> Tape:
        """For one answer."""
        return Tape(self, reader, self._pending_bytes_max)

    def begun(self, call: Call) -> None:
        """Records the beginning, without waiting for it."""
        self._keep(len(call.body), lambda: self._emit(call, beginning(call, read_request(call.route, call.body))))

    def begin_durably(self, call: Call) -> asyncio.Future[Waiter]:
        """Hands the beginning to the ledger; the future holds what waits for the acknowledgement."""
        loop = asyncio.get_running_loop()
        handed: asyncio.Future[Waiter] = loop.create_future()

        def work() -> None:
            try:
                found = self._fitted(beginning(call, read_request(call.route, call.body)))
                publishers = self._publishers[call.who.tenant]
                waiter = publishers.numbered.start_durable(found.numbered[0])
                for event in found.seen:
                    publishers.seen.emit(event)
            except (Rejected, Unavailable) as error:
                loop.call_soon_threadsafe(_fail, handed, error)
            except Exception as error:
                self._report(error)
                loop.call_soon_threadsafe(_fail, handed, Unavailable("the record of this call could not be made"))
            else:
                loop.call_soon_threadsafe(_tell, handed, waiter)

        self._keep(len(call.body), work)
        return handed

    def give_up(self, call: Call, waiter: Waiter) -> None:
        """Nobody waits any more for this acknowledgement."""
        self._publishers[call.who.tenant].numbered.give_up(waiter)

    def ended(self, call: Call, end: End, finish: Callable[[], End] | None = None) -> None:
        """Records the end; `finish` reads what is still to be read for it."""
        self._keep(len(call.body), lambda: self._end(call, end, finish))

    def state(self, tenant: str) -> State:
        """See the module; as far as it was known at the last `look`."""
        if tenant in self._losing:
            return "no"
        publisher = self._publishers[tenant].numbered
        if publisher.is_away:
            return "spooled" if publisher.can_spool else "no"
        return "spooled" if tenant in self._draining else "yes"

    def look(self) -> None:
        """Looks how records fare. To be called again and again."""
        for tenant, both in self._publishers.items():
            counted = [each.stats() for each in (both.numbered, both.seen)]
            lost = sum(each.dropped + each.spool_lost_events + each.unusable for each in counted)
            if lost > self._losses.get(tenant, 0):
                self._losses[tenant] = lost
                self._losing.add(tenant)
                log.error("records are being lost: %d events of a tenant so far; is the spool full?", lost)
            else:
                self._losing.discard(tenant)
            (self._draining.add if counted[0].spool_bytes else self._draining.discard)(tenant)

    def do(self, job: Job) -> None:
        """Does it on the recorder's thread, after all that was given before."""
        self._jobs.put(job)

    def hold(self, size: int) -> None:
        """So many bytes more, or fewer, wait to be read."""
        with self._held_lock:
            self._held += size

    @property
    def held_bytes(self) -> int:
        """Bytes that wait to be read."""
        return self._held

    def total(self, name: str) -> float:
        """The sum of a counter over all clients."""
        each = (one for both in self._publishers.values() for one in (both.numbered, both.seen))
        return float(sum(getattr(one.stats(), name) for one in each))

    def rejected(self, rejection: Rejection) -> None:
        """The gateway refused an event for good."""
        self._metrics.lost()
        log.error("the ledger refused a record for good: %s: %s", rejection.field, rejection.reason)

    def close(self, timeout_s: float) -> bool:
        """Records what was given, then closes the clients; whether nothing was lost. Blocks."""
        self._jobs.put(None)
        self._thread.join(JOIN_S + timeout_s)
        closed = [one.close(timeout_s) for both in self._publishers.values() for one in (both.numbered, both.seen)]
        return all(closed) and not self._thread.is_alive()

    def _keep(self, size: int, job: Job) -> None:
        """Does the job, and counts what it holds until then."""

        def work() -> None:
            try:
                job()
            finally:
                self.hold(-size)

        self.hold(size)
        self._jobs.put(work)

    # --- on the recorder's thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception as error:
                self._report(error)

    def _end(self, call: Call, end: End, finish: Callable[[], End] | None) -> None:
        try:
            if finish is not None:
                end = finish()
            self._emit(call, ending(call, read_request(call.route, call.body), end))
        except Exception as error:
            self._report(error)
            self._metrics.lost()
            bare = replace(end, answered=None, error_class=end.error_class or "record_not_made")
            self._emit(call, ending(call, Asked(model=call.route.model), bare))

    def _emit(self, call: Call, recorded: Recorded) -> None:
        fitted = self._fitted(recorded)
        publishers = self._publishers[call.who.tenant]
        for event in fitted.numbered:
            publishers.numbered.emit(event)
        for event in fitted.seen:
            publishers.seen.emit(event)

    def _fitted(self, recorded: Recorded) -> Recorded:
        """The events as the gateway will take them; what can't be mended is left out and counted."""
        mended = 0
        kept: tuple[list[pb.Event], list[pb.Event]] = ([], [])
        for into, events in zip(kept, (recorded.numbered, recorded.seen), strict=True):
            for event in events:
                try:
                    changed = fit(event, self._content_bytes_max, self._stand_in)
                except Rejected as error:
                    self._metrics.lost()
                    log.error("a record can't be made: %s", error)
                    continue
                if changed:
                    mended += len(changed)
                    log.warning("a record was mended: %s", ", ".join(changed))
                    if events is recorded.seen:
                        # The id tells one content from another.
                        event.event_id = derived_event_id(0, "fitted/v1", event.SerializeToString(deterministic=True))
                into.append(event)
        self._metrics.made(len(kept[0]) + len(kept[1]), mended)
        return Recorded(tuple(kept[0]), tuple(kept[1]))

    def _report(self, error: Exception) -> None:
        self._metrics.fault()
        report_fault(error, "recording a call")


def _tell(future: asyncio.Future[Waiter], waiter: Waiter) -> None:
    if not future.done():
        future.set_result(waiter)


def _fail(future: asyncio.Future[Waiter], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
