"""The steps of a tenant's deletion in their order, from wherever it stopped: `ledger.keys.tenant_deletion` has them.

Whoever calls `go_on` may be killed anywhere; the next call, of any process, goes on with the step that was not done.
Between two steps nothing is kept but the phase in the key store, and what rounds have committed.

1. Gateways take nothing of others any more, and it is waited until none of them can think otherwise. What was accepted
   is sealed. Without an export of all events that others than the ledger wrote, it stops here, and can be exported.
2. The last event of each log is published and sealed; what slips in behind it makes another one necessary. Then nothing
   of the tenant is taken at all, and it is waited until every sealer knows.
3. The keys are destroyed, and every row that stood under them.
4. The final statement is signed: sizes and roots by the published rounds.
5. A round commits it in each log. Compaction moves what else stands in files that hold rows of the tenant; then the
   files go, and what was derived from them. Only when none is left, that is done.
6. `_org` is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ledger.deletion.ending import Endings, LogEnd
from ledger.deletion.events import ATTEMPTS_MAX, closing_event, closing_event_id, done_event
from ledger.deletion.proposing import propose_deletion
from ledger.deletion.remains import files_of, remove_derived, remove_own
from ledger.errors import IntegrityError, Unavailable
from ledger.final_statement import FinalLog, FinalStatement, sign_final_statement
from ledger.gateway.own import OwnPublisher
from ledger.keys.deletion_record import TenantDeletion
from ledger.keys.tenant_deletion import TenantDeletions
from ledger.segments.objects import FileStore
from ledger.tenants import ORG, Tenant, TenantRegistry
from ledger.tlog.checkpoint import sign_checkpoint
from ledger.tlog.note import NoteSigner
from ledger.trust import TrustedKeys

PATIENCE = 20
PAUSE_S = 0.5
COMMIT_ATTEMPTS = 5


class Rounds(Protocol):
    """Has rounds published, whoever does it."""

    async def seal(self) -> None:
        """Return when all that the event log holds, and every proposal that can be taken, is sealed."""

    async def compact(self) -> None:
        """Move rows into files of their own log, have that committed, and remove what is superseded, at once."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a deletion works with.

    `check_export` raises unless the tenant was exported. `remains`: what the final statement says is left, and why.
    """

    deletions: TenantDeletions
    tenants: TenantRegistry
    store: FileStore
    derived: Path
    trust: Callable[[], TrustedKeys]
    publisher: OwnPublisher
    rounds: Rounds
    signer: Callable[[int], NoteSigner]
    check_export: Callable[[Tenant, list[LogEnd]], None]
    ledger_name: str
    build: str
    remains: tuple[str, ...]
    now_ms: Callable[[], int]


class TenantProceeding:
    """Carries deletions out."""

    def __init__(
        self,
        parts: Parts,
        on_step: Callable[[str], None] = lambda step: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._parts = parts
        self._work = parts.deletions
        self._endings = Endings(parts.store, parts.trust)
        self._on_step = on_step
        self._sleep = sleep

    async def go_on(self, tenant_name: str) -> TenantDeletion:
        """Every step that is left; the deletion when it is done."""
        found = await asyncio.to_thread(self._work.get, tenant_name)
        tenant = self._parts.tenants.get(tenant_name)
        if tenant is None:
            raise IntegrityError(f"deletion of {tenant_name}: the tenant is not there")
        if not found.reached("ended"):
            await self._end(tenant, found)
        if not found.reached("destroyed"):
            await self._destroy(tenant)
        if not found.reached("cleared"):
            self._on_step("deleting what stood under its keys")
            await self._patiently(lambda: self._work.clear(tenant.name))
        if not found.reached("stated"):
            self._on_step("signing the final statement")
            await asyncio.to_thread(self._state, tenant)
        if not found.reached("removed"):
            await self._remove(tenant)
        if not found.finished:
            self._on_step("recording the end in _org")
            done = await asyncio.to_thread(self._work.get, tenant.name)
            await self._parts.publisher.publish(ORG, [done_event(done, self._parts.build)])
            await asyncio.to_thread(self._work.finish, tenant.name)
        return await asyncio.to_thread(self._work.get, tenant.name)

    async def _end(self, tenant: Tenant, found: TenantDeletion) -> None:
        if left := self._work.may_end_in_s(found):
            self._on_step(f"waiting {left:.0f} s until no process takes its events any more")
            while left := self._work.may_end_in_s(found):
                await self._sleep(left)
        self._on_step("sealing what was accepted")
        await self._parts.rounds.seal()
        if not found.without_export:
            ends = await asyncio.to_thread(self._endings.of, tenant)
            await asyncio.to_thread(self._parts.check_export, tenant, ends)
        self._on_step("sealing the last event")
        await self._seal_last_event(tenant, found)
        await asyncio.to_thread(self._work.end, tenant.name)

    async def _seal_last_event(self, tenant: Tenant, found: TenantDeletion) -> None:
        """Until each log ends with one."""
        for _ in range(ATTEMPTS_MAX):
            missing = await asyncio.to_thread(self._missing_last_events, tenant, found)
            if not missing:
                return
            for end, attempt in missing:
                event = closing_event(found, tenant, end.log, attempt, self._parts.build)
                await self._parts.publisher.publish(tenant.name, [event])
            await self._parts.rounds.seal()
        raise Unavailable(f"tenant {tenant.name}: events come in behind its last one; is a gateway of old at work?")

    def _missing_last_events(self, tenant: Tenant, found: TenantDeletion) -> list[tuple[LogEnd, int]]:
        """The logs that do not end with one, each with the first attempt that is not sealed."""
        missing = []
        for end in self._endings.of(tenant, found.closed_at_ms):
            ids = [closing_event_id(found, tenant, end.log, attempt) for attempt in range(ATTEMPTS_MAX)]
            sealed = self._endings.find(end, ids)
            for attempt, event_id in enumerate(ids):
                index = sealed.get(event_id)
                if index is None:
                    missing.append((end, attempt))
                    break
                if index == end.head.size - 1:
                    break
            else:
                raise Unavailable(f"log {end.log.log_id.hex()}: other events come in behind each last one")
        return missing

    async def _destroy(self, tenant: Tenant) -> None:
        found = await asyncio.to_thread(self._work.get, tenant.name)
        while not found.reached("destroyed"):
            if left := self._work.may_destroy_in_s(found):
                self._on_step(f"waiting {left:.0f} s until no sealer takes its events any more")
                while left := self._work.may_destroy_in_s(found):
                    await self._sleep(left)
            await self._parts.rounds.seal()
            if await asyncio.to_thread(self._missing_last_events, tenant, found):
                # Something was sealed behind the last event before the sealer knew.
                await asyncio.to_thread(self._work.back_to_closing, tenant.name)
                found = await asyncio.to_thread(self._work.get, tenant.name)
                await self._seal_last_event(tenant, found)
                await asyncio.to_thread(self._work.end, tenant.name)
            else:
                self._on_step("destroying its keys")
                await asyncio.to_thread(self._work.destroy, tenant.name)
            found = await asyncio.to_thread(self._work.get, tenant.name)

    def _state(self, tenant: Tenant) -> None:
        parts, found = self._parts, self._work.get(tenant.name)
        at_ms = parts.now_ms()
        signer = parts.signer(at_ms * 1_000)
        logs = []
        for end in self._endings.of(tenant):
            under_origin = NoteSigner(end.log.origin, signer.public_key, signer.sign)
            note = sign_checkpoint(end.checkpoint, under_origin)
            logs.append(FinalLog(end.log.origin, end.head.size, end.head.edge.root(), note))
        statement = FinalStatement(
            ledger=parts.ledger_name,
            tenant=tenant.name,
            deletion_id=found.deletion_id,
            requester=found.request.requester,
            approvers=found.request.approvers,
            legal_ground=found.request.legal_ground,
            reason=found.request.reason,
            closed_at_ms=found.closed_at_ms,
            destroyed_at_ms=found.destroyed_at_ms or 0,
            destroyed=tuple((what, number) for what, number in found.counts.items()),
            logs=tuple(logs),
            remains=parts.remains,
            signed_at_ms=at_ms,
        )
        self._work.stated(tenant.name, sign_final_statement(statement, signer))

    async def _remove(self, tenant: Tenant) -> None:
        parts = self._parts
        found = await asyncio.to_thread(self._work.get, tenant.name)
        self._on_step("committing the final statement")
        for _ in range(COMMIT_ATTEMPTS):
            if await asyncio.to_thread(self._propose, tenant, found.statement):
                break
            await parts.rounds.seal()
        else:
            raise Unavailable(f"tenant {tenant.name}: no round took the final statement; `fsck` says what is proposed")
        self._on_step("moving other tenants' rows, and removing files")
        await asyncio.to_thread(remove_own, parts.store, tenant)
        if await asyncio.to_thread(files_of, parts.store, parts.trust, tenant):
            await parts.rounds.compact()
        await asyncio.to_thread(remove_derived, parts.derived, tenant)
        left = await asyncio.to_thread(files_of, parts.store, parts.trust, tenant)
        if left:
            raise Unavailable(f"tenant {tenant.name}: {len(left)} files with rows of it are still there, {left[0]}")
        await asyncio.to_thread(self._work.removed, tenant.name)

    def _propose(self, tenant: Tenant, statement: str) -> bool:
        """Whether all its logs are deleted; what is not is proposed."""
        proposed = [propose_deletion(self._parts.store, end, statement) for end in self._endings.of(tenant)]
        return not any(proposed)

    async def _patiently(self, step: Callable[[], None]) -> None:
        """A step that a reader can be in the way of."""
        for attempt in range(PATIENCE):
            try:
                return await asyncio.to_thread(step)
            except Unavailable:
                if attempt == PATIENCE - 1:
                    raise
                await self._sleep(PAUSE_S)
        return None
