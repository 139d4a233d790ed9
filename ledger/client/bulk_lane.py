"""The lane of ordinary events: direct while the gateway is there, through the spool while it is not.

What the thread does next, first match:

1. frames stand in the spool, a batch is due, memory is half full, and the last thing done was not this: seal the batch
   into the spool;
2. the pause after the last failure is over, and
   - frames stand in the spool: send the oldest. Newer events wait meanwhile, in memory, or behind them in the spool, so
     that the order of numbers is kept;
   - the gateway answered (or the client is to be ready before that: `is_eager`) and the spool's key is missing or past
     its `seal_until`: ask for it;
   - a batch is due: publish it;
3. a batch is due, and the gateway has been away for `spool_after_ms`: seal it into the spool. Without a usable key, or
   with the spool full, events wait in bounded memory instead;
4. wait.

How a frame leaves the spool is `drain`'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from ledger.client import spool_key
from ledger.client.drain import Drain
from ledger.client.items import Batch, Lane
from ledger.client.lanes import SendingLane
from ledger.client.retry import Failure
from ledger.client.spool import Spool
from ledger.client.spool_frame import Row
from ledger.client.transport import Method
from ledger.v1.ingest_pb2 import GetSpoolKeyRequest, GetSpoolKeyResponse

if TYPE_CHECKING:
    from ledger.client.engine import Engine

KEY_TIMEOUT_MS = 5_000
KEY_PAUSE_S = 30.0
"""Between two questions for the spool's key."""
TAKE_OVER_PAUSE_S = 60.0
"""Between two looks for what other clients left."""
DISK_PAUSE_S = 1.0
"""After the spool was full or its disk failed."""
WAIT_LEAST_S = 0.000_5
WAIT_MOST_S = 5.0
"""Then it looks anyway: an event that had to stand aside has nobody to say so."""


class BulkLane(SendingLane):
    """See the module."""

    lane = Lane.BULK

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, engine.options.backoff_longest_ms)
        self._spool = engine.spool
        self._key: spool_key.SpoolKey | None = None
        self._key_ask_at = 0.0
        self._reached = False
        self.is_eager = False
        self._store_at = 0.0
        self._disk_at = 0.0
        self._stored_last = False
        self._look_at = 0.0
        self._drain = Drain(self)

    def step(self) -> None:
        """Does the next thing of the module's list."""
        if self._spool is not None and time.monotonic() >= self._look_at:
            self._open(self._spool)
        job = self._next()
        if job is not None:
            job()

    def succeeded(self) -> None:
        """The gateway is there."""
        super().succeeded()
        if not self._reached:
            # Asked for in vain before, perhaps: now it will be given.
            self._reached, self._key_ask_at = True, 0.0

    def can_store(self) -> bool:
        """Whether the spool takes batches now, as far as one can tell."""
        key = self._key
        return (
            self._spool is not None
            and key is not None
            and time.time() < key.destroyed_at_s
            and time.monotonic() >= max(self._store_at, self._disk_at)
        )

    def finish(self) -> None:
        """When the threads have ended: all that waits goes to the spool, and the spool is given up."""
        if self._spool is None:
            return
        self._key = self._key or spool_key.load(self._spool.root)
        for lane in Lane:
            while self.can_store() and self._store(lane):
                continue
        try:
            self._spool.close()
        except OSError as error:
            self.disk_failed(error)

    # --- what is next -----------------------------------------------------------------------------------------------

    def _next(self) -> Callable[[], object] | None:
        engine, spool = self.engine, self._spool
        with engine.gate:
            while not engine.stopping:
                engine.take_aside()
                now = time.monotonic()
                due = engine.core.due(self.lane, now)
                ready = due is not None and due <= now
                filled = spool is not None and not spool.empty
                stored_last, self._stored_last = self._stored_last, False
                if ready and filled and not stored_last and self._crowded() and self.can_store():
                    self._stored_last = True
                    return self._store
                if now >= self.backoff.until:
                    if filled and now >= self._disk_at:
                        return self._drain.frame
                    if not filled and self._key_wanted(now):
                        return self._ask_key
                    if not filled and ready:
                        return self.publish
                if ready and self._is_away(now) and self.can_store():
                    return self._store
                engine.gate.wait(self._pause_s(now, due))
                if spool is not None and time.monotonic() >= self._look_at:
                    return None
        return None

    def _is_away(self, now: float) -> bool:
        return self.away_since is not None and now >= self.away_since + self.engine.options.spool_after_ms / 1_000

    def _crowded(self) -> bool:
        options, core = self.engine.options, self.engine.core
        return core.held_bytes * 2 > options.queue_bytes_max or core.held_events * 2 > options.queue_events_max

    def _key_wanted(self, now: float) -> bool:
        if self._spool is None or self.away_since is not None or now < self._key_ask_at:
            return False
        if not (self._reached or self.is_eager):
            return False
        return self._key is None or time.time() >= self._key.seal_until_s

    def _pause_s(self, now: float, due: float | None) -> float:
        """How long nothing can be next, unless somebody notifies."""
        spool = self._spool
        times = [now + WAIT_MOST_S]
        filled = spool is not None and not spool.empty
        if filled:
            times.append(max(self.backoff.until, self._disk_at))
        elif due is not None:
            times.append(max(self.backoff.until, due))
        if spool is not None:
            times.append(self._look_at)
            store_at = max(self._store_at, self._disk_at)
            if due is not None and self._key is not None:
                if self.away_since is not None:
                    times.append(max(due, store_at, self.away_since + self.engine.options.spool_after_ms / 1_000))
                elif filled and self._crowded():
                    times.append(max(due, store_at))
            if (self._reached or self.is_eager) and self._key is None:
                times.append(self._key_ask_at)
        return max(WAIT_LEAST_S, min(times) - now)

    # --- into the spool ---------------------------------------------------------------------------------------------

    def _open(self, spool: Spool) -> None:
        self._look_at = time.monotonic() + TAKE_OVER_PAUSE_S
        if self._key is None:
            self._key = spool_key.load(spool.root)
        try:
            spool.open()
        except OSError as error:
            self.disk_failed(error)

    def _store(self, lane: Lane = Lane.BULK) -> bool:
        """Seals the next batch into the spool; False when there was none or it did not work."""
        engine, spool, key = self.engine, self._spool, self._key
        with engine.gate:
            batch = engine.core.cut(lane, time.monotonic())
            if batch is None:
                engine.gate.notify()
        engine.tell()
        if batch is None or spool is None or key is None:
            return False
        stored = self._append(spool, key, batch)
        with engine.gate:
            if stored:
                engine.core.stored(batch)
                engine.progressed_at = time.monotonic()
            else:
                engine.core.failed(batch, time.monotonic())
            engine.gate.notify()
        return stored

    def _append(self, spool: Spool, key: spool_key.SpoolKey, batch: Batch) -> bool:
        rows = tuple(Row(item.event_id, item.sequence, item.dropped) for item in batch.items)
        request = self.engine.writer.write(item.wire for item in batch.items)
        try:
            if spool.append(key, rows, request):
                return True
        except OSError as error:
            self.disk_failed(error)
            return False
        self._store_at = time.monotonic() + DISK_PAUSE_S
        self.engine.notices.warn("spool full", f"the spool is full ({spool.size_bytes} bytes); events wait in memory")
        return False

    def disk_failed(self, error: OSError) -> None:
        """The spool is left alone for a while."""
        self._disk_at = time.monotonic() + DISK_PAUSE_S
        self.engine.notices.warn("spool", f"the spool's disk failed: {error.strerror}; events wait in memory")

    def _ask_key(self) -> None:
        self._key_ask_at = time.monotonic() + KEY_PAUSE_S
        timeout_s = min(KEY_TIMEOUT_MS, self.engine.options.rpc_timeout_ms) / 1_000
        answer = self.call(Method.GET_SPOOL_KEY, GetSpoolKeyRequest().SerializeToString(), timeout_s)
        if isinstance(answer, Failure):
            self.engine.notices.warn("spool key", f"the gateway gave no key for the spool: {answer.code}")
            return
        try:
            key = spool_key.from_answer(GetSpoolKeyResponse.FromString(answer))
        except DecodeError:
            key = None
        if key is None or self._spool is None:
            self.engine.notices.warn("spool key", "the gateway's key for the spool is not usable")
            return
        self._key = key
        try:
            spool_key.store(key, self._spool.root)
        except OSError as error:
            self.disk_failed(error)
