"""Erasing in a small ledger, without the command: keys destroyed, the event published, files compacted."""

from __future__ import annotations

from consumers.compaction import CompactionLimits, Compactor
from ledger.keys.destruction import Request
from ledger.keys.erasure import Destructions
from ledger.keys.master import LocalMasterKey
from ledger.segments.checkpoints import CHECKPOINTS
from ledger.segments.history import History
from ledger.segments.holdings import Holdings
from ledger.segments.placement import Removal
from ledger.segments.rows import from_parquet
from ledger.v1 import event_pb2 as pb
from ledger.verify import verify
from tests.small_ledger import SmallLedger, event_id

REQUEST = Request("olga", (), "GDPR Art. 17", "")
FAR = 2**62
"""Later than every round."""


def destroy(small: SmallLedger, *persons: str, tenant: str = "acme") -> tuple[bytes, ...]:
    """The persons' keys, gone; the ids of their scopes."""
    master = LocalMasterKey.load(small.folder / "master.key")
    work = Destructions(small.database, master, lease_s=0.0)
    which = work.mark_persons(tenant, persons, REQUEST).destruction_id
    work.rewrap(which)
    work.destroy(which, 60)
    work.wipe(which)
    return work.get(which).scope_ids


def erasure(scope_ids: tuple[bytes, ...]) -> pb.Event:
    """The event that says so."""
    event = pb.Event(event_id=event_id(), phase=pb.PHASE_SINGLE)
    event.erasure.scope_ids.extend(scope_ids)
    event.erasure.legal_ground = "GDPR Art. 17"
    return event


def expiry(month: str, scope_ids: tuple[bytes, ...]) -> pb.Event:
    """The event that says that a month is over."""
    event = pb.Event(event_id=event_id(), phase=pb.PHASE_SINGLE)
    event.expiry.retention_class, event.expiry.month = "standard", month
    event.expiry.key_ids_destroyed.extend(scope_ids)
    return event


async def compact(small: SmallLedger, **limits: int) -> int:
    """Compacts, commits, and says how many contents were removed."""
    done = Compactor(small.store, 0, small.trust(), CompactionLimits(**limits)).run()
    await small.seal()
    return sum(each.contents_removed for each in done)


def removed(small: SmallLedger, tenant: str = "acme") -> tuple[Removal, ...]:
    """What the log's placement says is gone."""
    holdings = Holdings(History(small.store, 0, small.trust()))
    holdings.refresh()
    return holdings.logs[small.tenant_log(tenant).log_id].removed()


def passes(small: SmallLedger, since: str | None = None) -> None:
    """`verify --full` finds nothing."""
    report = verify(small.store, small.trust(), depth="full", since=since, remembered=dict(small.newest_rounds))
    assert report.passed, report.findings


def on_disk(small: SmallLedger) -> bytes:
    """Every byte of the sealed files, as they are."""
    return b"".join(small.store.read(name) for name in small.store.walk())


def checkpoint(small: SmallLedger, tenant: str = "acme") -> str:
    """The newest signed checkpoint of a tenant's log."""
    origin = small.tenant_log(tenant).origin
    for name in reversed(small.store.names_in("partitions/0000/checkpoints")):
        for note in CHECKPOINTS.decode(small.store.read(name)).notes:
            if note.startswith(f"{origin}\n"):
                return note
    raise LookupError(tenant)


async def accepted(small: SmallLedger, *events: pb.Event, tenant: str = "acme") -> dict[tuple[bytes, str], bytes]:
    """Publishes and seals events; their ciphertexts by event id and slot, as they stand in the event log."""
    before = {name: small.store.read(name) for name in small.store.names_in("partitions/0000/contents")}
    await small.publish(tenant, *events)
    await small.seal()
    found = {}
    for name in small.store.names_in("partitions/0000/contents"):
        if name not in before:
            for row in from_parquet(small.store.read(name), name).to_pylist():
                found[row["event_id"], row["slot"]] = row["ciphertext"]
    return found
