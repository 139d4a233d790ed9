"""Limits, health and metrics: what is too much is refused in the vendor's way, and can be seen."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ledger.client.gateway import ScriptedGateway, wait_until
from tests.ledger.proxy.raw import BODY, RawUpstream, ask, event_in, post, raw_upstream
from tests.ledger.proxy.running import Running, proxied

CHAT = "/openai/v1/chat/completions"


@pytest.fixture
def upstream() -> Iterator[RawUpstream]:
    """A raw upstream."""
    with raw_upstream() as found:
        yield found


def port_of(proxy: Running) -> int:
    """Where it listens."""
    return int(proxy.url.rpartition(":")[2])


def test_a_body_that_is_too_large(gateway: ScriptedGateway, upstream: RawUpstream, tmp_path: Path) -> None:
    """A body over the limit is 413, said by its length or found out, also of one that opens to more."""
    with proxied(gateway, f"http://127.0.0.1:{upstream.port}", tmp_path, body_bytes_max=2_000) as proxy:
        large = BODY.replace(b"hi", b"x" * 5_000)
        chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(large), large)
        in_chunks = b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % CHAT.encode() + chunks
        packed = post(CHAT, gzip.compress(large), b"Content-Encoding: gzip")
        for request in (post(CHAT, large), in_chunks, packed):
            head, body = ask(port_of(proxy), request)
            assert head.split(b" ")[1] == b"413"
            assert b"body_too_large" in body
    assert upstream.seen == []


def test_a_body_that_does_not_come(gateway: ScriptedGateway, upstream: RawUpstream, tmp_path: Path) -> None:
    """A body that takes too long to arrive is 408, and holds its place no longer."""
    with proxied(gateway, f"http://127.0.0.1:{upstream.port}", tmp_path, body_timeout_ms=200) as proxy:
        head, body = ask(port_of(proxy), post(CHAT)[:-10])
        assert head.split(b" ")[1] == b"408"
        assert b"body_too_slow" in body
        wait_until(lambda: proxy.metric("calls_in_flight") == 0)
    assert upstream.seen == []


def test_a_header_field_that_is_too_large(gateway: ScriptedGateway, upstream: RawUpstream, tmp_path: Path) -> None:
    """A header field over the limit is refused before anything is read."""
    with proxied(gateway, f"http://127.0.0.1:{upstream.port}", tmp_path, header_bytes_max=2_000) as proxy:
        with socket.create_connection(("127.0.0.1", port_of(proxy)), timeout=15) as connection:
            connection.sendall(post(CHAT, BODY, b"X-Large: " + b"x" * 20_000))
            assert connection.recv(4096).split(b" ")[1] == b"400"
    assert upstream.seen == []


def test_too_many_calls_at_once(gateway: ScriptedGateway, upstream: RawUpstream, tmp_path: Path) -> None:
    """A call beyond the limit is 503 with a hint to come again; those at work are not touched."""
    with proxied(gateway, f"http://127.0.0.1:{upstream.port}", tmp_path, calls_in_flight_max=1) as proxy:
        with socket.create_connection(("127.0.0.1", port_of(proxy)), timeout=15) as first:
            first.sendall(post(CHAT))
            wait_until(lambda: len(upstream.seen) == 1)
            head, body = ask(port_of(proxy), post(CHAT))
            assert head.split(b" ")[1] == b"503"
            assert b"retry-after: 1" in head.lower()
            assert b"audit_ledger_overloaded" in body
            assert proxy.metric("calls_in_flight") == 1
    assert len(upstream.seen) == 1


def test_a_call_that_takes_too_long(gateway: ScriptedGateway, upstream: RawUpstream, tmp_path: Path) -> None:
    """A call over its time in all is ended, and recorded as that."""
    url = f"http://127.0.0.1:{upstream.port}"
    with proxied(gateway, url, tmp_path, call_timeout_ms=400, connect_timeout_ms=400) as proxy:
        head, body = ask(port_of(proxy), post(CHAT))
        assert head.split(b" ")[1] == b"504"
        assert b"upstream_timeout" in body
        assert proxy.operation_of(event_in(head), 2)[-1].request.error_class == "upstream_timeout"


def test_a_slow_reader_slows_the_upstream(gateway: ScriptedGateway, upstream: RawUpstream, tmp_path: Path) -> None:
    """A caller who does not read keeps the upstream from being read: memory holds a few buffers, not the answer."""
    size = 64 * 1024 * 1024
    upstream.answer = [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size, *[b"x" * 65536] * (size // 65536)]
    with proxied(gateway, f"http://127.0.0.1:{upstream.port}", tmp_path) as proxy:
        with socket.create_connection(("127.0.0.1", port_of(proxy)), timeout=30) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            connection.sendall(post(CHAT))
            assert connection.recv(1)
            stuck = _settled(lambda: upstream.written)
            assert stuck < size // 4
            came = 0
            while came < size:
                part = connection.recv(1 << 20)
                assert part
                came += len(part)


def _settled(value: Callable[[], int]) -> int:
    """A number once it has stopped growing."""
    last = -1
    while last != (now := value()):
        last = now
        threading.Event().wait(0.3)
    return last


def test_paths_of_no_known_format(gateway: ScriptedGateway, upstream: RawUpstream, tmp_path: Path) -> None:
    """By default such paths may be read, unrecorded and counted; what would send data is refused."""
    upstream.answer = [b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"data":[]}']
    with proxied(gateway, f"http://127.0.0.1:{upstream.port}", tmp_path) as proxy:
        head, body = ask(port_of(proxy), b"GET /openai/v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
        assert body == b'{"data":[]}'
        assert b"x-ledger-recorded: no" in head.lower()
        assert b"x-ledger-event" not in head.lower()
        assert proxy.metric("unrecorded_total") == 1
        head, body = ask(port_of(proxy), post("/openai/v1/files"))
        assert head.split(b" ")[1] == b"403"
        assert b"audit_ledger_unknown_path" in body
    assert len(upstream.seen) == 1


def test_a_head_request_has_no_body(gateway: ScriptedGateway, upstream: RawUpstream, tmp_path: Path) -> None:
    """HEAD comes back with the upstream's length and no body."""
    upstream.answer = [b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"]
    with proxied(gateway, f"http://127.0.0.1:{upstream.port}", tmp_path) as proxy:
        with socket.create_connection(("127.0.0.1", port_of(proxy)), timeout=15) as connection:
            connection.sendall(b"HEAD /openai/v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            came = b""
            while part := connection.recv(65536):
                came += part
    assert b"Content-Length: 500" in came
    assert came.endswith(b"\r\n\r\n")


def test_health_and_metrics(gateway: ScriptedGateway, upstream: RawUpstream, tmp_path: Path) -> None:
    """`/healthz` is 200 while it serves; `/metrics` names no tenant, model, key or path."""
    upstream.answer = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]
    with proxied(gateway, f"http://127.0.0.1:{upstream.port}", tmp_path) as proxy:
        with urllib.request.urlopen(f"{proxy.metrics_url}/healthz", timeout=5) as answer:
            assert answer.status == 200
        ask(port_of(proxy), post(f"{CHAT}?key=secret-in-query", BODY, b"Authorization: Bearer secret"))
        wait_until(lambda: proxy.metric("calls_total") == 1)
        with urllib.request.urlopen(f"{proxy.metrics_url}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    assert 'audit_ledger_proxy_decisions_total{verdict="allow"} 1.0' in text
    assert 'audit_ledger_proxy_policy_info{policy="test/1"} 1.0' in text
    for secret in ("acme", "gpt-4o", "secret", "chat/completions"):
        assert secret not in text


def test_a_stopping_proxy_lets_calls_at_work_end(
    gateway: ScriptedGateway, upstream: RawUpstream, tmp_path: Path
) -> None:
    """While it drains a call at work gets its whole answer; one that does not end in time is cancelled, and says so."""
    for hold, ends in ((0.5, True), (10.0, False)):
        upstream.answer = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"{}"]
        upstream.pause_s = hold
        gateway.accepted.clear()
        folder = tmp_path / str(ends)
        folder.mkdir()
        with proxied(gateway, f"http://127.0.0.1:{upstream.port}", folder, drain_ms=2_000) as proxy:
            before = len(upstream.seen)
            with socket.create_connection(("127.0.0.1", port_of(proxy)), timeout=15) as connection:
                connection.sendall(post(CHAT))
                wait_until(lambda seen=before: len(upstream.seen) > seen)
                stopping = threading.Thread(target=proxy.stop)
                began = time.monotonic()
                stopping.start()
                came = b""
                try:
                    while part := connection.recv(65536):
                        came += part
                except ConnectionError:
                    came += b""
                stopping.join(30)
            assert came.endswith(b"{}") is ends
            assert time.monotonic() - began < 10
        requests = [each for each in gateway.accepted if each.WhichOneof("body") == "request"]
        assert requests[-1].request.error_class == ("" if ends else "proxy_stopped")
