"""The gateway as a service: health, metrics, reflection, draining, addresses."""

from __future__ import annotations

import asyncio
import logging
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from ledger.errors import Misconfigured, Unavailable
from ledger.gateway.otlp.signals import LOGS, METRICS_SERVICE, TRACES
from ledger.gateway.server import run_gateway
from ledger.home import Home
from ledger.v1 import ingest_pb2
from tests.ledger.gateway.conftest import Start
from tests.ledger.gateway.events import request
from tests.ledger.gateway.running import LEDGER, Running, running
from tests.ledger.gateway.test_faults import faulty
from tests.ledger.gateway.test_publish import ACCEPTED, refused_code, statuses

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE = "ledger.v1.IngestService"


async def watched(channel: grpc.aio.Channel, service: str = SERVICE) -> AsyncIterator[int]:
    """The statuses that a watcher is told."""
    async for response in health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=service)):
        yield response.status


async def fetched(gateway: Running, path: str) -> tuple[int, str]:
    """Status and body of an HTTP GET at the observation address."""

    def fetch() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{gateway.gateway.observation.address}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await asyncio.to_thread(fetch)


@pytest.mark.parametrize("service", ["", SERVICE, TRACES.service, LOGS.service])
async def test_a_running_gateway_is_serving(gateway: Running, service: str) -> None:
    """The server and the service are SERVING once the gateway has started."""
    stub = health_pb2_grpc.HealthStub(gateway.channel)
    response = await stub.Check(health_pb2.HealthCheckRequest(service=service))
    assert response.status == SERVING
    assert await fetched(gateway, "/healthz") == (200, "ok\n")


async def test_health_of_an_unknown_service(gateway: Running) -> None:
    """Asked for a service that is not there, health says so as its protocol wants."""
    stub = health_pb2_grpc.HealthStub(gateway.channel)
    assert await refused_code(stub.Check(health_pb2.HealthCheckRequest(service="no.Such"))) == grpc.StatusCode.NOT_FOUND
    statuses_seen = watched(gateway.channel, "no.Such")
    assert await anext(statuses_seen) == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    listed = await stub.List(health_pb2.HealthListRequest())
    known = {name: each.status for name, each in listed.statuses.items()}
    assert known == dict.fromkeys(("", SERVICE, TRACES.service, LOGS.service), SERVING)


async def test_health_follows_the_event_log(home: Home) -> None:
    """While the log does not work the gateway is NOT_SERVING, and SERVING again when it does."""
    async with faulty(home, health_check_ms=10) as (gateway, log):
        run = asyncio.create_task(gateway.gateway.run(asyncio.Event()))
        seen = watched(gateway.channel)
        async with asyncio.timeout(20):
            assert await anext(seen) == SERVING
            log.unhealthy = Unavailable("away")
            assert await anext(seen) == NOT_SERVING
            assert await fetched(gateway, "/healthz") == (503, "not serving\n")
            log.unhealthy = None
            assert await anext(seen) == SERVING
        run.cancel()


async def test_metrics_tell_what_was_done(gateway: Running) -> None:
    """A scrape shows events by status, refusals by stage, calls by code, and never a tenant or a person."""
    event = request()
    await gateway.publish(event, request())
    await gateway.publish_raw([event.SerializeToString(), b"\xff"])
    await refused_code(gateway.publish(tenant="nobody"))
    status, body = await fetched(gateway, "/metrics")
    assert status == 200
    for line in (
        'audit_ledger_gateway_events_total{status="accepted"} 2.0',
        'audit_ledger_gateway_events_total{status="repeat"} 1.0',
        'audit_ledger_gateway_events_total{status="rejected"} 1.0',
        'audit_ledger_gateway_rejects_total{stage="parse"} 1.0',
        'audit_ledger_gateway_calls_total{code="OK",method="Publish"} 2.0',
        'audit_ledger_gateway_calls_total{code="INVALID_ARGUMENT",method="Publish"} 1.0',
        'audit_ledger_gateway_appends_total{outcome="durable"} 1.0',
        "audit_ledger_gateway_batch_events_sum 2.0",
        "audit_ledger_gateway_append_seconds_count 1.0",
        "audit_ledger_gateway_event_log_up 1.0",
        "audit_ledger_gateway_calls_in_flight 0.0",
    ):
        assert line in body
    assert "acme" not in body
    assert "mia" not in body
    assert (await fetched(gateway, "/other"))[0] == 404


async def reflected(gateway: Running) -> set[str]:
    """The services that reflection lists."""
    stub = reflection_pb2_grpc.ServerReflectionStub(gateway.channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    async for response in call:
        return {each.name for each in response.list_services_response.service}
    return set()


async def test_reflection_lists_the_services(gateway: Running) -> None:
    """A tool without our protos finds the services."""
    ours = {SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
    assert await reflected(gateway) == ours | {TRACES.service, LOGS.service, METRICS_SERVICE}


async def test_reflection_can_be_turned_off(start: Start) -> None:
    """Where the configuration says so there is no reflection."""
    async with start(reflection=False) as gateway:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await reflected(gateway)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_draining_finishes_what_is_in_work(home: Home) -> None:
    """A stopping gateway tells watchers, accepts nothing new, answers what is in work, and waits for nothing else."""
    async with faulty(home, drain_ms=30_000) as (gateway, log):
        seen = watched(gateway.channel)
        assert await anext(seen) == SERVING
        log.open.clear()
        in_work = asyncio.create_task(gateway.publish(request()))
        await log.until_entered(1)
        began = time.monotonic()
        draining = asyncio.create_task(gateway.gateway.drain())
        async with asyncio.timeout(20):
            assert await anext(seen) == NOT_SERVING
            async with grpc.aio.insecure_channel(str(gateway.gateway.address)) as late:
                stub = late.unary_unary("/ledger.v1.IngestService/Publish")
                assert await refused_code(stub(b"", timeout=10)) == grpc.StatusCode.UNAVAILABLE
            assert not draining.done()
            log.open.set()
            assert statuses(await in_work) == [ACCEPTED]
            await draining
        assert time.monotonic() - began < 20


async def test_draining_ends_although_a_call_does_not(home: Home) -> None:
    """What is still in work when the drain time is over is cut off: the gateway ends."""
    async with faulty(home, drain_ms=100) as (gateway, log):
        log.open.clear()
        in_work = asyncio.create_task(gateway.publish(request()))
        await log.until_entered(1)
        async with asyncio.timeout(20):
            await gateway.gateway.drain()
            assert await refused_code(in_work) in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        log.open.set()


async def test_an_address_in_use_is_named(start: Start, gateway: Running) -> None:
    """A second gateway on one address does not start, unless both were told to share it."""
    with pytest.raises(Misconfigured, match=r"gateway\.listen: cannot listen"):
        async with start(listen=str(gateway.gateway.address)):
            pass


async def test_gateways_can_share_an_address(start: Start) -> None:
    """With `reuse_port` several gateway processes take the calls of one address."""
    async with start(reuse_port=True) as first, start(reuse_port=True, listen=str(first.gateway.address)) as second:
        assert first.gateway.address == second.gateway.address
        assert statuses(await second.publish(request())) == [ACCEPTED]


async def test_a_metrics_address_in_use_is_named(start: Start, gateway: Running) -> None:
    """The observation address is not shared in silence either."""
    with pytest.raises(Misconfigured, match="metrics_listen: cannot listen"):
        async with start(metrics_listen=str(gateway.gateway.observation.address)):
            pass


async def test_plaintext_beyond_loopback_is_said_and_logged(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """An address that others reach needs the setting that says so, and a loud line at start."""
    with pytest.raises(Misconfigured, match="insecure_plaintext"):
        async with start(listen="0.0.0.0:0"):
            pass
    with caplog.at_level(logging.WARNING):
        async with start(listen="0.0.0.0:0", insecure_plaintext=True):
            pass
    assert "nothing protects the connection" in caplog.text


async def test_a_gateway_without_its_key_does_not_start(home: Home) -> None:
    """A gateway id for which no key was made is an operator's mistake, named as such."""
    with pytest.raises(Misconfigured, match=f"{LEDGER}/gateway/gw-2"):
        async with running(home, gateway_id="gw-2"):
            pass


async def test_run_gateway_runs_until_told_to_stop(home: Home) -> None:
    """The entry point says when it is ready, takes events, and returns once stopped."""
    config = home.config(
        environment={}, flags={"gateway.listen": "127.0.0.1:0", "gateway.metrics_listen": "127.0.0.1:0"}
    )
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    run = asyncio.create_task(run_gateway(home, config, stop, ready.set_result))
    async with asyncio.timeout(20), grpc.aio.insecure_channel(await ready) as channel:
        call = channel.unary_unary("/ledger.v1.IngestService/Publish")
        frame = ingest_pb2.PublishRequest(tenant="acme", events=[request()])
        response = ingest_pb2.PublishResponse.FromString(await call(frame.SerializeToString()))
        assert statuses(response) == [ACCEPTED]
        stop.set()
        await run
