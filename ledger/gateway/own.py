"""Publishing as the ledger itself, from another process of it: through a gateway that runs, or one of our own.

A gateway takes Access, Erasure, Expiry, LegalHold and most Operation events from nobody who cannot prove that he opens
the ledger's key store (`ledger.keys.process`): each call proves it for its own bytes.

`GatewayPublisher` keeps a channel to a gateway, for a service. `ThroughGateway` is for a command: without an address it
runs a gateway of this home's own, on a free port of the loopback interface, for as long as it takes; what is published
lands in this home's event log whatever runs, or does not run, on this machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import grpc

from ledger.errors import Rejected, Unavailable
from ledger.gateway.private import gateway_at
from ledger.home import Home, OpenKeys
from ledger.identity.tls import ClientTls, own_tls
from ledger.identity.tls import channel as channel_to
from ledger.keys.process import AUTHORIZATION, ProcessKey
from ledger.v1 import event_pb2 as pb
from ledger.v1 import ingest_pb2

PUBLISH = "/ledger.v1.IngestService/Publish"
DEADLINE_S = 20.0
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
_DURABLE = (ingest_pb2.EVENT_STATUS_ACCEPTED, ingest_pb2.EVENT_STATUS_REPEAT)


class OwnPublisher(Protocol):
    """Publishes events of the ledger's own."""

    async def publish(self, tenant: str, events: Sequence[pb.Event]) -> None:
        """Return once all are durable; `Unavailable` when some are not, or nobody knows; `Rejected` for a wrong one."""


class NotTaken(Unavailable):
    """The gateway did not take the event, or nobody knows. `why`: a status or the gateway's own words."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the gateway did not take the event ({why})")
        self.why = why


class GatewayPublisher:
    """Publishes through one gateway, one event a call. Use it on one event loop; `close` it."""

    def __init__(
        self, address: str, process_key: ProcessKey, deadline_s: float = DEADLINE_S, tls: ClientTls | None = None
    ) -> None:
        options = [
            ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ]
        self._channel = channel_to(address, tls, options)
        # The bytes that are proven are the bytes that are sent.
        self._call = self._channel.unary_unary(
            PUBLISH, request_serializer=bytes, response_deserializer=ingest_pb2.PublishResponse.FromString
        )
        self._process_key = process_key
        self._deadline_s = deadline_s

    async def publish(self, tenant: str, event: pb.Event) -> None:
        """Return once the event is durable; `NotTaken` when it is not, or nobody knows; `Rejected` for a wrong one."""
        request = ingest_pb2.PublishRequest(tenant=tenant, events=[event]).SerializeToString()
        proof = (AUTHORIZATION, self._process_key.credential(PUBLISH, request))
        try:
            answer = await self._call(request, timeout=self._deadline_s, metadata=(proof,))
        except grpc.aio.AioRpcError as error:
            raise NotTaken(error.code().name) from None
        if len(answer.results) != 1:
            raise NotTaken(f"it answered {len(answer.results)} results for one event")
        result = answer.results[0]
        if result.status == ingest_pb2.EVENT_STATUS_REJECTED:
            raise Rejected(result.field, result.reason)
        if result.status not in _DURABLE:
            raise NotTaken(result.reason)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close(None)


class ThroughGateway:
    """Publishes through the gateway at `to`, else through one of this home's own."""

    def __init__(self, home: Home, keys: OpenKeys, to: str | None) -> None:
        self._home = home
        self._keys = keys
        self._to = to

    async def publish(self, tenant: str, events: Sequence[pb.Event]) -> None:
        """See `OwnPublisher.publish`."""
        key = await asyncio.to_thread(ProcessKey.of, self._keys.database, self._keys.master)
        async with gateway_at(self._home, self._to) as address:
            tls = None if self._to is None else own_tls(self._home.config().gateway)
            through = GatewayPublisher(address, key, tls=tls)
            try:
                for event in events:
                    await through.publish(tenant, event)
            finally:
                await through.close()
