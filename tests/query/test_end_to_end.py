"""The whole way on real parts: gateway over gRPC, embedded log, sealer, query server, and its Access back through the
gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from consumers.opening import limits, parts
from consumers.sealer import PartitionSealer
from ledger.client.builders import request
from ledger.config import LedgerConfig
from ledger.gateway.server import run_gateway
from ledger.home import Home
from ledger.v1 import event_pb2, ingest_pb2, ingest_pb2_grpc, query_pb2, query_pb2_grpc
from query.server import run_query_server
from tests.policies import put_in_force
from tests.query.ledgers import ago, release, use

READER = query_pb2.Reader(name="eve", role="auditor", case_id="case-7")
FLAGS = {
    "gateway.listen": "127.0.0.1:0",
    "gateway.metrics_listen": "127.0.0.1:0",
    "query.listen": "127.0.0.1:0",
}


@asynccontextmanager
async def running(serve: object) -> AsyncIterator[str]:
    """A server in a task of its own, by its address."""
    stop: asyncio.Event = asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(stop, ready.set_result))  # type: ignore[operator]
    await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    try:
        yield ready.result()
    finally:
        stop.set()
        await task


async def publish(address: str, tenant: str, *events: event_pb2.Event) -> None:
    """Publishes through the gateway; every event must be accepted."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = ingest_pb2_grpc.IngestServiceStub(channel)
        answer = await stub.Publish(ingest_pb2.PublishRequest(tenant=tenant, events=events))
    assert {result.status for result in answer.results} == {ingest_pb2.EVENT_STATUS_ACCEPTED}


async def seal(home: Home, config: LedgerConfig) -> int:
    """Seals all that the event log holds, in a process's worth of its own parts; returns how many events."""
    log = home.event_log(config)
    await log.start()
    with home.keys(config) as keys:
        sealer = PartitionSealer(parts(config, keys, log, 0), limits(config))
        await sealer.open()
        events = 0
        while (outcome := await sealer.seal_once(wait_s=0, fill=False)) is not None:
            events += outcome.events
    await log.close()
    return events


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A new ledger with the tenant `acme`."""
    made = Home.create(tmp_path / "home", name="audit.test", partitions=1)
    config = made.config(flags=FLAGS)
    with made.keys(config) as keys:
        keys.tenants.add("acme")
        put_in_force(made, keys)
        made.write_trust(config, keys)
    return made


async def test_what_goes_in_comes_out_proven_and_the_reading_is_sealed(home: Home) -> None:
    """A published event is reconstructed with its governance and proof; reading it leaves an Access in the ledger."""
    config = home.config(flags=FLAGS)
    event = request(vendor="openai", model_requested="m", user="mia", input="hello", **use("1", ago(10)))
    async with running(lambda stop, ready: run_gateway(home, config, stop, ready)) as gateway:
        await publish(gateway, "_org", *release("1", ago(30)))
        await publish(gateway, "acme", event)
        assert await seal(home, config) == 3

        def serve(stop: asyncio.Event, ready: object) -> object:
            return run_query_server(home, config, stop, ready, gateway=gateway)  # type: ignore[arg-type]

        async with running(serve) as address, grpc.aio.insecure_channel(address) as channel:
            stub = query_pb2_grpc.QueryServiceStub(channel)
            question = query_pb2.ReconstructRequest(
                tenant="acme", selector=query_pb2.Selector(user="mia"), reader=READER
            )
            (step,) = (await stub.Reconstruct(question)).steps
            assert step.event.proof_state == query_pb2.PROOF_STATE_PROVEN
            assert {content.slot: content.data for content in step.event.contents}["input"] == b"hello"
            assert step.governance[0].text == "Greet {name}."
            assert await seal(home, config) == 1
            found = await stub.Find(query_pb2.FindRequest(tenant="acme", kinds=["access"], reader=READER))
            assert [each.kind for each in found.events] == ["access"]


async def test_without_a_gateway_nothing_is_read(home: Home) -> None:
    """When the gateway that takes the Access is away, the question is answered with UNAVAILABLE, and no content."""
    config = home.config(flags=FLAGS)
    async with running(lambda stop, ready: run_gateway(home, config, stop, ready)) as gateway:
        await publish(gateway, "acme", request(vendor="openai", model_requested="m", user="mia", input="hello"))
        await seal(home, config)

    def serve(stop: asyncio.Event, ready: object) -> object:
        return run_query_server(home, config, stop, ready, gateway=gateway)  # type: ignore[arg-type]

    async with running(serve) as address, grpc.aio.insecure_channel(address) as channel:
        stub = query_pb2_grpc.QueryServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Reconstruct(
                query_pb2.ReconstructRequest(tenant="acme", selector=query_pb2.Selector(user="mia"), reader=READER)
            )
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "hello" not in (caught.value.details() or "")
        (note,) = (await stub.Checkpoint(query_pb2.CheckpointRequest(tenant="acme"))).checkpoints
        assert note.startswith("audit.test/log/")
