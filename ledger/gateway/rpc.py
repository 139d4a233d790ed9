"""The edge of every call: whatever happens inside, the caller gets a documented status, and nothing else.

| inside                               | status              | trailer          |
| ------------------------------------ | ------------------- | ---------------- |
| `SpoolKeyGone`, `NotOffered`         | FAILED_PRECONDITION |                  |
| `Unauthenticated`                    | UNAUTHENTICATED     |                  |
| `Denied`                             | PERMISSION_DENIED   |                  |
| `UnknownTenant`                      | NOT_FOUND           |                  |
| `Rejected`, `InvalidCall`            | INVALID_ARGUMENT    |                  |
| `Busy`                               | RESOURCE_EXHAUSTED  | `retry-after-ms` |
| `Unavailable`, cut short by us       | UNAVAILABLE         | `retry-after-ms` |
| `IntegrityError`                     | UNAVAILABLE         |                  |
| `DeadlinePassed`, `TimeoutError`     | DEADLINE_EXCEEDED   |                  |
| `NotImplementedHere`                 | UNIMPLEMENTED       |                  |
| anything else                        | INTERNAL, an id     |                  |

Only what a `Rejected`, an `Unauthenticated` or a `Denied` says is told: it names fields and sizes. Other messages hold
paths or positions of ours. Every `Unauthenticated` and every `Denied` is also told to `on_refused`, which seals it.

A handler that ends with `CancelledError` leaves its caller waiting for ever. It may do so only when gRPC itself
cancelled it, because the caller left or the server stopped: then the call is ended already.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc

from ledger.errors import IntegrityError, LedgerError, Rejected, Unavailable
from ledger.gateway.admission import Busy
from ledger.gateway.faults import report_fault
from ledger.gateway.metrics import GatewayMetrics
from ledger.gateway.publisher import DeadlinePassed, UnknownTenant
from ledger.identity.errors import Denied, Unauthenticated
from ledger.keys.spool import SpoolKeyGone

RETRY_AFTER = "retry-after-ms"

Trailers = tuple[tuple[str, str | bytes], ...]

Context = grpc.aio.ServicerContext[bytes, bytes]
Handler = Callable[[bytes, Context], Awaitable[bytes]]


class NotOffered(LedgerError):
    """This gateway cannot do that."""


class NotImplementedHere(LedgerError):
    """No gateway does that."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a call ends that does not succeed."""

    code: grpc.StatusCode
    text: str
    retry_after_ms: int | None = None


def retry_hint(refusal: Refusal) -> Trailers:
    """The trailers of a refusal."""
    return () if refusal.retry_after_ms is None else ((RETRY_AFTER, str(refusal.retry_after_ms)),)


class Edge:
    """Wraps the handlers of one gateway."""

    def __init__(
        self,
        metrics: GatewayMetrics,
        on_integrity_error: Callable[[IntegrityError], None],
        on_refused: Callable[[str, Denied | Unauthenticated], None] = lambda _method, _error: None,
    ) -> None:
        self._metrics = metrics
        self._on_integrity_error = on_integrity_error
        self._on_refused = on_refused

    def guard(
        self,
        method: str,
        handler: Handler,
        trailers: Callable[[Refusal], Trailers] = retry_hint,
        ending: Callable[[Refusal], Refusal] = lambda refusal: refusal,
    ) -> Handler:
        """The handler as gRPC may call it. `ending` says how its refusals end, `trailers` with which trailers."""

        async def guarded(request: bytes, context: Context) -> bytes:
            began = time.monotonic()

            def ended(code: grpc.StatusCode) -> None:
                self._metrics.called(method, code.name, time.monotonic() - began, len(request))

            response, refusal = b"", None
            try:
                response = await handler(request, context)
            except asyncio.CancelledError:
                if _is_cancelled():
                    ended(grpc.StatusCode.CANCELLED)
                    raise
                refusal = Refusal(grpc.StatusCode.UNAVAILABLE, "the gateway cut the call short; send it again", 1_000)
            except Exception as error:
                refusal = self.refusal(error, method)
            if refusal is not None:
                refusal = ending(refusal)
            ended(grpc.StatusCode.OK if refusal is None else refusal.code)
            if refusal is not None:
                await context.abort(refusal.code, refusal.text, trailers(refusal))
            return response

        return guarded

    def refusal(self, error: Exception, method: str) -> Refusal:
        """How a call ends that ended so inside. What has to be told to somebody else is told."""
        match error:
            case SpoolKeyGone():
                return Refusal(grpc.StatusCode.FAILED_PRECONDITION, str(error))
            case NotOffered():
                return Refusal(grpc.StatusCode.FAILED_PRECONDITION, str(error))
            case NotImplementedHere():
                return Refusal(grpc.StatusCode.UNIMPLEMENTED, str(error))
            case Unauthenticated():
                self._on_refused(method, error)
                return Refusal(grpc.StatusCode.UNAUTHENTICATED, str(error))
            case Denied():
                self._on_refused(method, error)
                return Refusal(grpc.StatusCode.PERMISSION_DENIED, str(error))
            case UnknownTenant():
                return Refusal(grpc.StatusCode.NOT_FOUND, str(error))
            case Rejected():
                return Refusal(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            case Busy():
                text = "the gateway has too much in work; come back later"
                return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, text, error.retry_after_ms)
            case Unavailable():
                text = "not available now; nothing of this call was acknowledged, sending it again is safe"
                return Refusal(grpc.StatusCode.UNAVAILABLE, text, error.retry_after_ms)
            case DeadlinePassed() | TimeoutError():
                return Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed")
            case IntegrityError():
                self._on_integrity_error(error)
                return Refusal(grpc.StatusCode.UNAVAILABLE, "the gateway has stopped; its operator must act")
            case _:
                self._metrics.fault()
                return Refusal(grpc.StatusCode.INTERNAL, f"internal error {report_fault(error, method)}")


def _is_cancelled() -> bool:
    """Whether somebody cancelled this very task, as gRPC does; a cancelled inner one looks the same otherwise."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
