"""The recorder: reads requests and answers, makes events of them, hands them to the ledger's client.

It has a process of its own (`recorder_process`). Reading JSON is work for a processor, and Python runs one thread at a
time: in the proxy's process it would keep its streams waiting. And what the recorder was told outlives the proxy: when
the proxy is killed, the recorder records what it knows, and sends or stores it. (A call whose beginning it recorded,
and of which it knows no more, stays what it is: one that began and never ended.)

How records of a tenant fare (`State`):

    yes      the ledger takes them
    spooled  the ledger is away, and they go to the spool on this machine's disk
    no       neither: they are being lost

A record that can't be made is a fault of ours: it is reported and counted, and what is known without reading the bodies
is recorded in its place. One that the gateway refuses for good is counted, and told with its field.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from ledger.client.items import Rejection, Waiter
from ledger.client.stats import ClientStats
from ledger.errors import LedgerError, Rejected
from ledger.gateway.faults import report_fault
from ledger.proxy.calls import Call, End
from ledger.proxy.exchange_events import Recorded, beginning, ending
from ledger.proxy.fitting import fit
from ledger.proxy.recording_frames import (
    Acknowledged,
    Begun,
    Closing,
    Ended,
    GivenUp,
    Head,
    More,
    Standing,
    State,
    ToProxy,
    ToRecorder,
)
from ledger.v1 import event_pb2 as pb
from ledger.vendors import Answered, AnswerReader, Asked, keyed_id, read_request

log = logging.getLogger(__name__)

CONTENTS_HELD = 4
"""Characters of an answer's texts that are held while it is read, in multiples of what is kept of a content."""

CLIENT_COUNTS = ("spool_bytes", "queued_events", "accepted", "repeated", "rejected", "dropped", "spool_lost_events")


class Publisher(Protocol):
    """What the recorder needs of a client (`ledger.client.Client`)."""

    @property
    def is_away(self) -> bool: ...

    @property
    def can_spool(self) -> bool: ...

    def prepare_spool(self) -> None: ...

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


@dataclass(frozen=True, slots=True)
class _Open:
    """A call whose answer is being read."""

    head: Head
    reader: AnswerReader


class Recorder:
    """See the module. `take` belongs to one thread; `standing` and `rejected` may be called from others."""

    def __init__(
        self,
        publishers: Mapping[str, Publishers],
        tell: Callable[[ToProxy], None],
        *,
        content_bytes_max: int,
        stand_in: Callable[[str], str],
    ) -> None:
        self._publishers = publishers
        self._tell = tell
        self._content_bytes_max = content_bytes_max
        self._stand_in = stand_in
        self._open: dict[bytes, _Open] = {}
        self._waiting: dict[bytes, tuple[str, Waiter]] = {}
        self._counts: Counter[str] = Counter()
        self._lost: dict[str, int] = {}
        self._lock = threading.Lock()
        for each in self._clients():
            each.prepare_spool()

    # --- what the proxy says ----------------------------------------------------------------------------------------

    def take(self, message: ToRecorder) -> bool:
        """Does what a message says; False when it was the last. Raises nothing."""
        try:
            match message:
                case Begun():
                    self._begin(message)
                case GivenUp():
                    self._give_up(message.event_id)
                case More():
                    self._read(message)
                case Ended():
                    self._end(message)
                case Closing():
                    return False
        except Exception as error:
            self._report(error)
        return True

    def left_open(self) -> None:
        """The proxy is gone: what is known of the calls that it had at work is recorded."""
        for open_ in list(self._open.values()):
            call = open_.head.call
            # The clock is the machine's: both processes read the same.
            last = End("cancelled", time.monotonic(), error_class="proxy_killed")
            self.take(Ended(call, last))
        self._open.clear()

    def _begin(self, message: Begun) -> None:
        call = message.call
        publishers = self._publishers[call.who.tenant]
        try:
            found = self._fitted(beginning(call, read_request(call.route, call.body)))
            if message.is_durable:
                waiter = publishers.numbered.start_durable(found.numbered[0])
                self._waiting[call.event_id] = (call.who.tenant, waiter)
                waiter.add_done_callback(lambda done: self._acknowledged(call.event_id, done))
            else:
                publishers.numbered.emit(found.numbered[0])
            for event in found.seen:
                publishers.seen.emit(event)
        except Exception as error:
            if message.is_durable:
                failure = "rejected" if isinstance(error, Rejected) else "unavailable"
                self._tell(Acknowledged(call.event_id, failure))  # type: ignore[arg-type]
            if not isinstance(error, LedgerError):
                raise

    def _acknowledged(self, event_id: bytes, waiter: Waiter) -> None:
        """On a thread of the client's."""
        error = waiter.exception()
        if error is None:
            self._tell(Acknowledged(event_id))
        else:
            self._tell(Acknowledged(event_id, "rejected" if isinstance(error, Rejected) else "unavailable"))

    def _give_up(self, event_id: bytes) -> None:
        tenant, waiter = self._waiting.pop(event_id, ("", None))
        if waiter is not None:
            self._publishers[tenant].numbered.give_up(waiter)

    def _read(self, message: More) -> None:
        if message.head is not None:
            self._open[message.event_id] = self._opened(message.head)
        reader = self._open[message.event_id].reader
        for piece, at_s in message.pieces:
            reader.feed(piece, at_s)

    def _end(self, message: Ended) -> None:
        call, end = message.call, message.end
        self._waiting.pop(call.event_id, None)
        open_ = self._open.pop(call.event_id, None)
        if open_ is None and message.head is not None:
            open_ = self._opened(message.head)
        try:
            if open_ is not None:
                end = _read_to_end(open_.reader, message)
            self._emit(call, ending(call, read_request(call.route, call.body), end))
        except Exception as error:
            self._report(error)
            self._count("records_lost")
            bare = replace(message.end, error_class=message.end.error_class or "record_not_made")
            self._emit(call, ending(call, Asked(model=call.route.model), bare))

    def _opened(self, head: Head) -> _Open:
        # More than is kept of a content in the end, so that only what is far too long is cut before it is understood.
        room = CONTENTS_HELD * self._content_bytes_max
        return _Open(head, AnswerReader(head.call.route, head.status, head.headers, characters_max=room))

    # --- to the ledger ----------------------------------------------------------------------------------------------

    def _emit(self, call: Call, recorded: Recorded) -> None:
        fitted = self._fitted(recorded)
        publishers = self._publishers[call.who.tenant]
        for event in fitted.numbered:
            publishers.numbered.emit(event)
        for event in fitted.seen:
            publishers.seen.emit(event)

    def _fitted(self, recorded: Recorded) -> Recorded:
        """The events as the gateway will take them; what can't be mended is left out and counted."""
        kept: tuple[list[pb.Event], list[pb.Event]] = ([], [])
        for into, events in zip(kept, (recorded.numbered, recorded.seen), strict=True):
            for event in events:
                try:
                    changed = fit(event, self._content_bytes_max, self._stand_in)
                except Rejected as error:
                    self._count("records_lost")
                    log.error("a record can't be made: %s", error)
                    continue
                if changed:
                    self._count("fields_mended", len(changed))
                    log.warning("a record was mended: %s", ", ".join(changed))
                if events is recorded.seen:
                    event.event_id = keyed_id(event, self._stand_in)
                into.append(event)
                self._count("events")
        return Recorded(tuple(kept[0]), tuple(kept[1]))

    def rejected(self, rejection: Rejection) -> None:
        """The gateway refused an event for good."""
        self._count("records_lost")
        log.error("the ledger refused a record for good: %s: %s", rejection.field, rejection.reason)

    def close(self, timeout_s: float) -> bool:
        """Sends what is left, or stores it; whether nothing was lost."""
        closed = [each.close(timeout_s) for each in self._clients()]
        return all(closed)

    # --- how it fares -----------------------------------------------------------------------------------------------

    def standing(self) -> Standing:
        """How records fare now. To be asked again and again: what was lost since the last time is being lost."""
        states: dict[str, State] = {}
        with self._lock:
            counts = {name: float(self._counts[name]) for name in ("events", "fields_mended", "records_lost", "faults")}
        totals: Counter[str] = Counter()
        for tenant, both in self._publishers.items():
            counted = [each.stats() for each in (both.numbered, both.seen)]
            for each in counted:
                totals.update({name: getattr(each, name) for name in CLIENT_COUNTS})
            lost = sum(each.dropped + each.spool_lost_events + each.unusable for each in counted)
            states[tenant] = self._state(both.numbered, counted[0], lost > self._lost.get(tenant, 0))
            if lost > self._lost.get(tenant, 0):
                log.error("records are being lost: %d events of a tenant so far; is the spool full?", lost)
            self._lost[tenant] = lost
        counts["spool_ready"] = float(all(each.can_spool for each in self._clients()))
        return Standing(states, {**counts, **{f"ledger_{name}": float(totals[name]) for name in CLIENT_COUNTS}})

    def _state(self, publisher: Publisher, stats: ClientStats, losing: bool) -> State:
        if losing:
            return "no"
        if publisher.is_away:
            return "spooled" if publisher.can_spool else "no"
        return "spooled" if stats.spool_bytes else "yes"

    def _clients(self) -> list[Publisher]:
        return [each for both in self._publishers.values() for each in (both.numbered, both.seen)]

    def _count(self, name: str, by: int = 1) -> None:
        with self._lock:
            self._counts[name] += by

    def _report(self, error: Exception) -> None:
        self._count("faults")
        report_fault(error, "recording a call")


def _read_to_end(reader: AnswerReader, message: Ended) -> End:
    for piece, at_s in message.pieces:
        reader.feed(piece, at_s)
    answered: Answered = reader.end(message.whole)
    return replace(message.end, answered=answered, first_token_at_s=reader.first_token_at)
