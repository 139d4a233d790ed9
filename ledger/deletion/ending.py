"""Where a tenant's logs end, by the published rounds: sizes, roots, the last event. Files' digests are checked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ledger.segments.history import History
from ledger.segments.holdings import Holdings, LogHoldings
from ledger.segments.log_rows import LogRows
from ledger.segments.objects import FileStore
from ledger.segments.round import EVENTS
from ledger.segments.state import LogHead
from ledger.tenants import Tenant, TenantLog
from ledger.tlog.checkpoint import Checkpoint
from ledger.trust import TrustedKeys

LEDGERS_OWN = frozenset({"access", "erasure", "expiry", "legal_hold", "operation"})
"""Kinds of event that the ledger's own processes write: what an export need not hold of its own making."""

ROWS_A_TIME = 200_000
CLOCKS_APART_MS = 3_600_000
"""How far the clocks of two machines may be apart."""


@dataclass(frozen=True, slots=True)
class LogEnd:
    """One log: where it stands, and where its rows do. `late`: below this index stand events sealed long ago."""

    log: TenantLog
    head: LogHead
    holdings: LogHoldings
    late: int = 0

    @property
    def checkpoint(self) -> Checkpoint:
        """What a checkpoint of it says."""
        return Checkpoint(self.log.origin, self.head.size, self.head.edge.root())


class Endings:
    """Looks at the newest rounds. Calls block."""

    def __init__(self, store: FileStore, trust: Callable[[], TrustedKeys]) -> None:
        self._store = store
        self._trust = trust

    def of(self, tenant: Tenant, since_ms: int = 0) -> list[LogEnd]:
        """Each of the tenant's logs, by shard, as of now. `late` is about `since_ms`, Unix milliseconds."""
        found: dict[bytes, LogEnd] = {}
        for partition in sorted({log.partition for log in tenant.logs}):
            history = History(self._store, partition, self._trust())
            holdings = Holdings(history)
            late: dict[bytes, int] = {}
            for sealed in holdings.refresh():
                if sealed.round.sealed_at_us // 1_000 < since_ms - CLOCKS_APART_MS:
                    late.update({each.log_id: each.tree_size for each in sealed.statements})
            history.check_contiguous()
            for log in tenant.logs:
                if log.partition == partition:
                    own = holdings.logs.get(log.log_id, LogHoldings())
                    head = holdings.state.head(log.log_id)
                    found[log.log_id] = LogEnd(log, head, own, late.get(log.log_id, 0))
        return [found[log.log_id] for log in tenant.logs]

    def find(self, end: LogEnd, event_ids: Collection[bytes]) -> dict[bytes, int]:
        """The indexes of those of these events that are not sealed long ago; the last one where an id stands twice."""
        found: dict[bytes, int] = {}
        for rows in self._rows(end, end.late, ["log_id", "index", "event_id"]):
            ids = rows["event_id"].cast(pa.binary())
            hits = rows.filter(pc.is_in(ids, value_set=pa.array(sorted(event_ids), pa.binary())))
            for index, event_id in zip(hits["index"].to_pylist(), hits["event_id"].to_pylist(), strict=True):
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
