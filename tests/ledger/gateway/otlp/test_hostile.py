"""Malformed, giant, deeply nested and hostile exports, over real sockets: answered, bounded, and good spans kept."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import random
import resource
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ledger.gateway.otlp.signals import LOGS, TRACES
from ledger.home import Home
from tests.ledger.gateway.otlp.sending import (
    FOR_TENANT,
    HTTP,
    JSON,
    PROTOBUF,
    SENDERS,
    Answer,
    chat_span,
    export,
    nested,
    over_grpc,
    over_http,
)
from tests.ledger.gateway.otlp.test_export import Sender, posted
from tests.ledger.gateway.running import Running, running

SECRET = "do-not-tell-anybody"
MIB = 2**20
GOOD = 3
WRONG = ("INVALID_ARGUMENT", 400)


@pytest.fixture
async def gateway(home: Home) -> AsyncIterator[Running]:
    """A running gateway that serves OTLP over HTTP too."""
    async with running(home, otlp=HTTP) as gateway:
        yield gateway


@pytest.fixture(params=SENDERS, ids=list(SENDERS))
def send(request: pytest.FixtureRequest) -> Sender:
    """Both transports, one after the other."""
    return SENDERS[request.param]


def field(number: int, data: bytes) -> bytes:
    """A length-delimited field of protobuf's wire format."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    """An unsigned number of the wire format."""
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*made, value))


def among_good(bad: bytes) -> bytes:
    """An export with the bytes of a bad span between good ones."""
    spans = [chat_span(number).SerializeToString() for number in range(GOOD)]
    return field(1, field(2, b"".join(field(2, each) for each in (spans[0], bad, *spans[1:]))))


def with_attribute(value: AnyValue) -> bytes:
    """A model's call whose input is this value."""
    span = chat_span(GOOD)
    span.attributes.add(key="gen_ai.input.messages").value.CopyFrom(value)
    return span.SerializeToString()


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


@pytest.mark.parametrize("size", [MIB, 6 * MIB])
async def test_a_giant_span(gateway: Running, send: Sender, size: int) -> None:
    """A span with megabytes of content is kept within the limits, or refused by its place; the others are kept."""
    answer = await send(gateway, among_good(with_attribute(AnyValue(string_value="y" * size))))
    assert answer.ok
    assert len(await gateway.stored()) + answer.refused == GOOD + 1
    assert "yyyy" not in answer.message


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


async def test_damaged_json_is_always_answered(gateway: Running) -> None:
    """Whichever bytes of an export in JSON are changed, it is never a fault."""
    dice = random.Random(13)
    good = json_spans()
    for _ in range(200):
        damaged = bytearray(good)
        for _ in range(dice.randint(1, 4)):
            damaged[dice.randrange(len(damaged))] = dice.choice(b'{}[]",:0123456789\\nulabc')
        status, body = await posted(gateway, TRACES.path, bytes(damaged), {"Content-Type": JSON})
        assert status in (200, 400), body


async def test_who_asks_before_he_sends_is_told(gateway: Running) -> None:
    """`Expect: 100-continue` is answered: go on, or at once with what is wrong."""
    body = export(chat_span(0)).SerializeToString()
    expects = HEAD + b"Expect: 100-continue\r\nConnection: close\r\n"
    answer = await spoken(gateway, expects + b"Content-Length: %d\r\n\r\n" % len(body), more=body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    refused = await spoken(gateway, expects + b"Content-Length: 99999999\r\n\r\n")
    assert refused.startswith(b"HTTP/1.1 413 ")


async def test_more_records_than_are_taken(home: Home, send: Sender) -> None:
    """Beyond the limit of an export records are refused; those before are kept."""
    async with running(home, otlp={**HTTP, "records_max": 5}) as gateway:
        request = export(*map(chat_span, range(4)))
        request.resource_spans.extend(export(*map(chat_span, range(4, 9))).resource_spans)
        answer = await send(gateway, request.SerializeToString())
        assert (answer.ok, answer.refused) == (True, 4)
        assert "beyond the 5 that are taken of one export" in answer.message
        assert len(await gateway.stored()) == 5


EMPTY: dict[str, Callable[[], bytes]] = {
    "spans": lambda: field(1, field(2, b"\x12\x00" * 4_000_000)),
    "scopes": lambda: field(1, b"\x12\x00" * 4_000_000),
    "resources": lambda: b"\x0a\x00" * 4_000_000,
    "attributes": lambda: field(1, field(2, field(2, b"\x4a\x00" * 4_000_000))),
}


@pytest.mark.parametrize("empty", EMPTY)
async def test_millions_of_empty_parts(gateway: Running, send: Sender, empty: str) -> None:
    """Eight megabytes of the smallest parts there are cost some hundred megabytes and some seconds at most."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with asyncio.timeout(20):
        answer = await send(gateway, EMPTY[empty]())
    assert answer.ok or answer.code in WRONG
    assert await gateway.stored() == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700_000


async def test_a_bomb_over_http(gateway: Running) -> None:
    """A body of a megabyte that would be a gigabyte is refused before it is."""
    for encoding, wrap in (("gzip", 31), ("deflate", 15)):
        squeeze = zlib.compressobj(9, zlib.DEFLATED, wrap)
        bomb = b"".join(squeeze.compress(bytes(MIB)) for _ in range(1_024)) + squeeze.flush()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answer = await over_http(gateway, bomb, headers={**FOR_TENANT, "Content-Encoding": encoding})
        assert answer.code == 413
        assert answer.message == "the body is more than 16777216 bytes once decompressed"
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


async def test_a_bomb_over_grpc(gateway: Running) -> None:
    """A compressed message beyond the limit is refused, and exporters do not send it again."""
    options = [("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(str(gateway.gateway.address), options) as channel:
        call = channel.unary_unary(f"/{TRACES.service}/Export")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(bytes(64 * MIB), compression=grpc.Compression.Gzip, timeout=30)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "google.rpc.retryinfo-bin" not in dict(caught.value.trailing_metadata() or ())


BODIES: dict[str, tuple[bytes, int, str]] = {
    "no gzip": (b"no gzip at all", 400, "is no gzip"),
    "gzip cut off": (gzip.compress(b"x" * 1_000)[:-12], 400, "cut off"),
    "gzip with more behind": (gzip.compress(b"") + b"x" * 50, 400, "is no gzip"),
    "very many members": (gzip.compress(b"") * 10_000, 400, "more than 64 gzip members"),
}


@pytest.mark.parametrize("body", BODIES)
async def test_bodies_that_are_not_what_they_say(gateway: Running, body: str) -> None:
    """A compressed body that is broken is refused for good."""
    data, status, said = BODIES[body]
    answer = await over_http(gateway, data, headers={**FOR_TENANT, "Content-Encoding": "gzip"})
    assert answer.code == status
    assert said in answer.message


async def test_a_message_too_large(gateway: Running) -> None:
    """What is larger than a message or a body may be is refused, and exporters do not send it again."""
    data = among_good(with_attribute(AnyValue(string_value="y" * 17 * MIB)))
    assert (await over_http(gateway, data)).code == 413
    options = [("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(str(gateway.gateway.address), options) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(f"/{TRACES.service}/Export")(data, timeout=30)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "google.rpc.retryinfo-bin" not in dict(caught.value.trailing_metadata() or ())


def json_spans(*bad: Any) -> bytes:
    """An export in JSON: two good spans, and bad ones between them."""
    tree = MessageToDict(export(chat_span(0), chat_span(1)))
    spans = tree["resourceSpans"][0]["scopeSpans"][0]["spans"]
    for number, span in enumerate(spans):
        span["traceId"], span["spanId"] = chat_span(number).trace_id.hex(), chat_span(number).span_id.hex()
    spans[1:1] = bad
    return json.dumps(tree).encode()


def deep_value(depth: int) -> Any:
    """A value inside lists, in JSON."""
    value: Any = {"stringValue": "deep"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    return value


BAD_JSON: dict[str, Any] = {
    "a text": SECRET,
    "null": None,
    "a list": [1, 2],
    "ids that are no hex": {"traceId": SECRET, "spanId": "x"},
    "ids that are base64": {"traceId": base64.b64encode(bytes(15) + b"\1").decode(), "spanId": "AAAAAAAAAAE="},
    "ids that are numbers": {"traceId": 1, "spanId": 2},
    "a time that is a text": {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "startTimeUnixNano": SECRET},
    "attributes that are no list": {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "attributes": SECRET},
    "nested 150 deep": {
        "traceId": "0" * 31 + "1",
        "spanId": "0" * 15 + "1",
        "attributes": [{"key": "x", "value": deep_value(150)}],
    },
    "half a surrogate": {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "name": "\ud800"},
    "links that are numbers": {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "links": [1]},
}


@pytest.mark.parametrize("bad", BAD_JSON)
async def test_a_bad_span_in_json_costs_itself_alone(gateway: Running, bad: str) -> None:
    """As in protobuf."""
    status, body = await posted(gateway, TRACES.path, json_spans(BAD_JSON[bad]), {"Content-Type": JSON})
    answer = json.loads(body)
    assert (status, answer["partialSuccess"]["rejectedSpans"]) == (200, "1")
    assert "spans[1]: " in answer["partialSuccess"]["errorMessage"]
    assert SECRET not in body.decode()
    assert len(await gateway.stored()) == 2


WRONG_JSON = {
    "cut off": json_spans()[:-9],
    "nested 100,000 deep": b"[" * 100_000,
    "not UTF-8": json_spans().replace(b"shop", b"sh\xffp"),
    "UTF-16": json_spans().decode().encode("utf-16"),
    "a list": b"[]",
    "resources that are no list": b'{"resourceSpans": {"x": 1}}',
    "a number of a million digits": b'{"resourceSpans": ' + b"9" * 1_000_000 + b"}",
}


@pytest.mark.parametrize("wrong", WRONG_JSON)
async def test_json_that_is_none(gateway: Running, wrong: str) -> None:
    """What can't be read at all is refused for good, as JSON."""
    status, body = await posted(gateway, TRACES.path, WRONG_JSON[wrong], {"Content-Type": JSON})
    assert status == 400
    assert json.loads(body)["code"] == 3


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/v1/traces", {}, 405),
        ("PUT", "/v1/logs", {}, 405),
        ("POST", "/", {}, 404),
        ("POST", "/v1/traces/", {}, 404),
        ("POST", "/v1/traces", {"Content-Type": "text/plain"}, 415),
        ("POST", "/v1/traces", {"Content-Type": PROTOBUF, "Content-Encoding": "br"}, 415),
        ("POST", "/v1/profiles", {"Content-Type": PROTOBUF}, 404),
    ],
)
async def test_what_http_should_not_bring_here(
    gateway: Running, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """Other methods, paths, types and encodings have their status, and are not sent again."""
    found, _ = await posted(gateway, path, export(chat_span(0)).SerializeToString(), headers, method)
    assert found == status
    assert await gateway.stored() == []


async def spoken(gateway: Running, data: bytes, *, more: bytes = b"") -> bytes:
    """What the HTTP server answers to these bytes until it closes the connection."""
    server = gateway.gateway.otlp_http
    assert server is not None
    reader, writer = await asyncio.open_connection(server.address.host, server.address.port)
    try:
        writer.write(data)
        if more:
            await asyncio.sleep(0.05)
            writer.write(more)
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nx-ledger-tenant: acme\r\n"
RAW = {
    "no HTTP": b"\x00\x01\x02 SSH-2.0\r\n\r\n",
    "TLS on a plain address": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "a length that is none": HEAD + b"Content-Length: -5\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nxxxxxx",
    "chunks that are none": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nxx\r\n",
    "headers without an end": HEAD + b"x-long: " + b"y" * 100_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("raw", RAW)
async def test_what_is_no_http(gateway: Running, raw: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is answered 400 and the connection is closed; the log holds nothing of it, and others are served."""
    answer = await spoken(gateway, RAW[raw])
    assert answer.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
    assert "y" * 100 not in caplog.text
    assert (await over_http(gateway, export(chat_span(0)).SerializeToString())).ok


async def test_a_body_that_does_not_come(home: Home) -> None:
    """A request whose body is not there in time is answered so that it is sent again."""
    async with running(home, otlp={**HTTP, "http_deadline_ms": 200}) as gateway:
        answer = await spoken(gateway, HEAD + b"Content-Length: 100\r\n\r\n", more=b"x")
    assert answer.startswith(b"HTTP/1.1 504")


async def test_headers_that_do_not_come(home: Home) -> None:
    """A connection that does not get as far as a request is closed."""
    async with running(home, otlp={**HTTP, "http_header_ms": 200}) as gateway:
        assert await spoken(gateway, HEAD, more=b"x-more: y\r\n") == b""
        assert await spoken(gateway, b"") == b""


async def test_too_many_connections(home: Home) -> None:
    """One connection too many is answered 503 and closed, and is served once another has gone."""
    async with running(home, otlp={**HTTP, "http_connections_max": 1}) as gateway:
        server = gateway.gateway.otlp_http
        assert server is not None
        _, held = await asyncio.open_connection(server.address.host, server.address.port)
        answer = b""
        while not answer:
            answer = await spoken(gateway, b"")
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n")
        held.close()
        await held.wait_closed()
        async with asyncio.timeout(20):
            while b" 404 " not in await spoken(gateway, GET):
                pass


async def test_too_many_http_requests(home: Home) -> None:
    """Beyond the requests that may be read at once one is turned away with a hint."""
    async with running(home, otlp={**HTTP, "http_concurrency_max": 1}) as gateway:
        server = gateway.gateway.otlp_http
        assert server is not None
        _, held = await asyncio.open_connection(server.address.host, server.address.port)
        held.write(HEAD + b"Content-Length: 100\r\n\r\n")
        answer = Answer(200)
        async with asyncio.timeout(20):
            while answer.ok:
                answer = await over_http(gateway, export(chat_span(0)).SerializeToString())
        assert (answer.code, answer.retry_after_ms) == (429, 200)
        held.close()


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
