"""The client does no harm to the program it runs in."""

from __future__ import annotations

import gc
import logging
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from ledger.client import Client, Rejection
from ledger.v1 import ingest_pb2 as pb
from tests.ledger.client.gateway import ScriptedGateway, hangs, says, wait_until
from tests.ledger.client.test_client import asks

Make = Callable[..., Client]


def test_a_hanging_gateway_costs_emit_nothing(gateway: ScriptedGateway, client_to: Make) -> None:
    """While every call hangs, 2,000 emits take microseconds each, and all arrive once the gateway is back."""
    gateway.script.append(hangs)
    client = client_to(gateway)
    client.emit(asks())
    wait_until(lambda: gateway.calls != [])
    event = asks("x" * 1_000)
    for _ in range(2_000):
        event.event_id = b""
        client.emit(event)
    # Every emit came back while the gateway still held the one call it was given.
    assert len(gateway.calls) == 1
    assert client.stats().accepted == 0
    gateway.release()
    assert client.flush(20)
    assert gateway.sequences == list(range(1, 2_002))


def test_memory_stays_bounded_and_every_drop_is_declared(gateway: ScriptedGateway, client_to: Make) -> None:
    """With the gateway hanging, the queue keeps its bounds; afterwards delivered + declared are all numbers."""
    gateway.script.append(hangs)
    client = client_to(gateway, queue_events_max=300, queue_bytes_max=200_000)
    for _ in range(3_000):
        client.emit(asks("x" * 500))
        assert client.stats().queued_bytes <= 200_000
    assert client.stats().dropped_full > 2_000
    gateway.release()
    assert client.close(20)
    declared = sum(event.producer.dropped_count for event in gateway.accepted)
    assert declared + len(gateway.accepted) == max(gateway.sequences) == 3_001


def test_an_outage_is_one_log_line(gateway: ScriptedGateway, client_to: Make, caplog: pytest.LogCaptureFixture) -> None:
    """However many calls fail, the log speaks once in `log_interval_s`, with address and code and no content."""
    gateway.stop()
    client = client_to(gateway)
    client.emit(asks("secret question"))
    wait_until(lambda: client.stats().calls_failed > 6)
    lines = [record.getMessage() for record in caplog.records if record.name == "ledger.client"]
    assert len(lines) == 1
    assert gateway.address in lines[0]
    assert "UNAVAILABLE" in lines[0]
    assert "secret" not in caplog.text


def test_an_outage_is_few_calls(gateway: ScriptedGateway, client_to: Make) -> None:
    """With the gateway away and the default pauses, events that keep coming cause few calls: pauses grow."""
    gateway.stop()
    client = client_to(gateway, backoff_first_ms=100, backoff_longest_ms=10_000)
    for _ in range(20):
        client.emit(asks())
        threading.Event().wait(0.05)
    assert client.stats().calls < 20


def test_callbacks_that_raise_do_not_hurt(
    gateway: ScriptedGateway, client_to: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception of the application's callback is a log line; the client goes on."""

    def breaks(_: bytes) -> None:
        raise ValueError("not this")

    def quits(_: Rejection) -> None:
        raise SystemExit(3)

    client = client_to(gateway, on_receipt=breaks, on_rejected=quits)
    gateway.script.append(says(pb.EVENT_STATUS_REJECTED))
    client.emit(asks())
    assert client.flush(10)
    for _ in range(3):
        client.emit(asks())
        assert client.flush(10)
    assert gateway.sequences == [2, 3, 4]
    assert "on_receipt raised ValueError" in caplog.text
    assert "on_rejected raised SystemExit" in caplog.text


def test_misuse_is_counted_not_raised(gateway: ScriptedGateway, client_to: Make) -> None:
    """What is no event is counted; with `strict` it raises, as does a full queue."""
    client = client_to(gateway)
    assert client.emit("hello") is None  # type: ignore[arg-type]
    assert client.stats().unusable == 1
    strict = client_to(gateway, strict=True, queue_bytes_max=1_024)
    with pytest.raises(TypeError, match="Event, got str"):
        strict.emit("hello")  # type: ignore[arg-type]
    with pytest.raises(Exception, match="full"):
        strict.emit(asks("x" * 2_000))


def test_emit_inside_a_signal_handler_or_destructor_is_safe(gateway: ScriptedGateway, client_to: Make) -> None:
    """Emitting from handlers that interrupt an emit neither deadlocks nor loses an event."""
    client = client_to(gateway)

    born: list[int] = []
    dead: list[int] = []

    class Dying:
        def __del__(self) -> None:
            client.emit(asks("destructor"))
            dead.append(1)

    def handler(*_: object) -> None:
        client.emit(asks("signal"))
        born.append(1)
        _make_cycle(Dying)

    previous = signal.signal(signal.SIGVTALRM, handler)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.000_5, 0.000_5)
    try:
        for _ in range(5_000):
            client.emit(asks("loop"))
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)
    deadline = time.monotonic() + 20
    while len(dead) < len(born):  # while another thread collects, this one's collection does nothing
        assert time.monotonic() < deadline
        gc.collect()
    assert client.close(20)
    assert sorted(gateway.sequences) == list(range(1, len(gateway.accepted) + 1))
    texts = [event.request.input.text for event in gateway.accepted]
    assert texts.count("loop") == 5_000
    assert texts.count("signal") > 5
    assert texts.count("destructor") == texts.count("signal")


def _make_cycle(kind: type) -> None:
    one: Any = kind()
    one.itself = one


def test_emit_while_its_own_thread_is_inside_is_put_aside(gateway: ScriptedGateway, client_to: Make) -> None:
    """An emit that interrupts the queue's own change is queued afterwards, not lost and not in between."""
    client = client_to(gateway, linger_ms=60_000)
    with client._engine.gate:  # as if a destructor ran inside
        assert client.emit(asks("inside")) is not None
        assert client.stats().last_sequence == 0
    client.emit(asks("outside"))
    assert client.close(10)
    assert {event.request.input.text for event in gateway.accepted[:-1]} == {"inside", "outside"}


def test_logging_is_never_done_by_emit(client_to: Make) -> None:
    """A log handler that hangs does not hold up emit, whatever is dropped."""
    hold, slow = threading.Event(), logging.Handler()
    slow.emit = lambda record: hold.wait(20) and None  # type: ignore[assignment]
    logger = logging.getLogger("ledger.client")
    logger.addHandler(slow)
    try:
        client = client_to("127.0.0.1:1", queue_events_max=5)
        start = time.monotonic()
        for _ in range(200):
            client.emit(asks())
        assert time.monotonic() - start < 1.0
        wait_until(lambda: client.stats().dropped > 100)
    finally:
        hold.set()
        logger.removeHandler(slow)
