"""`Client`: the client of synchronous code. Its work is done by threads of its own; see `engine`.

Forks. A forked child gets a stream of its own: new boot id, empty queue, new channel, new part of the spool. What
waited at the fork is the parent's, and the parent goes on; see `transport` on what happens to calls in flight.

The end of the interpreter. Clients that nobody closed are closed then: for as long as events are still answered, at
most `exit_timeout_s`, and no longer than `exit_idle_s` without an answer. A process killed by a signal that has no
handler (SIGTERM, by default) gives no such chance: what was in memory is lost, and the missing close marker says so.
Close the client in the handler, or use a spool.
"""

from __future__ import annotations

import time
from concurrent.futures import TimeoutError as FutureTimeout
from types import TracebackType
from typing import Self, Unpack

from ledger.client import lifecycle
from ledger.client.engine import Engine, Patience
from ledger.client.items import Acknowledgement, Waiter
from ledger.client.options import Options, Settings
from ledger.client.stats import ClientStats
from ledger.errors import Unavailable
from ledger.v1.event_pb2 import Event

FLUSH_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 10.0
DURABLE_TIMEOUT_S = 10.0


class Client:
    """Emits events to a gateway without ever being in the way of the program it runs in.

    `to` is the gateway's HOST:PORT, `tenant` the tenant of every event; everything else is optional, see `Options`.
    `Misconfigured` when an option is wrong. Safe for threads.
    """

    def __init__(self, to: str, tenant: str, **settings: Unpack[Settings]) -> None:
        self._options = Options(to=to, tenant=tenant, **settings)
        self._engine = Engine(self._options)
        lifecycle.register(self)

    @property
    def options(self) -> Options:
        """What this client was told, defaults filled in."""
        return self._options

    @property
    def boot_id(self) -> bytes:
        """16 bytes: names this client's numbered stream. Another one in a forked child."""
        return self._engine.boot_id

    def emit(self, event: Event) -> bytes | None:
        """Queues an event and returns its id at once. Never blocks on the gateway, never raises (unless `strict`).

        The event is serialized before this returns: it may be changed or used again after. None: it was no event, or
        the client is closed; `stats().unusable` counts that.
        """
        return self._engine.emit(event)

    def emit_durable(self, event: Event, timeout_s: float = DURABLE_TIMEOUT_S) -> Acknowledgement:
        """Sends an event and returns when the gateway has it durably: for what must be on record before it is done.

        `Rejected`: the event (or the tenant, or the credential) was refused. `Unavailable`: no acknowledgement within
        `timeout_s`, the queue full, or the client closed. After `Unavailable` the event may be durable, or become so:
        it stays queued to its deadline. Emit the same event (same `event_id`) again to go on waiting for it, or say
        with another event of the same operation, phase CANCELLED, that nothing was done.
        """
        waiter = self.start_durable(event)
        try:
            return waiter.result(timeout_s)
        except FutureTimeout:
            raise Unavailable(f"not acknowledged within {timeout_s:g} s") from None
        finally:
            self.give_up(waiter)

    def start_durable(self, event: Event) -> Waiter:
        """The first half of `emit_durable`: a future of the acknowledgement. Whoever stops waiting calls `give_up`."""
        return self._engine.emit_durable(event)

    def give_up(self, waiter: Waiter) -> None:
        """Nobody waits for `waiter` any more; its event becomes an ordinary one. Nothing happens if it is answered."""
        if not waiter.done():
            self._engine.give_up(waiter)

    def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> bool:
        """Waits until everything emitted before is answered or dropped, the spool too. False: time ran out."""
        return self._engine.flush(timeout_s)

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Sends what is left and the close marker; what can't be sent goes to the spool, or is lost and logged.

        True when nothing was lost. Takes `timeout_s` at most, and up to 3 s more where a call or a disk hangs. Once
        closed, `emit` only counts.
        """
        closed = self._engine.close(timeout_s)
        lifecycle.forget(self)
        return closed

    def stats(self) -> ClientStats:
        """Counters since the start, or since the fork in a forked child."""
        return self._engine.stats()

    @property
    def is_away(self) -> bool:
        """Whether the gateway is away: the last call for ordinary events failed, and none succeeded since."""
        return self._engine.is_away

    def prepare_spool(self) -> None:
        """Asks the gateway for the spool's key now, in the background, not only once it answered an event: so that the
        first events already find a place when it is away. Without a spool nothing happens."""
        self._engine.prepare_spool()

    @property
    def can_spool(self) -> bool:
        """Whether events would find a place in the spool: there is one, with room, and a gateway's key to seal to."""
        return self._engine.can_spool

    def fault(self, what: str) -> None:
        """Counts and tells, from a thread of its own, what could not be made an event. Never blocks, never raises."""
        self._engine.fault(what)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- for `lifecycle` --------------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """In the forking process."""
        self._engine.transport.quiesce()

    def after_fork_in_parent(self) -> None:
        """In the forking process, afterwards."""
        self._engine.transport.resume()

    def after_fork_in_child(self) -> None:
        """In the new process: begins anew."""
        inherited = self._engine
        lifecycle.keep(inherited)
        inherited.forsake()
        self._engine = Engine(self._options, takes_over=False)

    def before_exit(self) -> None:
        """At the interpreter's end, before the first client is waited for: nothing lingers any more."""
        self._engine.hurry()

    def at_exit(self, began: float, end: float) -> None:
        """At the interpreter's end, which `began` then: closes, by `end` of the monotonic clock."""
        left_s = max(0.0, min(end, began + self._options.exit_timeout_s) - time.monotonic())
        self._engine.close(left_s, Patience(self._options.exit_idle_s, began))
