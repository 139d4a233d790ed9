"""AwaitSealed, over a view of the rounds that the test plays."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc
import pytest

from ledger.errors import Unavailable
from ledger.gateway.sealed import Position
from ledger.v1 import ingest_pb2
from tests.ledger.gateway.conftest import Start
from tests.ledger.gateway.running import TENANT, Running
from tests.ledger.gateway.test_publish import refused_code


class View:
    """Answers when told to."""

    def __init__(self) -> None:
        self.sealed = asyncio.Event()
        self.called = asyncio.Event()
        self.asked: list[tuple[str, list[Position], float]] = []
        self.failure: Exception | None = None

    async def await_sealed(self, tenant: str, positions: Sequence[Position], deadline_s: float) -> list[str]:
        self.asked.append((tenant, list(positions), deadline_s))
        self.called.set()
        if self.failure is not None:
            raise self.failure
        await self.sealed.wait()
        return ["a checkpoint"]


def wanted(*positions: tuple[int, int], tenant: str = TENANT) -> ingest_pb2.AwaitSealedRequest:
    made = [ingest_pb2.LogPosition(partition=partition, next_offset=offset) for partition, offset in positions]
    return ingest_pb2.AwaitSealedRequest(tenant=tenant, positions=made)


async def _answer(
    gateway: Running, request: ingest_pb2.AwaitSealedRequest, **options: float
) -> ingest_pb2.AwaitSealedResponse:
    return await gateway.stub.AwaitSealed(request, **options)


async def test_a_gateway_that_sees_no_rounds_says_so(gateway: Running) -> None:
    """Without a view of the sealed rounds the call is FAILED_PRECONDITION."""
    assert await refused_code(gateway.stub.AwaitSealed(wanted((0, 3)))) == grpc.StatusCode.FAILED_PRECONDITION


async def test_the_checkpoints_come_once_the_positions_are_sealed(start: Start) -> None:
    """The call waits for the view, passes on tenant, positions and the caller's time, and returns its checkpoints."""
    view = View()
    async with start(sealed_view=view) as gateway:
        call = asyncio.ensure_future(_answer(gateway, wanted((0, 3), (0, 7)), timeout=30))
        await view.called.wait()
        assert not call.done()
        view.sealed.set()
        assert list((await call).checkpoints) == ["a checkpoint"]
    (tenant, positions, deadline_s), *_ = view.asked
    assert (tenant, positions) == (TENANT, [Position(0, 3), Position(0, 7)])
    assert 0 < deadline_s <= 30


async def test_waiting_ends_with_the_deadline(start: Start) -> None:
    """The caller's deadline ends the wait, and so does the gateway's own for a caller without one."""
    async with start(sealed_view=View(), await_sealed_ms=50) as gateway:
        assert await refused_code(gateway.stub.AwaitSealed(wanted((0, 3)))) == grpc.StatusCode.DEADLINE_EXCEEDED
        call = gateway.stub.AwaitSealed(wanted((0, 3)), timeout=0.01)
        assert await refused_code(call) == grpc.StatusCode.DEADLINE_EXCEEDED


async def test_rounds_that_are_away_are_unavailable(start: Start) -> None:
    """A view that fails for now is UNAVAILABLE, without its words."""
    view = View()
    view.failure = Unavailable("/secret/path is away")
    async with start(sealed_view=view) as gateway:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.stub.AwaitSealed(wanted((0, 3)))
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "secret" not in str(caught.value.details())


async def test_an_unknown_tenant_or_partition_is_refused(start: Start) -> None:
    """Nobody waits for a tenant that is not there, or where the tenant has no log."""
    async with start(sealed_view=View()) as gateway:
        call = gateway.stub.AwaitSealed(wanted((0, 3), tenant="nobody"))
        assert await refused_code(call) == grpc.StatusCode.NOT_FOUND
        assert await refused_code(gateway.stub.AwaitSealed(wanted((5, 3)))) == grpc.StatusCode.INVALID_ARGUMENT


async def test_too_many_waiting_are_turned_away(start: Start) -> None:
    """The number of waiting calls is bounded, and a place is free again once one has ended."""
    view = View()
    async with start(sealed_view=view, await_sealed_concurrency_max=1) as gateway:
        first = asyncio.ensure_future(_answer(gateway, wanted((0, 3))))
        await view.called.wait()
        assert await refused_code(gateway.stub.AwaitSealed(wanted((0, 3)))) == grpc.StatusCode.RESOURCE_EXHAUSTED
        view.sealed.set()
        await first
        await gateway.stub.AwaitSealed(wanted((0, 3)))
