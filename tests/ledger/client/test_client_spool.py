"""The client with a spool, while the gateway comes and goes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from ledger.client import Client, request, spool_key
from ledger.v1 import ingest_pb2 as pb
from ledger.v1.event_pb2 import OPERATION_ACTION_PRODUCER_CLOSED, OPERATION_ACTION_RESTORE, Event
from tests.ledger.client.gateway import ScriptedGateway, fails, says, wait_until

Make = Callable[..., Client]


@pytest.fixture
def spooling(gateway: ScriptedGateway, client_to: Make, tmp_path: Path) -> Make:
    """Makes clients of the gateway with one spool folder."""

    def make(to: ScriptedGateway | str = gateway, **settings: Any) -> Client:
        return client_to(to, **{"spool_dir": tmp_path / "spool", "spool_after_ms": 0, **settings})

    return make


def asks(text: str = "hello") -> Event:
    return request(vendor="openai", input=text)


def knows_key(client: Client, gateway: ScriptedGateway) -> None:
    """Sends one event, after which the client holds the gateway's key."""
    client.emit(asks("first"))
    assert client.flush(10)
    wait_until(lambda: client._engine._bulk._key is not None)


def spools(client: Client, count: int) -> None:
    """Emits events until so many stand in the spool."""
    for n in range(count):
        client.emit(asks(f"spooled {n}"))
    wait_until(lambda: client.stats().spooled_events >= count and client.stats().queued_events == 0)


def test_what_was_spooled_is_sent_before_what_is_newer(gateway: ScriptedGateway, spooling: Make) -> None:
    """While the gateway is away events leave memory for the disk; when it is back they arrive first, in order."""
    client = spooling()
    knows_key(client, gateway)
    gateway.stop()
    spools(client, 20)
    assert client.stats().queued_events == 0
    gateway.start()
    for n in range(20):
        client.emit(asks(f"newer {n}"))
    assert client.flush(15)
    assert client.close(15)
    assert gateway.sequences == list(range(1, 43))
    assert any(name == "PublishSpooled" for name, _ in gateway.calls)
    assert client.stats().spool_bytes == 0


def test_a_restarted_process_sends_what_the_last_one_left(gateway: ScriptedGateway, spooling: Make) -> None:
    """A client that closes while the gateway is away leaves everything, marker included, to the next one."""
    first = spooling()
    knows_key(first, gateway)
    gateway.stop()
    for n in range(10):
        first.emit(asks(f"left {n}"))
    assert first.close(5)
    gateway.start()
    second = spooling()
    assert second.flush(10)
    boots = {event.producer.boot_id for event in gateway.accepted}
    assert boots == {first.boot_id}
    assert gateway.sequences == list(range(1, 13))
    assert gateway.accepted[-1].operation.action == OPERATION_ACTION_PRODUCER_CLOSED


def test_the_key_on_disk_lets_a_process_spool_that_never_met_the_gateway(
    gateway: ScriptedGateway, spooling: Make
) -> None:
    """A process started while the gateway is away seals to the key the last process wrote down."""
    first = spooling()
    knows_key(first, gateway)
    first.close(5)
    gateway.stop()
    second = spooling()
    spools(second, 3)
    gateway.start()
    assert second.flush(10)
    assert second.close(10)
    numbers = [e.producer.sequence for e in gateway.accepted if e.producer.boot_id == second.boot_id]
    assert numbers == [1, 2, 3, 4]


def test_without_any_key_events_wait_in_bounded_memory(gateway: ScriptedGateway, spooling: Make) -> None:
    """A client that never had a key spools nothing, keeps its bounds, and sends what it kept."""
    gateway.stop()
    client = spooling(queue_events_max=5)
    for _ in range(8):
        client.emit(asks())
    wait_until(lambda: client.stats().calls_failed > 1)
    assert (client.stats().spooled_events, client.stats().dropped_full) == (0, 3)
    gateway.start()
    assert client.close(10)
    assert sum(event.producer.dropped_count for event in gateway.accepted) == 3


def test_a_destroyed_key_is_not_sealed_to(gateway: ScriptedGateway, spooling: Make) -> None:
    """After `destroyed_at` events stay in memory: nobody could open the frame."""
    gateway.key_seal_s = 0.6
    client = spooling()
    knows_key(client, gateway)
    key = client._engine._bulk._key
    assert key is not None
    gateway.stop()
    wait_until(lambda: time.time() > key.destroyed_at_s)
    client.emit(asks())
    wait_until(lambda: client.stats().calls_failed > 1)
    assert client.stats().spooled_events == 0
    gateway.start()
    assert client.flush(10)


def test_a_key_past_its_time_is_asked_for_again(
    gateway: ScriptedGateway, spooling: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `seal_until` the client asks for another key, and writes it down."""
    monkeypatch.setattr("ledger.client.bulk_lane.KEY_PAUSE_S", 0.05)
    gateway.key_seal_s = -1.0
    client = spooling()
    knows_key(client, gateway)
    gateway.key_seal_s, gateway.key_id = 3600.0, b"key-0002"
    client.emit(asks())
    wait_until(lambda: client.emit(asks()) is not None and gateway.key_asked >= 2)
    folder = Path(client.options.spool_dir or "")
    wait_until(lambda: getattr(spool_key.load(folder), "key_id", None) == b"key-0002")


def test_frames_whose_key_is_gone_are_declared_by_this_stream(gateway: ScriptedGateway, spooling: Make) -> None:
    """Frames of a living stream that can't be opened any more are counted, and the next event declares them."""
    client = spooling()
    knows_key(client, gateway)
    gateway.stop()
    spools(client, 6)
    gateway.key_id = b"key-0002"
    gateway.start()
    assert client.flush(10)
    assert client.stats().spool_lost_events == 6
    client.emit(asks("after"))
    assert client.flush(10)
    after = gateway.accepted[-1]
    assert (after.producer.sequence, after.producer.dropped_count) == (8, 6)


def test_frames_of_an_earlier_stream_whose_key_is_gone_become_a_marker(
    gateway: ScriptedGateway, spooling: Make
) -> None:
    """What an earlier process left and nobody can open is declared by an event that names stream and numbers."""
    first = spooling(batch_events_max=2, linger_ms=0)
    knows_key(first, gateway)
    gateway.stop()
    for _ in range(5):
        first.emit(asks())
    assert first.close(5)
    gateway.key_id = b"key-0002"
    gateway.start()
    second = spooling()
    assert second.flush(10)
    gateway.await_accepted(2)
    marker = gateway.accepted[-1]
    assert marker.producer.boot_id == second.boot_id
    assert marker.operation.action == OPERATION_ACTION_RESTORE
    assert (marker.operation.count, marker.operation.succeeded) == (6, False)
    assert marker.operation.target == f"spool/{first.boot_id.hex()}/2-7"


def test_damaged_frames_become_a_marker(gateway: ScriptedGateway, spooling: Make, tmp_path: Path) -> None:
    """Damage on the disk is declared, and what is whole is sent."""
    first = spooling(batch_events_max=1, linger_ms=0)
    knows_key(first, gateway)
    gateway.stop()
    for _ in range(3):
        first.emit(asks())
    assert first.close(5)
    segment = max(tmp_path.rglob("*.seg"))
    data = bytearray(segment.read_bytes())
    data[-1] ^= 0xFF
    segment.write_bytes(data)
    gateway.start()
    second = spooling()
    assert second.flush(10)
    wait_until(lambda: any(event.operation.action == OPERATION_ACTION_RESTORE for event in gateway.accepted))
    marker = next(event for event in gateway.accepted if event.operation.action == OPERATION_ACTION_RESTORE)
    assert marker.operation.target == f"spool/{first.boot_id.hex()}/damaged"
    assert len([event for event in gateway.accepted if event.producer.boot_id == first.boot_id]) == 4


def test_a_rejected_event_of_a_frame_is_reported_and_declared(gateway: ScriptedGateway, spooling: Make) -> None:
    """An event of a frame that the gateway refuses reaches the callback; the others are delivered."""
    told: list[Any] = []
    client = spooling(on_rejected=told.append, linger_ms=20)
    knows_key(client, gateway)
    gateway.stop()
    spools(client, 4)
    gateway.script.append(says(pb.EVENT_STATUS_ACCEPTED, pb.EVENT_STATUS_REJECTED, field="body", reason="no"))
    gateway.start()
    assert client.flush(10)
    assert client.close(10)
    assert [rejection.field for rejection in told] == ["body"]
    declared = sum(event.producer.dropped_count for event in gateway.accepted)
    assert (len(gateway.accepted), declared, max(gateway.sequences)) == (5, 1, 6)


def test_a_frame_is_sent_again_until_each_event_is_settled(gateway: ScriptedGateway, spooling: Make) -> None:
    """Failures and RETRY send the whole frame again; what was accepted is a repeat, and nothing is doubled."""
    client = spooling()
    knows_key(client, gateway)
    gateway.stop()
    spools(client, 5)
    gateway.script.extend(
        [
            fails(grpc.StatusCode.UNAVAILABLE),
            fails(grpc.StatusCode.UNAVAILABLE, after=True),
            fails(grpc.StatusCode.RESOURCE_EXHAUSTED, retry_after_ms=10),
            says(pb.EVENT_STATUS_RETRY),
        ]
    )
    gateway.start()
    assert client.flush(15)
    assert sorted(gateway.sequences) == [1, 2, 3, 4, 5, 6]
    assert client.stats().spool_lost_events == 0


def test_a_full_spool_leaves_the_rest_to_memory(
    gateway: ScriptedGateway, spooling: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """When the spool is full events wait in memory; when that is full they are dropped and declared."""
    client = spooling(spool_bytes_max=4_000, queue_events_max=20, linger_ms=0, batch_events_max=5)
    knows_key(client, gateway)
    gateway.stop()
    for _ in range(15):
        client.emit(asks("x" * 200))
        time.sleep(0.002)
    wait_until(lambda: "spool is full" in caplog.text)
    for _ in range(200):
        client.emit(asks("x" * 200))
    stats = client.stats()
    assert stats.spooled_events > 0
    assert stats.dropped_full > 0
    assert stats.spool_bytes <= 4_000
    gateway.start()
    assert client.flush(15)
    assert client.close(15)
    declared = sum(event.producer.dropped_count for event in gateway.accepted)
    assert len(gateway.accepted) + declared == max(gateway.sequences)


def test_a_disk_that_goes_away_does_not_stop_the_client(
    gateway: ScriptedGateway, spooling: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When the spool's folder vanishes under it the client keeps events in memory and says so."""
    client = spooling()
    knows_key(client, gateway)
    gateway.stop()
    shutil.rmtree(tmp_path / "spool")
    for _ in range(3):
        client.emit(asks())
    wait_until(lambda: "disk failed" in caplog.text)
    assert client.stats().queued_events == 3
    gateway.start()
    assert client.flush(10)
    assert gateway.sequences == [1, 2, 3, 4]


def test_a_durable_event_waits_for_no_backlog_in_the_spool(gateway: ScriptedGateway, spooling: Make) -> None:
    """A durable event is acknowledged while frames of the spool are still refused."""
    client = spooling()
    knows_key(client, gateway)
    gateway.stop()
    spools(client, 3)

    async def refuses_frames(gateway: ScriptedGateway, request: pb.PublishRequest, context: Any) -> pb.PublishResponse:
        if len(request.events) > 1:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "")
        return gateway.accept(request.events)

    gateway.script.extend([refuses_frames] * 500)
    gateway.start()
    assert client.emit_durable(asks("now"), timeout_s=10)
    gateway.script.clear()
    assert client.flush(10)
    assert sorted(gateway.sequences) == [1, 2, 3, 4, 5]


def test_a_spool_made_ready_takes_the_first_events(spooling: Make, gateway: ScriptedGateway) -> None:
    """With `prepare_spool` the key is there before any event, and the first ones find a place in the spool."""
    client = spooling()
    client.prepare_spool()
    wait_until(lambda: client.can_spool)
    gateway.stop()
    client.emit(asks("first"))
    wait_until(lambda: client.stats().spooled_events == 1)
    gateway.start()
    gateway.await_accepted(1)
