"""The steps of an erasure or expiry in their order, from wherever it stopped: `ledger.keys.destruction` has them.

Whoever calls `go_on` may be killed anywhere; the next call, of any process, goes on with the step that was not done.
Between two steps nothing is kept but the phase in the key store. Two who go on with the same one at once do each step
once between them, but for publishing: the event they publish twice is one event, and its repeat is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ledger.erasure.affected import SealedContents
from ledger.erasure.events import events_of
from ledger.errors import IntegrityError, Unavailable
from ledger.gateway.own import OwnPublisher
from ledger.keys.destruction import Destruction
from ledger.keys.erasure import Destructions
from ledger.tenants import Tenant, TenantRegistry

WIPE_ATTEMPTS = 20
WIPE_PAUSE_S = 0.5


class Proceeding:
    """Carries destructions out. `suppressed_s`: how long a person is remembered so that she is not made anew."""

    def __init__(
        self,
        destructions: Destructions,
        tenants: TenantRegistry,
        contents_of: Callable[[Tenant], SealedContents],
        publisher: OwnPublisher,
        build: str,
        suppressed_s: int,
        on_step: Callable[[str], None] = lambda step: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._destructions = destructions
        self._tenants = tenants
        self._contents_of = contents_of
        self._publisher = publisher
        self._build = build
        self._suppressed_s = suppressed_s
        self._on_step = on_step
        self._sleep = sleep

    async def go_on(self, destruction_id: bytes) -> Destruction:
        """Every step that is left; the destruction when it is done."""
        work = self._destructions
        found = await asyncio.to_thread(work.get, destruction_id)
        tenant = self._tenants.get(found.tenant)
        if tenant is None:
            raise IntegrityError(f"{found.kind} {destruction_id.hex()}: its tenant {found.tenant} is not there")
        if not found.reached("rewrapped"):
            self._on_step(f"waiting {work.lease_left_s(found):.0f} s until no cache holds the keys any more")
            while left := work.lease_left_s(found):
                await self._sleep(left)
            self._on_step("sealing what survives under new keys")
            await asyncio.to_thread(work.rewrap, destruction_id)
        if not found.reached("destroyed"):
            self._on_step("destroying keys")
            await asyncio.to_thread(work.destroy, destruction_id, self._suppressed_s)
        if not found.reached("wiped"):
            self._on_step("wiping the key store's write-ahead log")
            await self._patiently(lambda: work.wipe(destruction_id))
        if not found.reached("counted"):
            self._on_step("counting sealed contents")
            destroyed = await asyncio.to_thread(work.get, destruction_id)
            counts = await asyncio.to_thread(self._contents_of(tenant).count, frozenset(destroyed.scope_ids))
            await asyncio.to_thread(work.counted, destruction_id, counts)
        if not found.reached("published"):
            self._on_step("publishing the event")
            counted = await asyncio.to_thread(work.get, destruction_id)
            events = [event for _, event in events_of(counted, tenant, self._build)]
            await self._publisher.publish(found.tenant, events)
            await asyncio.to_thread(work.published, destruction_id)
        await self._patiently(lambda: work.finish(destruction_id))
        return await asyncio.to_thread(work.get, destruction_id)

    async def _patiently(self, step: Callable[[], None]) -> None:
        """A step that a reader can be in the way of."""
        for attempt in range(WIPE_ATTEMPTS):
            try:
                return await asyncio.to_thread(step)
            except Unavailable:
                if attempt == WIPE_ATTEMPTS - 1:
                    raise
                await self._sleep(WIPE_PAUSE_S)
        return None
