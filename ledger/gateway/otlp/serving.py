"""The HTTP server of OTLP: its address, its TLS, its connections, its end.

- **TLS** with the gateway's certificate, renewed without a restart like gRPC's. Where `gateway.tls_client_ca` is given,
  a client may show a certificate of it: unlike gRPC, one address serves those with certificates and those with tokens.
  In clear only on loopback, or where `gateway.insecure_plaintext` says so, and it says so in its log.
- **Connections are bounded**: beyond `http_connections_max` a new one is answered 503 and closed; one that does not
  send its first request's headers within `http_header_ms`, or lies idle for `http_idle_ms`, is closed.
- **It drains**: no connection is accepted any more, requests in work are answered, then connections are closed.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from aiohttp import web

from ledger.config import LedgerConfig
from ledger.errors import Misconfigured
from ledger.gateway.otlp.web import OtlpWeb
from ledger.identity.tls import ServerTls, ssl_context

log = logging.getLogger(__name__)

LINGERING_S = 2.0
"""How long what is left of a refused body is still read, so that its sender reads the answer."""

HEADER_BYTES_MAX = 16 * 1024
_SILENT = logging.getLogger(f"{__name__}.protocol")
_SILENT.setLevel(logging.CRITICAL + 1)
"""aiohttp tells of malformed requests with what they hold."""

_TURNED_AWAY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class _TurnedAway(asyncio.Protocol):
    """One connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(_TURNED_AWAY)
        transport.close()


class OtlpServer:
    """Serves from `start` until `drain`."""

    def __init__(self, config: LedgerConfig, answering: OtlpWeb) -> None:
        address = config.otlp.http_address
        if address is None:
            raise Misconfigured("otlp.http_listen: is not given")
        self._limits = config.otlp
        self._reuse_port = config.gateway.reuse_port
        self._answering = answering
        self._tls = _tls(config)
        self._says = not config.gateway.insecure_plaintext
        self._server: asyncio.Server | None = None
        self._first_headers: dict[web.RequestHandler, asyncio.TimerHandle] = {}
        self._web = web.Server(
            self._handle,
            logger=_SILENT,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=config.otlp.http_idle_ms / 1_000,
            lingering_time=LINGERING_S,
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
        )
        self.address = address

    async def start(self) -> None:
        """Accept requests. `Misconfigured` when the address can't be had."""
        context = None if self._tls is None else ssl_context(self._tls)
        if context is None:
            self._say_in_clear()
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._connected,
                self.address.host,
                self.address.port,
                ssl=context,
                ssl_handshake_timeout=None if context is None else self._limits.http_header_ms / 1_000,
                reuse_port=self._reuse_port,
            )
        except OSError as error:
            raise Misconfigured(f"otlp.http_listen: cannot listen on {self.address}: {error.strerror}") from None
        self.address = self.address.with_port(self._server.sockets[0].getsockname()[1])

    @property
    def is_listening(self) -> bool:
        """Whether connections are accepted."""
        return self._server is not None and self._server.is_serving()

    async def drain(self, within_s: float) -> None:
        """Stop accepting, let requests in work be answered, close."""
        if self._server is None:
            return
        self._server.close()
        self._answering.admission.close()
        self._web.pre_shutdown()
        await self._web.shutdown(within_s)
        # Those that came while the others were ending.
        for handler, timer in self._first_headers.items():
            timer.cancel()
            handler.force_close()
        self._first_headers.clear()

    def _connected(self) -> asyncio.Protocol:
        if len(self._web.connections) >= self._limits.http_connections_max:
            return _TurnedAway()
        handler = self._web()
        timer = asyncio.get_running_loop().call_later(self._limits.http_header_ms / 1_000, self._too_slow, handler)
        self._first_headers[handler] = timer
        return handler

    def _too_slow(self, handler: web.RequestHandler) -> None:
        """It has not sent its first request's headers in time, or is gone."""
        del self._first_headers[handler]
        handler.force_close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        timer = self._first_headers.pop(request.protocol, None)
        if timer is not None:
            timer.cancel()
        return await self._answering.answer(request)

    def _say_in_clear(self) -> None:
        if not self.address.is_loopback:
            log.warning(
                "otlp.http_listen is %s IN CLEAR (insecure_plaintext): nothing protects the connection, whoever is on "
                "the way reads it",
                self.address,
            )
        elif self._says:
            log.warning("otlp.http_listen is %s IN CLEAR, without TLS: only for callers on this machine", self.address)


def _tls(config: LedgerConfig) -> ServerTls | None:
    gateway = config.gateway
    if not gateway.tls_certificate:
        return None
    client_ca = Path(gateway.tls_client_ca) if gateway.tls_client_ca else None
    return ServerTls(Path(gateway.tls_certificate), Path(gateway.tls_key), client_ca)
