"""Requests to upstreams, and their answers on the way back, byte for byte.

Nothing is opened or packed on the way: bodies keep their content encoding, redirects are the caller's to follow,
cookies are kept by nobody. Pieces go on as they come, so that a stream's first token waits for no second one; when the
caller reads slower than the upstream writes, the upstream is read no further (a few buffers of 64 KiB lie between).

An answer keeps its status, reason and fields; `Content-Length` where it has one, chunks where it has none. Where the
upstream breaks off in the middle, so does the answer: a cut connection must not look like an end.

Certificates of upstreams are always checked. Environment variables for proxies and netrc files are not looked at.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict
from yarl import URL

from ledger.config import ProxyConfig
from ledger.errors import Misconfigured
from ledger.proxy.upstreams import Upstream

BUFFER_BYTES = 64 * 1024
SLICE_BYTES = 256 * 1024
_AUTOMATIC = (hdrs.USER_AGENT, hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE)


class Passed(web.StreamResponse):
    """An answer that is the upstream's: no field is added to it but those that a hop needs, and a date.

    Where its length is known, its fields leave with the first bytes of its body; a stream's leave at once.
    """

    def __init__(self, status: int, reason: str | None, headers: CIMultiDict[str]) -> None:
        super().__init__(status=status, reason=reason, headers=headers)
        self._send_headers_immediately = hdrs.CONTENT_LENGTH not in headers

    async def _prepare_headers(self) -> None:
        had = {hdrs.SERVER: hdrs.SERVER in self.headers, hdrs.CONTENT_TYPE: hdrs.CONTENT_TYPE in self.headers}
        await super()._prepare_headers()
        for name, was_there in had.items():
            if not was_there:
                self.headers.popall(name, None)


class Upstreams:
    """The connections to all upstreams. Belongs to one event loop."""

    def __init__(self, upstreams: Mapping[str, Upstream], config: ProxyConfig) -> None:
        """`Misconfigured` when a CA can't be read."""
        self._timeout = aiohttp.ClientTimeout(
            total=None,
            connect=None,
            sock_connect=config.connect_timeout_ms / 1_000,
            sock_read=config.idle_timeout_ms / 1_000,
        )
        self._tls = {name: _context(upstream.ca, name) for name, upstream in upstreams.items()}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=config.upstream_connections_max, ttl_dns_cache=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=_AUTOMATIC,
            read_bufsize=BUFFER_BYTES,
            max_line_size=config.header_bytes_max,
            max_field_size=config.header_bytes_max,
            timeout=self._timeout,
        )

    async def send(
        self, upstream: Upstream, method: str, url: str, headers: CIMultiDict[str], body: bytes | AsyncIterator[bytes]
    ) -> aiohttp.ClientResponse:
        """Sends a request; returns when the answer's fields are here."""
        data: Any = body or None
        if isinstance(body, bytes) and len(body) > SLICE_BYTES:
            # Written in slices, so that a large body neither is copied whole nor holds up the loop.
            data = _sliced(body)
        return await self._session.request(
            method,
            URL(url, encoded=True),
            headers=headers,
            data=data,
            allow_redirects=False,
            ssl=self._tls[upstream.name],
        )

    async def close(self) -> None:
        """Closes all connections."""
        await self._session.close()


def _context(ca: Path | None, name: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(f"upstream {name}: ca: cannot be read: {type(error).__name__}") from None


async def _sliced(body: bytes) -> AsyncIterator[bytes]:
    view = memoryview(body)
    for at in range(0, len(view), SLICE_BYTES):
        yield bytes(view[at : at + SLICE_BYTES])


def failure_of(error: BaseException) -> tuple[int, str]:
    """The status and the class of what kept an answer from coming."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return 502, "upstream_tls"
    if isinstance(error, asyncio.TimeoutError):
        return 504, "upstream_timeout"
    if isinstance(error, aiohttp.ClientConnectorError):
        return 502, "upstream_unreachable"
    return 502, "upstream_broken"
