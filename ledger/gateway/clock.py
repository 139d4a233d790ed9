"""The time of receipt: the gateway's own clock, in Unix microseconds, which within a process never goes back.

A clock that was set back would let a later event claim to have come earlier; here it stands still until the time it had
shown is reached again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock


class ReceptionClock:
    """Safe for threads."""

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._now_ns = now_ns
        self._lock = Lock()
        self._last_us = 0

    def now_us(self) -> int:
        """Now, and never before what an earlier call returned."""
        with self._lock:
            self._last_us = max(self._last_us, self._now_ns() // 1_000)
            return self._last_us
