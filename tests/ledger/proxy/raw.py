"""Raw HTTP on both sides of a proxy: an upstream that answers with given bytes, a caller that reads what comes."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

BODY = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}],"stream":true}'


@dataclass(slots=True)
class RawUpstream:
    """Answers each request with the bytes of `answer`, cut as it says; keeps what came in."""

    port: int = 0
    answer: list[bytes] = field(default_factory=list)
    close_after: bool = False
    seen: list[bytes] = field(default_factory=list)
    closed: int = 0
    written: int = 0
    pause_s: float = 0.0


@contextmanager
def raw_upstream() -> Iterator[RawUpstream]:
    """A server on loopback in a thread of its own."""
    upstream = RawUpstream()
    started = threading.Event()
    stops: list[Callable[[], object]] = []
    open_: list[asyncio.StreamWriter] = []

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                upstream.seen.append(head + await reader.readexactly(length))
                for piece in upstream.answer:
                    writer.write(piece)
                    await writer.drain()
                    upstream.written += len(piece)
                    await asyncio.sleep(upstream.pause_s)
                if upstream.close_after:
                    writer.close()
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            upstream.closed += 1
            writer.close()

    async def serve() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        stops.append(lambda: loop.call_soon_threadsafe(ended.set))
        server = await asyncio.start_server(connection, "127.0.0.1", 0)
        upstream.port = server.sockets[0].getsockname()[1]
        started.set()
        await ended.wait()
        server.close()
        for each in open_:
            each.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="raw-upstream", daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield upstream
    finally:
        stops[0]()
        thread.join(10)


def ask(port: int, request: bytes) -> tuple[bytes, bytes]:
    """Head and body of an answer, its chunks put together; the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=15) as connection:
        connection.sendall(request)
        stream = connection.makefile("rb")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            assert line, head
            head += line
        fields = head.lower()
        if b"transfer-encoding: chunked" in fields:
            body = b""
            while size := int(stream.readline(), 16):
                body += stream.read(size)
                assert stream.readline() == b"\r\n"
            stream.readline()
        else:
            length = next(int(each.partition(b":")[2]) for each in fields.split(b"\r\n") if b"content-length" in each)
            body = stream.read(length)
        stream.close()
    return head, body


def post(path: str, body: bytes = BODY, *fields: bytes) -> bytes:
    """A request."""
    head = [f"POST {path} HTTP/1.1".encode(), b"Host: proxy.test", b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join([*head, b"", body])


def event_in(head: bytes) -> str:
    """The event that an answer's fields name."""
    return (
        next(each for each in head.split(b"\r\n") if each.lower().startswith(b"x-ledger-event:"))[15:].strip().decode()
    )


def fields_of(head: bytes) -> list[bytes]:
    """Status line and fields, without what belongs to a hop, the ledger, or the clock."""
    hop = (b"transfer-encoding:", b"connection:", b"x-ledger-", b"date:")
    return [each for each in head.rstrip().split(b"\r\n") if not each.lower().startswith(hop)]


def read_until_broken(connection: socket.socket) -> bytes:
    """All that comes until the connection ends, however it does."""
    came = b""
    try:
        while part := connection.recv(65536):
            came += part
    except ConnectionError:
        return came
    return came
