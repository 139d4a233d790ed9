"""How much may be in work at once: calls, and the bytes of their requests.

Whoever comes when it is too much is turned away at once, with a hint when to come back, before anything was done for
him: a queue would only turn away later, and slower. What is admitted stays counted until its work has ended, also when
its caller has gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ledger.errors import Unavailable


class Busy(Unavailable):
    """Too much in work; come back after `retry_after_ms`."""


class Admission:
    """Counts on one event loop."""

    def __init__(self, calls_max: int, bytes_max: int, retry_after_ms: int) -> None:
        self._calls_max = calls_max
        self._bytes_max = bytes_max
        self._retry_after_ms = retry_after_ms
        self._closed = False
        self.calls = 0
        self.bytes = 0

    @contextmanager
    def admit(self, size_bytes: int) -> Iterator[None]:
        """Room for one call while the block runs; `Busy`, or `Unavailable` once closed."""
        if self._closed:
            raise Unavailable("the gateway is stopping", self._retry_after_ms)
        if self.calls >= self._calls_max:
            raise Busy(f"{self.calls} calls are in work", self._retry_after_ms)
        # A single call always fits: the configuration holds the message limit below this one.
        if self.bytes + size_bytes > self._bytes_max:
            raise Busy(f"{self.bytes} bytes are in work", self._retry_after_ms)
        self.calls += 1
        self.bytes += size_bytes
        try:
            yield
        finally:
            self.calls -= 1
            self.bytes -= size_bytes

    def close(self) -> None:
        """Admit nobody any more."""
        self._closed = True
