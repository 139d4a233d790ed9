"""The lock around a client's queue, safe against the application's interruptions.

A signal handler, or a destructor that the garbage collector runs, may emit an event at any point of any thread: also of
a thread that is in the middle of changing the queue. The lock is reentrant, so that such a call does not wait for its
own thread for ever; and `inside` tells it that the queue is not whole just now, so that it leaves its event aside
instead of touching it. Only the thread that holds the lock can see `inside` true.
"""

from __future__ import annotations

import threading


class Gate:
    """`with gate:` is for the client's own threads; `emit` looks at `inside` first."""

    __slots__ = ("_changed", "_lock", "inside")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self.inside = False

    def acquire(self) -> bool:
        """Takes the lock; True when this thread was inside already: then it must change nothing."""
        self._lock.acquire()
        return self.inside

    def release(self) -> None:
        """Gives back what `acquire` took."""
        self._lock.release()

    def __enter__(self) -> None:
        self._lock.acquire()
        self.inside = True

    def __exit__(self, *_: object) -> None:
        self.inside = False
        self._lock.release()

    def wait(self, timeout_s: float | None) -> None:
        """Inside `with`: lets others in until `notify`, or for `timeout_s`."""
        self.inside = False
        try:
            self._changed.wait(timeout_s)
        finally:
            self.inside = True

    def notify(self) -> None:
        """Wakes all who wait. The lock must be held."""
        self._changed.notify_all()
