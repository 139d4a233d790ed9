"""What is no HTTP, HTTP that should not come here, and connections that only wait."""

from __future__ import annotations

import asyncio

import pytest

from ledger.home import Home
from tests.ledger.gateway.otlp.sending import HTTP, PROTOBUF, Answer, chat_span, export, over_http, posted
from tests.ledger.gateway.running import Running, running


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


async def test_who_asks_before_he_sends_is_told(gateway: Running) -> None:
    """`Expect: 100-continue` is answered: go on, or at once with what is wrong."""
    body = export(chat_span(0)).SerializeToString()
    expects = HEAD + b"Expect: 100-continue\r\nConnection: close\r\n"
    answer = await spoken(gateway, expects + b"Content-Length: %d\r\n\r\n" % len(body), more=body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    refused = await spoken(gateway, expects + b"Content-Length: 99999999\r\n\r\n")
    assert refused.startswith(b"HTTP/1.1 413 ")


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
