"""QueryService on its address: limits, TLS, health. Its methods stand in `query.servicer`.

The health service says SERVING while the newest rounds can be followed. Every second the server follows them and brings
the look-up index up to them, so that a question does not wait for it.

Without roles, whoever reaches the address may ask anything and is believed who he says he is: an address that is not
loopback is refused unless that is wanted explicitly. With roles, `query.permits` decides.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from ledger.config import LedgerConfig, QueryConfig
from ledger.config.address import parse_address
from ledger.errors import LedgerError, Misconfigured
from ledger.gateway.listening import bind
from ledger.home import Home
from ledger.identity.authority import Authority
from ledger.identity.refusals import RefusalLog, sealing
from ledger.identity.tls import ServerTls, own_tls
from ledger.keys.process import ProcessKey
from ledger.v1 import query_pb2_grpc
from query.access import AccessPublisher, GatewayPublisher
from query.opening import sources
from query.permits import Permits
from query.service import Queries, QueryLimits
from query.servicer import QueryServicer

SERVICE = "ledger.v1.QueryService"
MESSAGE_BYTES_MAX = 64 * 1024 * 1024
CALLS_MAX = 256
FOLLOW_S = 1.0
DRAIN_S = 10.0

_log = logging.getLogger(__name__)


class QueryServer:
    """The service on its address. `start`, `run` until told to stop, `drain`."""

    def __init__(
        self,
        queries: Queries,
        listen: str,
        *,
        reflection_on: bool,
        insecure_plaintext: bool = False,
        tls: ServerTls | None = None,
        permits: Permits | None = None,
    ) -> None:
        address = parse_address(listen, "query.listen")
        self._permits = permits or Permits()
        is_safe = tls is not None and self._permits.has_roles
        if not address.is_loopback and not is_safe and not insecure_plaintext:
            raise Misconfigured(
                f"query.listen: {address} is not a loopback address; give query.tls_certificate and ledger.roles, or "
                "say query.insecure_plaintext explicitly"
            )
        self._queries = queries
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]
        self._reflection_on = reflection_on
        options = (
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        )
        self._server = grpc.aio.server(options=options, maximum_concurrent_rpcs=CALLS_MAX)
        self.address = bind(self._server, address, tls, "query.listen", warn=not insecure_plaintext)
        if not address.is_loopback and not self._permits.has_roles:
            _log.warning("query.listen is %s without roles: everybody who reaches it can read everything", address)

    async def start(self) -> None:
        """Follow the rounds once, then accept calls."""
        query_pb2_grpc.add_QueryServiceServicer_to_server(  # type: ignore[no-untyped-call]
            QueryServicer(self._queries, self._permits), self._server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if self._reflection_on:
            reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)
        await self._follow()
        await self._server.start()

    async def run(self, stop: asyncio.Event) -> None:
        """Answer, and keep up with the rounds, until `stop` is set."""
        while not stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(FOLLOW_S):
                    await stop.wait()
            if not stop.is_set():
                await self._follow()

    async def drain(self) -> None:
        """Accept nothing more, let what is at work end."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(DRAIN_S)

    async def _follow(self) -> None:
        status = health_pb2.HealthCheckResponse.SERVING
        try:
            await self._queries.warm()
        except LedgerError as error:
            _log.error("the newest rounds can't be followed: %s", error)
            status = health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", SERVICE):
            await self._health.set(name, status)


async def run_query_server(
    home: Home,
    config: LedgerConfig,
    stop: asyncio.Event,
    on_ready: Callable[[str], None],
    *,
    gateway: str | None = None,
    publisher: AccessPublisher | None = None,
    insecure_plaintext: bool = False,
) -> None:
    """Answer questions about a home until `stop` is set. Accesses are published to `gateway` (default: its listen).

    `on_ready` gets the address once questions can be asked.
    """
    async with AsyncExitStack() as stack:
        keys = await asyncio.to_thread(home.keys, config)
        stack.callback(keys.close)
        if publisher is None:
            process_key = await asyncio.to_thread(ProcessKey.of, keys.database, keys.master)
            address = gateway or config.gateway.listen
            through = GatewayPublisher(address, process_key, tls=own_tls(config.gateway))
            stack.push_async_callback(through.close)
            publisher = through
        queries = Queries(await asyncio.to_thread(sources, config, keys), publisher, QueryLimits.served(config.query))
        stack.push_async_callback(queries.close)
        permits = Permits()
        if config.ledger.roles_file is not None:
            refusals = RefusalLog(publisher.publish, "audit-ledger-query")
            permits = Permits(await asyncio.to_thread(Authority, config.ledger.roles_file), refusals)
            await stack.enter_async_context(sealing(refusals))
        server = QueryServer(
            queries,
            config.query.listen,
            reflection_on=config.gateway.reflection,
            insecure_plaintext=insecure_plaintext or config.query.insecure_plaintext,
            tls=_tls(config.query),
            permits=permits,
        )
        try:
            await server.start()
            on_ready(str(server.address))
            await server.run(stop)
        finally:
            await server.drain()


def _tls(config: QueryConfig) -> ServerTls | None:
    if not config.tls_certificate:
        return None
    client_ca = Path(config.tls_client_ca) if config.tls_client_ca else None
    return ServerTls(Path(config.tls_certificate), Path(config.tls_key), client_ca)
