"""IngestService on the wire: bytes in, bytes out.

Requests are registered raw, so that this module decides what a malformed one is: INVALID_ARGUMENT, never a fault. The
events of a Publish are read as bytes (`PublishFrame` is `PublishRequest` on the wire): one that is malformed is refused
alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from ledger.gateway.admission import Busy
from ledger.gateway.callers import ANYBODY, Callers, Identified, credential_of
from ledger.gateway.metrics import GatewayMetrics
from ledger.gateway.publisher import InvalidCall, Publisher, Request, UnknownTenant
from ledger.gateway.rpc import Context, Edge, Handler, NotOffered
from ledger.gateway.sealed import Position, SealedView
from ledger.identity.rights import Call
from ledger.keys.spool import SpoolKeyGone, SpoolKeys
from ledger.tenants import SYSTEM, TenantRegistry
from ledger.v1 import ingest_pb2 as pb

SERVICE = "ledger.v1.IngestService"
PUBLISH = f"/{SERVICE}/Publish"

M = TypeVar("M", bound=Message)


class IngestService:
    """The four methods of one gateway."""

    def __init__(
        self,
        publisher: Publisher,
        tenants: TenantRegistry,
        spool_keys: SpoolKeys,
        sealed_view: SealedView | None,
        workers: Executor,
        metrics: GatewayMetrics,
        *,
        callers: Callers,
        await_sealed_s: float,
        await_sealed_concurrency_max: int,
        retry_after_ms: int,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._publisher = publisher
        self._tenants = tenants
        self._spool_keys = spool_keys
        self._sealed_view = sealed_view
        self._workers = workers
        self._metrics = metrics
        self._callers = callers
        self._await_sealed_s = await_sealed_s
        self._await_sealed_places = await_sealed_concurrency_max
        self._retry_after_ms = retry_after_ms
        self._now_s = now_s

    def handlers(self, edge: Edge) -> grpc.GenericRpcHandler[bytes, bytes]:
        """The methods as gRPC registers them."""
        methods: dict[str, Handler] = {
            "Publish": self.publish,
            "PublishSpooled": self.publish_spooled,
            "GetSpoolKey": self.get_spool_key,
            "AwaitSealed": self.await_sealed,
        }
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {name: grpc.unary_unary_rpc_method_handler(edge.guard(name, each)) for name, each in methods.items()},
        )

    async def publish(self, request: bytes, context: Context) -> bytes:
        """Take a batch of events."""
        who = await self._identified(context, request)
        return await self._publish(request, partial(_frame, request), who, "Publish", context)

    async def publish_spooled(self, request: bytes, context: Context) -> bytes:
        """Take a batch of events out of a sealed frame."""
        # Nothing of the ledger's own comes out of a producer's spool.
        who = await self._identified(context)
        spooled = _parsed(pb.PublishSpooledRequest, request)
        unseal = partial(self._unseal, spooled.key_id, spooled.box)
        return await self._publish(request, unseal, who, "PublishSpooled", context)

    async def get_spool_key(self, request: bytes, context: Context) -> bytes:
        """The key to seal spools to now."""
        (await self._identified(context)).kinds("GetSpoolKey", "")
        _parsed(pb.GetSpoolKeyRequest, request)
        loop = asyncio.get_running_loop()
        key = await loop.run_in_executor(self._workers, self._spool_keys.current, int(self._now_s()))
        response = pb.GetSpoolKeyResponse(key_id=key.key_id, public_key=key.public_key)
        response.seal_until.seconds = key.seal_until_s
        response.destroyed_at.seconds = key.destroyed_at_s
        return response.SerializeToString()

    async def await_sealed(self, request: bytes, context: Context) -> bytes:
        """Wait until positions are sealed."""
        who = await self._identified(context)
        wanted = _parsed(pb.AwaitSealedRequest, request)
        who.kinds("AwaitSealed", wanted.tenant)
        if self._sealed_view is None:
            raise NotOffered("this gateway cannot see the sealed rounds")
        loop = asyncio.get_running_loop()
        tenant = None
        if wanted.tenant != SYSTEM:
            tenant = await loop.run_in_executor(self._workers, self._tenants.get, wanted.tenant)
        if tenant is None:
            raise UnknownTenant("tenant", "there is no such tenant")
        partitions = {log.partition for log in tenant.logs}
        for index, each in enumerate(wanted.positions):
            if each.partition not in partitions:
                raise InvalidCall(f"positions[{index}].partition", "this tenant has no log there")
        if self._await_sealed_places == 0:
            raise Busy("too many calls are waiting", self._retry_after_ms)
        positions = [Position(each.partition, each.next_offset) for each in wanted.positions]
        remaining_s = context.time_remaining()
        deadline_s = self._await_sealed_s if remaining_s is None else min(self._await_sealed_s, remaining_s)
        self._await_sealed_places -= 1
        try:
            async with asyncio.timeout(deadline_s):
                checkpoints = await self._sealed_view.await_sealed(tenant.name, positions, deadline_s)
        finally:
            self._await_sealed_places += 1
        return pb.AwaitSealedResponse(checkpoints=checkpoints).SerializeToString()

    async def _identified(self, context: Context, publish: bytes | None = None) -> Identified:
        """Who calls; in a worker thread where that takes time. `publish`: the request of a Publish."""
        metadata = context.invocation_metadata()
        if publish is not None and credential_of(metadata) is not None:
            identify = partial(self._callers.process, metadata, PUBLISH, publish)
        elif self._callers.has_roles:
            identify = partial(self._callers.caller, metadata, context.auth_context())
        else:
            return ANYBODY
        return await asyncio.get_running_loop().run_in_executor(self._workers, identify)

    async def _publish(
        self, request: bytes, open_request: Callable[[], Request], who: Identified, call: Call, context: Context
    ) -> bytes:
        def allowed() -> Request:
            opened = open_request()
            return replace(opened, kinds=who.kinds(call, opened.tenant))

        remaining_s = context.time_remaining()
        response = await self._publisher.publish(len(request), allowed, who.submitter, remaining_s)
        self._metrics.answered(response)
        return response.SerializeToString()

    def _unseal(self, key_id: bytes, box: bytes) -> Request:
        try:
            frame = self._spool_keys.open(key_id, box, int(self._now_s()))
        except SpoolKeyGone:
            self._metrics.spooled(opened=False)
            raise
        self._metrics.spooled(opened=True)
        return _frame(frame)


def _frame(request: bytes) -> Request:
    """The events of a PublishRequest, each as it came."""
    frame = _parsed(pb.PublishFrame, request)
    return Request(frame.tenant, tuple(frame.events))


def _parsed(kind: type[M], data: bytes) -> M:
    """The message in `data`; `InvalidCall` where it is malformed or has fields that this build does not know."""
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError:
        raise InvalidCall("", f"not a valid {kind.DESCRIPTOR.name}: truncated, malformed, or not UTF-8") from None
    if len(UnknownFieldSet(message)):
        raise InvalidCall("", "the request holds fields this gateway does not know; upgrade the gateway first")
    return message
