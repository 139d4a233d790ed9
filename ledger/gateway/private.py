"""A gateway of one's own, for a command that has an event of the ledger's own to publish and none to send it to.

It listens on a free port of the loopback interface for as long as the `with`: what it takes lands in this home's event
log whatever runs, or does not run, on this machine, and is sealed like every event once a sealer runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ledger.errors import Unavailable
from ledger.gateway.listening import PRIVATE
from ledger.gateway.server import run_gateway
from ledger.home import Home

START_S = 30.0


@asynccontextmanager
async def gateway_at(home: Home, to: str | None) -> AsyncIterator[str]:
    """The address to publish to: `to` where one is named, else that of a gateway of this home's own."""
    if to is not None:
        yield to
        return
    config = home.config(flags=PRIVATE)
    stop = asyncio.Event()
    addresses: asyncio.Queue[str] = asyncio.Queue()
    serving = asyncio.create_task(run_gateway(home, config, stop, addresses.put_nowait, is_private=True))
    ready = asyncio.create_task(addresses.get())
    try:
        await asyncio.wait([serving, ready], timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            if serving.done():
                serving.result()
            raise Unavailable("no gateway could be started in time to publish an event of the ledger's own")
        yield ready.result()
    finally:
        ready.cancel()
        stop.set()
        await serving
