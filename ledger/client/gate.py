"""The lock around a client's queue, safe against the application's interruptions.

A signal handler, or a destructor that the garbage collector runs, may emit an event at any point of any thread. That
asks for two things.

- It may interrupt a thread in the middle of changing the queue. The lock is reentrant, so that such a call does not
  wait for its own thread; and `inside` tells it that the queue is not whole just now. Only the thread that holds the
  lock can see `inside` true.
- A destructor that runs in the client's own thread, inside the lock, may wait for a lock of the application's, whose
  holder may be emitting. So the application never waits for this lock without a bound (`enter`). An emit that does not
  get in leaves its event aside instead.
"""

from __future__ import annotations

import threading


class Gate:
    """`with gate:` is for the client's own threads, `enter` and `leave` for the application's."""

    __slots__ = ("_changed", "_lock", "inside")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self.inside = False

    def enter(self, timeout_s: float) -> bool:
        """Takes the lock. False: not within `timeout_s`, or this thread is inside already; then change nothing."""
        if not self._lock.acquire(timeout=timeout_s):
            return False
        if self.inside:
            self._lock.release()
            return False
        self.inside = True
        return True

    def leave(self) -> None:
        """Gives back what `enter` took."""
        self.inside = False
        self._lock.release()

    def __enter__(self) -> None:
        self._lock.acquire()
        self.inside = True

    def __exit__(self, *_: object) -> None:
        self.leave()

    def wait(self, timeout_s: float | None) -> None:
        """Inside: lets others in until `notify`, or for `timeout_s`."""
        self.inside = False
        try:
            self._changed.wait(timeout_s)
        finally:
            self.inside = True

    def notify(self) -> None:
        """Inside: wakes all who wait."""
        self._changed.notify_all()
