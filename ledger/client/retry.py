"""What an unanswered call means, and when to try again. Pure: no clock, no gRPC.

- `AWAY` (UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL and all that is not named here): again later. The outcome may be
  unknown; event ids make that safe.
- `BUSY` (RESOURCE_EXHAUSTED with `retry-after-ms`): again when the gateway said.
- `TOO_LARGE` (RESOURCE_EXHAUSTED without it): again later, in smaller batches.
- `REFUSED` (INVALID_ARGUMENT, OUT_OF_RANGE): halve the batch until one event is left, and count that one rejected.
- `DENIED` (NOT_FOUND for the tenant, UNAUTHENTICATED, PERMISSION_DENIED, UNIMPLEMENTED): the operator can mend it, so
  again later, to the event's deadline. A durable emit fails at once.
- `GONE` (FAILED_PRECONDITION): of a spooled frame: its key is destroyed, it is lost. Of other calls: like `AWAY`.
- `INTERRUPTED` (no gRPC status): cut off by this process for a fork or a close; again at once.

The pause after failure n is drawn evenly from [half, whole] of min(longest, first * 2^(n-1)); a retry hint of the
gateway is kept to (up to `HINT_MAX_MS`) with up to a tenth on top, so that producers told the same do not come back as
one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from random import Random

HINT_MAX_MS = 60_000


class FailureKind(Enum):
    """Who is at fault, as far as the answer tells."""

    AWAY = "away"
    BUSY = "busy"
    TOO_LARGE = "too large"
    REFUSED = "refused"
    DENIED = "denied"
    GONE = "gone"
    INTERRUPTED = "interrupted"


NOT_STARTED = "the call could not start"
_NOT_SENT = ("failed to connect to all addresses", NOT_STARTED)

_KINDS = {
    "INVALID_ARGUMENT": FailureKind.REFUSED,
    "OUT_OF_RANGE": FailureKind.REFUSED,
    "NOT_FOUND": FailureKind.DENIED,
    "UNAUTHENTICATED": FailureKind.DENIED,
    "PERMISSION_DENIED": FailureKind.DENIED,
    "UNIMPLEMENTED": FailureKind.DENIED,
    "FAILED_PRECONDITION": FailureKind.GONE,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that got no answer. `code` is gRPC's name of the status; `detail` the gateway's words, shortened."""

    kind: FailureKind
    code: str
    detail: str = ""
    retry_after_ms: int | None = None

    @property
    def never_sent(self) -> bool:
        """Whether it is certain that nothing of the call left this process.

        gRPC has no status for that, only words; where it finds others, it is not certain.
        """
        return self.code == "UNAVAILABLE" and self.detail.startswith(_NOT_SENT)


MALFORMED = Failure(FailureKind.AWAY, "MALFORMED_ANSWER")
"""What came back is not an answer to what was sent."""


def failure(code: str, detail: str, retry_after: str | None) -> Failure:
    """The failure that a gRPC status and the trailer `retry-after-ms`, if any, stand for."""
    hint = int(retry_after) if retry_after is not None and retry_after.isascii() and retry_after.isdigit() else None
    if code == "RESOURCE_EXHAUSTED":
        kind = FailureKind.TOO_LARGE if hint is None else FailureKind.BUSY
    else:
        kind = _KINDS.get(code, FailureKind.AWAY)
    return Failure(kind, code, detail, hint)


class Backoff:
    """The pauses of one lane: grows with failures in a row, starts anew after a success. Times in seconds."""

    __slots__ = ("_first_ms", "_longest_ms", "_random", "failures", "until")

    def __init__(self, first_ms: int, longest_ms: int, random: Random) -> None:
        self._first_ms = first_ms
        self._longest_ms = longest_ms
        self._random = random
        self.failures = 0
        self.until = 0.0

    def failed(self, now: float, hint_ms: int | None = None) -> None:
        """Another failure in a row, at `now`: moves `until`."""
        self.failures += 1
        whole = min(self._longest_ms, self._first_ms * 2 ** min(self.failures - 1, 30))
        pause_ms = whole * self._random.uniform(0.5, 1.0)
        if hint_ms is not None:
            pause_ms = max(pause_ms, min(hint_ms, HINT_MAX_MS) * self._random.uniform(1.0, 1.1))
        self.until = now + pause_ms / 1_000

    def pause(self, now: float) -> None:
        """A short wait that is nobody's failure."""
        self.until = now + self._first_ms / 1_000

    def succeeded(self) -> None:
        """An answer came: the next failure is the first again."""
        self.failures = 0
        self.until = 0.0
