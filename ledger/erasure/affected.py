"""Which sealed contents of a tenant stand under given scopes: found by reading its events files, digests checked.

This costs a read of the tenant's whole log, once an erasure; no index leads from a scope to its contents, and none is
kept, because a subject's pseudonym finds only the events that name her, not those of her sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from ledger.segments.history import History
from ledger.segments.holdings import Holdings
from ledger.segments.objects import FileStore
from ledger.segments.round import EVENTS
from ledger.segments.rows import check_bytes, from_parquet
from ledger.segments.scoped_contents import COLUMNS, ScopedContent, contents_under
from ledger.tenants import Tenant
from ledger.trust import TrustedKeys


class SealedContents:
    """The sealed contents of one tenant, as of now."""

    def __init__(self, store: FileStore, trust: Callable[[], TrustedKeys], tenant: Tenant) -> None:
        self._store = store
        self._trust = trust
        self._tenant = tenant

    def count(self, scope_ids: Collection[bytes]) -> dict[bytes, int]:
        """How many contents of each of the tenant's logs stand under these scopes and were not removed before."""
        counts = {log.log_id: 0 for log in self._tenant.logs}
        for log_id, removed, found in self._under(scope_ids):
            counts[log_id] += sum(1 for each in found if (each.index, each.slot) not in removed)
        return counts

    def any_under_both(self, some: frozenset[bytes], others: frozenset[bytes]) -> bool:
        """Whether a content stands under a scope of each."""
        if not some or not others:
            return False
        return any(
            not some.isdisjoint(each.scope_ids) and not others.isdisjoint(each.scope_ids)
            for _, removed, found in self._under(some | others)
            for each in found
            if (each.index, each.slot) not in removed
        )

    def _under(self, scope_ids: Collection[bytes]) -> Iterator[tuple[bytes, set[tuple[int, str]], list[ScopedContent]]]:
        """File by file: the log, what is removed of it already, and the contents found."""
        for partition in sorted({log.partition for log in self._tenant.logs}):
            holdings = Holdings(History(self._store, partition, self._trust()))
            holdings.refresh()
            for log_id, log in holdings.of(each.log_id for each in self._tenant.logs).items():
                removed = {(each.index, each.slot) for each in log.removed()}
                for file in log.files():
                    if file.role == EVENTS:
                        data = self._store.read(file.name)
                        check_bytes(data, file.sha256, file.name)
                        rows = from_parquet(data, file.name, list(COLUMNS))
                        inside = pc.and_(
                            pc.greater_equal(rows["index"], file.first_index), pc.less(rows["index"], file.end_index)
                        )
                        own = pc.and_(pc.equal(rows["log_id"], pa.scalar(log_id, pa.binary())), inside)
                        yield log_id, removed, contents_under(rows.filter(own), scope_ids)
