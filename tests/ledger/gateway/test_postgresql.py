"""A gateway whose key store is on a server: killed, and left alone by the server, which comes back."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from ledger.home import Home
from tests.ledger.gateway.events import request
from tests.ledger.gateway.running import LEDGER, TENANT, Running, running
from tests.ledger.gateway.test_process import durable_ids, load_until_it_ends, served
from tests.ledger.gateway.test_publish import ACCEPTED, statuses
from tests.ledger.gateway.test_server import NOT_SERVING, SERVING, fetched, watched
from tests.policies import put_in_force
from tests.postgresql.server import Server, own_server


def made(folder: Path, url: str) -> Home:
    """A new ledger with one tenant; everything is kept whole."""
    home = Home.create(folder / "home", name=LEDGER, key_store=url)
    config = home.config(environment={})
    with home.keys(config) as keys:
        keys.tenants.add(TENANT)
        put_in_force(home, keys)
        home.write_trust(config, keys)
    return home


@pytest.fixture(scope="module")
def restless() -> Iterator[Server]:
    """A server that the tests of this file may stop and freeze."""
    with own_server() as server:
        yield server


@asynccontextmanager
async def at_work(home: Home) -> AsyncIterator[Running]:
    """A gateway that looks after its parts all the time."""
    async with running(home, health_check_ms=20) as gateway:
        stop = asyncio.Event()
        run = asyncio.create_task(gateway.gateway.run(stop))
        try:
            yield gateway
        finally:
            stop.set()
            await run


async def refused(gateway: Running, timeout: float) -> tuple[grpc.StatusCode, int, float]:
    """The code, the hint in ms and the seconds that it took to refuse an event of somebody new."""
    began = time.monotonic()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.publish(request(user=f"new-{began}"), timeout=timeout)
    hints = dict(caught.value.trailing_metadata() or ())
    return caught.value.code(), int(hints.get("retry-after-ms", 0)), time.monotonic() - began


async def test_a_server_that_went_away_is_an_outage_and_no_more(restless: Server, tmp_path: Path) -> None:
    """UNAVAILABLE at once with a hint, and NOT_SERVING, while the server is away; both end by themselves."""
    home = made(tmp_path, restless.url(restless.make_database()))
    async with at_work(home) as gateway:
        seen = watched(gateway.channel)
        async with asyncio.timeout(60):
            assert await anext(seen) == SERVING
            assert statuses(await gateway.publish(request(user="mia"))) == [ACCEPTED]
            for how in (signal.SIGINT, signal.SIGQUIT):
                await asyncio.to_thread(restless.stop, how)
                code, hint_ms, took_s = await refused(gateway, 10)
                assert (code, hint_ms > 0, took_s < 5) == (grpc.StatusCode.UNAVAILABLE, True, True)
                assert await anext(seen) == NOT_SERVING
                assert "audit_ledger_gateway_key_store_up 0.0" in (await fetched(gateway, "/metrics"))[1]
                restless.start()
                assert await anext(seen) == SERVING
                assert statuses(await gateway.publish(request(user=f"after {how}"))) == [ACCEPTED]
        assert "audit_ledger_gateway_key_store_up 1.0" in (await fetched(gateway, "/metrics"))[1]
        assert len(await gateway.stored()) == 3


async def test_a_frozen_server_costs_no_caller_more_than_his_deadline(
    restless: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a server that answers nothing callers are refused within their own time, with a hint, and not left."""
    monkeypatch.setattr("ledger.gateway.key_watch.LOOK_TIMEOUT_S", 0.3)
    home = made(tmp_path, restless.url(restless.make_database(), answer_ms=5_000))
    async with at_work(home) as gateway:
        assert statuses(await gateway.publish(request(user="mia"))) == [ACCEPTED]
        seen = watched(gateway.channel)
        async with asyncio.timeout(60):
            assert await anext(seen) == SERVING
            restless.freeze()
            try:
                code, hint_ms, took_s = await refused(gateway, 2)
                assert (code, hint_ms > 0, took_s < 2) == (grpc.StatusCode.UNAVAILABLE, True, True)
                assert await anext(seen) == NOT_SERVING
            finally:
                restless.thaw()
            assert await anext(seen) == SERVING
            assert statuses(await gateway.publish(request(user="after"))) == [ACCEPTED]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
async def test_a_gateway_that_ends_under_load_loses_nothing(
    postgresql: Server, tmp_path: Path, end: signal.Signals
) -> None:
    """Killed or told to end while it meets new persons: what it acknowledged is there, and the next one goes on."""
    home = made(tmp_path, postgresql.url(postgresql.make_database()))
    async with served(home) as (process, address):
        acknowledged = await load_until_it_ends(process, address, end)
    assert acknowledged <= set(await durable_ids(home))
    async with running(home) as gateway:
        assert statuses(await gateway.publish(request(user="after"))) == [ACCEPTED]
