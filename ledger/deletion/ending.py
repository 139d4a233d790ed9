"""Where a tenant's logs end, by the published rounds: sizes, roots, the last event. Files' digests are checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ledger.checkpoint import Checkpoint
from ledger.segments.history import History
from ledger.segments.holdings import Holdings, LogHoldings
from ledger.segments.log_rows import LogRows
from ledger.segments.objects import FileStore
from ledger.segments.round import EVENTS
from ledger.segments.state import LogHead
from ledger.tenants import Tenant, TenantLog
from ledger.trust import TrustedKeys

LEDGERS_OWN = frozenset({"access", "erasure", "expiry", "legal_hold", "operation"})
"""Kinds of event that the ledger's own processes write: what an export need not hold of its own making."""

ROWS_A_TIME = 200_000


@dataclass(frozen=True, slots=True)
class LogEnd:
    """One log: where it stands, and where its rows do."""

    log: TenantLog
    head: LogHead
    holdings: LogHoldings

    @property
    def checkpoint(self) -> Checkpoint:
        """What a checkpoint of it says."""
        return Checkpoint(self.log.origin, self.head.size, self.head.edge.root())


class Endings:
    """Looks at the newest rounds. Calls block."""

    def __init__(self, store: FileStore, trust: Callable[[], TrustedKeys]) -> None:
        self._store = store
        self._trust = trust

    def of(self, tenant: Tenant) -> list[LogEnd]:
        """Each of the tenant's logs, by shard, as of now."""
        found: dict[bytes, LogEnd] = {}
        for partition in sorted({log.partition for log in tenant.logs}):
            history = History(self._store, partition, self._trust())
            holdings = Holdings(history)
            holdings.refresh()
            history.check_contiguous()
            for log in tenant.logs:
                if log.partition == partition:
                    own = holdings.logs.get(log.log_id, LogHoldings())
                    found[log.log_id] = LogEnd(log, holdings.state.head(log.log_id), own)
        return [found[log.log_id] for log in tenant.logs]

    def event_ids(self, end: LogEnd) -> dict[bytes, int]:
        """The index of every event of a log, by id; the last one where an id stands twice."""
        found: dict[bytes, int] = {}
        for rows in self._rows(end, 0, ["log_id", "index", "event_id"]):
            for index, event_id in zip(rows["index"].to_pylist(), rows["event_id"].to_pylist(), strict=True):
                found[event_id] = max(index, found.get(event_id, -1))
        return found

    def foreign_events(self, end: LogEnd, first: int) -> int:
        """How many events from index `first` on others than the ledger itself wrote."""
        count = 0
        for rows in self._rows(end, first, ["log_id", "index", "kind"]):
            own = pc.is_in(rows["kind"].cast(pa.string()), pa.array(sorted(LEDGERS_OWN)))
            count += rows.num_rows - int(pc.sum(own.cast(pa.int64())).as_py() or 0)
        return count

    def _rows(self, end: LogEnd, first: int, columns: list[str]) -> Iterator[pa.Table]:
        rows = LogRows(self._store, end.log.log_id, end.holdings.files(), EVENTS, columns)
        for at in range(first, end.head.size, ROWS_A_TIME):
            yield rows.all_of(at, min(at + ROWS_A_TIME, end.head.size))
