"""The methods of QueryService, and how a call ends: an answer, or a status that tells nothing of the inside.

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
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc

from ledger.errors import IntegrityError, LedgerError, Misconfigured, Rejected, Unavailable
from ledger.gateway.faults import report_fault
from ledger.identity.errors import Denied, Unauthenticated
from ledger.identity.rights import Call
from ledger.v1 import query_pb2, query_pb2_grpc
from query import wire
from query.find import LIMIT_DEFAULT
from query.permits import Allowed, Permits
from query.reading import UnknownEvent, UnknownTenant
from query.service import Busy, Queries

DEADLINE_S = 60.0
RETRY_AFTER = "retry-after-ms"
TEXT_BYTES_MAX = 2_000
"""Of a status: each byte may travel as three, and all of its metadata together has 8 KiB."""

Response = TypeVar("Response")
Context = grpc.aio.ServicerContext[Any, Any]


class QueryServicer(query_pb2_grpc.QueryServiceServicer):
    """The eight methods."""

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

    async def Sql(self, request: query_pb2.SqlRequest, context: Context) -> query_pb2.SqlResponse:
        """An auditor's SQL."""

        async def answer() -> query_pb2.SqlResponse:
            allowed = await self._permits.asked(context, "Sql", request.tenant, request.reader)
            found = await self._queries.sql(request.tenant, request.query, allowed.reader)
            return await asyncio.to_thread(wire.sql_response, found)

        return await self._answered(answer, context, "Sql")

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
        await context.abort(code, _fitting(text), trailer)
        raise AssertionError("abort ends the call")


def _fitting(text: str) -> str:
    """As much of it as a status can carry: gRPC drops one whose text is too large, with its code."""
    encoded = text.encode("utf-8", "replace")
    return text if len(encoded) <= TEXT_BYTES_MAX else encoded[:TEXT_BYTES_MAX].decode("utf-8", "ignore") + " ..."


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
