"""A loopback server in a thread of its own, what it has seen, and the two framings of server-sent events.

`serving(app)` gives the base URL (`http://127.0.0.1:PORT`) and, in `Loopback.seen`, every request as it came in: what a
proxy or a client really sent.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that came in."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


@dataclass(slots=True)
class Loopback:
    """A running server."""

    url: str
    port: int
    seen: list[Seen] = field(default_factory=list)


class Cut(Exception):
    """Raised by a stream of frames: break the connection off here."""


def event_frames(events: Iterable[JSON], *, done: bool = False, newline: str = "\n") -> Iterator[bytes]:
    """`data:` lines only (OpenAI ends with `[DONE]`, Google separates with CRLF)."""
    for event in events:
        yield f"data: {json.dumps(event)}{newline}{newline}".encode()
    if done:
        yield f"data: [DONE]{newline}{newline}".encode()


def named_event_frames(events: Iterable[JSON]) -> Iterator[bytes]:
    """`event:` with the event's own type, then `data:`."""
    for event in events:
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def cut_after(frames: Iterable[bytes], count: int) -> Iterator[bytes]:
    """The first frames, then the connection breaks."""
    for place, frame in enumerate(frames):
        if place == count:
            raise Cut
        yield frame
    raise Cut


async def stream(request: web.Request, frames: Iterable[bytes], headers: Mapping[str, str]) -> web.StreamResponse:
    """Answers with frames, each flushed by itself."""
    response = web.StreamResponse(headers=dict(headers))
    await response.prepare(request)
    try:
        for frame in frames:
            await response.write(frame)
            await asyncio.sleep(0)
    except Cut:
        cut(request)
        return response
    await response.write_eof()
    return response


def cut(request: web.Request) -> None:
    """Closes the connection as a broken network does: no end of the answer."""
    if request.transport is not None:
        request.transport.abort()


@contextmanager
def serving(*routes: Iterable[web.RouteDef]) -> Iterator[Loopback]:
    """Serves until the block ends, on a port that the system chose."""
    started = threading.Event()
    loopback = Loopback("", 0)
    stop: list[Callable[[], object]] = []

    async def run() -> None:
        app = web.Application(middlewares=[_recorder(loopback)], client_max_size=64 << 20)
        for group in routes:
            app.add_routes(group)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        loopback.port = runner.addresses[0][1]
        loopback.url = f"http://127.0.0.1:{loopback.port}"
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(ended.set))
        started.set()
        await ended.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="loopback-vendor", daemon=True)
    thread.start()
    if not started.wait(10):
        raise TimeoutError("the loopback vendor did not start within 10 s")
    try:
        yield loopback
    finally:
        stop[0]()
        thread.join(10)


def _recorder(loopback: Loopback) -> Any:
    @web.middleware
    async def record(request: web.Request, handler: Any) -> web.StreamResponse:
        body = await request.read()
        loopback.seen.append(
            Seen(request.method, request.rel_url.raw_path, dict(request.query), dict(request.headers), body)
        )
        answered: web.StreamResponse = await handler(request)
        return answered

    return record
