"""A dishonest sealer: takes a sealed partition apart, lets a test change anything, seals it again under the real key.

What was changed stays; everything else is made to fit: file names and digests, statement and receipt digests, the chain
of rounds. So a test tells one lie, and `verify` has to find that one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256

import pyarrow as pa

from ledger.segments import names
from ledger.segments.history import History
from ledger.segments.objects import FileStore
from ledger.segments.placement import NO_PLACEMENT, PLACEMENT, PlacedFile, Placement
from ledger.segments.round import CONTENTS, EVENTS, NO_ROUND, ROUND, STATEMENTS, Entry, File, Round, round_digest
from ledger.segments.rows import from_parquet, to_parquet
from ledger.segments.state import PartitionState
from ledger.segments.statement import (
    BUNDLE,
    NO_STATEMENT,
    STATEMENT,
    Bundle,
    BundleEntry,
    Statement,
    label,
    receipts_digest,
)
from ledger.signed import sign
from ledger.tlog.merkle import CHAIN_START, EMPTY, CompactRange, leaf_hash, leaf_hashes, link
from ledger.tlog.note import NoteSigner
from ledger.trust import TrustedKeys


@dataclass(slots=True)
class Draft:
    """One round, open to change. `statements` and `receipts` go together; `placements` are made anew when sealed."""

    round: Round
    events: pa.Table | None
    contents: pa.Table | None
    statements: list[Statement]
    receipts: list[tuple[bytes, ...]]
    placements: list[Placement] = field(default_factory=list)


def take_apart(store: FileStore, partition: int, trust: TrustedKeys) -> list[Draft]:
    """The rounds of a sealed partition."""
    state = PartitionState(partition)
    drafts = []
    for sealed in History(store, partition, trust).follow(state):
        tables = {}
        for role in (EVENTS, CONTENTS):
            file = sealed.round.file(role)
            tables[role] = from_parquet(store.read(file.name), file.name) if file else None
        placements = [placement for _, placement in sealed.placements]
        drafts.append(
            Draft(
                sealed.round,
                tables[EVENTS],
                tables[CONTENTS],
                list(sealed.statements),
                list(sealed.receipts),
                placements,
            )
        )
    return drafts


def relink(drafts: list[Draft]) -> None:
    """Makes leaves, chains, trees and counts fit the payloads: a sealer that lies from the start."""
    sizes: dict[bytes, tuple[int, bytes, CompactRange]] = {}
    for draft in drafts:
        for at, statement in enumerate(draft.statements):
            size, chain, edge = sizes.get(statement.log_id, (0, CHAIN_START, EMPTY))
            rows = _rows_of(draft.events, statement.log_id)
            leaves = leaf_hashes([draft.events["payload"][row].as_py() for row in rows]) if rows else []
            linked = link(chain, leaves)
            if rows:
                columns = {"index": range(size, size + len(rows)), "leaf_hash": leaves, "chain_hash": linked}
                for name, values in columns.items():
                    draft.events = with_values(draft.events, name, rows, list(values))
            edge = edge.extend(leaves)
            chain_after = linked[-1] if linked else chain
            draft.statements[at] = replace(
                statement,
                first_index=size,
                count=len(rows),
                chain_before=chain,
                chain_after=chain_after,
                tree_size=edge.size,
                root=edge.root(),
                range_hashes=edge.hashes,
            )
            sizes[statement.log_id] = (edge.size, chain_after, edge)


def with_values(table: pa.Table, name: str, rows: list[int], values: list[object]) -> pa.Table:
    """The table with some values of one column replaced."""
    column = table[name].to_pylist()
    for row, value in zip(rows, values, strict=True):
        column[row] = value
    return table.set_column(
        table.column_names.index(name), table.schema.field(name), pa.array(column, table[name].type)
    )


def _rows_of(table: pa.Table | None, log_id: bytes) -> list[int]:
    if table is None:
        return []
    return [row for row, each in enumerate(table["log_id"].to_pylist()) if each == log_id]


def seal(
    store: FileStore,
    partition: int,
    drafts: list[Draft],
    signer: NoteSigner,
    alter: Callable[[Round], Round] = lambda round_: round_,
) -> None:
    """Seals the drafts into an empty store. `alter` may change a round's body last of all, before it is signed."""
    previous, edge = NO_ROUND, EMPTY
    last: dict[bytes, tuple[bytes, int]] = {}
    for number, draft in enumerate(drafts):
        entries, bundle = [], []
        for statement, receipts in zip(draft.statements, draft.receipts, strict=True):
            before = last.get(statement.log_id, (NO_STATEMENT, 0))
            made = replace(
                statement,
                round=number,
                receipt_count=len(receipts),
                receipts_digest=receipts_digest(receipts),
                previous=before[0],
                previous_round=before[1],
            )
            raw = STATEMENT.encode(made)
            last[statement.log_id] = (sha256(raw).digest(), number)
            entries.append(Entry(label(statement.log_id, partition, number), sha256(raw).digest()))
            bundle.append(BundleEntry(raw, receipts))
        files = _write_files(store, partition, number, draft, bundle)
        placed = [_put(store, partition, placement) for placement in draft.placements]
        round_ = replace(
            draft.round,
            number=number,
            files=tuple(files),
            entries=tuple(sorted(entries, key=lambda entry: entry.label)),
            placements=tuple(sorted(placed)),
            previous=previous,
            tree_size=edge.size,
            range_hashes=edge.hashes,
        )
        body = ROUND.encode(alter(round_))
        store.put(names.round_name(partition, number), sign(body, signer))
        previous, edge = round_digest(body), edge.extend([leaf_hash(body)])


def _write_files(store: FileStore, partition: int, number: int, draft: Draft, bundle: list[BundleEntry]) -> list[File]:
    written = []
    for role, table in ((EVENTS, draft.events), (CONTENTS, draft.contents)):
        if table is not None and table.num_rows:
            written.append((role, to_parquet(table), table.num_rows))
    if bundle:
        written.append((STATEMENTS, BUNDLE.encode(Bundle(tuple(bundle))), len(bundle)))
    files = []
    for role, data, rows in written:
        digest = sha256(data).digest()
        name = names.segment_name(partition, role, number, digest)
        store.put(name, data)
        files.append(File(role, name, digest, len(data), rows))
    return files


def _put(store: FileStore, partition: int, placement: Placement) -> bytes:
    data = PLACEMENT.encode(placement)
    digest = sha256(data).digest()
    store.put(names.placement_name(partition, digest), data)
    return digest


def compacted(
    store: FileStore, log_id: bytes, events: pa.Table, contents: pa.Table | None, previous: Placement | None = None
) -> Placement:
    """A placement of these rows, in one file of events and one of contents, whatever they are."""
    files = []
    size = events.num_rows
    for role, table in ((EVENTS, events), (CONTENTS, contents)):
        if table is not None:
            data = to_parquet(table.sort_by([("subject", "ascending"), ("index", "ascending")]))
            digest = sha256(data).digest()
            name = names.compacted_name(log_id, role, digest)
            store.put(name, data)
            files.append(PlacedFile(role, name, digest, len(data), table.num_rows, 0, size))
    before = sha256(PLACEMENT.encode(previous)).digest() if previous is not None else NO_PLACEMENT
    number = previous.sequence_number + 1 if previous is not None else 1
    return Placement(log_id, number, before, size, tuple(files), ())


def rows_of_log(drafts: list[Draft], role: str, log_id: bytes) -> pa.Table:
    """All rows of a log, of events or contents, over all rounds."""
    tables = [draft.events if role == EVENTS else draft.contents for draft in drafts]
    found = [table.take(pa.array(_rows_of(table, log_id), pa.int64())) for table in tables if table is not None]
    return pa.concat_tables(found)
