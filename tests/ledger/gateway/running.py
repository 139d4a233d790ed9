"""A gateway running in the test's own process, and what stands in its event log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc

from ledger.gateway.sealed import SealedView
from ledger.gateway.server import Gateway
from ledger.home import Home
from ledger.log.framing import EPOCH, EVENT_KIND, RECEIPT_KIND, kind_of
from ledger.log.interface import EventLog, StoredRecord
from ledger.receipt import RECEIPT, Receipt
from ledger.record.payload import decode_event_record, decode_payload
from ledger.signed import SIGNED, verify
from ledger.tlog.merkle import leaf_hash
from ledger.trust import TrustedKeys
from ledger.v1 import event_pb2, ingest_pb2, ingest_pb2_grpc

LEDGER = "audit.example.org"
TENANT = "acme"

PUBLISH = "/ledger.v1.IngestService/Publish"


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway and a client of it."""

    home: Home
    gateway: Gateway
    event_log: EventLog
    channel: grpc.aio.Channel
    stub: ingest_pb2_grpc.IngestServiceStub

    async def publish(
        self, *events: event_pb2.Event, tenant: str = TENANT, **options: Any
    ) -> ingest_pb2.PublishResponse:
        """Send events."""
        return await self.stub.Publish(ingest_pb2.PublishRequest(tenant=tenant, events=events), **options)

    async def publish_raw(self, events: Iterable[bytes], tenant: str = TENANT) -> ingest_pb2.PublishResponse:
        """Send the bytes of events, right or wrong."""
        frame = ingest_pb2.PublishFrame(tenant=tenant, events=events)
        return ingest_pb2.PublishResponse.FromString(await self.call(PUBLISH, frame.SerializeToString()))

    async def call(self, method: str, request: bytes, **options: Any) -> bytes:
        """Send any bytes to any method."""
        return await self.channel.unary_unary(method)(request, **options)

    async def stored(self) -> list[StoredEvent]:
        """What stands in the event log, every receipt verified with the trust file."""
        return await stored_events(self.home, self.event_log)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event of the log, under a receipt that covers it."""

    payload: dict[str, Any]
    receipt: Receipt
    signed_receipt: bytes
    partition: int
    offset: int


@asynccontextmanager
async def running(
    home: Home,
    *,
    log: Callable[[EventLog], EventLog] = lambda real: real,
    sealed_view: SealedView | None = None,
    otlp: Mapping[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[Running]:
    """A gateway of `home`. `settings` are those of its section, `otlp` of that; `log` may wrap the real event log."""
    flags = {f"gateway.{name}": value for name, value in settings.items()}
    flags |= {f"otlp.{name}": value for name, value in (otlp or {}).items()}
    fixed = {"gateway.listen": "127.0.0.1:0", "gateway.metrics_listen": "127.0.0.1:0"}
    config = home.config(environment={}, flags={**fixed, **flags})
    with home.keys(config) as keys:
        real = home.event_log(config)
        await real.start()
        gateway = Gateway(config, keys, log(real), sealed_view)
        try:
            await gateway.start()
            async with grpc.aio.insecure_channel(str(gateway.address)) as channel:
                yield Running(home, gateway, real, channel, ingest_pb2_grpc.IngestServiceStub(channel))
        finally:
            try:
                await gateway.drain()
            finally:
                await real.close()


async def stored_events(home: Home, event_log: EventLog) -> list[StoredEvent]:
    """Every event of the log. Fails on one that no valid receipt before it covers."""
    trusted = TrustedKeys.load(home.config(environment={}).ledger.trust)
    found: list[StoredEvent] = []
    for partition in range(event_log.partitions):
        records = await _all_records(event_log, partition)
        at = 0
        while at < len(records):
            count = len(_receipt(records[at], trusted))
            found.extend(_covered(partition, records[at], records[at + 1 : at + 1 + count], trusted))
            at += 1 + count
    return found


async def _all_records(event_log: EventLog, partition: int) -> list[StoredRecord]:
    records: list[StoredRecord] = []
    while some := await event_log.read(partition, len(records), records_max=10_000, bytes_max=2**28, wait_s=0):
        records.extend(some)
    return records


def _receipt(stored: StoredRecord, trusted: TrustedKeys) -> Receipt:
    assert kind_of(stored.record) == RECEIPT_KIND
    signed = SIGNED.decode(stored.record.value)
    verify(signed, trusted.key("gateway", signed.key_id, datetime.now(UTC)), "receipt")
    return RECEIPT.decode(signed.body)


def _covered(
    partition: int, head: StoredRecord, events: Sequence[StoredRecord], trusted: TrustedKeys
) -> Iterable[StoredEvent]:
    receipt = _receipt(head, trusted)
    log = next(log for log in trusted.logs if log.origin == receipt.log_origin)
    assert len(events) == len(receipt)
    assert log.partition == partition
    for index, stored in enumerate(events):
        record = stored.record
        assert (kind_of(record), record.key) == (EVENT_KIND, log.log_id)
        assert dict(record.headers)[EPOCH] == receipt.incarnation
        payload_bytes, _ = decode_event_record(record.value)
        payload = decode_payload(payload_bytes)
        entry = receipt.entry(index)
        assert entry.leaf_hash == leaf_hash(payload_bytes)
        assert entry.event_id == payload["event_id"]
        assert entry.submission_digest == payload["submission_digest"]
        assert entry.submission_key_id == payload["submission_key_id"]
        yield StoredEvent(payload, receipt, head.record.value, partition, stored.offset)
