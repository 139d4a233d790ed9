"""Log lines of a client that runs inside somebody else's program: few, short, without content.

One line of each kind in `interval_s`; the next one says how many it stands for. Never called from `emit`: a log handler
may be slow.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")
LOGGER = logging.getLogger("ledger.client")


class Notices:
    """The rate-limited log."""

    def __init__(self, interval_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._lock = threading.Lock()
        self._next: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def warn(self, kind: str, message: str) -> None:
        """Logs `message` unless one of this `kind` was logged within the interval."""
        with self._lock:
            now = self._clock()
            if now < self._next.get(kind, now):
                self._held[kind] = self._held.get(kind, 0) + 1
                return
            self._next[kind] = now + self._interval_s
            held = self._held.pop(kind, 0)
        # The application's handlers run here: what they raise must not end the client's threads.
        with suppress(Exception):
            LOGGER.warning("%s%s", message, f" ({held} like this were not logged)" if held else "")

    def call(self, what: str, function: Callable[[T], None], argument: T) -> None:
        """Runs a function of the application; what it raises becomes a log line, whose text names only the type."""
        try:
            function(argument)
        except BaseException as error:  # SystemExit too: in this thread it would end nothing but the client
            self.warn(f"callback {what}", f"{what} raised {type(error).__name__}; the client goes on")
