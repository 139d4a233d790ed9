"""Small partitions made by hand: rounds, statements and placements that follow each other, and lies told in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from ledger.segments import names
from ledger.segments.placement import PLACEMENT, PlacedFile, Placement
from ledger.segments.round import (
    CONTENTS,
    EVENTS,
    HEARTBEAT,
    ORDINARY,
    ROUND,
    STATEMENTS,
    Entry,
    File,
    Round,
)
from ledger.segments.state import PartitionState
from ledger.segments.statement import (
    BUNDLE,
    STATEMENT,
    Bundle,
    BundleEntry,
    Statement,
    label,
    receipts_digest,
)
from ledger.tlog.merkle import link

PARTITION = 3
INCARNATION = b"\x07" * 16
OTHER_INCARNATION = b"\x08" * 16
LOGS = [bytes([number]) * 32 for number in (1, 2, 3, 4)]
SCHEMA = sha256(b"schema").digest()


def leaf(number: int) -> bytes:
    """A leaf hash that shows its number."""
    return sha256(b"leaf %d" % number).digest()


def statement(state: PartitionState, log_id: bytes, leaves: Sequence[bytes], **changes: Any) -> Statement:
    """The statement by which a log goes on with these leaves; `changes` are the lies told in it."""
    head = state.head(log_id)
    edge = head.edge.extend(list(leaves))
    honest = Statement(
        log_id=log_id,
        partition=state.partition,
        round=state.next_number,
        first_index=head.size,
        count=len(leaves),
        chain_before=head.chain,
        chain_after=link(head.chain, list(leaves))[-1] if leaves else head.chain,
        tree_size=edge.size,
        root=edge.root(),
        range_hashes=edge.hashes,
        schemas=(SCHEMA,) if leaves else (),
        repeats=(),
        conflicts=(),
        undetermined=(),
        receipt_count=0,
        receipts_digest=receipts_digest(()),
        previous=head.statement,
        previous_round=head.round,
    )
    return replace(honest, **changes)


def file(state: PartitionState, role: str, rows: int, data: bytes = b"", **changes: Any) -> File:
    """A file of the next round."""
    data = data or b"%s of round %d" % (role.encode(), state.next_number)
    digest = sha256(data).digest()
    name = names.segment_name(state.partition, role, state.next_number, digest)
    return replace(File(role, name, digest, len(data), rows), **changes)


def round_of(
    state: PartitionState,
    statements: Sequence[Statement] = (),
    *,
    kind: int = ORDINARY,
    read: int | None = None,
    **changes: Any,
) -> Round:
    """The round that commits these statements; `read`: how many records (one a leaf unless told)."""
    rows = sum(each.count for each in statements)
    records = (rows + len(statements) if read is None else read) if kind != HEARTBEAT else 0
    entries = [
        Entry(label(each.log_id, state.partition, state.next_number), sha256(STATEMENT.encode(each)).digest())
        for each in statements
    ]
    files = [file(state, EVENTS, rows), file(state, CONTENTS, 2 * rows)] if rows else []
    honest = Round(
        partition=state.partition,
        number=state.next_number,
        kind=kind,
        sealed_at_us=state.sealed_at_us + 1_000,
        incarnation=state.incarnation or INCARNATION,
        first_offset=state.next_offset,
        next_offset=state.next_offset + records,
        last_record=sha256(b"record %d" % (state.next_offset + records)).digest() if records else state.last_record,
        files=(*files, file(state, STATEMENTS, len(statements), bundle_of(statements))) if statements else (),
        entries=tuple(sorted(entries, key=lambda entry: entry.label)),
        placements=(),
        previous=state.previous,
        tree_size=state.edge.size,
        range_hashes=state.edge.hashes,
        reason="",
    )
    return replace(honest, **changes)


def bundle_of(statements: Sequence[Statement], receipts: Mapping[bytes, tuple[bytes, ...]] | None = None) -> bytes:
    """The bundle of these statements, with receipts by log id."""
    given = receipts or {}
    return BUNDLE.encode(
        Bundle(tuple(BundleEntry(STATEMENT.encode(each), given.get(each.log_id, ())) for each in statements))
    )


def placement(state: PartitionState, log_id: bytes, size: int | None = None, **changes: Any) -> Placement:
    """A placement of the first `size` rows of a log (all, unless told), in one file of each role."""
    head = state.head(log_id)
    rows = head.size if size is None else size
    honest = Placement(
        log_id=log_id,
        sequence_number=head.placement_number + 1,
        previous=head.placement,
        size=rows,
        files=(placed(log_id, EVENTS, rows), placed(log_id, CONTENTS, rows, rows=2 * rows)),
        removed=(),
    )
    return replace(honest, **changes)


def placed(log_id: bytes, role: str, end: int, first: int = 0, **changes: Any) -> PlacedFile:
    """A compacted file of a log."""
    digest = sha256(b"%s %d %d" % (role.encode(), first, end)).digest()
    name = names.compacted_name(log_id, role, digest)
    return replace(PlacedFile(role, name, digest, 10, end - first, first, end), **changes)


def digest_of(given: Placement) -> bytes:
    """The digest by which a round names a placement."""
    return sha256(PLACEMENT.encode(given)).digest()


@dataclass(slots=True)
class Told:
    """One round as it is told to a state: all that `apply` takes."""

    round: Round
    statements: list[Statement]
    placements: list[Placement] = field(default_factory=list)

    def tell(self, state: PartitionState) -> None:
        """Applies it; the bytes are those of the values."""
        state.apply(
            self.round,
            ROUND.encode(self.round),
            [STATEMENT.encode(each) for each in self.statements],
            self.statements,
            [(digest_of(each), each) for each in self.placements],
        )


def a_round(
    state: PartitionState,
    leaves: Mapping[bytes, Sequence[bytes]],
    *,
    placements: Sequence[Placement] = (),
    kind: int = ORDINARY,
    read: int | None = None,
    **changes: Any,
) -> Told:
    """An honest round, but for `changes`: these leaves for these logs, these placements."""
    statements = [statement(state, log_id, leaves[log_id]) for log_id in sorted(leaves)]
    named = tuple(sorted(digest_of(each) for each in placements))
    made = round_of(state, statements, kind=kind, read=read, **{"placements": named, **changes})
    return Told(made, statements, list(placements))


def two_rounds() -> PartitionState:
    """A partition after two rounds: logs 0 and 1 with five and two events, log 0 placed at size 3."""
    state = PartitionState(PARTITION)
    a_round(state, {LOGS[0]: [leaf(1), leaf(2), leaf(3)], LOGS[1]: [leaf(4)]}).tell(state)
    a_round(state, {LOGS[0]: [leaf(5), leaf(6)], LOGS[1]: [leaf(7)]}, placements=[placement(state, LOGS[0])]).tell(
        state
    )
    return state
