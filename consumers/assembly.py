"""A round's objects, from where a partition stands and what was admitted. No I/O.

Index order is offset order. Rows are sorted by log id, then index; statements stand in the same order, so a statement's
rows are the next `count` rows of the events file. What a log's events are is decided before (`consumers.identity`);
here it is only carried out: repeats are left out and noted, the others get their index, chain hash and place in the
tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pyarrow as pa

from consumers.admission import Admitted, fixed_column
from consumers.id_index import SEEN, SeenRows
from consumers.identity import Identified, SameStretch
from ledger.record.assemble import AssembledEvent
from ledger.record.columns import decode_columns
from ledger.record.schemas import PAYLOAD
from ledger.segments.rows import CONTENTS_SCHEMA, events_table
from ledger.segments.state import PartitionState
from ledger.segments.statement import BUNDLE, STATEMENT, Bundle, BundleEntry, Mark, Repeat, Statement, receipts_digest
from ledger.tenants import TenantLog
from ledger.tlog.merkle import CompactRange, link


@dataclass(frozen=True, slots=True)
class Draft:
    """What a round will write. `statements` and `bundle` agree; tables are None where they would be empty."""

    events: pa.Table | None
    contents: pa.Table | None
    statements: tuple[Statement, ...]
    bundle: bytes
    seen: SeenRows
    repeats: int
    conflicts: int
    undetermined: int


def with_findings(admitted: Admitted, findings: Sequence[AssembledEvent], log: TenantLog) -> Admitted:
    """The same, with the sealer's own events behind the admitted ones, each at the offset it is about."""
    if not findings:
        return admitted
    payloads = [each.payload for each in findings]
    columns = decode_columns(PAYLOAD, payloads)
    count = len(admitted)
    rows, slots, ciphertexts = [], [], []
    for at, each in enumerate(findings):
        for slot, ciphertext in each.contents:
            rows.append(count + at)
            slots.append(slot)
            ciphertexts.append(ciphertext)
    contents = pa.table(
        {
            "row": pa.array(rows, pa.int64()),
            "slot": pa.array(slots, pa.large_string()),
            "ciphertext": pa.array(ciphertexts, pa.large_binary()),
        }
    )
    tables = [columns] if admitted.payload_columns is None else [admitted.payload_columns, columns]
    return replace(
        admitted,
        log_table=(*admitted.log_table, log),
        logs=np.concatenate([admitted.logs, np.full(len(findings), len(admitted.log_table), np.int64)]),
        offsets=np.concatenate([admitted.offsets, np.array([each.stored.offset for each in admitted.quarantined])]),
        payloads=admitted.payloads + payloads,
        leaves=admitted.leaves + [each.leaf_hash for each in findings],
        schemas=admitted.schemas + [PAYLOAD.sha256] * len(findings),
        payload_columns=pa.concat_tables(tables, promote_options="default"),
        contents=pa.concat_tables([admitted.contents, contents]),
    )


def seen_rows(admitted: Admitted) -> SeenRows:
    """What `identify` needs to know of the events, in their order; their index is still open."""
    seen = np.zeros(len(admitted), SEEN)
    ids = np.empty((0, 16), np.uint8)
    if admitted.payload_columns is not None:
        log_ids = np.array([log.log_id[:16] for log in admitted.log_table], "V16")
        seen["log"] = log_ids[admitted.logs]
        seen["leaf"] = np.frombuffer(b"".join(admitted.leaves), "V32")
        for name, column in (("digest", "submission_digest"), ("key_id", "submission_key_id")):
            seen[name] = fixed_column(admitted.payload_columns[column], 32).view("V32").ravel()
        ids = fixed_column(admitted.payload_columns["event_id"], 16)
    return SeenRows(ids, seen)


def draft(
    state: PartitionState, admitted: Admitted, seen: SeenRows, identified: Identified, sealed_at_us: int
) -> Draft | None:
    """The round's objects; None when nothing was read that belongs to a log."""
    if not admitted.log_table:
        return None
    laid = _lay_out(state, admitted, identified)
    statements = [_statement(state, admitted, identified, laid, log) for log in laid.log_order]
    receipts: dict[bytes, list[bytes]] = {}
    for receipt in admitted.receipts:
        receipts.setdefault(receipt.log.log_id, []).append(receipt.signed)
    entries = []
    for at, statement in enumerate(statements):
        own = tuple(receipts.get(statement.log_id, ()))
        statements[at] = replace(statement, receipt_count=len(own), receipts_digest=receipts_digest(own))
        entries.append(BundleEntry(STATEMENT.encode(statements[at]), own))
    sealed = seen.seen[laid.order]
    sealed["index"] = laid.indexes
    events = _events(state, admitted, identified, laid, sealed_at_us) if len(laid.order) else None
    marks = list(identified.marks.values())
    return Draft(
        events=events,
        contents=None if events is None else _contents(admitted, laid, events),
        statements=tuple(statements),
        bundle=BUNDLE.encode(Bundle(tuple(entries))),
        seen=SeenRows(seen.ids[laid.order], sealed),
        repeats=int(identified.dropped.sum()),
        conflicts=marks.count("conflict"),
        undetermined=marks.count("undetermined"),
    )


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the events go. `order`: places in admission order, in the order of rows; dropped ones are left out.

    `log_order`: the logs touched, by log id. `rows_of[log]`: first and end row. `indexes`: index in its log, a row.
    """

    order: np.ndarray
    log_order: list[int]
    rows_of: dict[int, tuple[int, int]]
    indexes: np.ndarray
    chains: list[bytes]
    heads: dict[int, tuple[CompactRange, bytes]]
    index_of: dict[int, int]


def _lay_out(state: PartitionState, admitted: Admitted, identified: Identified) -> _Layout:
    table = admitted.log_table
    log_order = sorted(range(len(table)), key=lambda log: table[log].log_id)
    rank = np.empty(len(table), np.int64)
    rank[log_order] = np.arange(len(table))
    kept = np.flatnonzero(~identified.dropped)
    ranks = rank[admitted.logs[kept]]
    by_rank = np.lexsort((admitted.offsets[kept], ranks))
    order, ranks = kept[by_rank], ranks[by_rank]
    firsts = np.searchsorted(ranks, np.arange(len(table)), side="left")
    ends = np.searchsorted(ranks, np.arange(len(table)), side="right")
    indexes = np.empty(len(order), np.int64)
    chains: list[bytes] = []
    rows_of, heads = {}, {}
    for place, log in enumerate(log_order):
        first, end = int(firsts[place]), int(ends[place])
        head = state.head(table[log].log_id)
        leaves = [admitted.leaves[at] for at in order[first:end]]
        linked = link(head.chain, leaves)
        chains += linked
        indexes[first:end] = np.arange(head.size, head.size + len(leaves))
        rows_of[log] = (first, end)
        heads[log] = (head.edge.extend(leaves), linked[-1] if linked else head.chain)
    index_of = dict(zip(order.tolist(), indexes.tolist(), strict=True))
    return _Layout(order, log_order, rows_of, indexes, chains, heads, index_of)


def _statement(state: PartitionState, admitted: Admitted, identified: Identified, laid: _Layout, log: int) -> Statement:
    """One log's statement; the receipts are filled in by `draft`."""
    log_id = admitted.log_table[log].log_id
    head = state.head(log_id)
    first, end = laid.rows_of[log]
    edge, chain = laid.heads[log]

    def index_of_earlier(place: int) -> int:
        earlier = identified.earlier[place]
        return laid.index_of[earlier.place] if isinstance(earlier, SameStretch) else earlier

    own = laid.order[first:end].tolist() if identified.marks else []

    def marks(kind: str) -> tuple[Mark, ...]:
        places = [at for at in own if identified.marks.get(at) == kind]
        return tuple(Mark(laid.index_of[at], index_of_earlier(at)) for at in places)

    dropped = [int(at) for at in np.flatnonzero(identified.dropped & (admitted.logs == log))]
    return Statement(
        log_id=log_id,
        partition=state.partition,
        round=state.next_number,
        first_index=head.size,
        count=end - first,
        chain_before=head.chain,
        chain_after=chain,
        tree_size=edge.size,
        root=edge.root(),
        range_hashes=edge.hashes,
        schemas=tuple(sorted({admitted.schemas[at] for at in laid.order[first:end]})),
        repeats=tuple(Repeat(int(admitted.offsets[at]), admitted.leaves[at], index_of_earlier(at)) for at in dropped),
        conflicts=marks("conflict"),
        undetermined=marks("undetermined"),
        receipt_count=0,
        receipts_digest=receipts_digest(()),
        previous=head.statement,
        previous_round=head.round,
    )


def first_person(columns: pa.Table) -> pa.Array:
    """Each event's first person: the acting user, else the first subject, else null."""
    frame = pl.from_arrow(columns.select(["actor_user", "subjects"]))
    first = pl.col("subjects").list.get(0, null_on_oob=True).struct.field("pseudonym")
    if not isinstance(frame, pl.DataFrame):
        raise TypeError("expected a table")
    return frame.select(pl.coalesce(pl.col("actor_user"), first).alias("subject"))["subject"].to_arrow()


def _events(
    state: PartitionState, admitted: Admitted, identified: Identified, laid: _Layout, sealed_at_us: int
) -> pa.Table:
    order = laid.order
    if admitted.payload_columns is None:
        raise ValueError("events without columns")
    columns = admitted.payload_columns
    if not np.array_equal(order, np.arange(len(admitted))):
        columns = columns.take(pa.array(order))
    log_ids = [log.log_id for log in admitted.log_table]
    ledger = {
        "log_id": pa.array(log_ids, pa.binary()).take(pa.array(admitted.logs[order])),
        "index": laid.indexes,
        "round": np.full(len(order), state.next_number, np.int64),
        "sealed_at": pa.array(np.full(len(order), sealed_at_us, np.int64)).cast(pa.timestamp("us", tz="UTC")),
        "partition": np.full(len(order), state.partition, np.int64),
        "offset": admitted.offsets[order],
        "leaf_hash": _digests([admitted.leaves[at] for at in order]),
        "chain_hash": _digests(laid.chains),
        "mark": pa.array([identified.marks.get(int(at)) for at in order], pa.string()),
        "subject": first_person(columns),
        "payload": [admitted.payloads[at] for at in order],
    }
    return events_table(ledger, columns)


def _digests(values: list[bytes]) -> pa.Array:
    """32-byte values as an Arrow column, without an object a value."""
    offsets = np.arange(0, 32 * (len(values) + 1), 32, dtype=np.int32)
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(values))]
    )


def _contents(admitted: Admitted, laid: _Layout, events: pa.Table) -> pa.Table | None:
    """The contents of the sealed events, in the order of their rows."""
    row_of = np.full(len(admitted), -1, np.int64)
    row_of[laid.order] = np.arange(len(laid.order))
    rows = row_of[admitted.contents["row"].to_numpy()]
    kept = np.flatnonzero(rows >= 0)
    if not len(kept):
        return None
    kept = kept[np.argsort(rows[kept], kind="stable")]
    in_order = np.array_equal(kept, np.arange(admitted.contents.num_rows))
    contents = admitted.contents if in_order else admitted.contents.take(pa.array(kept))
    of_event = pa.array(rows[kept])
    columns = {
        "log_id": events["log_id"].take(of_event),
        "index": events["index"].take(of_event),
        "slot": contents["slot"],
        "event_id": events["event_id"].take(of_event),
        "subject": events["subject"].take(of_event),
        "ciphertext": contents["ciphertext"],
    }
    return pa.table(columns).cast(CONTENTS_SCHEMA)
