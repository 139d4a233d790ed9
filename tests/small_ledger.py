"""A small real ledger for tests: embedded event log, key store, tenants, trust, object store and sealer in one folder.

It publishes through the record package itself (no gRPC), so that tests can also write what no gateway would.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from consumers.id_index import IdIndex
from consumers.sealer import PartitionSealer, RoundOutcome, SealerLimits, SealerParts
from ledger.keys.database import KeyDatabase
from ledger.keys.master import LocalMasterKey
from ledger.keys.opening import create_key_database, open_key_database
from ledger.keys.store import KeyStore
from ledger.log.embedded import EmbeddedLog
from ledger.log.framing import frame
from ledger.newest_rounds import NewestRounds
from ledger.receipt import RECEIPT, Receipt, ReceiptEntry, join
from ledger.record.assemble import AssembledEvent, ContentLimits, Reception, assemble, digest_of, needs
from ledger.record.capture import Capture
from ledger.record.content import ContentSealer
from ledger.record.payload import encode_event_record
from ledger.record.submission import submission_bytes
from ledger.record.translate import translate
from ledger.segments.objects import FileStore
from ledger.signed import sign
from ledger.tenants import SYSTEM, TenantLog, TenantRegistry
from ledger.tlog.note import NoteSigner
from ledger.trust import TrustedKey, TrustedKeys, TrustedLog
from ledger.trust.current_signer import always
from ledger.v1 import event_pb2 as pb

NAME = "audit.test"
CAPTURE = Capture("full", "builtin-full/1", "standard")


def event_id(at_ms: int | None = None) -> bytes:
    """A fresh UUIDv7."""
    raw = bytearray((at_ms if at_ms is not None else time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(10))
    raw[6] = 0x70 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return bytes(raw)


def request(user: str | None = "mia", text: str = "hello", **story: str) -> pb.Event:
    """A small AiRequest of a user."""
    event = pb.Event(event_id=event_id(), phase=pb.PHASE_SINGLE)
    event.occurred_at.GetCurrentTime()
    if user is not None:
        event.actor.user.identifier = user
    event.story.session_id = story.get("session_id", "session-1")
    event.story.correlation_id = story.get("correlation_id", "case-1")
    event.classification = pb.CLASSIFICATION_CONFIDENTIAL
    event.request.operation = pb.AI_OPERATION_CHAT
    event.request.vendor = "openai"
    event.request.model_requested = "gpt-4o"
    event.request.input.text = text
    event.request.output.text = f"answer to {text}"
    return event


@dataclass(slots=True)
class SmallLedger:
    """See the module's docstring. `start` first, `close` last."""

    folder: Path
    partitions: int = 1
    key_store: str = "keys.sqlite"
    limits: SealerLimits = field(default_factory=lambda: SealerLimits(round_age_ms=0))
    clock_us: Callable[[], int] = lambda: time.time_ns() // 1_000
    log: EmbeddedLog = field(init=False)
    store: FileStore = field(init=False)
    keys: KeyStore = field(init=False)
    tenants: TenantRegistry = field(init=False)
    database: KeyDatabase = field(init=False)
    gateway_signer: NoteSigner = field(init=False)
    ledger_signer: NoteSigner = field(init=False)

    async def start(self, *tenants: str) -> None:
        """Makes the ledger if it isn't there, opens it if it is, and adds the tenants that are missing."""
        fresh = not (self.folder / "log.sqlite").exists()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.store = FileStore(self.folder / "segments")
        if fresh:
            EmbeddedLog.create(self.folder / "log.sqlite", self.partitions)
            master = LocalMasterKey.create(self.folder / "master.key")
            self.database = create_key_database(self.key_store, self.folder)
        else:
            master = LocalMasterKey.load(self.folder / "master.key")
            self.database = open_key_database(self.key_store, self.folder)
        self.keys = KeyStore(self.database, master)
        self.tenants = TenantRegistry(self.database, NAME)
        if fresh:
            self.tenants.initialise(self.partitions)
            self.keys.create_signing_key("gateway", f"{NAME}/gateway/g1")
            self.keys.create_signing_key("ledger", f"{NAME}/ledger")
        self.gateway_signer = self.keys.signing_key("gateway", f"{NAME}/gateway/g1").signer(f"{NAME}/gateway/g1")
        self.ledger_signer = self.keys.signing_key("ledger", f"{NAME}/ledger").signer(f"{NAME}/ledger")
        for tenant in tenants:
            if self.tenants.get(tenant) is None:
                self.tenants.add(tenant)
        self.log = EmbeddedLog(self.folder / "log.sqlite")
        await self.log.start()

    async def close(self) -> None:
        """Lets go of the files."""
        await self.log.close()
        self.database.close()

    def trust(self) -> TrustedKeys:
        """The verifier's view of this ledger."""
        long_ago = datetime.now(UTC) - timedelta(days=3650)
        keys = (
            TrustedKey("gateway", self.gateway_signer.name, self.gateway_signer.public_key, long_ago),
            TrustedKey("ledger", self.ledger_signer.name, self.ledger_signer.public_key, long_ago),
        )
        logs = tuple(
            TrustedLog(log.tenant, log.shard, log.log_id, log.partition, log.origin)
            for tenant in self.tenants.all()
            for log in tenant.logs
        )
        return TrustedKeys(NAME, keys, logs)

    @property
    def newest_rounds(self) -> NewestRounds:
        """What is remembered of the newest rounds."""
        return NewestRounds(self.database)

    def tenant_log(self, tenant: str, event: pb.Event | None = None) -> TenantLog:
        """The log of an unsharded tenant, or the one that takes the event."""
        found = self.tenants.get(tenant)
        if found is None:
            raise LookupError(tenant)
        return found.logs[0] if event is None else found.log_of(event.event_id)

    def find_log(self, origin: str) -> TenantLog | None:
        """A tenant's log by its origin; never a system log."""
        for tenant in self.tenants.all():
            for log in tenant.logs:
                if log.origin == origin and tenant.name != SYSTEM:
                    return log
        return None

    def sealer(self, partition: int = 0) -> PartitionSealer:
        """A sealer, not yet opened."""
        parts = SealerParts(
            store=self.store,
            log=self.log,
            incarnation=self.log.incarnation,
            logs=self.tenants.partition_logs(partition),
            trust=self.trust,
            find_log=self.find_log,
            log_by_id=self.tenants.log_by_id,
            newest=self.newest_rounds,
            keys=self.keys,
            signer=always(self.ledger_signer),
            index=IdIndex(self.folder / "derived" / f"ids-{partition:04d}"),
            build="test",
            clock_us=self.clock_us,
            has_ended=TenantRegistry(self.database, NAME).has_ended,
        )
        return PartitionSealer(parts, self.limits)

    def accept(self, tenant: str, event: pb.Event) -> AssembledEvent:
        """What a gateway makes of an event."""
        log = self.tenant_log(tenant, event)
        reception = Reception(tenant, log.shard, time.time_ns() // 1_000, "g1", "test", "local", "none")
        submission = translate(event)
        wanted = needs(submission, CAPTURE, reception.month)
        grant = self.keys.acquire(tenant, wanted.holders, wanted.scopes, wanted.links)
        digest = digest_of(submission, submission_bytes(event), grant, tenant)
        return assemble(submission, digest, grant, CAPTURE, reception, ContentLimits(), ContentSealer())

    def receipt(self, log: TenantLog, events: Iterable[AssembledEvent], signer: NoteSigner | None = None) -> bytes:
        """A signed receipt for some events of a log."""
        entries = join(
            [
                ReceiptEntry(each.event_id, each.submission_digest, each.submission_key_id, each.leaf_hash, received)
                for each in events
                for received in (received_at(each),)
            ]
        )
        body = RECEIPT.encode(Receipt("g1", log.origin, self.log.incarnation, 3_600_000, entries))
        return sign(body, signer or self.gateway_signer)

    async def publish(self, tenant: str, *events: pb.Event) -> bytes:
        """Appends events of one log as one batch; returns the receipt."""
        log = self.tenant_log(tenant, events[0])
        accepted = [self.accept(tenant, event) for event in events]
        receipt = self.receipt(log, accepted)
        values = [encode_event_record(each.payload, list(each.contents)) for each in accepted]
        await self.log.append(log.partition, frame(log.log_id, self.log.incarnation, receipt, values), 10)
        return receipt

    async def seal(self, partition: int = 0) -> list[RoundOutcome]:
        """Seals all there is with a sealer of its own."""
        sealer = self.sealer(partition)
        await sealer.open()
        outcomes = []
        while (outcome := await sealer.seal_once(wait_s=0, fill=False)) is not None:
            outcomes.append(outcome)
        return outcomes


def received_at(event: AssembledEvent) -> int:
    """The received time in an event's payload, Unix microseconds."""
    from ledger.record.payload import decode_payload

    received = decode_payload(event.payload)["received_at"]
    return round(received.timestamp() * 1_000_000)
