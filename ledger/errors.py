"""Errors, one base; a branch says who must act.

| branch            | who acts                                | exit code |
| ----------------- | --------------------------------------- | --------- |
| `Rejected`        | the producer: the event or call is wrong | 2        |
| `Misconfigured`   | the operator: settings, keys, arguments  | 2        |
| `Unavailable`     | nobody yet: retry after a while          | 3        |
| `IntegrityError`  | a person, now: evidence does not add up  | 1        |

A message says what is wrong, where, what was expected and what was found. It never holds event content or key
bytes: names of fields, sizes, digests, positions only.
"""

from __future__ import annotations


class LedgerError(Exception):
    """Base of every error this product raises on purpose."""

    exit_code = 1


class Rejected(LedgerError):
    """The producer sent something the ledger cannot take; sending it again unchanged cannot help.

    `field` is the path of the offending field in the protobuf event (``request.model_requested``), "" for the whole.
    """

    exit_code = 2

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


class Misconfigured(LedgerError):
    """A setting, a key or an argument is wrong or missing; the operator must change it."""

    exit_code = 2


class Unavailable(LedgerError):
    """Something outside is away; the same call may succeed later. `retry_after_ms` is a hint."""

    exit_code = 3

    def __init__(self, message: str, retry_after_ms: int = 1_000) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class OutcomeUnknown(Unavailable):
    """An append timed out after it was sent: it may or may not be durable. Event ids make sending it again safe."""


class IntegrityError(LedgerError):
    """Evidence contradicts itself. Writers stop; nothing is skipped or repaired."""

    exit_code = 1
