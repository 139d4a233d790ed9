"""Event ids: UUIDv7 for events a producer makes, UUIDv8 for events derived from a source's own ids (RFC 9562).

UUIDv7, 16 bytes: 48 bits of Unix milliseconds, version, 12 + 62 random bits. Ids of one process never repeat and never
go back: inside one millisecond, and after the clock was set back, the 74 random bits grow by a random step instead of
being drawn anew; when they would overflow, the time does.

UUIDv8, 16 bytes: 48 bits of the milliseconds that the source states, version, then bits of

    SHA-256(text("audit-ledger/derived-event-id/v1") || each part: u64 length, bytes)

so that deriving it again from the same source gives the same id, and the ledger drops the repeat. Text parts are UTF-8.

A fork copies the generator: the child starts it anew, with a lock of its own.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from hashlib import sha256

TIME_MS_MAX = 2**48 - 1
RANDOM_BITS = 74
STEP_BITS = 32
LOCK_S = 0.05
_TAG = b"audit-ledger/derived-event-id/v1"
_VARIANT = 0b10 << 62


class IdClock:
    """Makes UUIDv7s that only grow. `now_ms` and `random_bytes` are the outside world."""

    __slots__ = ("_last", "_lock", "_now_ms", "_random_bytes")

    def __init__(self, now_ms: Callable[[], int], random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._now_ms = now_ms
        self._random_bytes = random_bytes
        # A signal handler or a destructor may make an id while its thread is making one (so the lock is reentrant), or
        # while its thread holds what another needs that is making one (so nobody waits for it for long: an id out of
        # order is better than a deadlock, and 73 random bits keep it unique).
        self._lock = threading.RLock()
        self._last = 0

    def next(self) -> bytes:
        """The next id, larger than every one before it."""
        random = int.from_bytes(self._random_bytes(10), "big")
        # The top random bit starts as 0: room to step inside the millisecond.
        value = (self._now_ms() << RANDOM_BITS) | (random >> 7)
        if self._lock.acquire(timeout=LOCK_S):
            try:
                if value <= self._last or value >> RANDOM_BITS == self._last >> RANDOM_BITS:
                    value = self._last + 1 + (random & (2**STEP_BITS - 1))
                self._last = value
            finally:
                self._lock.release()
        return _lay_out(value >> RANDOM_BITS, 7, value & (2**RANDOM_BITS - 1))


def _lay_out(time_ms: int, version: int, bits: int) -> bytes:
    """A UUID's 16 bytes from its time, version and 74 further bits."""
    high = (time_ms << 16) | (version << 12) | (bits >> 62)
    return ((high << 64) | _VARIANT | (bits & (2**62 - 1))).to_bytes(16, "big")


def _wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


_clock = IdClock(_wall_clock_ms)


def event_id() -> bytes:
    """A new event id: UUIDv7, 16 bytes, larger than every one this process made before."""
    return _clock.next()


def derived_event_id(time_ms: int, *parts: str | bytes) -> bytes:
    """The event id (UUIDv8, 16 bytes) of what a source calls `parts` and places at `time_ms` (Unix milliseconds)."""
    if not 0 <= time_ms <= TIME_MS_MAX:
        raise ValueError(f"expected a time of 0 to 2^48-1 ms, got {time_ms}")
    if not parts:
        raise ValueError("expected at least one part to derive an event id from")
    hasher = sha256(len(_TAG).to_bytes(8, "big") + _TAG)
    for part in parts:
        raw = part.encode("utf-8") if isinstance(part, str) else part
        hasher.update(len(raw).to_bytes(8, "big") + raw)
    return _lay_out(time_ms, 8, int.from_bytes(hasher.digest()[:10], "big") >> 6)


def _start_anew() -> None:
    global _clock
    _clock = IdClock(_wall_clock_ms)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
