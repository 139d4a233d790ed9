"""Placements for tests: honest ones from the compactor, taken back before they are proposed, and changed ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pyarrow as pa

from consumers.compaction import CompactionLimits, Compactor
from consumers.proposals import Proposals
from ledger.segments import names
from ledger.segments.history import History
from ledger.segments.placement import PLACEMENT, PlacedFile, Placement
from ledger.segments.rows import from_parquet, to_parquet
from ledger.tenants import TenantLog
from tests.small_ledger import SmallLedger


def honest(small: SmallLedger, log: TenantLog, rows_max: int = 1_000) -> Placement:
    """What the compactor would propose for a log now; its files are written, nothing is proposed."""
    compactor = Compactor(small.store, log.partition, small.trust(), CompactionLimits(rows_max=rows_max))
    (compacted,) = compactor.run([log.log_id])
    small.store.remove(names.proposal_name(log.partition, compacted.placement))
    return History(small.store, log.partition, small.trust()).placement(compacted.placement)


def propose(small: SmallLedger, placement: Placement, partition: int = 0) -> bytes:
    """Writes a placement and proposes it; returns its digest."""
    data = PLACEMENT.encode(placement)
    digest = sha256(data).digest()
    small.store.put(names.placement_name(partition, digest), data)
    Proposals(small.store, partition).propose(digest)
    return digest


def with_file(placement: Placement, role: str, /, **changes: object) -> Placement:
    """The placement with other fields in its (first) file of a role."""
    at = next(at for at, file in enumerate(placement.files) if file.role == role)
    files = list(placement.files)
    files[at] = replace(files[at], **changes)  # type: ignore[arg-type]
    return replace(placement, files=tuple(files))


def rewritten(
    small: SmallLedger,
    placement: Placement,
    role: str,
    change: Callable[[pa.Table], pa.Table],
    **claims: object,
) -> Placement:
    """The placement with the rows of a file changed, and a name, digest and count that are right for it."""
    file = next(file for file in placement.files if file.role == role)
    table = change(from_parquet(small.store.read(file.name), file.name))
    data = to_parquet(table)
    digest = sha256(data).digest()
    name = names.compacted_name(placement.log_id, role, digest)
    small.store.put(name, data)
    made = {"name": name, "sha256": digest, "bytes": len(data), "rows": table.num_rows}
    return with_file(placement, role, **{**made, **claims})


def set_cell(table: pa.Table, column: str, row: int, value: object) -> pa.Table:
    """The table with one value changed."""
    values = table[column].to_pylist()
    values[row] = value
    at = table.column_names.index(column)
    return table.set_column(at, table.schema.field(column), pa.array(values, table.schema.field(column).type))


def files_of(placement: Placement, role: str) -> list[PlacedFile]:
    """The files of a role."""
    return [file for file in placement.files if file.role == role]
