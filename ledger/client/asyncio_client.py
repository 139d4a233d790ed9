"""`AsyncClient`: the client of asyncio code.

It is the same client, with the same threads: an event loop that is busy or stuck, or that ends, neither delays nor
loses the record of what it did; several loops, one after the other, may use one client; and nothing of grpc.aio, which
binds channels to a loop and can't fork, is needed. What waits, waits on the loop without a thread of the loop's
executor, but for `flush` and `close`.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self, Unpack

from ledger.client.items import Acknowledgement
from ledger.client.options import Options, Settings
from ledger.client.stats import ClientStats
from ledger.client.sync import CLOSE_TIMEOUT_S, DURABLE_TIMEOUT_S, FLUSH_TIMEOUT_S, Client
from ledger.errors import Unavailable
from ledger.v1.event_pb2 import Event


class AsyncClient:
    """`Client` for asyncio; see there. May be made outside of a loop."""

    def __init__(self, to: str, tenant: str, **settings: Unpack[Settings]) -> None:
        self._client = Client(to, tenant, **settings)

    @property
    def client(self) -> Client:
        """The client of synchronous code that this one is."""
        return self._client

    @property
    def options(self) -> Options:
        """What this client was told, defaults filled in."""
        return self._client.options

    @property
    def boot_id(self) -> bytes:
        """16 bytes: names this client's numbered stream."""
        return self._client.boot_id

    @property
    def is_away(self) -> bool:
        """As `Client.is_away`."""
        return self._client.is_away

    def emit(self, event: Event) -> bytes | None:
        """Queues an event and returns its id at once; takes microseconds, never blocks, never raises. Not awaited."""
        return self._client.emit(event)

    async def emit_durable(self, event: Event, timeout_s: float = DURABLE_TIMEOUT_S) -> Acknowledgement:
        """Returns when the gateway has the event durably; `Client.emit_durable` says what it raises, and what then."""
        return await emit_durable_async(self._client, event, timeout_s)

    async def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> bool:
        """Waits until everything emitted before is answered. False: time ran out."""
        return await asyncio.to_thread(self._client.flush, timeout_s)

    async def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """As `Client.close`."""
        return await asyncio.to_thread(self._client.close, timeout_s)

    def stats(self) -> ClientStats:
        """Counters since the start."""
        return self._client.stats()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def emit_durable_async(client: Client, event: Event, timeout_s: float) -> Acknowledgement:
    """`Client.emit_durable` without holding up the event loop."""
    waiter = client.start_durable(event)
    try:
        async with asyncio.timeout(timeout_s):
            return await asyncio.wrap_future(waiter)
    except TimeoutError:
        raise Unavailable(f"not acknowledged within {timeout_s:g} s") from None
    finally:
        client.give_up(waiter)
