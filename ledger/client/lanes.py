"""How a batch is sent and its answer settled; the lane of the durable events.

A lane is a thread's loop: wait until there is something to do, do one thing, say what came of it. Whatever goes wrong
inside becomes a pause and a log line; the thread goes on until the client is closed.

The log says at most one line of a kind in `log_interval_s`: that the gateway is away, that events are dropped, that
events are rejected. A single failed call is not worth a line.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from random import Random
from typing import TYPE_CHECKING, ClassVar

from google.protobuf.message import DecodeError

from ledger.client.items import Batch, Lane, MalformedAnswer, Rejection, Settlement
from ledger.client.notices import Notices
from ledger.client.options import Options
from ledger.client.receipts import ReceiptFile
from ledger.client.retry import MALFORMED, Backoff, Failure, FailureKind
from ledger.client.transport import Method
from ledger.v1.ingest_pb2 import PublishResponse

if TYPE_CHECKING:
    from ledger.client.engine import Engine

DURABLE_BACKOFF_LONGEST_MS = 1_000
"""Somebody waits: tries come at least so often."""
MISHAP_PAUSE_S = 1.0
AWAY_FAILURES = 2
"""Failures in a row before the log speaks of it."""


class Reports:
    """Hands what the gateway said to the receipts' file, the application's functions and the log."""

    def __init__(self, options: Options, notices: Notices, receipts: ReceiptFile | None) -> None:
        self._options = options
        self._notices = notices
        self._receipts = receipts

    def receipts(self, receipts: tuple[bytes, ...]) -> None:
        """Keeps them."""
        if self._receipts is not None:
            try:
                self._receipts.append(receipts)
            except OSError as error:
                self._notices.warn("receipts", f"receipts could not be written: {error.strerror}")
        if self._options.on_receipt is not None:
            for receipt in receipts:
                self._notices.call("on_receipt", self._options.on_receipt, receipt)

    def rejections(self, rejections: tuple[Rejection, ...]) -> None:
        """Says what was refused for good."""
        for each in rejections:
            self._notices.warn("rejected", f"event {each.event_id.hex()} was rejected: {each.field}: {each.reason}")
            if self._options.on_rejected is not None:
                self._notices.call("on_rejected", self._options.on_rejected, each)


class SendingLane(ABC):
    """What both lanes do with a batch."""

    lane: ClassVar[Lane]

    def __init__(self, engine: Engine, backoff_longest_ms: int) -> None:
        options = engine.options
        self.engine = engine
        self.backoff = Backoff(min(options.backoff_first_ms, backoff_longest_ms), backoff_longest_ms, Random())
        self.away_since: float | None = None
        self._dropped_reported = 0

    def run(self) -> None:
        """The thread: until the client stops."""
        while not self.engine.stopping:
            try:
                self.step()
                self.report_drops()
                self.engine.report_faults()
            except Exception as error:
                self._recover(error)

    @abstractmethod
    def step(self) -> None:
        """Waits for the next thing to do and does it."""

    def _recover(self, error: Exception) -> None:
        """A fault of the client's own: events in flight go back, the thread goes on after a pause."""
        engine = self.engine
        engine.notices.warn("mishap", f"the {self.lane.value} lane failed with {type(error).__name__}; it goes on")
        with engine.gate:
            batch = engine.core.flight(self.lane)
            if batch is not None:
                engine.core.failed(batch, time.monotonic(), sent=True)
            if not engine.stopping:
                engine.gate.wait(MISHAP_PAUSE_S)

    def publish(self) -> None:
        """Sends the lane's next batch."""
        engine = self.engine
        with engine.gate:
            batch = engine.core.cut(self.lane, time.monotonic())
            if batch is None:
                # All that was due had expired: whoever waits for it may go on.
                engine.gate.notify()
        engine.tell()
        if batch is None:
            return
        request = engine.writer.write(item.wire for item in batch.items)
        self.settle(batch, self.call(Method.PUBLISH, request))

    def call(self, method: Method, request: bytes, timeout_s: float | None = None) -> bytes | Failure:
        """One call, counted. Default of `timeout_s`: the option `rpc_timeout_ms`."""
        timeout_s = self.engine.options.rpc_timeout_ms / 1_000 if timeout_s is None else timeout_s
        answer = self.engine.transport.call(method, request, timeout_s)
        counts = self.engine.core.counts
        with self.engine.gate:
            counts["calls"] += 1
            counts["calls_failed"] += isinstance(answer, Failure)
        return answer

    def settle(self, batch: Batch, answer: bytes | Failure) -> None:
        """What the answer means for the batch in flight."""
        if isinstance(answer, Failure):
            self._settle_failure(batch, answer)
            return
        engine = self.engine
        try:
            response = PublishResponse.FromString(answer)
            with engine.gate:
                settlement = engine.core.answered(batch, response, time.monotonic())
                engine.core.counts["receipts"] += len(settlement.receipts)
                self._pace(batch, settlement)
        except (DecodeError, MalformedAnswer):
            self._settle_failure(batch, MALFORMED)
            return
        # First the receipts, then the word that the event is durable: who was told can count on the receipt.
        engine.reports.receipts(settlement.receipts)
        engine.tell()
        engine.reports.rejections(settlement.rejections)
        with engine.gate:
            engine.gate.notify()

    def _pace(self, batch: Batch, settlement: Settlement) -> None:
        now = time.monotonic()
        if settlement.retried == len(batch.items):
            self.backoff.failed(now)
            return
        self.succeeded()
        if settlement.retried:
            self.backoff.pause(now)

    def succeeded(self) -> None:
        """The gateway is there."""
        self.backoff.succeeded()
        self.away_since = None
        self.engine.progressed_at = time.monotonic()

    def _settle_failure(self, batch: Batch, failure: Failure) -> None:
        core, now = self.engine.core, time.monotonic()
        rejections: tuple[Rejection, ...] = ()
        kind = failure.kind
        with self.engine.gate:
            if kind is FailureKind.REFUSED and len(batch.items) == 1:
                rejections = core.refused(batch, "", failure.detail or failure.code)
                self.backoff.pause(now)
            elif kind is FailureKind.DENIED and self.lane is Lane.DURABLE:
                field = "tenant" if failure.code == "NOT_FOUND" else ""
                rejections = core.refused(batch, field, f"{failure.code} {failure.detail}".strip())
                self.backoff.pause(now)
            else:
                if kind in (FailureKind.REFUSED, FailureKind.TOO_LARGE):
                    core.narrow(batch)
                core.failed(batch, now, sent=not failure.never_sent)
                self.failed(failure, refused=kind is FailureKind.REFUSED)
            self.engine.gate.notify()
            if rejections:
                self.engine.progressed_at = now
        self.engine.tell()
        self.engine.reports.rejections(rejections)
        self.report_away(failure)

    def failed(self, failure: Failure, *, refused: bool = False) -> None:
        """Inside the gate: when to try again."""
        now = time.monotonic()
        if failure.kind is FailureKind.INTERRUPTED:
            return
        if refused:
            self.backoff.pause(now)
            return
        self.backoff.failed(now, failure.retry_after_ms)
        if self.away_since is None:
            self.away_since = now

    def report_away(self, failure: Failure) -> None:
        """A line when the gateway keeps failing."""
        if failure.kind is FailureKind.INTERRUPTED or self.backoff.failures < AWAY_FAILURES or self.away_since is None:
            return
        engine = self.engine
        what = failure.code if failure.kind is FailureKind.AWAY else f"{failure.code} {failure.detail}".strip()
        engine.notices.warn(
            f"away {failure.kind.value}",
            f"{engine.options.to} has not taken events for {time.monotonic() - self.away_since:.0f} s ({what}); "
            f"{engine.core.held_events} events wait in memory, {engine.core.dropped} were dropped since the start",
        )

    def report_drops(self) -> None:
        """A line when events were dropped since the last one."""
        core = self.engine.core
        if core.dropped > self._dropped_reported:
            self._dropped_reported = core.dropped
            self.engine.notices.warn(
                "dropped", f"{core.dropped} events were dropped since the start; later events declare them"
            )


class DurableLane(SendingLane):
    """Sends at once what somebody waits for: one batch in flight, the next gathers meanwhile."""

    lane = Lane.DURABLE

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, min(DURABLE_BACKOFF_LONGEST_MS, engine.options.backoff_longest_ms))

    def step(self) -> None:
        """Publishes what waits, as soon as the last failure's pause is over."""
        engine = self.engine
        with engine.gate:
            while not engine.stopping:
                now = time.monotonic()
                if engine.core.due(self.lane, now) is None:
                    engine.gate.wait(None)
                elif now < self.backoff.until:
                    engine.gate.wait(self.backoff.until - now)
                else:
                    break
            else:
                return
        self.publish()
