"""A real ledger in a folder, filled without gRPC: home, gateway intake, sealer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from consumers.opening import limits, parts
from consumers.sealer import PartitionSealer, RoundOutcome
from ledger.home import Home, gateway_key_name
from ledger.log.framing import frame
from ledger.log.interface import EventLog
from ledger.receipt import RECEIPT, Receipt, ReceiptEntry, join
from ledger.record.assemble import ContentLimits, Reception, assemble, digest_of, needs
from ledger.record.capture import Capture
from ledger.record.content import ContentSealer
from ledger.record.payload import encode_event_record
from ledger.record.submission import submission_bytes
from ledger.record.translate import translate
from ledger.signed import sign
from ledger.trust import TrustedKeys
from ledger.v1 import event_pb2 as pb

BATCH = 100


class LedgerAtHand:
    """`start` first, `close` last. `payloads`: all that was appended."""

    def __init__(self, folder: Path, tenants: Sequence[str]) -> None:
        self._home = Home.create(folder / "home", name="benchmark.example", partitions=1)
        self._config = self._home.config(flags={"sealer.round_bytes_max": 1 << 30})
        self._keys = self._home.keys(self._config)
        for tenant in tenants:
            self._keys.tenants.add(tenant)
        self._home.write_trust(self._config, self._keys)
        name = gateway_key_name(self._config.ledger.name, self._config.gateway.gateway_id)
        self._signer = self._keys.store.signing_key("gateway", name).signer(name)
        self.log: EventLog = self._home.event_log(self._config)
        self.segments = self._config.ledger.segments
        self.payloads: list[bytes] = []

    async def start(self) -> None:
        """Opens the event log."""
        await self.log.start()

    async def close(self) -> None:
        """Lets go of the files."""
        await self.log.close()
        self._keys.close()

    def trust(self) -> TrustedKeys:
        """The public keys and logs."""
        return TrustedKeys.load(self._config.ledger.trust)

    async def append(self, tenant: str, events: Sequence[pb.Event]) -> None:
        """Does to events what a gateway does, batch by batch."""
        found = self._keys.tenants.get(tenant)
        if found is None:
            raise LookupError(tenant)
        log = found.logs[0]
        capture, limits_, sealer = Capture("full", "benchmark/1", "standard"), ContentLimits(), ContentSealer()
        for at in range(0, len(events), BATCH):
            now_us = time.time_ns() // 1_000
            reception = Reception(tenant, 0, now_us, "benchmark", "0", "local", "none")
            entries, values = [], []
            for event in events[at : at + BATCH]:
                submission = translate(event)
                wanted = needs(submission, capture, reception.month)
                grant = self._keys.store.acquire(tenant, wanted.holders, wanted.scopes, wanted.links)
                digest = digest_of(submission, submission_bytes(event), grant, tenant)
                made = assemble(submission, digest, grant, capture, reception, limits_, sealer)
                entries.append(
                    ReceiptEntry(made.event_id, made.submission_digest, made.submission_key_id, made.leaf_hash, now_us)
                )
                values.append(encode_event_record(made.payload, list(made.contents)))
                self.payloads.append(made.payload)
            incarnation = self._config.ledger.incarnation_bytes
            body = RECEIPT.encode(Receipt("benchmark", log.origin, incarnation, 86_400_000, join(entries)))
            await self.log.append(log.partition, frame(log.log_id, incarnation, sign(body, self._signer), values), 60)

    async def seal(self) -> list[RoundOutcome]:
        """Seals all there is."""
        sealer = PartitionSealer(parts(self._config, self._keys, self.log, 0), limits(self._config))
        await sealer.open()
        outcomes = []
        while (outcome := await sealer.seal_once(wait_s=0, fill=False)) is not None:
            outcomes.append(outcome)
        return outcomes
