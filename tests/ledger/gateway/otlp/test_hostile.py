"""Malformed, deeply nested and hostile exports, over real sockets: answered, and good spans kept."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ledger.gateway.otlp.signals import LOGS, TRACES
from tests.ledger.gateway.otlp.hostile_spans import GOOD, SECRET, WRONG, among_good, field, with_attribute
from tests.ledger.gateway.otlp.sending import (
    PROTOBUF,
    Sender,
    chat_span,
    export,
    nested,
    over_grpc,
    over_http,
    posted,
)
from tests.ledger.gateway.running import Running


def no_utf8() -> bytes:
    """A model's call with a name that is not UTF-8, and a secret beside it."""
    return chat_span(GOOD, secret=SECRET).SerializeToString().replace(b"chat gpt-4o", b"chat\xff gpt-4")


def span_ids(trace: bytes = bytes(15) + b"\1", span: bytes = bytes(7) + b"\1") -> bytes:
    """A model's call with these ids."""
    made = chat_span(GOOD, secret=SECRET)
    made.trace_id, made.span_id = trace, span
    return made.SerializeToString()


BAD_SPANS: dict[str, Callable[[], bytes]] = {
    "not UTF-8": no_utf8,
    "cut off": lambda: chat_span(GOOD, secret=SECRET).SerializeToString()[:-7],
    "random bytes": lambda: random.Random(7).randbytes(500),
    "a group that never ends": lambda: b"\x0b" * 50,
    "nested 200 deep": lambda: with_attribute(nested(200)),
    "nested 5,000 deep": lambda: with_attribute(nested(5_000)),
    "a trace id too short": lambda: span_ids(trace=b"short"),
    "a trace id of zeros": lambda: span_ids(trace=bytes(16)),
    "a span id too long": lambda: span_ids(span=bytes(8) + b"\1"),
    "no ids": lambda: span_ids(b"", b""),
    "empty": lambda: b"",
}


@pytest.mark.parametrize("bad", BAD_SPANS)
async def test_a_bad_span_costs_itself_alone(gateway: Running, send: Sender, bad: str) -> None:
    """One bad span is refused by its place, and nothing of its content is told; the good ones beside it are kept."""
    answer = await send(gateway, among_good(BAD_SPANS[bad]()))
    assert (answer.ok, answer.refused) == (True, 1)
    assert answer.message.startswith("1 of 4 spans were refused: resource_spans[0].scope_spans[0].spans[1]: ")
    assert SECRET not in answer.message
    assert len(await gateway.stored()) == GOOD


@pytest.mark.parametrize("depth", [10, 31, 40])
async def test_a_span_nested_deeply_is_kept(gateway: Running, send: Sender, depth: int) -> None:
    """A span is kept whose values are deep, with or without the value that is deeper than is read."""
    answer = await send(gateway, among_good(with_attribute(nested(depth))))
    assert (answer.ok, answer.refused) == (True, 0)
    assert len(await gateway.stored()) == GOOD + 1


REQUESTS: dict[str, Callable[[], bytes]] = {
    "cut off": lambda: export(*map(chat_span, range(9))).SerializeToString()[:-9],
    "random bytes": lambda: random.Random(9).randbytes(2_000),
    "a length beyond the end": lambda: b"\x0a\xff\xff\xff\xff\x0f" + b"x" * 100,
    "text": lambda: SECRET.encode() * 20,
    "a resource cut off": lambda: field(1, field(1, field(1, b"\x0a\x05x")) + b"\x12"),
}


@pytest.mark.parametrize("wrong", REQUESTS)
async def test_a_request_that_is_none(gateway: Running, send: Sender, wrong: str) -> None:
    """What can't be read at all is refused for good, and nothing of it is told."""
    answer = await send(gateway, REQUESTS[wrong]())
    assert answer.code in WRONG
    assert answer.retry_after_ms is None
    assert SECRET not in answer.message
    assert await gateway.stored() == []


async def test_damaged_requests_are_always_answered(gateway: Running, send: Sender) -> None:
    """Whichever bytes of an export are changed, it is taken, taken in part, or refused for good: never a fault."""
    dice = random.Random(11)
    good = export(*map(chat_span, range(4))).SerializeToString()
    for _ in range(150):
        damaged = bytearray(good)
        for _ in range(dice.randint(1, 8)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        answer = await send(gateway, bytes(damaged))
        assert answer.ok or answer.code in WRONG
    _, body = await posted(gateway, TRACES.path, good, {"Content-Type": PROTOBUF})
    assert body == b""


async def test_a_bad_log_record_costs_itself_alone(gateway: Running, send: Sender) -> None:
    """Of logs as of traces: one that can't be read is refused, the others are not."""
    good = LogRecord(trace_id=bytes(15) + b"\1", span_id=bytes(7) + b"\1", event_name="gen_ai.choice")
    records = [good.SerializeToString(), good.SerializeToString().replace(b"gen_ai", b"gen\xffai"), b"\x0a"]
    answer = await send(gateway, field(1, field(2, b"".join(field(2, each) for each in records))), LOGS)
    assert (answer.ok, answer.refused) == (True, 2)
    assert "resource_logs[0].scope_logs[0].log_records[1]: is no valid LogRecord" in answer.message


async def test_a_fault_of_the_mapping_costs_one_span(
    gateway: Running, send: Sender, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A span at which the mapping fails is refused with the fault's id and nothing of its content."""

    def fails(span: Span, *_: Any) -> None:
        if any(each.key == "poison" for each in span.attributes):
            raise RuntimeError(SECRET)
        return original(span, *_)

    import ledger.otlp.traces as mapping

    original = mapping.span_record
    monkeypatch.setattr(mapping, "span_record", fails)
    answer = await send(gateway, among_good(chat_span(GOOD, poison=SECRET).SerializeToString()))
    assert (answer.ok, answer.refused) == (True, 1)
    assert "spans[1]: internal error " in answer.message
    assert SECRET not in answer.message + caplog.text
    assert len(await gateway.stored()) == GOOD


async def test_an_unexpected_fault_is_sent_again(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the gateway itself fails exporters keep what they have: UNAVAILABLE, not INTERNAL."""
    from ledger.gateway.otlp import export as exporting

    def fails(*_: Any) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(exporting, "read", fails)
    data = export(chat_span(0)).SerializeToString()
    for send, code in ((over_grpc, "UNAVAILABLE"), (over_http, 503)):
        answer = await send(gateway, data)
        assert (answer.code, answer.retry_after_ms) == (code, 1_000)
        assert answer.message.startswith("internal error ")
        assert SECRET not in answer.message
