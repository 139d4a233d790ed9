"""The rows a round sealed, read from where they stand now: for rounds whose own events file is gone.

Such a file was removed because it held rows of a deleted log and all others stood in placements by then
(`consumers.superseded`). The rows of a deleted log are nowhere; those of every other log must all be found, or it is an
`IntegrityError`.
"""

from __future__ import annotations

from collections import OrderedDict

import pyarrow as pa

from ledger.segments.history import SealedRound
from ledger.segments.holdings import Holdings
from ledger.segments.log_rows import LogRows
from ledger.segments.objects import FileStore
from ledger.segments.round import EVENTS


class MovedRows:
    """Reads `columns` (log_id and index among them) of rows by the round that sealed them."""

    def __init__(self, store: FileStore, holdings: Holdings, columns: list[str]) -> None:
        self._store = store
        self._holdings = holdings
        self._columns = columns
        self._kept: OrderedDict[str, pa.Table] = OrderedDict()

    def of_round(self, sealed: SealedRound) -> pa.Table | None:
        """All of the round's rows that are still there; None when there are none."""
        parts = []
        for statement in sealed.statements:
            log = self._holdings.logs[statement.log_id]
            if statement.count and not log.is_deleted:
                rows = LogRows(self._store, statement.log_id, log.files(), EVENTS, self._columns, self._kept)
                parts.append(rows.all_of(statement.first_index, statement.tree_size))
        return pa.concat_tables(parts, promote_options="default") if parts else None
