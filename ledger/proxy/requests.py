"""A request as it comes in: which upstream, which route, what it says, and its body, within the limits.

    /NAME/PATH?QUERY     goes to the upstream NAME, as PATH?QUERY behind its address

The path goes on as it came, escapes included; one with `.` or `..` in it does not, since what it means depends on who
reads it. A query may hold a vendor's key (Gemini's `key`), so neither path nor query is ever logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import HttpVersion11, web

from ledger.proxy.answers import OwnAnswer
from ledger.proxy.upstreams import Upstream
from ledger.vendors import Route, route_of
from ledger.vendors.decompressing import Broken, decompressor

CONTINUE = "100-continue"
READING = ("GET", "HEAD", "OPTIONS")
_DOTS = {".", "..", "%2e", "%2e%2e", ".%2e", "%2e."}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request is to go. `path`: behind the upstream's address, with the query. `route`: None where unknown."""

    upstream: Upstream
    path: str
    route: Route | None

    @property
    def url(self) -> str:
        """The address that it goes to."""
        return self.upstream.base + self.path


def target_of(method: str, raw_path: str, upstreams: Mapping[str, Upstream]) -> Target:
    """Where a request with this path is to go; `OwnAnswer` where nowhere."""
    if not raw_path.startswith("/"):
        raise OwnAnswer(400, "path", "the path of a request begins with the name of an upstream: /NAME/...")
    name, slash, rest = raw_path[1:].partition("/")
    upstream = upstreams.get(name)
    if upstream is None:
        raise OwnAnswer(404, "unknown_upstream", "the path of a request begins with the name of an upstream: /NAME/...")
    path = slash + rest
    plain = path.partition("?")[0]
    if any(segment.lower() in _DOTS for segment in plain.split("/")):
        raise OwnAnswer(400, "path", "a path may not hold . or .. as a segment")
    # The address itself may have a path, which is part of what the upstream sees.
    return Target(upstream, path, route_of(method, plain))


async def body_of(request: web.BaseRequest, bytes_max: int, within_s: float) -> bytes:
    """The whole body; `OwnAnswer` where it is longer, or takes longer."""
    length = request.content_length
    if length is not None and length > bytes_max:
        raise OwnAnswer(413, "body_too_large", f"a request's body has at most {bytes_max} bytes here")
    try:
        async with asyncio.timeout(within_s):
            if request.version >= HttpVersion11 and request.headers.get("expect", "").lower() == CONTINUE:
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                # Nothing of the answer itself is written yet.
                request.writer.output_size = 0
            return await _read(request, bytes_max)
    except TimeoutError:
        raise OwnAnswer(408, "body_too_slow", f"a request's body arrives within {within_s:g} s here") from None


async def _read(request: web.BaseRequest, bytes_max: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.content.iter_any():
        size += len(part)
        if size > bytes_max:
            raise OwnAnswer(413, "body_too_large", f"a request's body has at most {bytes_max} bytes here")
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def opened(body: bytes, encoding: str, bytes_max: int) -> bytes:
    """A body without its content encoding; `OwnAnswer` where that can't be taken off."""
    if encoding.strip().lower() in ("", "identity"):
        return body
    open_ = decompressor(encoding)
    if open_ is None:
        raise OwnAnswer(415, "content_encoding", "a request's body may be compressed with gzip or deflate")
    try:
        whole = open_(body, bytes_max + 1)
    except Broken:
        raise OwnAnswer(400, "content_encoding", "the body is not what its content encoding says") from None
    if len(whole) > bytes_max:
        raise OwnAnswer(413, "body_too_large", f"a request's body has at most {bytes_max} bytes here")
    if body and not open_.is_whole:
        # What the vendor would make of it is not known, and so neither is what it would be told.
        raise OwnAnswer(400, "content_encoding", "the body ends within its content encoding")
    return whole
