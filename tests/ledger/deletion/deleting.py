"""Deleting a tenant of a small ledger: rounds published in this process, nothing waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from consumers.compaction import CompactionLimits, Compactor
from consumers.superseded import remove_superseded
from ledger.deletion.ending import LogEnd
from ledger.deletion.proceeding import Parts, TenantProceeding
from ledger.keys.destruction import Request
from ledger.keys.master import LocalMasterKey
from ledger.keys.tenant_deletion import TenantDeletions, Waits
from ledger.tenants import Tenant, TenantRegistry
from ledger.v1 import event_pb2 as pb
from ledger.verify import Depth, Report, verify
from tests.small_ledger import NAME, SmallLedger

ORDER = Request("olga", ("paul",), "contract ended", "contract of 2024, ended in October")
FAR = 2**62


class Killed(BaseException):
    """What kill -9 does, as far as a test can."""


@dataclass
class InProcess:
    """Publishes and seals in this process. `die(step)` may raise `Killed` before each."""

    small: SmallLedger
    die: Callable[[str], None] = lambda step: None
    published: list[pb.Event] = field(default_factory=list)

    async def publish(self, tenant: str, events: Sequence[pb.Event]) -> None:
        """As a gateway would, repeats and all."""
        self.die(f"publishing to {tenant}")
        for event in events:
            self.published.append(event)
            await self.small.publish(tenant, event)
        self.die(f"published to {tenant}")

    async def seal(self) -> None:
        """All there is."""
        self.die("sealing")
        for partition in range(self.small.partitions):
            await self.small.seal(partition)
        self.die("sealed")

    async def compact(self) -> None:
        """Everything, and what is superseded goes at once."""
        self.die("compacting")
        for partition in range(self.small.partitions):
            Compactor(self.small.store, partition, self.small.trust(), CompactionLimits()).run()
        self.die("compacted")
        await self.seal()
        for partition in range(self.small.partitions):
            remove_superseded(self.small.store, partition, self.small.trust(), FAR, lambda name: self.die("removing"))
        self.die("removed")


def deletions(small: SmallLedger, waits: Waits = Waits(0.0, 0.0)) -> TenantDeletions:  # noqa: B008
    """The deletions of its key store."""
    return TenantDeletions(small.database, LocalMasterKey.load(small.folder / "master.key"), waits)


def proceeding(
    small: SmallLedger,
    rounds: InProcess | None = None,
    die: Callable[[str], None] = lambda step: None,
    check_export: Callable[[Tenant, list[LogEnd]], None] = lambda tenant, ends: None,
) -> TenantProceeding:
    """What carries a deletion out."""
    works = rounds or InProcess(small)
    parts = Parts(
        deletions=deletions(small),
        tenants=TenantRegistry(small.database, NAME),
        store=small.store,
        derived=small.folder / "derived",
        trust=small.trust,
        publisher=works,
        rounds=works,
        signer=lambda at_us: small.ledger_signer,
        check_export=check_export,
        ledger_name=NAME,
        build="test",
        remains=("copies outside of the ledger",),
        now_ms=lambda: time.time_ns() // 1_000_000,
    )
    return TenantProceeding(parts, die, _no_sleep)


async def delete(small: SmallLedger, tenant: str) -> str:
    """All of it; the final statement."""
    deletions(small).close(tenant, ORDER)
    return (await proceeding(small).go_on(tenant)).statement


def report(small: SmallLedger, depth: Depth = "full", **more: object) -> Report:
    """What `verify` says."""
    return verify(small.store, small.trust(), depth=depth, remembered=dict(small.newest_rounds), **more)  # type: ignore[arg-type]


async def _no_sleep(seconds: float) -> None:
    raise AssertionError(f"nothing is waited for here, asked for {seconds} s")
