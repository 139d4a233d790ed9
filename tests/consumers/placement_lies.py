"""Placements that would lose, change or add something: each is made from an honest one of a log's six rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa

from ledger.segments.placement import Placement, Removal
from ledger.segments.round import CONTENTS, EVENTS
from ledger.segments.rows import from_parquet
from tests.consumers.placing import files_of, rewritten, set_cell, with_file
from tests.consumers.sealed import sealed_in
from tests.small_ledger import SmallLedger, event_id

Lie = Callable[[SmallLedger, Placement], Placement]


def drop_row(row: int) -> Callable[[pa.Table], pa.Table]:
    return lambda table: pa.concat_tables([table.slice(0, row), table.slice(row + 1)])


def double_row(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table, table.slice(0, 1)])


def cell(column: str, value: Any, row: int = 1) -> Callable[[pa.Table], pa.Table]:
    return lambda table: set_cell(table, column, row, value)


def copied(column: str) -> Callable[[pa.Table], pa.Table]:
    return lambda table: set_cell(table, column, 1, table[column][0].as_py())


def flipped(column: str) -> Callable[[pa.Table], pa.Table]:
    return lambda table: set_cell(
        table, column, 1, bytes([table[column][1].as_py()[0] ^ 1]) + table[column][1].as_py()[1:]
    )


def events(change: Callable[[pa.Table], pa.Table], **claims: object) -> Lie:
    return lambda small, placement: rewritten(small, placement, EVENTS, change, **claims)


def contents(change: Callable[[pa.Table], pa.Table], **claims: object) -> Lie:
    return lambda small, placement: rewritten(small, placement, CONTENTS, change, **claims)


def without_contents(small: SmallLedger, placement: Placement) -> Placement:
    return replace(placement, files=tuple(files_of(placement, EVENTS)))


def removal(small: SmallLedger, placement: Placement) -> Placement:
    """Drops a content under the id of an event that is no erasure."""
    log = small.tenant_log("acme")
    allowed_by = sealed_in(small).ids(log.log_id)[0]
    shorter = rewritten(small, placement, CONTENTS, drop_row(0))
    table = from_parquet(small.store.read(files_of(placement, CONTENTS)[0].name), "contents")
    gone = Removal(table["index"][0].as_py(), table["slot"][0].as_py(), allowed_by)
    return replace(shorter, removed=(gone,))


def removal_of_nothing(small: SmallLedger, placement: Placement) -> Placement:
    return replace(placement, removed=(Removal(0, "no such slot", event_id()),))


def rows_of_globex(table: pa.Table) -> pa.Table:
    stolen = table.slice(0, 1)
    return pa.concat_tables([table, set_cell(stolen, "log_id", 0, bytes(32))])


LIES: dict[str, Lie] = {
    "an event dropped": events(drop_row(2)),
    "an event dropped, the count kept": events(drop_row(2), rows=6),
    "an event twice": events(double_row),
    "an event in place of another": events(lambda table: pa.concat_tables([table.slice(0, 5), table.slice(0, 1)])),
    "a payload altered": events(flipped("payload")),
    "a payload of another event": events(copied("payload")),
    "a leaf hash altered": events(flipped("leaf_hash")),
    "a chain hash altered": events(flipped("chain_hash")),
    "an event id altered": events(flipped("event_id")),
    "another person": events(cell("subject", bytes(16))),
    "another mark": events(cell("mark", "conflict")),
    "another round": events(cell("round", 0, row=5)),
    "another sealing time": events(copied("sealed_at")),
    "another offset": events(cell("offset", 77)),
    "another model in a typed column": events(cell("tenant", "globex")),
    "a column missing": events(lambda table: table.drop_columns("role")),
    "a column too many": events(lambda table: table.append_column("more", pa.array([1] * table.num_rows))),
    "a row of another log besides": events(rows_of_globex, rows=6),
    "an index beyond the range besides": events(
        lambda table: pa.concat_tables([table, set_cell(table.slice(0, 1), "index", 0, 99)]), rows=6
    ),
    "another count": lambda small, placement: with_file(placement, EVENTS, rows=7),
    "another number of bytes": lambda small, placement: with_file(placement, EVENTS, bytes=1),
    "another digest": lambda small, placement: with_file(placement, EVENTS, sha256=bytes(32)),
    "another name": lambda small, placement: with_file(placement, EVENTS, name="logs/other.parquet"),
    "a name outside": lambda small, placement: with_file(placement, EVENTS, name="../../etc/passwd"),
    "a role that is none": lambda small, placement: with_file(placement, CONTENTS, role="statements"),
    "a hole": lambda small, placement: with_file(placement, EVENTS, first_index=1),
    "a range turned round": lambda small, placement: with_file(placement, EVENTS, first_index=6, end_index=0),
    "two files over one range": lambda small, placement: replace(placement, files=placement.files * 2),
    "no files": lambda small, placement: replace(placement, files=()),
    "a size beyond the log": lambda small, placement: with_file(replace(placement, size=7), EVENTS, end_index=7),
    "a size inside a statement": lambda small, placement: replace(placement, size=3),
    "contents of another range": lambda small, placement: with_file(placement, CONTENTS, end_index=5),
    "no contents": without_contents,
    "a content dropped": contents(drop_row(3)),
    "a content twice": contents(double_row),
    "a content twice, the count kept": contents(double_row, rows=18),
    "a content altered": contents(flipped("ciphertext")),
    "a content of another slot": contents(cell("slot", "output")),
    "a content of another person": contents(cell("subject", bytes(16))),
    "a content of another event": contents(flipped("event_id")),
    "a content of another log besides": contents(rows_of_globex),
    "a content removed under no erasure": removal,
    "the removal of nothing": removal_of_nothing,
    "another predecessor": lambda small, placement: replace(placement, previous=bytes([1]) * 32),
    "a number skipped": lambda small, placement: replace(placement, sequence_number=2),
    "a log that is none": lambda small, placement: replace(placement, log_id=bytes(32)),
    "another log's rows": lambda small, placement: replace(placement, log_id=small.tenant_log("globex").log_id),
}
