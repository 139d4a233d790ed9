"""Which files hold rows of a tenant, or once did: everything that rounds and placements ever named for its logs.

A tenant is deleted when none of them is there any more. Files of rounds may hold rows of other tenants too; they go
when compaction has moved those (`consumers.superseded`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from ledger.segments.history import History
from ledger.segments.holdings import Holdings
from ledger.segments.objects import FileStore
from ledger.tenants import Tenant
from ledger.trust import TrustedKeys


def files_of(store: FileStore, trust: Callable[[], TrustedKeys], tenant: Tenant) -> list[str]:
    """The names of those that are there, sorted."""
    named: set[str] = set()
    own = {log.log_id for log in tenant.logs}
    for partition in sorted({log.partition for log in tenant.logs}):
        holdings = Holdings(History(store, partition, trust()))
        for sealed in holdings.refresh():
            for _, placement in sealed.placements:
                if placement.log_id in own:
                    named |= {file.name for file in placement.files}
        for log in holdings.of(own).values():
            named |= {file.name for file in log.sealed}
    for log_id in own:
        for part in ("events", "contents"):  # what a compactor left that was never proposed
            named |= set(store.names_in(f"logs/{log_id.hex()}/{part}"))
    return sorted(name for name in named if store.exists(name))


def remove_own(store: FileStore, tenant: Tenant) -> int:
    """Removes what stands under the tenant's own prefix, once its deletion is committed; how many files."""
    found = [
        name
        for log in tenant.logs
        for part in ("events", "contents")
        for name in store.names_in(f"logs/{log.log_id.hex()}/{part}")
    ]
    for name in found:
        store.remove(name)
    return len(found)


def remove_derived(derived: Path, tenant: Tenant) -> None:
    """Removes what was derived from the tenant's rows. What else stood in those files is derived anew when needed."""
    for log in tenant.logs:
        shutil.rmtree(derived / "tiles" / log.log_id.hex(), ignore_errors=True)
    for partition in {log.partition for log in tenant.logs}:
        for path in (derived / "query" / f"{partition:04d}").glob("*.run"):
            path.unlink(missing_ok=True)
    for path in (derived / "query" / "rows").glob("*.rows"):
        path.unlink(missing_ok=True)
