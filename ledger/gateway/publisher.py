"""One call, from its request's bytes to its answer; a call may hold the events of several tenants (OTLP).

    admission -> a worker thread: open the request, find the tenant, intake -> appends, side by side -> the answer

- **Nothing is acknowledged that is not durable.** An answer names a batch only after its append returned.
- **The work is the gateway's, not the caller's.** A caller who leaves, or whose deadline passes, does not interrupt an
  append under way; what became durable is remembered, so that he gets its receipt when he asks again.
- **It ends in time**: within the append deadline, and before the caller's own, so that he gets an answer and not a
  time-out.
- If the log took some of a call's batches, the events of the others are RETRY. If it took none, the call fails as a
  whole with `Unavailable`. An `IntegrityError` stops the gateway. Tenants of one call do not wait for each other, and
  what became durable of one stays so whatever becomes of the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from ledger.errors import IntegrityError, LedgerError, OutcomeUnknown, Rejected, Unavailable
from ledger.gateway.admission import Admission
from ledger.gateway.answer import publish_response
from ledger.gateway.batches import Batch
from ledger.gateway.faults import report_fault
from ledger.gateway.intake import Intake, Submitter
from ledger.gateway.metrics import AppendOutcome, GatewayMetrics
from ledger.gateway.remembered import AcknowledgedBatch, RememberedEvents
from ledger.gateway.verdicts import Prepared
from ledger.log.interface import EventLog
from ledger.tenants import SYSTEM, TenantRegistry
from ledger.v1 import ingest_pb2 as pb

log = logging.getLogger(__name__)

LOG_SHARE = 0.9
"""Of the time left, what the event log is told it has. One that takes longer is given up as unknown, still in time."""

CALLER_MARGIN = 0.1
CALLER_MARGIN_MAX_S = 0.5
"""What is left of the caller's time for the answer to reach him: this part of it, at most this long."""


class InvalidCall(Rejected):
    """The call as a whole is wrong."""


class UnknownTenant(Rejected):
    """There is no such tenant."""


class TenantClosed(UnknownTenant):
    """The tenant is deleted, or being deleted; it takes no events any more. Told to who may publish to it only."""


class DeadlinePassed(LedgerError):
    """The caller's time was over before anything was begun."""


@dataclass(frozen=True, slots=True)
class Request:
    """A call's events, not yet parsed one by one. `kinds` the caller may send to this tenant, None for all."""

    tenant: str
    events: Sequence[bytes]
    kinds: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class PublisherLimits:
    """See the settings of the same names."""

    batch_events_max: int
    append_deadline_s: float
    appends_in_flight_max: int


class Publisher:
    """Publishes calls, on one event loop."""

    def __init__(
        self,
        limits: PublisherLimits,
        admission: Admission,
        tenants: TenantRegistry,
        intake: Intake,
        event_log: EventLog,
        remembered: RememberedEvents,
        workers: Executor,
        metrics: GatewayMetrics,
        on_integrity_error: Callable[[IntegrityError], None],
        on_append: Callable[[AppendOutcome, float, float], Awaitable[None]],
    ) -> None:
        self._limits = limits
        self._admission = admission
        self._tenants = tenants
        self._intake = intake
        self._log = event_log
        self._remembered = remembered
        self._workers = workers
        self._metrics = metrics
        self._on_integrity_error = on_integrity_error
        self._on_append = on_append
        self._appends = asyncio.Semaphore(limits.appends_in_flight_max)
        self._work: set[asyncio.Task[tuple[pb.PublishResponse, ...]]] = set()

    async def publish(
        self, size_bytes: int, open_request: Callable[[], Request], submitter: Submitter, remaining_s: float | None
    ) -> pb.PublishResponse:
        """The answer to one call. `open_request` runs in a worker thread; `remaining_s` is the caller's time.

        Raises `Busy`, `InvalidCall`, `UnknownTenant`, `Unavailable`, `DeadlinePassed`, `IntegrityError`, and what
        `open_request` raises.
        """
        (response,) = await self.publish_each(size_bytes, lambda: (open_request(),), submitter, remaining_s)
        return response

    async def publish_each(
        self,
        size_bytes: int,
        open_requests: Callable[[], Sequence[Request]],
        submitter: Submitter,
        remaining_s: float | None,
    ) -> tuple[pb.PublishResponse, ...]:
        """The same for a call that is several requests: their answers, in their order."""
        until = asyncio.get_running_loop().time() + _time_for_us(remaining_s, self._limits.append_deadline_s)
        work = asyncio.get_running_loop().create_task(self._run(size_bytes, open_requests, submitter, until))
        self._work.add(work)
        work.add_done_callback(self._ended)
        return await asyncio.shield(work)

    async def drain(self) -> None:
        """Admit nobody any more, and return when the work under way has ended."""
        self._admission.close()
        while self._work:
            await asyncio.wait(self._work)

    def _ended(self, work: asyncio.Task[tuple[pb.PublishResponse, ...]]) -> None:
        self._work.discard(work)
        if not work.cancelled():
            work.exception()  # a caller who left will not ask for it

    async def _run(
        self, size_bytes: int, open_requests: Callable[[], Sequence[Request]], submitter: Submitter, until: float
    ) -> tuple[pb.PublishResponse, ...]:
        with self._admission.admit(size_bytes):
            calls = await self._prepared(open_requests, submitter, until)
            for prepared in calls:
                self._metrics.prepared(prepared)
            appended = await asyncio.gather(
                *(asyncio.gather(*(self._append(batch, until) for batch in each.batches)) for each in calls)
            )
            if any(each.batches for each in calls) and not any(any(durable) for durable in appended):
                raise Unavailable("the event log took nothing of this call")
            return tuple(publish_response(*each) for each in zip(calls, appended, strict=True))

    async def _prepared(
        self, open_requests: Callable[[], Sequence[Request]], submitter: Submitter, until: float
    ) -> list[Prepared]:
        """What a worker makes of the calls, in time: the key store may be slow, or away without saying so."""
        loop = asyncio.get_running_loop()
        work = self._workers.submit(self._prepare, open_requests, submitter, lambda: loop.time() > until)
        try:
            async with asyncio.timeout_at(until):
                return await asyncio.wrap_future(work)
        except TimeoutError:
            if work.cancelled():
                raise DeadlinePassed("the deadline passed while the call waited for a worker") from None
            raise Unavailable("the key store did not answer in time") from None

    def _prepare(
        self, open_requests: Callable[[], Sequence[Request]], submitter: Submitter, late: Callable[[], bool]
    ) -> list[Prepared]:
        """In a worker thread."""
        if late():
            raise DeadlinePassed("the deadline passed while the call waited for a worker")
        return [self._prepare_one(request, submitter) for request in open_requests()]

    def _prepare_one(self, request: Request, submitter: Submitter) -> Prepared:
        if not request.events:
            raise InvalidCall("events", "expected at least one, got none")
        if len(request.events) > self._limits.batch_events_max:
            raise InvalidCall("events", f"at most {self._limits.batch_events_max}, got {len(request.events)}")
        # What is in `_system` is written by sealers; nobody publishes to it.
        tenant = self._tenants.get(request.tenant) if request.tenant != SYSTEM else None
        if tenant is None:
            raise UnknownTenant("tenant", "there is no such tenant")
        if tenant.state != "open" and not (tenant.state == "closing" and submitter.is_ledger):
            raise TenantClosed("tenant", f"{tenant.name} is closed: it takes no events any more")
        allowed = submitter if request.kinds is None else replace(submitter, kinds=request.kinds)
        return self._intake.prepare(tenant, request.events, allowed)

    async def _append(self, batch: Batch, until: float) -> AcknowledgedBatch | None:
        """What is durable of the batch: all of it, or None where it isn't or that can't be told."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        outcome: AppendOutcome = "durable"
        try:
            async with asyncio.timeout_at(until):
                await self._appends.acquire()
        except TimeoutError:
            self._metrics.appended("not_begun", 0.0, batch)
            return None
        handed = loop.time()
        deadline_s = max(0.001, LOG_SHARE * (until - handed))
        try:
            async with asyncio.timeout_at(until):
                first = await self._log.append(batch.log.partition, batch.records, deadline_s)
        except (OutcomeUnknown, TimeoutError) as error:
            outcome = "unknown"
            log.warning("append to partition %d: %s", batch.log.partition, error or "not ended in time")
        except Unavailable as error:
            outcome = "unavailable"
            log.warning("append to partition %d: %s", batch.log.partition, error)
        except IntegrityError as error:
            outcome = "integrity"
            self._on_integrity_error(error)
        except Exception as error:
            # A refused batch is one too: it was cut to the size that the log itself had named.
            outcome = "fault"
            report_fault(error, f"append of {len(batch.records)} records to partition {batch.log.partition}")
        finally:
            self._appends.release()
        self._metrics.appended(outcome, loop.time() - began, batch)
        await self._on_append(outcome, handed, deadline_s)
        if outcome != "durable":
            return None
        return self._remember(batch, first + len(batch.records))

    def _remember(self, batch: Batch, next_offset: int) -> AcknowledgedBatch:
        done = AcknowledgedBatch(batch.log.log_id, batch.receipt, batch.entries, batch.log.partition, next_offset)
        self._remembered.add(done, (each.event.event_id for each in batch.events))
        return done


def _time_for_us(remaining_s: float | None, append_deadline_s: float) -> float:
    if remaining_s is None:
        return append_deadline_s
    return min(append_deadline_s, remaining_s - min(CALLER_MARGIN * remaining_s, CALLER_MARGIN_MAX_S))
