"""How the gateway is: looked after here, told through grpc.health.v1 and `/healthz`.

SERVING means that an event sent now can be expected to be taken. The gateway is NOT_SERVING before it has started,
while its event log or its key store (`ledger.gateway.key_watch`) does not work, and from the moment it begins to stop.
The whole server (""), IngestService and the OTLP services have this status; no other service is known.

The event log does not work when a look at it says so, and when appends fail again and again whatever a look says: the
rules are those of `ledger.gateway.streak`. The third failure in a row makes the gateway NOT_SERVING at once; the next
append that succeeds, or a trial once looks find nothing, makes it SERVING.
"""

from __future__ import annotations

import asyncio
import logging

import grpc
from grpc_health.v1 import health_pb2

from ledger.errors import IntegrityError, LedgerError
from ledger.gateway.faults import report_fault
from ledger.gateway.metrics import AppendOutcome, GatewayMetrics
from ledger.gateway.otlp.signals import SIGNALS
from ledger.gateway.service import SERVICE
from ledger.gateway.streak import AppendStreak
from ledger.log.interface import EventLog

log = logging.getLogger(__name__)

LOOK_TIMEOUT_S = 5.0
KNOWN = ("", SERVICE, *(each.service for each in SIGNALS))
"""The services that have a status."""

EVENT_LOG = "event log"
KEY_STORE = "key store"
"""What must work so that an event can be taken."""

_HealthContext = grpc.aio.ServicerContext[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse]


class Health:
    """A grpc.health.v1 servicer: the status, for whoever asks or watches.

    Belongs to one event loop; `serving` may be read from any thread.
    """

    def __init__(self) -> None:
        self.serving = False
        self._works = {EVENT_LOG: False, KEY_STORE: False}
        self._said: dict[str, str | None] = {EVENT_LOG: None, KEY_STORE: None}
        self._closed = False
        self._changed = asyncio.Condition()

    async def state(self, part: str, problem: str | None) -> None:
        """State what is wrong with a part (None: it works); the log has each change.

        The status is SERVING while all parts work. Once closed it stays NOT_SERVING.
        """
        if problem != self._said[part]:
            self._said[part] = problem
            if problem is None:
                log.info("the %s works", part)
            else:
                log.warning("the %s does not work: %s", part, problem)
        self._works[part] = problem is None
        serving = all(self._works.values())
        if self._closed or serving == self.serving:
            return
        async with self._changed:
            self.serving = serving
            self._changed.notify_all()

    async def close(self) -> None:
        """NOT_SERVING for good; watchers are told, then their streams end."""
        async with self._changed:
            self.serving = False
            self._closed = True
            self._changed.notify_all()

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: _HealthContext
    ) -> health_pb2.HealthCheckResponse:
        """The status now; NOT_FOUND for a service this server does not have."""
        if request.service not in KNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return health_pb2.HealthCheckResponse(status=self._status(request.service))

    async def List(
        self, _request: health_pb2.HealthListRequest, _context: _HealthContext
    ) -> health_pb2.HealthListResponse:
        """The status of every service."""
        statuses = {name: health_pb2.HealthCheckResponse(status=self._status(name)) for name in KNOWN}
        return health_pb2.HealthListResponse(statuses=statuses)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: _HealthContext) -> None:
        """The status now and whenever it changes."""
        last: int | None = None
        while True:
            # Not written under the lock: a caller who does not read would hold up everybody else.
            closed, status = self._closed, self._status(request.service)
            if status != last:
                await context.write(health_pb2.HealthCheckResponse(status=status))
                last = status
            if closed:
                return
            async with self._changed:
                if (self._closed, self._status(request.service)) == (closed, status):
                    await self._changed.wait()

    def _status(self, service: str) -> int:
        known = health_pb2.HealthCheckResponse
        if service not in KNOWN:
            return int(known.SERVICE_UNKNOWN)
        return int(known.SERVING if self.serving else known.NOT_SERVING)


class LogWatch:
    """Looks at the event log again and again, and hears how appends end."""

    def __init__(self, event_log: EventLog, health: Health, metrics: GatewayMetrics, every_s: float) -> None:
        self._log = event_log
        self._health = health
        self._metrics = metrics
        self._every_s = every_s
        self._streak = AppendStreak()
        self._looked: str | None = None

    async def run(self) -> None:
        """Look, for ever. `IntegrityError` when the log says that it went back."""
        while True:
            await self.look()
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        """Look once, and state what was seen."""
        self._looked = await self._problem()
        if self._looked is None:
            self._streak.try_again(asyncio.get_running_loop().time())
        await self._state()

    async def appended(self, outcome: AppendOutcome, began: float, allowed_s: float) -> None:
        """Hear of an append that began then, in the event loop's time, and had `allowed_s`."""
        was = self._streak.refusing
        if outcome == "durable":
            self._streak.succeeded()
            if was:
                # What the last look found is older than this success.
                self._looked = None
        elif outcome not in ("integrity", "not_begun"):
            self._streak.failed(began, asyncio.get_running_loop().time(), allowed_s)
        self._metrics.append_failures(self._streak.failures)
        if self._streak.refusing != was:
            await self._state()

    async def _state(self) -> None:
        problem = self._looked
        if problem is None and self._streak.refusing:
            problem = f"{self._streak.failures} appends in a row failed"
        self._metrics.event_log_up(problem is None)
        await self._health.state(EVENT_LOG, problem)

    async def _problem(self) -> str | None:
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                await self._log.healthy()
        except IntegrityError:
            raise
        except TimeoutError:
            return f"no answer within {LOOK_TIMEOUT_S} s"
        except LedgerError as error:
            return str(error)
        except Exception as error:
            return f"fault {report_fault(error, 'looking at the event log')}"
        return None
