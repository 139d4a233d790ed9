"""Giant exports, bombs and very many parts: bounded in memory and time, answered so that nobody sends them again."""

from __future__ import annotations

import asyncio
import gzip
import resource
import zlib
from collections.abc import Callable

import grpc
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from ledger.gateway.otlp.signals import TRACES
from ledger.home import Home
from tests.ledger.gateway.otlp.hostile_spans import GOOD, MIB, WRONG, among_good, field, with_attribute
from tests.ledger.gateway.otlp.sending import FOR_TENANT, HTTP, Sender, chat_span, export, over_http
from tests.ledger.gateway.running import Running, running


@pytest.mark.parametrize("size", [MIB, 6 * MIB])
async def test_a_giant_span(gateway: Running, send: Sender, size: int) -> None:
    """A span with megabytes of content is kept within the limits, or refused by its place; the others are kept."""
    answer = await send(gateway, among_good(with_attribute(AnyValue(string_value="y" * size))))
    assert answer.ok
    assert len(await gateway.stored()) + answer.refused == GOOD + 1
    assert "yyyy" not in answer.message


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
