"""A refusal that a drain cuts off: `ledger.identity.refusals`."""

from __future__ import annotations

import asyncio

from ledger.identity.errors import Unauthenticated
from ledger.identity.refusals import RefusalLog, sealing
from ledger.v1 import event_pb2 as pb


async def test_a_refusal_cut_off_while_it_is_sealed_is_sealed_at_the_end() -> None:
    """What is being published when the process is told to end is published again, under the same id."""
    began: list[bytes] = []
    sealed: list[bytes] = []
    under_way = asyncio.Event()

    async def publish(tenant: str, event: pb.Event) -> None:
        began.append(event.event_id)
        if len(began) == 1:
            under_way.set()
            await asyncio.Event().wait()
        sealed.append(event.event_id)

    refusals = RefusalLog(publish, "a service")
    async with sealing(refusals):
        refusals.refused("Find", Unauthenticated("no credential"))
        await under_way.wait()
    assert sealed == began[:1]
