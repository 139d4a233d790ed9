"""What the committed rounds of a partition add up to. No I/O: rounds go in, the state comes out, or an error.

`PartitionState.apply` holds the rules by which one round follows another; sealer, query and verifier all go
through it, so none of them can believe what another refuses:

 R1  the round is of this partition, has the next number, and is of a kind there is;
 R2  it names the digest of the round before;
 R3  it carries the compact range of the rounds' tree as the rounds before give it;
 R4  its sealing time is not before the previous one's;
 R5  its stretch begins where the last one ended (the first at offset 0), in the same incarnation. A gap may begin
     elsewhere, a new epoch is in another incarnation and may too; both say why, and no other round does. A stretch
     without records ends with the record the one before ended with;
 R6  a heartbeat reads nothing and adds nothing;
 R7  its entries are sorted, one a label; the bundle holds, sorted by log id, exactly one statement for each, with that
     digest, and the label is that of the statement's log;
 R8  each statement goes on from its log's head: index, chain, previous statement, tree; its compact range gives its
     root; it names schemas just when it adds events; what it marks are events it adds, each after the one it is
     compared with;
 R9  a file has a role there is, each once, and the name of this round and its digest; the events file has as many rows
     as the statements add, the bundle as many as there are entries;
 R10 its placements are sorted, each once. One descends from its log's last, covers no less and no more than the log
     has; its files are its log's by name, their rows add up to what it covers; removals are sorted, inside it. A
     deletion covers all of the log, and its final statement says the log's size and root;
 R11 nothing is added to a log that is deleted: neither a statement nor a placement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from ledger.errors import IntegrityError
from ledger.segments import names
from ledger.segments.placement import NO_PLACEMENT, Placement
from ledger.segments.round import (
    CONTENTS,
    EVENTS,
    GAP,
    HEARTBEAT,
    NEW_EPOCH,
    NO_RECORD,
    NO_ROUND,
    ORDINARY,
    STATEMENTS,
    Round,
    round_digest,
)
from ledger.segments.statement import NO_STATEMENT, Statement, label
from ledger.tlog.merkle import CHAIN_START, EMPTY, CompactRange, leaf_hash


@dataclass(frozen=True, slots=True)
class LogHead:
    """Where a log stands: what its next statement must go on from."""

    edge: CompactRange = EMPTY
    chain: bytes = CHAIN_START
    statement: bytes = NO_STATEMENT
    round: int = 0
    placement: bytes = NO_PLACEMENT
    placement_number: int = 0
    placed_size: int = 0
    is_deleted: bool = False

    @property
    def size(self) -> int:
        """How many events the log holds."""
        return self.edge.size


NEW_LOG = LogHead()


@dataclass(slots=True)
class PartitionState:
    """Where a partition stands after some of its rounds; `PartitionState(p)` is the state before round 0."""

    partition: int
    next_number: int = 0
    previous: bytes = NO_ROUND
    edge: CompactRange = EMPTY
    sealed_at_us: int = 0
    incarnation: bytes | None = None
    next_offset: int = 0
    last_record: bytes = NO_RECORD
    logs: dict[bytes, LogHead] = field(default_factory=dict)

    def head(self, log_id: bytes) -> LogHead:
        """Where a log stands; a log without statements stands at its beginning."""
        return self.logs.get(log_id, NEW_LOG)

    def copy(self) -> PartitionState:
        """A state that goes on by itself."""
        return replace(self, logs=dict(self.logs))

    def apply(
        self,
        round_: Round,
        body: bytes,
        statements: list[bytes],
        decoded: list[Statement],
        placements: Sequence[tuple[bytes, Placement]] = (),
    ) -> None:
        """Moves on by one round. `statements` are the bundle's, in its order, `decoded` the same as values.

        `placements` are those it names, as (digest, value); who leaves them out goes on with `apply_placement`.
        Raises `IntegrityError` naming the rule broken and leaves the state as it was.
        """
        where = f"partition {self.partition}, round {round_.number}"
        self._check_succession(round_, where)
        heads = self._check_statements(round_, statements, decoded, where)
        self._check_files(round_, sum(statement.count for statement in decoded), len(decoded), where)
        ordered = list(round_.placements) == sorted(set(round_.placements))
        _expect(ordered, where, "R10", "placements are not sorted, or one stands twice")
        for digest, placement in placements:
            _expect(digest in round_.placements, where, "R10", f"does not name placement {digest.hex()}")
            head = heads.get(placement.log_id, self.head(placement.log_id))
            heads[placement.log_id] = self._placed(head, placement, digest)
        self.logs.update(heads)
        self.next_number += 1
        self.previous = round_digest(body)
        self.edge = self.edge.extend([leaf_hash(body)])
        self.sealed_at_us = round_.sealed_at_us
        self.incarnation = round_.incarnation
        self.next_offset = round_.next_offset
        self.last_record = round_.last_record

    def apply_placement(self, placement: Placement, digest: bytes) -> None:
        """Commits a placement that the round just applied names (R10)."""
        self.logs[placement.log_id] = self._placed(self.head(placement.log_id), placement, digest)

    def _placed(self, head: LogHead, placement: Placement, digest: bytes) -> LogHead:
        where = f"partition {self.partition}, placement {digest.hex()}"
        _expect(not head.is_deleted, where, "R11", "is of a log that is deleted")
        descent = (placement.previous, placement.sequence_number) == (head.placement, head.placement_number + 1)
        _expect(descent, where, "R10", "does not descend from the log's last committed placement")
        inside = head.placed_size <= placement.size <= head.size
        span = f"expected {head.placed_size} to {head.size}"
        _expect(inside, where, "R10", f"covers {placement.size} rows, {span}")
        moved = replace(head, placement=digest, placement_number=placement.sequence_number, placed_size=placement.size)
        if placement.is_deletion:
            _check_deletion(head, placement, where)
            return replace(moved, is_deleted=True)
        for file in placement.files:
            _expect(file.role in (EVENTS, CONTENTS), where, "R10", "has a file of no role that a placement has")
            expected = names.compacted_name(placement.log_id, file.role, file.sha256)
            _expect(file.name == expected, where, "R10", f"names its {file.role} file otherwise than its digest says")
            bounded = file.first_index < file.end_index <= placement.size
            _expect(bounded, where, "R10", f"has a file for rows {file.first_index} to {file.end_index}")
        rows = sum(file.rows for file in placement.files if file.role == EVENTS)
        _expect(rows == placement.size, where, "R10", f"its events files have {rows} rows, it covers {placement.size}")
        gone = [(removal.index, removal.slot) for removal in placement.removed]
        _expect(gone == sorted(set(gone)), where, "R10", "removals are not sorted, or one stands twice")
        _expect(not gone or gone[-1][0] < placement.size, where, "R10", "removes a content of a row it does not cover")
        return moved

    def _check_succession(self, round_: Round, where: str) -> None:
        _expect(round_.partition == self.partition, where, "R1", f"is of partition {round_.partition}")
        _expect(round_.number == self.next_number, where, "R1", f"expected number {self.next_number}")
        _expect(ORDINARY <= round_.kind <= NEW_EPOCH, where, "R1", f"is of kind {round_.kind}, which is none")
        _expect(round_.previous == self.previous, where, "R2", "does not name the digest of the round before it")
        tree = (round_.tree_size, round_.range_hashes)
        _expect(
            tree == (self.edge.size, self.edge.hashes),
            where,
            "R3",
            "its compact range is not that of the rounds before",
        )
        _expect(round_.sealed_at_us >= self.sealed_at_us, where, "R4", "was sealed before its predecessor")
        self._check_stretch(round_, where)
        if round_.kind == HEARTBEAT:
            empty = round_.next_offset == round_.first_offset
            adds = round_.files or round_.entries or round_.placements
            _expect(empty and not adds, where, "R6", "is a heartbeat that holds something")

    def _check_stretch(self, round_: Round, where: str) -> None:
        ordered = round_.kind in (GAP, NEW_EPOCH)
        _expect(
            ordered == bool(round_.reason), where, "R5", "a gap or new epoch needs a reason, another round has none"
        )
        if round_.kind == NEW_EPOCH:
            same = round_.incarnation == self.incarnation
            _expect(not same, where, "R5", "is a new epoch in the same incarnation of the event log")
        else:
            same = self.incarnation in (None, round_.incarnation)
            _expect(same, where, "R5", "the event log's incarnation changed without a new-epoch round")
        _expect(
            ordered or round_.first_offset == self.next_offset,
            where,
            "R5",
            f"begins at offset {round_.first_offset}, the round before ended at {self.next_offset}",
        )
        _expect(round_.next_offset >= round_.first_offset, where, "R5", "ends before it begins")
        if round_.next_offset > round_.first_offset:
            _expect(round_.last_record != NO_RECORD, where, "R5", "read records and names no last one")
        elif not ordered:
            _expect(round_.last_record == self.last_record, where, "R5", "read nothing, yet names another last record")

    def _check_statements(
        self, round_: Round, statements: list[bytes], decoded: list[Statement], where: str
    ) -> dict[bytes, LogHead]:
        labels = [entry.label for entry in round_.entries]
        _expect(labels == sorted(set(labels)), where, "R7", "entries are not sorted, or hold a label twice")
        _expect(
            len(statements) == len(labels),
            where,
            "R7",
            f"has {len(labels)} entries, the bundle holds {len(statements)} statements",
        )
        in_order = [statement.log_id for statement in decoded]
        _expect(in_order == sorted(in_order), where, "R7", "the bundle's statements are not sorted by log id")
        named = {entry.label: entry.statement for entry in round_.entries}
        heads: dict[bytes, LogHead] = {}
        for raw, statement in zip(statements, decoded, strict=True):
            digest = sha256(raw).digest()
            of_log = label(statement.log_id, self.partition, round_.number)
            which = f"{where}, log {statement.log_id.hex()}"
            _expect(named.get(of_log) == digest, which, "R7", "the round does not name this statement under its label")
            _expect(statement.log_id not in heads, which, "R7", "has two statements")
            heads[statement.log_id] = self._next_head(statement, digest, round_.number, which)
        return heads

    def _next_head(self, statement: Statement, digest: bytes, number: int, where: str) -> LogHead:
        head = self.head(statement.log_id)
        _expect(not head.is_deleted, where, "R11", "adds to a log that is deleted")
        _expect((statement.partition, statement.round) == (self.partition, number), where, "R8", "is of another round")
        _expect(
            statement.first_index == head.size,
            where,
            "R8",
            f"begins at index {statement.first_index}, expected {head.size}",
        )
        _expect(statement.chain_before == head.chain, where, "R8", "does not go on from the log's chain")
        _expect(
            (statement.previous, statement.previous_round) == (head.statement, head.round),
            where,
            "R8",
            "does not name the log's previous statement",
        )
        _expect(
            statement.tree_size == head.size + statement.count,
            where,
            "R8",
            f"has tree size {statement.tree_size}, expected {head.size + statement.count}",
        )
        _check_contents(statement, where)
        edge = statement.compact_range()
        if statement.count == 0:
            _expect(
                edge == head.edge and statement.chain_after == head.chain,
                where,
                "R8",
                "adds nothing, yet changes the log",
            )
        return replace(head, edge=edge, chain=statement.chain_after, statement=digest, round=number)

    def _check_files(self, round_: Round, rows: int, logs: int, where: str) -> None:
        roles = [file.role for file in round_.files]
        _expect(len(set(roles)) == len(roles), where, "R9", "has two files of one role")
        for file in round_.files:
            _expect(file.role in (EVENTS, CONTENTS, STATEMENTS), where, "R9", "has a file of no role that a round has")
            expected = names.segment_name(self.partition, file.role, round_.number, file.sha256)
            _expect(file.name == expected, where, "R9", f"names its {file.role} file otherwise than its digest says")
        events, bundle = round_.file(EVENTS), round_.file(STATEMENTS)
        _expect(
            (events.rows if events else 0) == rows,
            where,
            "R9",
            f"its events file has {events.rows if events else 0} rows, its statements add {rows}",
        )
        _expect((bundle.rows if bundle else 0) == logs, where, "R9", "its bundle's count is not that of its entries")


def _check_deletion(head: LogHead, placement: Placement, where: str) -> None:
    """The final statement must be of this log as it stands (R10)."""
    said = placement.final_statement().log(placement.log_id)
    if said is None:
        raise IntegrityError(f"{where}: its final statement says nothing of this log (R10)")
    _expect(
        placement.size == head.size == said.size, where, "R10", f"is final at {said.size} rows, the log has {head.size}"
    )
    same = said.root == head.edge.root()
    _expect(same, where, "R10", f"is final at the root {said.root.hex()}, the log has {head.edge.root().hex()}")


def _check_contents(statement: Statement, where: str) -> None:
    """What a statement says of its events, as far as the statement alone shows it (R8)."""
    schemas = statement.schemas
    _expect(list(schemas) == sorted(set(schemas)), where, "R8", "schemas are not sorted, or one stands twice")
    _expect(bool(schemas) == bool(statement.count), where, "R8", "names schemas for no events, or none for events")
    for marks in (statement.conflicts, statement.undetermined):
        marked = [mark.index for mark in marks]
        _expect(marked == sorted(set(marked)), where, "R8", "marks are not sorted, or one stands twice")
        for mark in marks:
            inside = mark.first_index < mark.index and statement.first_index <= mark.index < statement.tree_size
            _expect(inside, where, "R8", f"marks index {mark.index} as following {mark.first_index}")
    twice = {mark.index for mark in statement.conflicts} & {mark.index for mark in statement.undetermined}
    _expect(not twice, where, "R8", "marks an event as a conflict and as undetermined")
    known = all(repeat.first_index < statement.tree_size for repeat in statement.repeats)
    _expect(known, where, "R8", "notes a repeat of an event that the log does not have")


def _expect(holds: bool, where: str, rule: str, message: str) -> None:
    if not holds:
        raise IntegrityError(f"{where}: {message} ({rule})")
