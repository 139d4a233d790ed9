"""A gateway process that is killed or told to end under load."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from ledger.home import Home
from ledger.v1 import ingest_pb2
from tests.ledger.gateway.events import request
from tests.ledger.gateway.running import PUBLISH, TENANT, stored_events
from tests.ledger.gateway.test_publish import ACCEPTED

ROOT = Path(__file__).resolve().parents[3]
CALLERS = 4
CALLS_BEFORE_THE_END = 12


@asynccontextmanager
async def served(home: Home) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A gateway process and its address; killed at the end if it is still there."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.ledger.gateway.served", str(home.path), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        if process.stdout is None:
            raise RuntimeError("no pipe")
        async with asyncio.timeout(60):
            address = (await process.stdout.readline()).decode().strip()
        yield process, address
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def load_until_it_ends(process: asyncio.subprocess.Process, address: str, end: signal.Signals) -> set[bytes]:
    """Send calls side by side, give the signal in the middle; returns the ids that were acknowledged."""
    acknowledged: set[bytes] = set()
    answered = 0

    async def caller(channel: grpc.aio.Channel) -> None:
        nonlocal answered
        call = channel.unary_unary(PUBLISH)
        while True:
            events = [request(output="x" * 1_000) for _ in range(20)]
            frame = ingest_pb2.PublishRequest(tenant=TENANT, events=events).SerializeToString()
            try:
                response = ingest_pb2.PublishResponse.FromString(await call(frame, timeout=30))
            except grpc.aio.AioRpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                    raise
                return
            acknowledged.update(
                event.event_id
                for event, result in zip(events, response.results, strict=True)
                if result.status == ACCEPTED
            )
            answered += 1
            if answered == CALLS_BEFORE_THE_END:
                process.send_signal(end)

    async with grpc.aio.insecure_channel(address) as channel, asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(caller(channel))
    return acknowledged


async def durable_ids(home: Home) -> list[bytes]:
    """The ids of all events of the log, each under a valid receipt."""
    event_log = home.event_log(home.config(environment={}))
    await event_log.start()
    try:
        return [each.payload["event_id"] for each in await stored_events(home, event_log)]
    finally:
        await event_log.close()


async def test_a_killed_gateway_loses_nothing_it_acknowledged(home: Home) -> None:
    """After kill -9 under load every acknowledged event stands in the log, once, under a receipt that verifies."""
    async with served(home) as (process, address):
        acknowledged = await load_until_it_ends(process, address, signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL
    found = await durable_ids(home)
    assert len(acknowledged) >= 20 * CALLS_BEFORE_THE_END
    assert acknowledged <= set(found)
    assert len(found) == len(set(found))


async def test_a_gateway_told_to_end_drains_and_exits_well(home: Home) -> None:
    """SIGTERM under load: what is acknowledged is in the log and nothing else is, and the exit code is 0."""
    async with served(home) as (process, address):
        acknowledged = await load_until_it_ends(process, address, signal.SIGTERM)
        async with asyncio.timeout(60):
            assert await process.wait() == 0
    assert set(await durable_ids(home)) == acknowledged
