"""Health while the event log looks well but takes nothing: a full disk, a log that fails every append."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ledger.errors import OutcomeUnknown, Unavailable
from ledger.gateway import streak
from ledger.gateway.streak import FAILURES_MAX
from ledger.home import Home
from ledger.v1 import ingest_pb2_grpc
from ledger.v1.ingest_pb2 import PublishRequest
from tests.ledger.gateway.events import request
from tests.ledger.gateway.running import TENANT, Running
from tests.ledger.gateway.test_faults import faulty
from tests.ledger.gateway.test_process import served
from tests.ledger.gateway.test_publish import ACCEPTED, refused_code, statuses
from tests.ledger.gateway.test_server import NOT_SERVING, SERVING, fetched, watched

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


async def status_of(channel: grpc.aio.Channel) -> int:
    """The gateway's health now."""
    return int((await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())).status)


async def refuse(gateway: Running, times: int) -> None:
    """Publish so often, each time in vain."""
    for _ in range(times):
        assert await refused_code(gateway.publish(request())) == UNAVAILABLE


@pytest.mark.parametrize("failure", [Unavailable("no space"), OutcomeUnknown("not acknowledged"), OSError("broken")])
async def test_appends_that_fail_in_a_row_end_serving(home: Home, failure: Exception) -> None:
    """A log that looks well and takes nothing makes the gateway NOT_SERVING; the next append it takes, SERVING."""
    async with faulty(home) as (gateway, log):
        log.failures = [failure]
        await refuse(gateway, FAILURES_MAX - 1)
        assert await status_of(gateway.channel) == SERVING
        await refuse(gateway, 1)
        assert await status_of(gateway.channel) == NOT_SERVING
        assert await fetched(gateway, "/healthz") == (503, "not serving\n")
        metrics = (await fetched(gateway, "/metrics"))[1]
        assert "audit_ledger_gateway_event_log_up 0.0" in metrics
        assert f"audit_ledger_gateway_append_failures_in_a_row {FAILURES_MAX}.0" in metrics
        log.failures = [None]
        assert statuses(await gateway.publish(request())) == [ACCEPTED]
        assert await status_of(gateway.channel) == SERVING
        assert await fetched(gateway, "/healthz") == (200, "ok\n")
        metrics = (await fetched(gateway, "/metrics"))[1]
        assert "audit_ledger_gateway_event_log_up 1.0" in metrics
        assert "audit_ledger_gateway_append_failures_in_a_row 0.0" in metrics


async def test_a_success_between_failures_keeps_serving(home: Home) -> None:
    """Failures with a success between them do not add up."""
    async with faulty(home) as (gateway, log):
        for _ in range(3):
            log.failures = [*[Unavailable("away")] * (FAILURES_MAX - 1), None]
            await refuse(gateway, FAILURES_MAX - 1)
            assert statuses(await gateway.publish(request())) == [ACCEPTED]
            assert await status_of(gateway.channel) == SERVING


async def test_without_traffic_it_serves_again_on_trial(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway to which nobody sends any more is SERVING again after a while, until the next failure."""
    monkeypatch.setattr(streak, "TRIAL_FIRST_S", 0.05)
    async with faulty(home, health_check_ms=10) as (gateway, log):
        run = asyncio.create_task(gateway.gateway.run(asyncio.Event()))
        seen = watched(gateway.channel)
        async with asyncio.timeout(30):
            assert await anext(seen) == SERVING
            log.failures = [Unavailable("no space")]
            await refuse(gateway, FAILURES_MAX)
            assert await anext(seen) == NOT_SERVING
            assert await anext(seen) == SERVING
            await refuse(gateway, 1)
            assert await anext(seen) == NOT_SERVING
        run.cancel()


async def test_a_log_that_is_down_stays_down_on_looks(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """While looks at the log find it away no trial begins, and the first look that finds it well makes it SERVING."""
    monkeypatch.setattr(streak, "TRIAL_FIRST_S", 0.0)
    async with faulty(home) as (gateway, log):
        log.failures = [Unavailable("away")]
        log.unhealthy = Unavailable("away")
        await refuse(gateway, FAILURES_MAX)
        for _ in range(5):
            await gateway.gateway.look()
            assert await status_of(gateway.channel) == NOT_SERVING
        log.unhealthy = None
        log.failures = [None]
        await gateway.gateway.look()
        assert await status_of(gateway.channel) == SERVING
        assert statuses(await gateway.publish(request())) == [ACCEPTED]


@asynccontextmanager
async def full_disk(process: asyncio.subprocess.Process, *files: Path) -> AsyncIterator[None]:
    """While the block runs, everything that the process writes to `files` fails with ENOSPC."""
    strace = shutil.which("strace")
    if strace is None:
        if os.environ.get("CI"):
            pytest.fail("strace is not installed, and CI must not skip this")
        pytest.skip("strace is not installed: system calls cannot be made to fail")
    paths = [option for file in files for option in ("-P", str(file))]
    inject = ("-e", "trace=pwrite64", "-e", "inject=pwrite64:error=ENOSPC")
    tracer = await asyncio.create_subprocess_exec(
        strace, "-f", "-o", os.devnull, *paths, *inject, "-p", str(process.pid), stderr=asyncio.subprocess.PIPE
    )
    if tracer.stderr is None:
        raise RuntimeError("no standard error")
    said = (await tracer.stderr.readline()).decode()
    try:
        if "attached" not in said:
            if os.environ.get("CI"):
                pytest.fail(f"strace may not attach, and CI must not skip this: {said}")
            pytest.skip(f"strace may not attach: {said}")
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        await tracer.communicate()


@pytest.mark.campaign
async def test_a_full_disk_ends_serving_until_there_is_room(home: Home) -> None:
    """A gateway whose embedded log finds no room is NOT_SERVING, stays so, and finds out by itself that there is room.

    Reading still works all the while, so only what is written can tell.
    """
    async with served(home) as (process, address), grpc.aio.insecure_channel(address) as channel:
        stub = ingest_pb2_grpc.IngestServiceStub(channel)
        assert statuses(await stub.Publish(PublishRequest(tenant=TENANT, events=[request()]))) == [ACCEPTED]
        seen = watched(channel)
        async with asyncio.timeout(60):
            assert await anext(seen) == SERVING
            async with full_disk(process, home.path / "log" / "events.sqlite-wal"):
                for _ in range(FAILURES_MAX):
                    call = stub.Publish(PublishRequest(tenant=TENANT, events=[request()]))
                    assert await refused_code(call) == UNAVAILABLE
                assert await anext(seen) == NOT_SERVING
                again = asyncio.ensure_future(anext(seen))
                # Several looks and the time of the first trial: probes find no room, so nothing changes.
                done, _ = await asyncio.wait({again}, timeout=2.5 * streak.TRIAL_FIRST_S)
                assert not done
            assert await again == SERVING
        assert statuses(await stub.Publish(PublishRequest(tenant=TENANT, events=[request()]))) == [ACCEPTED]
