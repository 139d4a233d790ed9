"""What the committed rounds of a partition add up to. No I/O: rounds go in, the state comes out, or an error.

`PartitionState.apply` holds the rules by which one round follows another; sealer, query and verifier all go
through it, so none of them can believe what another refuses:

 R1  the round is of this partition and has the next number;
 R2  it names the digest of the round before;
 R3  it carries the compact range of the rounds' tree as the rounds before give it;
 R4  its sealing time is not before the previous one's;
 R5  its stretch begins where the last one ended, in the same incarnation (a gap or a
     new-epoch round may differ, and says why);
 R6  a heartbeat reads nothing and adds nothing;
 R7  its entries are sorted, one a label; the bundle holds exactly one statement for each, with that digest, and the
     label is that of the statement's log;
 R8  each statement goes on from its log's head: index, chain, previous statement, tree; its compact range
     gives its root;
 R9  roles of files are unique, names are those of this round, and the events file has as many rows
     as the statements add;
 R10 a placement it commits descends from the log's last one and covers a tree size the log had.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256

from ledger.errors import IntegrityError
from ledger.merkle import CHAIN_START, EMPTY, CompactRange, leaf_hash
from ledger.segments import names
from ledger.segments.placement import NO_PLACEMENT, Placement
from ledger.segments.round import (
    EVENTS,
    GAP,
    HEARTBEAT,
    NEW_EPOCH,
    NO_RECORD,
    NO_ROUND,
    STATEMENTS,
    Round,
    round_digest,
)
from ledger.segments.statement import NO_STATEMENT, Statement, label


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

    def apply(self, round_: Round, body: bytes, statements: list[bytes], decoded: list[Statement]) -> None:
        """Moves on by one round. `statements` are the bundle's, in its order, `decoded` the same as values.

        Raises `IntegrityError` naming the rule broken and leaves the state as it was.
        """
        where = f"partition {self.partition}, round {round_.number}"
        self._check_succession(round_, where)
        heads = self._check_statements(round_, statements, decoded, where)
        self._check_files(round_, sum(statement.count for statement in decoded), len(decoded), where)
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
        head = self.head(placement.log_id)
        where = f"partition {self.partition}, placement {digest.hex()}"
        if placement.previous != head.placement or placement.sequence_number != head.placement_number + 1:
            raise IntegrityError(f"{where}: does not descend from the log's last committed placement")
        if not head.placed_size <= placement.size <= head.size:
            raise IntegrityError(f"{where}: covers {placement.size} rows, expected {head.placed_size} to {head.size}")
        self.logs[placement.log_id] = LogHead(
            edge=head.edge,
            chain=head.chain,
            statement=head.statement,
            round=head.round,
            placement=digest,
            placement_number=placement.sequence_number,
            placed_size=placement.size,
        )

    def _check_succession(self, round_: Round, where: str) -> None:
        _expect(round_.partition == self.partition, where, "R1", f"is of partition {round_.partition}")
        _expect(round_.number == self.next_number, where, "R1", f"expected number {self.next_number}")
        _expect(round_.previous == self.previous, where, "R2", "does not name the digest of the round before it")
        tree = (round_.tree_size, round_.range_hashes)
        _expect(
            tree == (self.edge.size, self.edge.hashes),
            where,
            "R3",
            "its compact range is not that of the rounds before",
        )
        _expect(round_.sealed_at_us >= self.sealed_at_us, where, "R4", "was sealed before its predecessor")
        if round_.kind not in (GAP, NEW_EPOCH):
            same = self.incarnation in (None, round_.incarnation)
            _expect(same, where, "R5", "the event log's incarnation changed without a new-epoch round")
            _expect(
                round_.first_offset == self.next_offset or (self.next_number == 0 and round_.kind != HEARTBEAT),
                where,
                "R5",
                f"begins at offset {round_.first_offset}, the round before ended at {self.next_offset}",
            )
        else:
            _expect(bool(round_.reason), where, "R5", "a gap or new epoch needs a reason")
        _expect(round_.next_offset >= round_.first_offset, where, "R5", "ends before it begins")
        if round_.kind == HEARTBEAT:
            empty = round_.next_offset == round_.first_offset and round_.last_record == self.last_record
            _expect(
                empty and not round_.files and not round_.entries, where, "R6", "is a heartbeat that holds something"
            )

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
        edge = statement.compact_range()
        if statement.count == 0:
            _expect(
                edge == head.edge and statement.chain_after == head.chain,
                where,
                "R8",
                "adds nothing, yet changes the log",
            )
        return LogHead(
            edge, statement.chain_after, digest, number, head.placement, head.placement_number, head.placed_size
        )

    def _check_files(self, round_: Round, rows: int, logs: int, where: str) -> None:
        roles = [file.role for file in round_.files]
        _expect(len(set(roles)) == len(roles), where, "R9", "has two files of one role")
        for file in round_.files:
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


def _expect(holds: bool, where: str, rule: str, message: str) -> None:
    if not holds:
        raise IntegrityError(f"{where}: {message} ({rule})")
