"""A small ledger sealed by the real sealer, with a bit of everything, and what others kept of it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from consumers.compaction import CompactionLimits, Compactor
from ledger.log.interface import Record
from ledger.segments.checkpoints import read_checkpoints
from ledger.segments.objects import FileStore
from ledger.tlog.note import NoteSigner
from ledger.trust import TrustedKeys
from ledger.v1 import event_pb2 as pb
from ledger.verify import Report, verify
from tests.small_ledger import SmallLedger, event_id, request


@dataclass(frozen=True, slots=True)
class Built:
    """A sealed ledger: its objects, whom to trust, and what others kept: receipts, and checkpoints after each round."""

    store: FileStore
    trust: TrustedKeys
    signer: NoteSigner
    gateway: NoteSigner
    acme: bytes
    beta: bytes
    system: bytes
    erasure: bytes
    receipts: tuple[bytes, ...]
    checkpoints: tuple[dict[str, str], ...]

    @property
    def receipts_file(self) -> bytes:
        """The receipts as a client keeps them."""
        return b"".join(len(each).to_bytes(8, "big") + each for each in self.receipts)

    def verify(self, **options: object) -> Report:
        """`verify` at depth full, unless said otherwise."""
        return verify(self.store, self.trust, **options)  # type: ignore[arg-type]

    def names(self, part: str = "") -> list[str]:
        """Every object whose name holds `part`."""
        return [name for name in self.store.walk() if part in name]


async def build(folder: Path, compact: bool) -> Built:
    """Five rounds; compacted twice, with rounds for the placements, where asked for."""
    small = SmallLedger(folder / "ledger")
    await small.start("acme", "beta")
    receipts = []
    twice, other_body = request("mia", "first"), request("mia", "second")
    other_body.event_id = twice.event_id
    other_person = request("noah", "third")
    other_person.event_id = twice.event_id
    erasure = pb.Event(event_id=event_id(), phase=pb.PHASE_SINGLE)
    erasure.occurred_at.GetCurrentTime()
    erasure.erasure.legal_ground = "consent withdrawn"
    # Round 0 and 1: two tenants; then a repeat, a conflict, an undetermined event.
    receipts.append(await small.publish("acme", twice, *(request(f"user-{i % 3}", f"text {i}") for i in range(7))))
    receipts.append(await small.publish("beta", request(None), request("zoe")))
    await small.seal()
    receipts.append(await small.publish("acme", twice))
    receipts.append(await small.publish("acme", other_body, other_person, request("mia", "more")))
    await small.seal()
    # Round 2: a record that no receipt covers; round 3: an erasure event.
    await small.log.append(0, [Record(b"stray", (("kind", b"event"),), b"not an event")], 10)
    receipts.append(await small.publish("beta", request("zoe", "again")))
    await small.seal()
    receipts.append(await small.publish("acme", erasure, request("mia", "still")))
    await small.seal()
    if compact:
        Compactor(small.store, 0, small.trust(), CompactionLimits(rows_max=8)).run()
        await small.seal()
    receipts.append(await small.publish("acme", request("mia", "last")))
    await small.seal()
    if compact:
        Compactor(small.store, 0, small.trust(), CompactionLimits(rows_max=8)).run()
        await small.seal()
    trust = small.trust()
    rounds = len(small.store.names_in("partitions/0000/rounds"))
    built = Built(
        small.store,
        trust,
        small.ledger_signer,
        small.gateway_signer,
        small.tenant_log("acme").log_id,
        small.tenant_log("beta").log_id,
        small.tenants.partition_logs(0).system_log.log_id,
        erasure.event_id,
        tuple(receipts),
        tuple(read_checkpoints(small.store, 0, number) for number in range(rounds)),
    )
    await small.close()
    return built


def copied(built: Built, folder: Path) -> Built:
    """The same ledger in a folder of its own."""
    shutil.copytree(built.store.root, folder / "segments")
    values = {name: getattr(built, name) for name in Built.__slots__}
    return Built(**{**values, "store": FileStore(folder / "segments")})
