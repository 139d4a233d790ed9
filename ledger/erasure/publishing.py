"""Publishing as the ledger itself: through a gateway that runs, or through one of our own for as long as it takes.

A gateway takes Erasure, Expiry and LegalHold events from nobody who cannot prove that he opens the ledger's key store
(`ledger.keys.process`). Without an address a gateway is run here, on a free port of the loopback interface: what is
published lands in this home's event log whatever runs, or does not run, on this machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import grpc

from ledger.errors import Rejected, Unavailable
from ledger.gateway.private import gateway_at
from ledger.home import Home, OpenKeys
from ledger.identity.tls import channel as channel_to
from ledger.identity.tls import own_tls
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
            options = [
                ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
                ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ]
            tls = None if self._to is None else own_tls(self._home.config().gateway)
            async with channel_to(address, tls, options) as channel:
                # The bytes that are proven are the bytes that are sent.
                call = channel.unary_unary(
                    PUBLISH, request_serializer=bytes, response_deserializer=ingest_pb2.PublishResponse.FromString
                )
                for event in events:
                    request = ingest_pb2.PublishRequest(tenant=tenant, events=[event]).SerializeToString()
                    proof = (AUTHORIZATION, key.credential(PUBLISH, request))
                    try:
                        answer = await call(request, timeout=DEADLINE_S, metadata=(proof,))
                    except grpc.aio.AioRpcError as error:
                        raise Unavailable(f"the gateway did not take the event ({error.code().name})") from None
                    _check(answer)


def _check(answer: ingest_pb2.PublishResponse) -> None:
    for result in answer.results:
        if result.status == ingest_pb2.EVENT_STATUS_REJECTED:
            raise Rejected(result.field, result.reason)
        if result.status not in _DURABLE:
            raise Unavailable(f"the gateway did not take the event ({result.reason})")
    if len(answer.results) != 1:
        raise Unavailable(f"the gateway answered {len(answer.results)} results for one event")
