"""QueryService over gRPC: limits, deadlines, health, and errors that tell nothing of the inside.

| inside                       | status              | text                                    |
| ---------------------------- | ------------------- | --------------------------------------- |
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

Until identity exists, whoever reaches the address may ask anything and is believed who he says he is: an address that
is not loopback is refused unless that is wanted explicitly.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any, TypeVar

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from ledger.config import LedgerConfig
from ledger.config.address import parse_address
from ledger.errors import IntegrityError, LedgerError, Misconfigured, Rejected, Unavailable
from ledger.gateway.faults import report_fault
from ledger.home import Home
from ledger.keys.process import ProcessKey
from ledger.v1 import query_pb2, query_pb2_grpc
from query import wire
from query.access import AccessPublisher, GatewayPublisher
from query.opening import sources
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
Request = TypeVar("Request")
Response = TypeVar("Response")
Context = grpc.aio.ServicerContext[Any, Any]


class QueryServicer(query_pb2_grpc.QueryServiceServicer):
    """The five methods."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def Reconstruct(self, request: query_pb2.ReconstructRequest, context: Context) -> query_pb2.Reconstruction:
        """A story."""

        async def answer() -> query_pb2.Reconstruction:
            return wire.reconstruction(
                await self._queries.reconstruct(
                    request.tenant,
                    wire.selector(request.selector),
                    wire.reader(request.reader),
                    window=wire.window(request),
                    known_at=wire.moment(request, "known_at"),
                    effective_at=wire.moment(request, "effective_at"),
                    metadata_only=request.metadata_only,
                )
            )

        return await _answered(answer, context, "Reconstruct")

    async def Replay(self, request: query_pb2.ReplayRequest, context: Context) -> query_pb2.ReplayResponse:
        """A timeline."""

        async def answer() -> query_pb2.ReplayResponse:
            told = await self._queries.replay(
                request.tenant,
                wire.selector(request.selector),
                wire.reader(request.reader),
                window=wire.window(request),
                known_at=wire.moment(request, "known_at"),
                state_at=wire.moment(request, "state_at"),
                metadata_only=request.metadata_only,
            )
            return query_pb2.ReplayResponse(json=json.dumps(told.to_json(), ensure_ascii=False))

        return await _answered(answer, context, "Replay")

    async def Find(self, request: query_pb2.FindRequest, context: Context) -> query_pb2.FindResponse:
        """Events by metadata."""

        async def answer() -> query_pb2.FindResponse:
            filters, limit = wire.filters(request)
            return wire.finds(
                await self._queries.find(
                    request.tenant,
                    filters,
                    wire.reader(request.reader),
                    limit,
                    known_at=wire.moment(request, "known_at"),
                )
            )

        return await _answered(answer, context, "Find")

    async def Prove(self, request: query_pb2.ProveRequest, context: Context) -> query_pb2.ProveResponse:
        """An offline proof."""

        async def answer() -> query_pb2.ProveResponse:
            proven = await self._queries.prove(
                request.tenant, wire.event_id(request.event_id, "event_id"), wire.reader(request.reader)
            )
            return query_pb2.ProveResponse(proof=proven.proof, payload=proven.payload)

        return await _answered(answer, context, "Prove")

    async def Checkpoint(self, request: query_pb2.CheckpointRequest, context: Context) -> query_pb2.CheckpointResponse:
        """The newest checkpoints."""

        async def answer() -> query_pb2.CheckpointResponse:
            return query_pb2.CheckpointResponse(checkpoints=wire.notes(await self._queries.checkpoints(request.tenant)))

        return await _answered(answer, context, "Checkpoint")


class QueryServer:
    """The service on its address. `start`, `run` until told to stop, `drain`."""

    def __init__(self, queries: Queries, listen: str, *, reflection_on: bool, insecure_plaintext: bool = False) -> None:
        address = parse_address(listen, "query.listen")
        if not address.is_loopback and not insecure_plaintext:
            raise Misconfigured(
                f"query.listen: {address} is not a loopback address, and nothing yet tells who asks; "
                "say insecure_plaintext explicitly to let everybody who reaches it read everything"
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
        try:
            port = self._server.add_insecure_port(str(address))
        except RuntimeError:
            raise Misconfigured(f"query.listen: cannot listen on {address}") from None
        self.address = address.with_port(port)
        if not address.is_loopback:
            _log.warning("query.listen is %s: everybody who reaches it can read everything", address)

    async def start(self) -> None:
        """Follow the rounds once, then accept calls."""
        query_pb2_grpc.add_QueryServiceServicer_to_server(  # type: ignore[no-untyped-call]
            QueryServicer(self._queries), self._server
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
            through = GatewayPublisher(gateway or config.gateway.listen, process_key)
            stack.push_async_callback(through.close)
            publisher = through
        queries = Queries(await asyncio.to_thread(sources, config, keys), publisher, QueryLimits.of(config.query))
        stack.push_async_callback(queries.close)
        server = QueryServer(
            queries,
            config.query.listen,
            reflection_on=config.gateway.reflection,
            insecure_plaintext=insecure_plaintext,
        )
        try:
            await server.start()
            on_ready(str(server.address))
            await server.run(stop)
        finally:
            await server.drain()


async def _answered(answer: Callable[[], Awaitable[Response]], context: Context, method: str) -> Response:
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
    except Exception as error:
        text = f"internal error {report_fault(error, method)}"
    await context.abort(code, text, trailer)
    raise AssertionError("abort ends the call")


def _status(error: LedgerError) -> grpc.StatusCode:
    match error:
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
