"""What the client does when the gateway, or it itself, fails."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from ledger.client import Client, Rejection
from ledger.v1 import ingest_pb2 as pb
from ledger.v1.event_pb2 import OPERATION_ACTION_PRODUCER_CLOSED
from tests.ledger.client.gateway import ScriptedGateway, answers_nonsense, fails, hangs, says, wait_until
from tests.ledger.client.test_client import asks

Make = Callable[..., Client]


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
    # The first batch hangs; behind it wait the others, and the marker.
    told = re.search(r"closed: dropped (\d+), unacknowledged (\d+) events", caplog.text)
    assert told is not None
    assert int(told[2]) == gateway.calls[0][1]
    assert int(told[1]) + int(told[2]) == 11
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
