"""The rows of one log, by index, from the files that hold them: digests checked, other logs' rows left out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ledger.errors import IntegrityError
from ledger.segments.holdings import HeldFile
from ledger.segments.objects import FileStore
from ledger.segments.rows import check_bytes, from_parquet

TABLES_KEPT_MAX = 4
"""Neighbouring rows mostly stand in one file, and it is read once."""


class LogRows:
    """Reads `columns` (None: all; else `log_id` and `index` among them) of one log's rows in the files of one role."""

    def __init__(
        self,
        store: FileStore,
        log_id: bytes,
        files: Sequence[HeldFile],
        role: str,
        columns: list[str] | None,
        kept: OrderedDict[str, pa.Table] | None = None,
    ) -> None:
        self._store = store
        self._log_id = log_id
        self._files = [file for file in files if file.role == role]
        self._columns = columns
        self._kept: OrderedDict[str, pa.Table] = OrderedDict() if kept is None else kept

    def between(self, first: int, end: int) -> pa.Table | None:
        """The rows with an index in [first, end), unsorted; None when there are none."""
        parts = []
        for file in self._files:
            low, high = max(first, file.first_index), min(end, file.end_index)
            if low < high:
                table = self._table(file)
                inside = pc.and_(pc.greater_equal(table["index"], low), pc.less(table["index"], high))
                own = pc.equal(table["log_id"], pa.scalar(self._log_id, table["log_id"].type))
                parts.append(table.filter(pc.and_(own, inside)))
        found = pa.concat_tables(parts, promote_options="default") if parts else None
        return found if found is not None and found.num_rows else None

    def all_of(self, first: int, end: int) -> pa.Table:
        """The rows [first, end), each once, in order; `IntegrityError` when some are missing."""
        found = self.between(first, end)
        if found is not None:
            found = found.sort_by("index")
        if found is None or found["index"].to_pylist() != list(range(first, end)):
            count = 0 if found is None else found.num_rows
            raise IntegrityError(
                f"log {self._log_id.hex()}: its files hold {count} rows of the indexes {first} to {end - 1}"
            )
        return found

    def _table(self, file: HeldFile) -> pa.Table:
        table = self._kept.get(file.name)
        if table is None:
            data = self._store.read(file.name)
            check_bytes(data, file.sha256, file.name)
            table = self._kept[file.name] = from_parquet(data, file.name, self._columns)
            while len(self._kept) > TABLES_KEPT_MAX:
                self._kept.popitem(last=False)
        self._kept.move_to_end(file.name)
        return table
