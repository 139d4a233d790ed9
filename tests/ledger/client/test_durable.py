"""Events that somebody waits for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from hashlib import sha256

import grpc
import pytest

from ledger.client import AsyncClient, Client, request, tool_call
from ledger.errors import Rejected, Unavailable
from ledger.v1 import ingest_pb2 as pb
from ledger.v1.event_pb2 import Event
from tests.ledger.client.gateway import ScriptedGateway, fails, hangs, says, wait_until

Make = Callable[..., Client]


def starts() -> Event:
    return tool_call(tool="refund", phase="started", side_effect="money", parameters={"order": 4711})


def test_a_durable_event_returns_with_its_leaf_hash_and_receipt(gateway: ScriptedGateway, client_to: Make) -> None:
    """`emit_durable` returns when the gateway acknowledged, with what it acknowledged."""
    client = client_to(gateway)
    event = starts()
    acknowledged = client.emit_durable(event, timeout_s=10)
    (sealed,) = gateway.accepted
    assert acknowledged.event_id == event.event_id == sealed.event_id
    assert acknowledged.leaf_hash == sha256(b"\0" + sealed.SerializeToString(deterministic=True)).digest()
    assert acknowledged.receipt.startswith(b"receipt of ")


def test_it_survives_failures_within_its_time(gateway: ScriptedGateway, client_to: Make) -> None:
    """Failed calls are tried again; an acceptance whose answer was lost comes back as a repeat."""
    gateway.script.extend([fails(grpc.StatusCode.UNAVAILABLE), fails(grpc.StatusCode.UNAVAILABLE, after=True)])
    assert client_to(gateway).emit_durable(starts(), timeout_s=10).receipt
    assert gateway.sequences == [1]


def test_it_waits_behind_no_hanging_batch(gateway: ScriptedGateway, client_to: Make) -> None:
    """A bulk call that hangs does not hold up a durable event."""
    gateway.script.append(hangs)
    client = client_to(gateway)
    client.emit(request(vendor="v"))
    wait_until(lambda: gateway.calls != [])
    assert client.emit_durable(starts(), timeout_s=10)
    assert gateway.sequences == [2]


def test_many_threads_share_calls(gateway: ScriptedGateway, client_to: Make) -> None:
    """Durable events of many threads gather into batches while a call is in flight."""
    client = client_to(gateway)
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append(client.emit_durable(starts(), timeout_s=20).event_id))
        for _ in range(30)
    ]
    gateway.script.append(hangs)
    threads[0].start()
    wait_until(lambda: gateway.calls != [])
    for thread in threads[1:]:
        thread.start()
    wait_until(lambda: client.stats().emitted == 30)
    gateway.release()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 30
    assert gateway.calls == [("Publish", 1), ("Publish", 29)]


def test_a_rejection_is_raised(gateway: ScriptedGateway, client_to: Make) -> None:
    """An event the gateway refuses for good raises `Rejected` with field and reason."""
    gateway.script.append(says(pb.EVENT_STATUS_REJECTED, field="tool_call.tool", reason="is required"))
    with pytest.raises(Rejected, match=r"tool_call\.tool: is required") as caught:
        client_to(gateway).emit_durable(starts(), timeout_s=10)
    assert caught.value.field == "tool_call.tool"


@pytest.mark.parametrize(
    ("code", "field"),
    [
        (grpc.StatusCode.NOT_FOUND, "tenant"),
        (grpc.StatusCode.PERMISSION_DENIED, ""),
        (grpc.StatusCode.UNAUTHENTICATED, ""),
        (grpc.StatusCode.INVALID_ARGUMENT, ""),
    ],
)
def test_a_refused_call_is_raised_at_once(
    gateway: ScriptedGateway, client_to: Make, code: grpc.StatusCode, field: str
) -> None:
    """An unknown tenant or a bad credential is said at once, not after the time-out."""
    gateway.script.append(fails(code, "the reason"))
    start = time.monotonic()
    with pytest.raises(Rejected, match="the reason") as caught:
        client_to(gateway).emit_durable(starts(), timeout_s=30)
    assert caught.value.field == field
    assert time.monotonic() - start < 10


def test_a_gateway_that_is_away_raises_unavailable_in_time(gateway: ScriptedGateway, client_to: Make) -> None:
    """Without an acknowledgement `emit_durable` raises `Unavailable` at its time-out."""
    gateway.stop()
    start = time.monotonic()
    with pytest.raises(Unavailable, match=r"not acknowledged within 0\.3 s"):
        client_to(gateway).emit_durable(starts(), timeout_s=0.3)
    assert 0.3 <= time.monotonic() - start < 3


def test_emitting_it_again_waits_for_the_same_event(gateway: ScriptedGateway, client_to: Make) -> None:
    """After `Unavailable` the same event can be emitted again: it is sealed once, without a conflict."""
    gateway.script.append(hangs)
    client = client_to(gateway, rpc_timeout_ms=600_000)
    event = starts()
    with pytest.raises(Unavailable):
        client.emit_durable(event, timeout_s=0.2)
    client.emit(request(vendor="v"))
    gateway.release()
    assert client.emit_durable(event, timeout_s=10).event_id == event.event_id
    assert client.close(10)
    assert sorted(gateway.sequences) == [1, 2, 3]
    assert gateway.conflicts == []


def test_a_closed_client_refuses_it(gateway: ScriptedGateway, client_to: Make) -> None:
    """After `close` a durable event raises `Unavailable`; one that waits is told so."""
    gateway.script.append(hangs)
    client = client_to(gateway)
    told: list[str] = []

    def waits() -> None:
        try:
            client.emit_durable(starts(), timeout_s=30)
        except Unavailable as error:
            told.append(str(error))

    thread = threading.Thread(target=waits)
    thread.start()
    wait_until(lambda: gateway.calls != [])
    client.close(0.2)
    thread.join(10)
    assert told == ["not acknowledged before the client was closed"]
    with pytest.raises(Unavailable, match="closed"):
        client.emit_durable(starts())


# --- asyncio --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def client(gateway: ScriptedGateway) -> AsyncIterator[AsyncClient]:
    """An asyncio client of the gateway."""
    async with AsyncClient(gateway.address, "acme", backoff_first_ms=5, backoff_longest_ms=40) as client:
        yield client


async def test_the_asyncio_client_does_the_same(gateway: ScriptedGateway, client: AsyncClient) -> None:
    """`AsyncClient` emits without awaiting, flushes, counts, and closes with a marker."""
    for _ in range(10):
        client.emit(request(vendor="v"))
    assert await client.flush(10)
    assert client.stats().accepted == 10
    assert await client.close()
    assert gateway.sequences == list(range(1, 12))
    assert gateway.accepted[0].producer.boot_id == client.boot_id


async def test_many_tasks_await_their_acknowledgements(gateway: ScriptedGateway, client: AsyncClient) -> None:
    """Durable events of many tasks are acknowledged, each with its own id."""
    events = [starts() for _ in range(50)]
    acknowledged = await asyncio.gather(*(client.emit_durable(event, timeout_s=20) for event in events))
    assert [each.event_id for each in acknowledged] == [event.event_id for event in events]
    assert len(gateway.calls) < 50


async def test_the_loop_runs_on_while_the_gateway_hangs(gateway: ScriptedGateway, client: AsyncClient) -> None:
    """Neither emit nor a waiting durable event blocks the event loop."""
    gateway.script.extend([hangs, hangs])
    waiting = asyncio.ensure_future(client.emit_durable(starts(), timeout_s=0.4))
    ticks = 0
    while not waiting.done():
        client.emit(request(vendor="v"))
        await asyncio.sleep(0.005)
        ticks += 1
    with pytest.raises(Unavailable):
        await waiting
    gateway.release()
    assert ticks > 10


async def test_a_cancelled_wait_leaves_the_event_to_be_sent(gateway: ScriptedGateway, client: AsyncClient) -> None:
    """Cancelling the awaiting task neither loses nor doubles its event."""
    gateway.script.append(hangs)
    task = asyncio.ensure_future(client.emit_durable(starts(), timeout_s=30))
    await asyncio.to_thread(wait_until, lambda: gateway.calls != [])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gateway.release()
    assert await client.flush(10)
    assert gateway.sequences == [1]


def test_one_asyncio_client_serves_several_loops(gateway: ScriptedGateway) -> None:
    """A client made outside of a loop works in one loop after another."""
    client = AsyncClient(gateway.address, "acme")

    async def once() -> None:
        await client.emit_durable(starts(), timeout_s=10)

    asyncio.run(once())
    asyncio.run(once())
    assert asyncio.run(client.close())
    assert gateway.sequences == [1, 2, 3]
