"""The event log away, unsure or gone back; callers who leave; too many callers: nothing false is ever answered."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from ledger.errors import IntegrityError, OutcomeUnknown, Rejected, Unavailable
from ledger.gateway import intake
from ledger.gateway.server import Gateway
from ledger.home import Home
from ledger.log.interface import EventLog
from ledger.v1 import ingest_pb2
from tests.ledger.gateway.events import request
from tests.ledger.gateway.faulty_log import FaultyLog
from tests.ledger.gateway.running import PUBLISH, TENANT, Running, running
from tests.ledger.gateway.test_publish import ACCEPTED, REPEAT, refused_code, statuses

RETRY = ingest_pb2.EVENT_STATUS_RETRY


@asynccontextmanager
async def faulty(home: Home, **settings: Any) -> AsyncIterator[tuple[Running, FaultyLog]]:
    """A gateway over a log that can be told to fail."""
    made: list[FaultyLog] = []

    def wrap(real: EventLog) -> FaultyLog:
        made.append(FaultyLog(real))
        return made[0]

    async with running(home, log=wrap, **settings) as gateway:
        yield gateway, made[0]


def large(count: int) -> list[Any]:
    """Events of which about 12 fill a batch."""
    return [request(output=os.urandom(40_000).hex()) for _ in range(count)]


@pytest.mark.parametrize(
    "failure",
    [Unavailable("away"), OutcomeUnknown("timed out"), Rejected("", "too large"), RuntimeError("secret words")],
    ids=lambda each: type(each).__name__,
)
async def test_a_call_of_which_nothing_is_durable_fails_whole(home: Home, failure: Exception) -> None:
    """However an append fails, the call is UNAVAILABLE with a hint, without the fault's words, and can be repeated."""
    async with faulty(home) as (gateway, log):
        log.failures = [failure, None]
        event = request()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.publish(event)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        assert int(dict(caught.value.trailing_metadata())["retry-after-ms"]) > 0
        assert "secret" not in str(caught.value.details())
        assert statuses(await gateway.publish(event)) == [ACCEPTED]


async def test_a_call_of_which_some_is_durable_says_which(home: Home) -> None:
    """Events of a batch that failed are RETRY beside the accepted ones of the others; sending all again completes."""
    async with faulty(home) as (gateway, log):
        log.failures = [Unavailable("away"), None]
        events = large(30)
        response = await gateway.publish(*events)
        assert set(statuses(response)) == {ACCEPTED, RETRY}
        assert len(response.batches) == log.entered - 1
        retried = [result for result in response.results if result.status == RETRY]
        assert all(result.reason and not result.leaf_hash and not result.HasField("batch") for result in retried)
        again = await gateway.publish(*events)
        assert [REPEAT if status == ACCEPTED else ACCEPTED for status in statuses(response)] == statuses(again)
        assert len(await gateway.stored()) == 30


async def test_a_repeat_of_an_event_that_is_not_durable_is_no_repeat(home: Home) -> None:
    """The second of two equal events of a call is answered like the first: RETRY, when its batch failed."""
    async with faulty(home) as (gateway, log):
        events = large(30)
        log.failures = [None, Unavailable("away")]
        response = await gateway.publish(*events, events[0], events[-1])
        assert statuses(response)[0] == ACCEPTED
        assert statuses(response)[-3:] == [RETRY, REPEAT, RETRY]


async def test_the_log_down_is_answered_within_the_append_deadline(home: Home) -> None:
    """A log that does not answer costs its deadline, not for ever: UNAVAILABLE."""
    async with faulty(home, append_deadline_ms=200) as (gateway, log):
        log.open.clear()
        began = time.monotonic()
        assert await refused_code(gateway.publish(request())) == grpc.StatusCode.UNAVAILABLE
        assert 0.2 <= time.monotonic() - began < 5
        log.open.set()


async def test_the_callers_deadline_is_honoured(home: Home) -> None:
    """The log gets less than the caller's remaining time, so that he hears UNAVAILABLE before it is over."""
    async with faulty(home) as (gateway, log):
        log.failures = [Unavailable("away")]
        assert await refused_code(gateway.publish(request(), timeout=4)) == grpc.StatusCode.UNAVAILABLE
        assert log.deadlines[0] < 3.7


async def test_what_a_caller_left_behind_is_remembered(home: Home) -> None:
    """An append goes on when its caller leaves; asked again, the caller gets the receipt of what became durable."""
    async with faulty(home) as (gateway, log):
        event = request()
        log.open.clear()
        call = gateway.stub.Publish(ingest_pb2.PublishRequest(tenant=TENANT, events=[event]))
        await log.until_entered(1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        log.open.set()
        while not await gateway.event_log.read(0, 0, records_max=1, bytes_max=1, wait_s=5):
            pass
        await _idle(gateway)
        assert statuses(await gateway.publish(event)) == [REPEAT]
        assert len(await gateway.stored()) == 1


async def _idle(gateway: Running) -> None:
    """Return when no call is in work."""
    async with asyncio.timeout(10):
        in_work = gateway.gateway.metrics.registry.get_sample_value
        while in_work("audit_ledger_gateway_calls_in_flight"):  # noqa: ASYNC110 - a gauge is not awaited
            await asyncio.sleep(0.01)


async def test_too_many_calls_are_turned_away_with_a_hint(home: Home) -> None:
    """Beyond the limit a call is RESOURCE_EXHAUSTED at once; the hint says when to come back; the others end well."""
    async with faulty(home, publish_concurrency_max=2, retry_after_ms=77) as (gateway, log):
        log.open.clear()
        running_calls = [asyncio.create_task(_sent(gateway)) for _ in range(2)]
        await log.until_entered(2)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.publish(request())
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert dict(caught.value.trailing_metadata())["retry-after-ms"] == "77"
        log.open.set()
        assert [statuses(each) for each in await asyncio.gather(*running_calls)] == [[ACCEPTED], [ACCEPTED]]
        assert statuses(await gateway.publish(request())) == [ACCEPTED]


async def _sent(gateway: Running) -> ingest_pb2.PublishResponse:
    return await gateway.publish(request())


async def test_too_many_bytes_are_turned_away(home: Home) -> None:
    """The bytes in work are bounded as well as the calls."""
    limits = {
        "content_bytes_max": 40_000,
        "event_bytes_max": 65_536,
        "message_bytes_max": 65_536,
        "publish_bytes_in_flight_max": 65_536,
    }
    async with faulty(home, **limits) as (gateway, log):
        log.open.clear()
        first = asyncio.create_task(gateway.publish(request(output="x" * 39_000)))
        await log.until_entered(1)
        assert await refused_code(gateway.publish(request(output="x" * 39_000))) == grpc.StatusCode.RESOURCE_EXHAUSTED
        log.open.set()
        assert statuses(await first) == [ACCEPTED]


async def test_a_log_that_went_back_stops_the_gateway(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    """Evidence that does not add up: nothing more is taken, the operator hears it, and the process must not go on."""
    config = home.config(
        environment={}, flags={"gateway.listen": "127.0.0.1:0", "gateway.metrics_listen": "127.0.0.1:0"}
    )
    with home.keys(config) as keys:
        log = FaultyLog(home.event_log(config))
        await log.start()
        log.failures = [IntegrityError("offset 7 was given out twice")]
        gateway = Gateway(config, keys, log)
        await gateway.start()
        running_gateway = asyncio.create_task(gateway.run(asyncio.Event()))
        async with grpc.aio.insecure_channel(str(gateway.address)) as channel:
            frame = ingest_pb2.PublishRequest(tenant=TENANT, events=[request()]).SerializeToString()
            call = channel.unary_unary(PUBLISH)
            with caplog.at_level(logging.CRITICAL):
                assert await refused_code(call(frame)) == grpc.StatusCode.UNAVAILABLE
            await running_gateway
            with pytest.raises(IntegrityError, match="offset 7"):
                await gateway.drain()
        await log.close()
    assert "offset 7" in caplog.text


async def test_a_fault_of_ours_is_an_id_to_the_caller_and_no_content_to_the_log(
    home: Home, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected exception reaches neither caller nor log with its text: both get an id."""

    def broken(*_: object) -> None:
        raise ValueError("secret words of an event")

    async with running(home) as gateway:
        monkeypatch.setattr("ledger.gateway.publisher.Publisher._prepare", broken)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.publish(request())
    assert caught.value.code() == grpc.StatusCode.INTERNAL
    fault_id = str(caught.value.details()).split()[-1]
    assert f"fault {fault_id}" in caplog.text
    assert "secret" not in caplog.text + str(caught.value.details())


async def test_a_fault_in_one_event_leaves_the_others(
    home: Home, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that we fail to assemble is RETRY under an id; the others of its call are accepted."""
    real = intake.assemble

    def broken(submission: Any, *rest: Any) -> Any:
        if submission.event_id == bad.event_id:
            raise ValueError("secret words of an event")
        return real(submission, *rest)

    bad, good = request(), request()
    monkeypatch.setattr(intake, "assemble", broken)
    async with running(home) as gateway:
        response = await gateway.publish(bad, good, bad)
    assert statuses(response) == [RETRY, ACCEPTED, RETRY]
    assert response.results[0].reason.split()[2].rstrip(";") in caplog.text
    assert "secret" not in caplog.text + str(response)


async def test_an_inner_cancellation_never_hangs_a_caller(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler whose inner task is cancelled answers UNAVAILABLE: raising CancelledError would leave him waiting."""

    async def cancelled(*_: object) -> None:
        raise asyncio.CancelledError

    async with running(home) as gateway:
        monkeypatch.setattr("ledger.gateway.publisher.Publisher._run", cancelled)
        assert await refused_code(gateway.publish(request(), timeout=20)) == grpc.StatusCode.UNAVAILABLE
