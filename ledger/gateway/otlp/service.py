"""OTLP over gRPC: TraceService and LogsService beside IngestService, on the same addresses, for the same callers.

Requests are registered raw, so that one malformed span costs that span. MetricsService is there to say that it is not:
its exporter gives up at once, as it should, and learns what to set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial

import grpc

from ledger.gateway.callers import ANYBODY, Callers, Identified
from ledger.gateway.otlp.export import Exporter
from ledger.gateway.otlp.parts import ProtobufParts
from ledger.gateway.otlp.signals import METRICS_SERVICE, NO_METRICS, SIGNALS, Signal
from ledger.gateway.otlp.status import for_exporters, trailers
from ledger.gateway.otlp.tenancy import HEADER, named_tenant
from ledger.gateway.rpc import Context, Edge, Handler, NotImplementedHere

METHOD = "Export"


class OtlpService:
    """The three services of one gateway."""

    def __init__(self, exporter: Exporter, callers: Callers, workers: Executor) -> None:
        self._exporter = exporter
        self._callers = callers
        self._workers = workers

    def handlers(self, edge: Edge) -> tuple[grpc.GenericRpcHandler[bytes, bytes], ...]:
        """The methods as gRPC registers them."""
        guard: Callable[[str, Handler], Handler] = partial(edge.guard, trailers=trailers, ending=for_exporters)
        services = {each.service: guard(each.method, partial(self.export, each)) for each in SIGNALS}
        services[METRICS_SERVICE] = guard("ExportMetrics", self.no_metrics)
        return tuple(
            grpc.method_handlers_generic_handler(name, {METHOD: grpc.unary_unary_rpc_method_handler(handler)})
            for name, handler in services.items()
        )

    async def export(self, signal: Signal, request: bytes, context: Context) -> bytes:
        """Take what is in a request."""
        who = await self._identified(context)
        metadata = context.invocation_metadata() or ()
        named = named_tenant(value for name, value in metadata if name == HEADER)
        answer = await self._exporter.export(
            signal, len(request), lambda: ProtobufParts(request), who, named, context.time_remaining()
        )
        data: bytes = answer.SerializeToString()
        return data

    async def no_metrics(self, _request: bytes, _context: Context) -> bytes:
        """Say that there are none."""
        raise NotImplementedHere(NO_METRICS)

    async def _identified(self, context: Context) -> Identified:
        if not self._callers.has_roles:
            return ANYBODY
        identify = partial(self._callers.caller, context.invocation_metadata(), context.auth_context())
        return await asyncio.get_running_loop().run_in_executor(self._workers, identify)
