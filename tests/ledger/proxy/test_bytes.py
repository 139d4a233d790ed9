"""What the caller receives is what the upstream sent: raw sockets on both sides, arbitrary bytes, cuts and fields."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ledger.client.gateway import ScriptedGateway, running
from tests.ledger.proxy.raw import BODY, RawUpstream, ask, event_in, fields_of, post, raw_upstream, read_until_broken
from tests.ledger.proxy.running import Running, proxied


@dataclass(frozen=True)
class Both:
    """A proxy in front of a raw upstream."""

    proxy: Running
    upstream: RawUpstream

    @property
    def port(self) -> int:
        """The proxy's."""
        return int(self.proxy.url.rpartition(":")[2])


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """One for all examples."""
    gateway: ScriptedGateway
    folder: Path = tmp_path_factory.mktemp("bytes")
    with raw_upstream() as upstream, running() as gateway:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", "AKIAPROXY")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
            with proxied(gateway, f"http://127.0.0.1:{upstream.port}", folder, unknown_paths="pass") as proxy:
                yield Both(proxy, upstream)


NAMES = st.from_regex(r"\AX-[A-Za-z][A-Za-z0-9-]{0,12}\Z").filter(lambda name: not name.lower().startswith("x-ledger"))
VALUES = st.from_regex(r"\A[!-~]([ -~]{0,20}[!-~])?\Z")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=3_000),
    cuts=st.lists(st.integers(0, 3_000), max_size=6),
    chunked=st.booleans(),
    status=st.sampled_from([b"200 OK", b"201 Made It", b"404 Not Here", b"429 Slow Down", b"500 ", b"529 Overloaded"]),
    fields=st.lists(st.tuples(NAMES, VALUES), max_size=4),
    kind=st.sampled_from([b"text/event-stream", b"application/json", b"application/octet-stream", b""]),
)
def test_any_answer_comes_back_as_it_was_sent(
    both: Both,
    body: bytes,
    cuts: list[int],
    chunked: bool,
    status: bytes,
    fields: list[tuple[str, str]],
    kind: bytes,
) -> None:
    """Status, reason, fields in their order and spelling, and every byte of the body are the upstream's."""
    head = [b"HTTP/1.1 " + status, *(f"{name}: {value}".encode() for name, value in fields)]
    if kind:
        head.append(b"Content-Type: " + kind)
    places = [0, *sorted(min(each, len(body)) for each in cuts), len(body)]
    parts = [body[a:b] for a, b in pairwise(places) if b > a]
    if chunked:
        sent = [b"\r\n".join([*head, b"Transfer-Encoding: chunked", b"", b""])]
        sent += [b"%x\r\n%s\r\n" % (len(part), part) for part in parts]
        sent.append(b"0\r\n\r\n")
    else:
        sent = [b"\r\n".join([*head, b"Content-Length: %d" % len(body), b"", b""]), *parts]
    both.upstream.answer = sent
    for path in ("/openai/v1/chat/completions", "/openai/v1/anything"):
        found, came = ask(both.port, post(path))
        assert came == body
        expected = [*head, *([] if chunked else [b"Content-Length: %d" % len(body)])]
        assert fields_of(found) == expected


def test_what_leaves_is_what_came(both: Both) -> None:
    """Path, query, fields and body reach the upstream as they came, but for the hop's, the ledger's, and the host."""
    both.upstream.answer = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]
    both.upstream.seen.clear()
    request = post(
        "/openai/v1/a%2Fb%20c/chat/completions?x=%7e&x=2&y",
        BODY,
        b"X-Custom: One",
        b"x-custom: two",
        b"Authorization: Bearer key",
        b"Accept-Encoding: br, gzip;q=0.5, zstd",
        b"Connection: X-Hop, keep-alive",
        b"X-Hop: mine",
        b"TE: trailers",
        b"x-ledger-user: mia",
        b"X-Ledger-Session: s",
        b"User-Agent: test",
        b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    ask(both.port, request)
    head, _, body = both.upstream.seen[-1].partition(b"\r\n\r\n")
    assert body == BODY
    line, *fields = head.split(b"\r\n")
    assert line == b"POST /v1/a%2Fb%20c/chat/completions?x=%7e&x=2&y HTTP/1.1"
    assert sorted(fields) == sorted(
        [
            b"Host: 127.0.0.1:%d" % both.upstream.port,
            b"X-Custom: One",
            b"X-Custom: two",
            b"Authorization: Bearer key",
            b"Accept-Encoding: gzip;q=0.5",
            b"User-Agent: test",
            b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            b"Via: 1.1 audit-ledger",
            b"Content-Length: %d" % len(BODY),
        ]
    )


def test_a_compressed_answer_stays_compressed(both: Both) -> None:
    """gzip goes through as it is, and its record holds what was in it."""
    packed = gzip.compress(b'{"id":"c-1","choices":[{"message":{"content":"packed"},"finish_reason":"stop"}]}')
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
    both.upstream.answer = [head + b"Content-Length: %d\r\n\r\n" % len(packed) + packed]
    head, body = ask(both.port, post("/openai/v1/chat/completions"))
    assert body == packed
    assert both.proxy.event_of(event_in(head)).request.output.text == "packed"


def test_a_compressed_request_goes_on_compressed(both: Both) -> None:
    """A request's own encoding stays, and its record holds what was in it."""
    both.upstream.answer = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]
    both.upstream.seen.clear()
    packed = gzip.compress(BODY.replace(b"hi", b"unpacked"))
    head, _ = ask(both.port, post("/openai/v1/chat/completions", packed, b"Content-Encoding: gzip"))
    assert both.upstream.seen[-1].endswith(packed)
    assert "unpacked" in both.proxy.event_of(event_in(head)).request.input.text


def test_all_members_of_a_compressed_request_are_seen(both: Both) -> None:
    """gzip in several members is one body: what stands in the last is recorded, as the vendor reads it."""
    both.upstream.answer = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]
    body = BODY.replace(b"hi", b"split in two")
    packed = gzip.compress(body[:40]) + gzip.compress(body[40:])
    head, _ = ask(both.port, post("/openai/v1/chat/completions", packed, b"Content-Encoding: gzip"))
    request = both.proxy.event_of(event_in(head)).request
    assert json.loads(request.input.text)[0]["content"] == "split in two"


def test_a_body_of_a_megabyte_goes_through(both: Both) -> None:
    """A large request and a large answer arrive whole; the record keeps as much as it may, and says that it was cut."""
    both.upstream.seen.clear()
    text = "long " * 250_000
    answer = b'{"choices":[{"message":{"content":"%s"}}]}' % text.encode()
    both.upstream.answer = [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer]
    sent = BODY.replace(b"hi", text.encode())
    head, came = ask(both.port, post("/openai/v1/chat/completions", sent))
    assert came == answer
    assert both.upstream.seen[-1].endswith(sent)
    request = both.proxy.event_of(event_in(head)).request
    assert len(request.input.text) == len(request.output.text) == 256 * 1024
    assert request.output.media_type == f"text/plain;cut-from-bytes={len(text)}"


def test_an_answer_that_can_not_be_read_is_called_absent(both: Both) -> None:
    """An answer in an encoding that can't be read here is passed on as it is; its record says that there was one."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: br\r\n"
    both.upstream.answer = [head + b"Content-Length: 3\r\n\r\n\x0b\x00\x80"]
    found, came = ask(both.port, post("/openai/v1/chat/completions"))
    assert came == b"\x0b\x00\x80"
    assert both.proxy.event_of(event_in(found)).request.output.absent


def test_an_answer_without_end_is_kept_to_a_bound(both: Both) -> None:
    """A stream that says more than is held of it is passed on whole, and its record says that it was cut."""
    event = b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % (b"again " * 10_000)
    both.upstream.answer = [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % (len(event) * 30),
        *[event] * 30,
    ]
    found, came = ask(both.port, post("/openai/v1/chat/completions"))
    assert came == event * 30
    output = both.proxy.event_of(event_in(found)).request.output
    assert len(output.text) == 256 * 1024
    assert output.media_type == f"text/plain;cut-from-bytes={4 * 256 * 1024}"


def test_a_caller_who_asks_first_is_told_to_go_on(both: Both) -> None:
    """A caller who waits for 100 Continue gets it before he sends his body."""
    both.upstream.answer = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]
    head, _, body = post("/openai/v1/chat/completions", BODY, b"Expect: 100-continue").partition(b"\r\n\r\n")
    with socket.create_connection(("127.0.0.1", both.port), timeout=15) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")


def test_prompts_of_fields_and_of_the_request_stand_together(both: Both) -> None:
    """A prompt that the service names and one that the vendor keeps are both on record."""
    both.upstream.answer = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]
    body = b'{"model":"gpt-4o","input":"hi","prompt":{"id":"pmpt_1","version":"3"}}'
    found, _ = ask(both.port, post("/openai/v1/responses", body, b"x-ledger-prompt: greeting@7"))
    prompts = both.proxy.event_of(event_in(found)).request.prompts
    assert [(each.prompt_id, each.revision) for each in prompts] == [("greeting", "7"), ("pmpt_1", "3")]


def test_a_request_in_chunks_is_taken(both: Both) -> None:
    """A caller may send his body in chunks; it leaves with its length."""
    both.upstream.answer = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]
    both.upstream.seen.clear()
    head = b"POST /openai/v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"1\r\n%c\r\n" % each for each in BODY) + b"0\r\n\r\n"
    _, body = ask(both.port, head + chunks)
    assert body == b"{}"
    assert both.upstream.seen[-1].endswith(b"\r\n\r\n" + BODY)


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (post("/nobody/v1/chat/completions"), b"404", b"unknown_upstream"),
        (post("/openai/v1/../chat/completions"), b"400", b"audit_ledger_path"),
        (post("/openai/v1/%2e%2e/chat/completions"), b"400", b"audit_ledger_path"),
        (
            post("/openai/v1/chat/completions", BODY, b"Upgrade: websocket", b"Connection: Upgrade"),
            b"501",
            b"WebSocket",
        ),
        (post("/openai/v1/chat/completions", BODY, b"x-ledger-usr: mia"), b"400", b"x-ledger-usr: is unknown"),
        (post("/openai/v1/chat/completions", BODY, b"x-ledger-class: secret"), b"400", b"x-ledger-class: expected"),
        (post("/openai/v1/chat/completions", BODY, b"x-ledger-user: a", b"x-ledger-user: b"), b"400", b"given twice"),
        (post("/openai/v1/chat/completions", BODY, b"Content-Encoding: br"), b"415", b"content_encoding"),
        (
            post("/openai/v1/chat/completions", gzip.compress(BODY)[:-9], b"Content-Encoding: gzip"),
            b"400",
            b"content_encoding",
        ),
        (
            post(
                "/openai/v1/chat/completions",
                gzip.compress(BODY),
                b"Content-Encoding: gzip",
                b"Content-Encoding: identity",
            ),
            b"415",
            b"content_encoding",
        ),
        (post("/openai/v1/chat/completions", BODY, b"x-ledger-tenant: other"), b"403", b"audit_ledger_denied"),
        (b"POST http://elsewhere/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b"400", b"audit_ledger_path"),
    ],
)
def test_what_can_not_be_carried_is_refused_clearly(
    both: Both, request_bytes: bytes, status: bytes, code: bytes
) -> None:
    """A request that no proxy can carry, or that says something wrong, gets an error that says so; nothing leaves."""
    both.upstream.seen.clear()
    head, body = ask(both.port, request_bytes)
    assert head.split(b" ")[1] == status
    assert code in body
    assert both.upstream.seen == []


@pytest.mark.parametrize("bytes_", [b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"POST /x HTTP/9.9\r\nHost: x\r\n\r\n"])
def test_no_http_is_no_surprise(both: Both, bytes_: bytes) -> None:
    """Bytes that are no request are answered with 400, or not at all, and the proxy goes on."""
    with socket.create_connection(("127.0.0.1", both.port), timeout=15) as connection:
        connection.sendall(bytes_)
        assert connection.recv(4096)[:12] in (b"HTTP/1.1 400", b"HTTP/1.0 400", b"")
    both.upstream.answer = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]
    assert ask(both.port, post("/openai/v1/chat/completions"))[1] == b"{}"


def test_an_answer_that_breaks_off_breaks_off(both: Both) -> None:
    """A cut connection must not look like an end: neither in chunks nor with a length, and the record says so."""
    event = b'data: {"choices":[{"index":0,"delta":{"content":"half"}}]}\n\n'
    whole = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 999\r\n\r\n" + event
    chunked = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    both.upstream.close_after = True
    try:
        for answer in (whole, chunked + b"%x\r\n%s\r\n" % (len(event), event)):
            both.upstream.answer = [answer]
            with socket.create_connection(("127.0.0.1", both.port), timeout=15) as connection:
                connection.sendall(post("/openai/v1/chat/completions"))
                came = read_until_broken(connection)
            assert event in came
            assert not came.endswith(b"0\r\n\r\n")
            started, failed = both.proxy.operation_of(event_in(came), 2)
            assert started.operation_id == failed.operation_id == started.event_id
            assert (failed.request.error_class, failed.request.output.text) == ("upstream_broken", "half")
    finally:
        both.upstream.close_after = False
