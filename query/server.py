"""QueryService over gRPC: limits, deadlines, health, and errors that tell nothing of the inside.

| inside                       | status              | text                                    |
| ---------------------------- | ------------------- | --------------------------------------- |
| `Unauthenticated`            | UNAUTHENTICATED     | the same for every reason               |
| `Denied`                     | PERMISSION_DENIED   | the same for every reason               |
| `UnknownTenant`              | NOT_FOUND           | its own                                 |
| `UnknownEvent`               | NOT_FOUND           | its own: the id and the tenant          |
| `Rejected`                   | INVALID_ARGUMENT    | its own: fields and sizes               |
| `Busy`                       | RESOURCE_EXHAUSTED  | trailer `retry-after-ms`                |
| `Unavailable`                | UNAVAILABLE         | its own, trailer `retry-after-ms`       |
| `IntegrityError`             | DATA_LOSS           | its own: digests and positions          |
| the deadline passed          | DEADLINE_EXCEEDED   |                                         |
| anything else                | INTERNAL            | an id, under which the log has the rest |

The health service says SERVING while the newest rounds can be followed. Every second the server follows them and brings
the look-up index up to them, so that a question does not wait for it.

Without roles, whoever reaches the address may ask anything and is believed who he says he is: an address that is not
loopback is refused unless that is wanted explicitly. With roles, `query.permits` decides.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from ledger.config import LedgerConfig, QueryConfig
from ledger.config.address import parse_address
from ledger.errors import IntegrityError, LedgerError, Misconfigured, Rejected, Unavailable
from ledger.gateway.faults import report_fault
from ledger.gateway.listening import bind
from ledger.home import Home
from ledger.identity.authority import Authority
from ledger.identity.errors import Denied, Unauthenticated
from ledger.identity.refusals import RefusalLog, sealing
from ledger.identity.rights import Call
from ledger.identity.tls import ServerTls, own_tls
from ledger.keys.process import ProcessKey
from ledger.v1 import query_pb2, query_pb2_grpc
from query import wire
from query.access import AccessPublisher, GatewayPublisher
from query.find import LIMIT_DEFAULT
from query.opening import sources
from query.permits import Allowed, Permits
from query.reading import UnknownEvent, UnknownTenant
from query.service import Busy, Queries, QueryLimits

SERVICE = "ledger.v1.QueryService"
MESSAGE_BYTES_MAX = 64 * 1024 * 1024
CALLS_MAX = 256
DEADLINE_S = 60.0
FOLLOW_S = 1.0
DRAIN_S = 10.0
RETRY_AFTER = "retry-after-ms"

_log = logging.getLogger(__name__)
Response = TypeVar("Response")
Context = grpc.aio.ServicerContext[Any, Any]


class QueryServicer(query_pb2_grpc.QueryServiceServicer):
    """The seven methods."""

    def __init__(self, queries: Queries, permits: Permits) -> None:
        self._queries = queries
        self._permits = permits

    async def Reconstruct(self, request: query_pb2.ReconstructRequest, context: Context) -> query_pb2.Reconstruction:
        """A story."""

        async def answer() -> query_pb2.Reconstruction:
            allowed = await self._contents("Reconstruct", request, context)
            width = wire.page_width(request)
            told = await self._queries.reconstruct(
                request.tenant,
                wire.selector(request.selector),
                allowed.reader,
                window=wire.window(request),
                known_at=wire.moment(request, "known_at"),
                effective_at=wire.moment(request, "effective_at"),
                metadata_only=request.metadata_only,
                openable=allowed.openable,
            )
            return await asyncio.to_thread(wire.reconstruction, told, width)

        return await self._answered(answer, context, "Reconstruct")

    async def Replay(self, request: query_pb2.ReplayRequest, context: Context) -> query_pb2.ReplayResponse:
        """A timeline."""

        async def answer() -> query_pb2.ReplayResponse:
            allowed = await self._contents("Replay", request, context)
            width = wire.page_width(request)
            told = await self._queries.replay(
                request.tenant,
                wire.selector(request.selector),
                allowed.reader,
                window=wire.window(request),
                known_at=wire.moment(request, "known_at"),
                state_at=wire.moment(request, "state_at"),
                metadata_only=request.metadata_only,
                openable=allowed.openable,
            )
            return await asyncio.to_thread(wire.replayed, told, width)

        return await self._answered(answer, context, "Replay")

    async def Find(self, request: query_pb2.FindRequest, context: Context) -> query_pb2.FindResponse:
        """Events by metadata."""

        async def answer() -> query_pb2.FindResponse:
            allowed = await self._permits.asked(context, "Find", request.tenant, request.reader)
            limit = request.limit or LIMIT_DEFAULT
            known_at = wire.moment(request, "known_at")
            filters, width = wire.filters(request), wire.page_width(request)
            found = await self._queries.find(request.tenant, filters, allowed.reader, limit, known_at=known_at)
            return await asyncio.to_thread(wire.finds, found, width)

        return await self._answered(answer, context, "Find")

    async def Count(self, request: query_pb2.CountRequest, context: Context) -> query_pb2.CountResponse:
        """How many events, tenant by tenant."""

        async def answer() -> query_pb2.CountResponse:
            reader, tenants = await self._permits.across(
                context, request.tenants, request.reader, self._queries.tenants
            )
            known_at = wire.moment(request, "known_at")
            return wire.counts(await self._queries.count(tenants, wire.filters(request), reader, known_at=known_at))

        return await self._answered(answer, context, "Count")

    async def Coverage(self, request: query_pb2.CoverageRequest, context: Context) -> query_pb2.CoverageResponse:
        """What services send, and what that lacks."""

        async def answer() -> query_pb2.CoverageResponse:
            allowed = await self._permits.asked(context, "Coverage", request.tenant, request.reader)
            width, window = wire.page_width(request), wire.window(request)
            found = await self._queries.coverage(request.tenant, allowed.reader, window.start, window.end)
            return wire.coverage(found, width)

        return await self._answered(answer, context, "Coverage")

    async def Prove(self, request: query_pb2.ProveRequest, context: Context) -> query_pb2.ProveResponse:
        """An offline proof."""

        async def answer() -> query_pb2.ProveResponse:
            allowed = await self._permits.asked(context, "Prove", request.tenant, request.reader)
            event_id = wire.event_id(request.event_id, "event_id")
            return wire.proof(await self._queries.prove(request.tenant, event_id, allowed.reader))

        return await self._answered(answer, context, "Prove")

    async def Checkpoint(self, request: query_pb2.CheckpointRequest, context: Context) -> query_pb2.CheckpointResponse:
        """The newest checkpoints."""

        async def answer() -> query_pb2.CheckpointResponse:
            await self._permits.checkpoints(context, request.tenant)
            return wire.signed(await self._queries.checkpoints(request.tenant))

        return await self._answered(answer, context, "Checkpoint")

    async def _contents(
        self, call: Call, request: query_pb2.ReconstructRequest | query_pb2.ReplayRequest, context: Context
    ) -> Allowed:
        return await self._permits.asked(
            context, call, request.tenant, request.reader, metadata_only=request.metadata_only
        )

    async def _answered(self, answer: Callable[[], Awaitable[Response]], context: Context, call: Call) -> Response:
        """The answer, or a documented status."""
        remaining_s = context.time_remaining()
        code, text = grpc.StatusCode.INTERNAL, ""
        trailer: tuple[tuple[str, str], ...] = ()
        try:
            async with asyncio.timeout(DEADLINE_S if remaining_s is None else min(DEADLINE_S, remaining_s)):
                return await answer()
        except TimeoutError:
            code, text = grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed"
        except LedgerError as error:
            code, text = _status(error), str(error)
            if isinstance(error, Unavailable):
                trailer = ((RETRY_AFTER, str(error.retry_after_ms)),)
            if isinstance(error, Denied | Unauthenticated):
                self._permits.refused(call, error)
        except Exception as error:
            text = f"internal error {report_fault(error, call)}"
        await context.abort(code, text, trailer)
        raise AssertionError("abort ends the call")


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
        queries = Queries(await asyncio.to_thread(sources, config, keys), publisher, QueryLimits.of(config.query))
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


def _status(error: LedgerError) -> grpc.StatusCode:
    match error:
        case Unauthenticated():
            return grpc.StatusCode.UNAUTHENTICATED
        case Denied():
            return grpc.StatusCode.PERMISSION_DENIED
        case UnknownTenant() | UnknownEvent():
            return grpc.StatusCode.NOT_FOUND
        case Rejected():
            return grpc.StatusCode.INVALID_ARGUMENT
        case Busy():
            return grpc.StatusCode.RESOURCE_EXHAUSTED
        case Unavailable():
            return grpc.StatusCode.UNAVAILABLE
        case IntegrityError():
            return grpc.StatusCode.DATA_LOSS
        case Misconfigured():
            return grpc.StatusCode.FAILED_PRECONDITION
        case _:
            return grpc.StatusCode.INTERNAL
