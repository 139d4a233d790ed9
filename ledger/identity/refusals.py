"""Every refusal an Access event, and a bound on how many.

A refusal is sealed in the tenant it was about where that is one of the caller's, else in `_org`: what somebody tried on
a tenant that is not his, and what nobody known tried, is the company's matter, and no tenant's log tells of it.

**A flood cannot fill the log.** In each window of `WINDOW_S` a process lists at most `EACH_MAX` refusals of one caller
and `ALL_MAX` in all (everybody without a valid credential is one caller); those beyond are counted, and the window ends
with one Access of how many there were, by call. So a process writes at most `ALL_MAX` + 1 events a window, whatever is
done to it, and no refusal is uncounted.

A refusal is answered at once and sealed behind the answer: nothing was shown, and an answer that waited would let
callers see the work it causes. What could not be sealed (the gateway is away) is counted into the next window's sum; a
process that is killed loses what it has not sealed yet. At a drain the rest is sealed, as far as `CLOSE_S` allows.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from ledger import __version__
from ledger.client.ids import event_id
from ledger.errors import LedgerError
from ledger.gateway.faults import report_fault
from ledger.identity.errors import Denied, Unauthenticated
from ledger.tenants import ORG, SYSTEM
from ledger.v1 import event_pb2 as pb

log = logging.getLogger(__name__)

WINDOW_S = 60.0
EACH_MAX = 10
ALL_MAX = 60
CALLERS_MAX = 1_000
"""Different callers counted by name in a window; all beyond them are counted as one."""
CLOSE_S = 5.0
NOBODY = "unauthenticated"

_QUERY_KINDS = {
    "Reconstruct": pb.QUERY_KIND_RECONSTRUCT,
    "Replay": pb.QUERY_KIND_REPLAY,
    "Find": pb.QUERY_KIND_FIND,
    "Count": pb.QUERY_KIND_FIND,
    "Coverage": pb.QUERY_KIND_FIND,
    "Sql": pb.QUERY_KIND_SQL,
    "Prove": pb.QUERY_KIND_PROVE,
}
_TENANT = re.compile(r"_org|_system|[a-z0-9][a-z0-9._-]{0,62}")

Publish = Callable[[str, pb.Event], Awaitable[None]]


@dataclass(slots=True)
class _Window:
    """What this window has had."""

    ends_s: float
    listed: int = 0
    by_caller: Counter[str] = field(default_factory=Counter)
    beyond: Counter[str] = field(default_factory=Counter)


class RefusalLog:
    """Seals refusals through `publish`. Belongs to one event loop; `run` it, and `close` it."""

    def __init__(self, publish: Publish, service: str) -> None:
        self._publish = publish
        self._service = service
        self._waiting: asyncio.Queue[tuple[str, str, pb.Event]] = asyncio.Queue(ALL_MAX)
        self._at_work: tuple[str, str, pb.Event] | None = None
        self._window = _Window(asyncio.get_running_loop().time() + WINDOW_S)

    def refused(self, call: str, error: Denied | Unauthenticated) -> None:
        """Take note of a refusal. Returns at once."""
        denied = error if isinstance(error, Denied) else None
        who = NOBODY if denied is None else denied.who
        window = self._window
        counted = who if who in window.by_caller or len(window.by_caller) < CALLERS_MAX else NOBODY
        window.by_caller[counted] += 1
        if window.by_caller[counted] > EACH_MAX or window.listed >= ALL_MAX:
            window.beyond[call] += 1
            return
        said = {"call": call, "why": error.why}
        sealed_in, role, case_id = ORG, "", ""
        if denied is not None:
            said["tenant"] = denied.tenant if _TENANT.fullmatch(denied.tenant) else "not a name"
            sealed_in = denied.tenant if denied.owns and denied.tenant != SYSTEM else ORG
            role, case_id = denied.role, denied.case_id
        event = self._event(who, role, case_id, _QUERY_KINDS.get(call, pb.QUERY_KIND_UNSPECIFIED), said)
        try:
            self._waiting.put_nowait((call, sealed_in, event))
            window.listed += 1
        except asyncio.QueueFull:
            window.beyond[call] += 1

    async def run(self) -> None:
        """Seal what is refused, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout_at(self._window.ends_s):
                    waiting = await self._waiting.get()
            except TimeoutError:
                await self._end_window(loop.time() + WINDOW_S)
            else:
                self._at_work = waiting
                await self._seal(*waiting)
                self._at_work = None

    async def close(self) -> None:
        """Seal what is waiting, and the sum of the window, within `CLOSE_S`. Call it when `run` has ended."""
        try:
            async with asyncio.timeout(CLOSE_S):
                if self._at_work is not None:
                    # Cut off in its publication: the same event again, which is a repeat if it got through.
                    await self._seal(*self._at_work)
                while not self._waiting.empty():
                    await self._seal(*self._waiting.get_nowait())
                await self._end_window(float("inf"))
        except TimeoutError:
            log.warning("refusals could not be sealed in time")

    async def _end_window(self, next_ends_s: float) -> None:
        window, self._window = self._window, _Window(next_ends_s)
        if not window.beyond:
            return
        said = {"refused_and_not_listed": sum(window.beyond.values()), "by_call": dict(sorted(window.beyond.items()))}
        try:
            sealed = await self._try(ORG, self._event(self._service, "", "", pb.QUERY_KIND_UNSPECIFIED, said))
        except asyncio.CancelledError:
            self._window.beyond += window.beyond
            raise
        if not sealed:
            self._window.beyond += window.beyond

    async def _seal(self, call: str, tenant: str, event: pb.Event) -> None:
        if not await self._try(tenant, event):
            self._window.beyond[call] += 1

    async def _try(self, tenant: str, event: pb.Event) -> bool:
        try:
            await self._publish(tenant, event)
        except LedgerError as error:
            log.warning("a refusal could not be sealed: %s", error)
        except Exception as error:
            report_fault(error, "sealing a refusal")
        else:
            return True
        return False

    def _event(self, who: str, role: str, case_id: str, kind: pb.QueryKind, said: Mapping[str, object]) -> pb.Event:
        event = pb.Event(event_id=event_id(), phase=pb.PHASE_SINGLE)
        event.occurred_at.GetCurrentTime()
        event.producer.service = self._service
        event.producer.version = __version__
        event.producer.capture_path = pb.CAPTURE_PATH_STUB
        event.classification = pb.CLASSIFICATION_CONFIDENTIAL
        access = event.access
        access.reader, access.role, access.case_id = who, role, case_id
        access.query_kind = kind
        access.result = pb.ACCESS_RESULT_REFUSED
        access.query.media_type = "application/json"
        access.query.text = json.dumps({"refused": said}, ensure_ascii=False, sort_keys=True)
        return event


@asynccontextmanager
async def sealing(refusals: RefusalLog) -> AsyncIterator[None]:
    """Runs it meanwhile, and closes it."""
    running = asyncio.create_task(refusals.run())
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await refusals.close()
