"""The client against a gateway that does what it is told."""

from __future__ import annotations

import gc
import logging
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from ledger.client import Client, Rejection, request
from ledger.client.transport import channel_options
from ledger.v1 import ingest_pb2 as pb
from ledger.v1.event_pb2 import CAPTURE_PATH_CI, OPERATION_ACTION_PRODUCER_CLOSED, Event
from tests.ledger.client.gateway import ScriptedGateway, answers_nonsense, fails, hangs, says, wait_until
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


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.DEADLINE_EXCEEDED]
)
def test_a_failed_call_is_tried_again_with_the_same_bytes(
    gateway: ScriptedGateway, client_to: Make, code: grpc.StatusCode
) -> None:
    """After failures, also such that hid an acceptance, every event is sealed once: what comes again is a repeat."""
    gateway.script.extend([fails(code), fails(code, after=True), fails(code)])
    client = client_to(gateway)
    for _ in range(20):
        client.emit(asks())
    assert client.flush(10)
    stats = client.stats()
    assert sorted(gateway.sequences) == list(range(1, 21))
    assert stats.accepted + stats.repeated == 20
    assert (stats.repeated > 0, stats.calls_failed, stats.dropped) == (True, 3, 0)


def test_a_retry_hint_is_waited_out(gateway: ScriptedGateway, client_to: Make) -> None:
    """RESOURCE_EXHAUSTED with `retry-after-ms`: nothing is sent before that time."""
    gateway.script.append(fails(grpc.StatusCode.RESOURCE_EXHAUSTED, retry_after_ms=400))
    client = client_to(gateway)
    client.emit(asks())
    wait_until(lambda: len(gateway.calls) == 1)
    first = time.monotonic()
    gateway.await_accepted(1)
    assert time.monotonic() - first >= 0.39


def test_events_said_to_retry_are_sent_again(gateway: ScriptedGateway, client_to: Make) -> None:
    """EVENT_STATUS_RETRY for some events sends those again, and no others."""
    client = client_to(gateway, linger_ms=60_000)
    gateway.script.append(says(pb.EVENT_STATUS_ACCEPTED, pb.EVENT_STATUS_RETRY, pb.EVENT_STATUS_RETRY))
    for _ in range(4):
        client.emit(asks())
    assert client.flush(10)
    assert gateway.calls == [("Publish", 4), ("Publish", 2)]
    assert gateway.sequences == [1, 4, 2, 3]


def test_a_rejected_event_is_reported_not_raised(
    gateway: ScriptedGateway, client_to: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """REJECTED reaches the callback and the log with field and reason, and the next event declares the number."""
    told: list[Rejection] = []
    client = client_to(gateway, linger_ms=60_000, on_rejected=told.append)
    gateway.script.append(says(pb.EVENT_STATUS_REJECTED, field="request.vendor", reason="is too long"))
    identity = client.emit(asks())
    client.emit(asks())
    assert client.flush(10)
    client.emit(asks())
    assert client.flush(10)
    assert told == [Rejection(identity or b"", "request.vendor", "is too long")]
    assert "request.vendor: is too long" in caplog.text
    assert [(e.producer.sequence, e.producer.dropped_count) for e in gateway.accepted] == [(2, 0), (3, 1)]


def test_one_poisoned_event_does_not_take_its_batch_along(gateway: ScriptedGateway, client_to: Make) -> None:
    """A gateway that refuses a whole call gets it in halves, until only the culprit is rejected."""

    async def refuses_poison(gateway: ScriptedGateway, request: pb.PublishRequest, context: Any) -> pb.PublishResponse:
        if any(event.request.input.text == "poison" for event in request.events):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "malformed")
        return gateway.accept(request.events)

    gateway.script.extend([refuses_poison] * 100)
    client = client_to(gateway)
    for i in range(40):
        client.emit(asks("poison" if i == 17 else "fine"))
    assert client.flush(20)
    stats = client.stats()
    assert (stats.accepted, stats.rejected) == (39, 1)
    assert 18 not in gateway.sequences


def test_an_answer_that_does_not_fit_is_a_failure(gateway: ScriptedGateway, client_to: Make) -> None:
    """A malformed answer settles nothing; the events are sent again."""
    gateway.script.append(answers_nonsense)
    client = client_to(gateway)
    client.emit(asks())
    assert client.flush(10)
    assert (gateway.sequences, client.stats().calls_failed) == ([1], 0)


def test_a_hanging_gateway_costs_emit_nothing(gateway: ScriptedGateway, client_to: Make) -> None:
    """While every call hangs, 2,000 emits take microseconds each, and all arrive once the gateway is back."""
    gateway.script.append(hangs)
    client = client_to(gateway)
    client.emit(asks())
    wait_until(lambda: gateway.calls != [])
    event, slowest = asks("x" * 1_000), 0.0
    gc.disable()
    try:
        for _ in range(2_000):
            event.event_id = b""
            start = time.perf_counter()
            client.emit(event)
            slowest = max(slowest, time.perf_counter() - start)
    finally:
        gc.enable()
    assert slowest < 0.25, f"slowest emit took {slowest * 1e3:.1f} ms"
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


def test_the_gateway_may_come_back_later(gateway: ScriptedGateway, client_to: Make) -> None:
    """Events emitted while nothing listens arrive when the gateway is there again."""
    client = client_to(gateway)
    client.emit(asks())
    assert client.flush(10)
    gateway.stop()
    for _ in range(10):
        client.emit(asks())
    wait_until(lambda: client.stats().calls_failed > 2)
    gateway.start()
    assert client.flush(15)
    assert gateway.sequences == list(range(1, 12))


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


def test_an_outage_costs_little_cpu(gateway: ScriptedGateway, client_to: Make) -> None:
    """With the gateway away and the default pauses, a second of waiting takes a small part of one CPU."""
    gateway.stop()
    client = client_to(gateway, backoff_first_ms=100, backoff_longest_ms=10_000)
    client.emit(asks())
    wait_until(lambda: client.stats().calls_failed >= 1)
    cpu, wall = time.process_time(), time.monotonic()
    while time.monotonic() - wall < 1.0:
        client.emit(asks())
        threading.Event().wait(0.05)
    assert time.process_time() - cpu < 0.4
    assert client.stats().calls < 20


def test_an_event_has_a_deadline(gateway: ScriptedGateway, client_to: Make) -> None:
    """What was not answered within `deadline_s` is dropped, and the next event declares it."""
    gateway.stop()
    client = client_to(gateway, deadline_s=0.1)
    client.emit(asks())
    client.emit(asks())
    wait_until(lambda: client.stats().dropped_expired == 2)
    gateway.start()
    wait_until(lambda: client.emit(asks()) is not None and client.flush(5) and len(gateway.accepted) > 0)
    assert client.close(5)
    declared = sum(event.producer.dropped_count for event in gateway.accepted)
    assert declared + len(gateway.accepted) == max(gateway.sequences)


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


def test_the_token_is_sent_with_each_call(gateway: ScriptedGateway, client_to: Make) -> None:
    """`token` becomes a bearer credential; a function is asked anew for each call."""
    tokens = iter(["one", "two", "three", "four"])
    client = client_to(gateway, token=lambda: next(tokens))
    for _ in range(2):
        client.emit(asks())
        assert client.flush(10)
    assert gateway.tokens == ["Bearer one", "Bearer two"]


def test_a_failing_token_function_is_a_failed_call(gateway: ScriptedGateway, client_to: Make) -> None:
    """A token that can't be had now is tried again later."""
    asked: list[None] = []

    def token() -> str:
        asked.append(None)
        if len(asked) == 1:
            raise KeyError("no token")
        return "two"

    client = client_to(gateway, token=token)
    client.emit(asks())
    assert client.flush(10)
    assert gateway.tokens == ["Bearer two"]


def test_emit_inside_a_signal_handler_or_destructor_is_safe(gateway: ScriptedGateway, client_to: Make) -> None:
    """Emitting from handlers that interrupt an emit neither deadlocks nor loses an event."""
    client = client_to(gateway)

    class Dying:
        def __del__(self) -> None:
            client.emit(asks("destructor"))

    def handler(*_: object) -> None:
        client.emit(asks("signal"))
        _make_cycle(Dying)

    previous = signal.signal(signal.SIGVTALRM, handler)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.000_5, 0.000_5)
    try:
        for _ in range(5_000):
            client.emit(asks("loop"))
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)
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


def test_a_fault_of_the_client_s_own_does_not_end_it(
    gateway: ScriptedGateway, client_to: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected exception in a lane is a log line; its events are sent all the same."""
    client = client_to(gateway)
    writer = client._engine.writer
    broken = iter([RuntimeError("a bug")])

    def write(events: Any) -> bytes:
        for error in broken:
            raise error
        return type(writer).write(writer, events)

    monkeypatch.setattr(client._engine, "writer", type("Writer", (), {"write": staticmethod(write)})())
    client.emit(asks())
    assert client.flush(10)
    assert gateway.sequences == [1]
    assert "the bulk lane failed with RuntimeError; it goes on" in caplog.text


def test_close_keeps_its_time(gateway: ScriptedGateway, client_to: Make, caplog: pytest.LogCaptureFixture) -> None:
    """With the gateway hanging, `close` ends within its time, says what is lost, and ends its threads."""
    gateway.script.extend([hangs] * 10)
    before = threading.active_count()
    client = client_to(gateway, exit_timeout_s=1)
    for _ in range(10):
        client.emit(asks())
    wait_until(lambda: gateway.calls != [])
    start = time.monotonic()
    assert not client.close(0.5)
    assert time.monotonic() - start < 2.0
    assert "events unsent" in caplog.text
    wait_until(lambda: threading.active_count() <= before)


def test_a_close_out_of_time_declares_what_it_leaves_behind(gateway: ScriptedGateway, client_to: Make) -> None:
    """What waited behind a hanging call when time ran out is declared by the marker, which still gets through."""

    async def hangs_a_while(gateway: ScriptedGateway, request: pb.PublishRequest, context: Any) -> pb.PublishResponse:
        await hangs(gateway, request, context)
        return gateway.accept(request.events)

    gateway.script.append(hangs_a_while)
    client = client_to(gateway, linger_ms=0)
    client.emit(asks())
    wait_until(lambda: gateway.calls != [])
    for _ in range(7):
        client.emit(asks())
    released = threading.Timer(1.3, gateway.release)
    released.start()
    client.close(4 / 3 + 0.6)
    released.join()
    marker = gateway.accepted[-1]
    assert (marker.operation.action, marker.producer.sequence) == (OPERATION_ACTION_PRODUCER_CLOSED, 9)
    declared = sum(event.producer.dropped_count for event in gateway.accepted)
    assert declared + len(gateway.accepted) == 9


def test_a_slow_disk_or_gateway_s_limits_are_stated_on_the_channel() -> None:
    """Message sizes, keepalive, reconnection and retries are passed to gRPC, none left to a default."""
    from ledger.client import Options

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
