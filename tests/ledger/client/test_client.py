"""What the client does when all goes well."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.client import Client, Options, request
from ledger.client.transport import channel_options
from ledger.v1.event_pb2 import CAPTURE_PATH_CI, OPERATION_ACTION_PRODUCER_CLOSED, Event
from tests.ledger.client.gateway import ScriptedGateway
from tests.ledger.client.test_receipts import read

Make = Callable[..., Client]


def asks(text: str = "hello") -> Event:
    return request(vendor="openai", model_requested="gpt-4o", user="mia", input=text, output="world")


def test_what_is_emitted_arrives_numbered_and_attributed(gateway: ScriptedGateway, client_to: Make) -> None:
    """Events arrive complete, in order, with the producer's names and numbers 1, 2, 3."""
    client = client_to(gateway, version="1.2", environment="test", instance="a", capture_path=CAPTURE_PATH_CI)
    events = [asks(f"q{i}") for i in range(3)]
    assert [client.emit(event) for event in events] == [event.event_id for event in events]
    assert client.flush(10)
    for number, (sent, event) in enumerate(zip(events, gateway.accepted, strict=True), 1):
        producer = event.producer
        assert (producer.service, producer.version, producer.environment) == ("test", "1.2", "test")
        assert (producer.instance, producer.boot_id, producer.sequence) == ("a", client.boot_id, number)
        assert (producer.capture_path, producer.dropped_count) == (CAPTURE_PATH_CI, 0)
        event.ClearField("producer")
        assert event == sent


def test_a_stream_without_numbers_tells_no_sending_from_another(gateway: ScriptedGateway, client_to: Make) -> None:
    """Unnumbered, the same event from two clients is one for the ledger, and a close leaves no marker."""
    event = asks()
    for _ in range(2):
        client = client_to(gateway, numbered=False, version="1.2", instance="a")
        client.emit(event)
        assert client.flush(10)
        assert client.close()
    assert not gateway.conflicts
    (accepted,) = gateway.accepted
    assert (accepted.producer.service, accepted.producer.version) == ("test", "1.2")
    assert not accepted.producer.instance
    assert not accepted.producer.boot_id
    assert accepted.producer.sequence == 0


def test_events_go_in_batches_bounded_by_count_and_bytes(gateway: ScriptedGateway, client_to: Make) -> None:
    """Many events make few calls, none over the bounds."""
    client = client_to(gateway, batch_events_max=50, batch_bytes_max=20_000)
    for i in range(500):
        client.emit(asks("x" * (1_000 if i % 2 else 10)))
    assert client.flush(10)
    sizes = [events for _, events in gateway.calls]
    assert sum(sizes) == 500
    assert max(sizes) <= 50
    assert len(sizes) < 100


def test_a_lone_event_does_not_wait_longer_than_its_linger(gateway: ScriptedGateway, client_to: Make) -> None:
    """A single event is sent without a flush."""
    client_to(gateway).emit(asks())
    gateway.await_accepted(1)


def test_the_last_event_of_a_closed_client_is_its_marker(gateway: ScriptedGateway, client_to: Make) -> None:
    """`close` sends what waits and then PRODUCER_CLOSED with the last number; later events are only counted."""
    with client_to(gateway, linger_ms=60_000) as client:
        for _ in range(5):
            client.emit(asks())
    assert gateway.sequences == [1, 2, 3, 4, 5, 6]
    assert gateway.accepted[-1].operation.action == OPERATION_ACTION_PRODUCER_CLOSED
    assert client.emit(asks()) is None
    assert (client.stats().unusable, client.close()) == (1, True)


def test_a_client_that_emitted_nothing_makes_no_call(gateway: ScriptedGateway, client_to: Make) -> None:
    """Without events there is no thread, no connection and no marker."""
    before = threading.active_count()
    assert client_to(gateway).close()
    assert (gateway.calls, threading.active_count()) == ([], before)


def test_receipts_are_kept(gateway: ScriptedGateway, client_to: Make, tmp_path: Path) -> None:
    """Every receipt reaches the callback and the file, in the same order."""
    told: list[bytes] = []
    client = client_to(gateway, on_receipt=told.append, receipts_path=tmp_path / "receipts", batch_events_max=2)
    for _ in range(10):
        client.emit(asks())
    assert client.flush(10)
    assert len(told) >= 5
    assert read(tmp_path / "receipts") == told
    assert client.stats().receipts == len(told)


def test_the_token_is_sent_with_each_call(gateway: ScriptedGateway, client_to: Make) -> None:
    """`token` becomes a bearer credential; a function is asked anew for each call."""
    tokens = iter(["one", "two", "three", "four"])
    client = client_to(gateway, token=lambda: next(tokens))
    for _ in range(2):
        client.emit(asks())
        assert client.flush(10)
    assert gateway.tokens == ["Bearer one", "Bearer two"]


def test_nothing_of_the_channel_is_left_to_a_default() -> None:
    """Message sizes, keepalive, reconnection and retries are passed to gRPC, none left to a default."""
    told = dict(channel_options(Options(to="localhost:1", tenant="acme")))
    assert told["grpc.max_send_message_length"] == told["grpc.max_receive_message_length"] == 16 * 1024 * 1024
    assert told["grpc.enable_retries"] == 0
    assert told["grpc.keepalive_time_ms"] == 20_000
    assert told["grpc.max_reconnect_backoff_ms"] <= 10_000


def test_stats_are_plain_values(gateway: ScriptedGateway, client_to: Make) -> None:
    """`stats` is a frozen snapshot."""
    client = client_to(gateway)
    before = client.stats()
    client.emit(asks())
    assert (before.emitted, client.stats().emitted) == (0, 1)
    with pytest.raises(AttributeError):
        before.emitted = 5  # type: ignore[misc]
