"""One partition, verified: its rounds, the files they name, and as deep as asked the rows in them.

Round by round, in one pass. For each statement the rows come from its round's events file or, below the size of the
log's current placement, from that placement's files, which were read before; either way in index order, so that chain,
tree, receipts and marks are checked by the same code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

import numpy as np

from ledger.errors import IntegrityError, Unavailable
from ledger.receipt import Receipt
from ledger.segments.history import History
from ledger.segments.round import CONTENTS, EVENTS, File, round_digest
from ledger.segments.state import PartitionState
from ledger.segments.statement import Statement
from ledger.tlog.merkle import EMPTY, CompactRange
from ledger.verify.bundles import BundleReceipts
from ledger.verify.contents import ContentSums
from ledger.verify.deleted import check_deleted
from ledger.verify.files import Named
from ledger.verify.identity import Identities
from ledger.verify.job import Job
from ledger.verify.leaves import Stretch, absent
from ledger.verify.placed import Placed
from ledger.verify.plan import plan
from ledger.verify.receipts import entries_of
from ledger.verify.report import LATER, Place
from ledger.verify.rounds import RoundSeen, Walk
from ledger.verify.scan import Scan, Span, Target
from ledger.verify.scratch import FULL_ROWS, LEAF_ROWS
from ledger.verify.sealed_statement import Full, StatementCheck
from ledger.verify.stored_checkpoints import check_newest, check_stored, newest_shown
from ledger.verify.typed import TypedRows


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of some statements. `whole`: their events files could be read; `contents_whole`: the contents too."""

    table: np.ndarray | None
    whole: bool = True
    contents_whole: bool = True


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A round's files. `needed`: rows that concern us stand in them and nowhere else; `read`: to be read as well."""

    events: File | None
    contents: File | None
    needed: bool
    read: bool


class PartitionPass:
    """Verifies one partition of a job; `run` gives the state after its last good round."""

    def __init__(self, job: Job, partition: int) -> None:
        self._job = job
        self._partition = partition
        self._history = History(job.store, partition, job.trust)
        # Before the rounds are listed: a sealer may be at work.
        self._shown = newest_shown(job.store, job.trust, partition)
        self._plan = plan(self._history)
        self._walk = Walk(job.store, self._history, job.collector)
        self._placed = Placed(job, partition, self._plan)
        self._receipts = BundleReceipts(job)
        self._edges: dict[bytes, CompactRange] = {}
        self._scan: Scan | None = None
        self._full: Full | None = None
        self._check: StatementCheck | None = None

    def run(self) -> PartitionState:
        """All of it."""
        job = self._job
        with ExitStack() as stack:
            if job.depth == "full":
                sums = ContentSums(job.collector)
                identities = stack.enter_context(closing(Identities(job.scratch)))
                self._full = Full(sums, TypedRows(job.collector, job.trust, sums), identities)
            if job.depth != "files":
                self._scan = Scan(job.collector, job.trust, self._full.typed if self._full else None, job.reader)
                self._check = StatementCheck(job, self._full)
            self._placed.read(self._scan, self._full.sums if self._full else None)
            check_newest(job, self._partition, self._plan.numbers, self._shown)
            for seen in self._ahead(self._walk.follow(self._plan.numbers)):
                self._round(seen)
                job.report_progress()
            self._placed.finish(
                self._full.sums if self._full else None, self._full.typed.allowing if self._full else {}
            )
            if self._full is not None:
                self._finish_full(self._full)
            check_deleted(job, self._plan, self._walk.state)
            job.files.finish()
        return self._walk.state

    def _ahead(self, rounds: Iterator[RoundSeen]) -> Iterator[RoundSeen]:
        """The same rounds, the next one always begun: its receipts and the files that will be read."""
        last: RoundSeen | None = None
        for seen in rounds:
            self._receipts.begin(seen)
            files = self._wanted(seen)
            for file in (files.events, files.contents):
                if file is not None and files.read and (file.role == EVENTS or self._full is not None):
                    self._job.files.prepare(_named(seen, file))
            if last is not None:
                yield last
            last = seen
        if last is not None:
            yield last

    def _finish_full(self, full: Full) -> None:
        for twice in full.identities.twice():
            where = f"log {twice.log_id.hex()}"
            message = f"index {twice.index}: the event id of index {twice.first_index} again, and no mark says so"
            self._job.collector.add(Place(self._partition, LATER), where, "identity", message)
        if full.typed.unknown:
            count = len(full.typed.unknown)
            message = f"{count} logs are not among the trusted logs; their tenants were not checked"
            self._job.collector.note(f"partition {self._partition}: {message}")

    def _round(self, seen: RoundSeen) -> None:
        receipts = self._receipts.take(seen)
        self._check_partitions(seen)
        rows = self._files(seen)
        if not seen.applied:
            return
        self._observe(seen, None, seen.edge)
        self._check_remembered(seen)
        check_stored(self._job.store, self._job.trust, self._job.collector, seen)
        base = 0
        for statement, own in zip(seen.statements, receipts, strict=True):
            self._statement(seen, statement, own, rows, base)
            base += statement.count
        for digest in seen.round.placements:
            self._commit(digest)

    def _statement(
        self, seen: RoundSeen, statement: Statement, receipts: list[Receipt], rows: _Rows, base: int
    ) -> None:
        edge = statement.compact_range()
        before = self._edges.get(statement.log_id, EMPTY)
        self._edges[statement.log_id] = edge
        self._observe(seen, statement.log_id, edge)
        self._placed.statement_ended(statement.log_id, statement.tree_size)
        if self._check is None or not self._job.concerns(statement.log_id):
            return
        if self._plan.is_deleted(statement.log_id):
            return
        found = self._rows(statement, rows, base)
        if found.table is None:
            return
        missing = absent(found.table)
        if not len(missing):
            placed = self._plan.placements.get(statement.log_id) if self._is_placed(statement) else None
            stretch = Stretch(statement, before, found.table)
            placement = placed[1] if placed else None
            self._check.check(seen, stretch, entries_of(receipts), placement, found.contents_whole)
        elif found.whole:
            where = f"{seen.where}, log {statement.log_id.hex()}"
            more = f" and {len(missing) - 1} more of its rows are" if len(missing) > 1 else " is"
            message = f"index {statement.first_index + missing[0]}{more} in no file"
            self._job.collector.add(seen.place, where, "rows", message)

    def _rows(self, statement: Statement, in_round: _Rows, base: int) -> _Rows:
        """The statement's rows in index order."""
        if not statement.count:
            return _Rows(np.empty(0, FULL_ROWS if self._full is not None else LEAF_ROWS))
        if self._is_placed(statement):
            table = self._placed.tables.get(statement.log_id)
            whole = statement.log_id not in self._placed.damaged
            return _Rows(None if table is None else table[statement.first_index : statement.tree_size], whole, whole)
        if in_round.table is None:
            return in_round
        return _Rows(in_round.table[base : base + statement.count], in_round.whole, in_round.contents_whole)

    def _commit(self, digest: bytes) -> None:
        try:
            self._placed.committed(self._history.placement(digest), digest)
        except (IntegrityError, Unavailable):
            return  # reported when the round was applied

    def _observe(self, seen: RoundSeen, log_id: bytes | None, edge: CompactRange) -> None:
        if self._job.since is not None:
            self._job.since.observe(self._job.collector, seen.place, log_id, edge.size, edge.root())

    def _check_remembered(self, seen: RoundSeen) -> None:
        remembered = self._job.remembered.get(self._partition)
        if remembered is not None:
            try:
                remembered.check_same(self._partition, seen.round.number, round_digest(seen.body))
            except IntegrityError as error:
                self._job.collector.add(seen.place, seen.where, "since", str(error).removeprefix(f"{seen.where}: "))

    def _check_partitions(self, seen: RoundSeen) -> None:
        for statement in seen.statements:
            log = self._job.trust.log(statement.log_id)
            if log is not None and log.partition != self._partition and self._job.concerns(statement.log_id):
                where = f"{seen.where}, log {statement.log_id.hex()}"
                message = f"is sealed in partition {self._partition}, its own is {log.partition}"
                self._job.collector.add(seen.place, where, "partition", message)

    def _files(self, seen: RoundSeen) -> _Rows:
        """Checks the round's files, and reads its rows where they are to be looked at."""
        wanted = self._wanted(seen)
        events, contents = wanted.events, wanted.contents
        if events is None or not wanted.read:
            for file in (events, contents):
                if file is not None and (wanted.needed or self._job.tenant_logs is None):
                    self._job.files.check_later(_named(seen, file), optional=not wanted.needed)
            return _Rows(None)
        statements = seen.statements  # by log id (R7), as are the rows
        table = np.zeros(sum(each.count for each in statements), LEAF_ROWS if self._full is None else FULL_ROWS)
        target = Target(table, self._spans(statements), sorted=True)
        whole = self._read(seen, events, target)
        if contents is None or self._full is not None:
            return _Rows(table, whole, contents is None or self._read(seen, contents, target))
        self._job.files.check_later(_named(seen, contents))
        return _Rows(table, whole)

    def _wanted(self, seen: RoundSeen) -> _Wanted:
        concerned = [each for each in seen.statements if self._job.concerns(each.log_id) and each.count]
        needed = any(not self._is_placed(each) for each in concerned)
        events, contents = seen.round.file(EVENTS), seen.round.file(CONTENTS)
        # A row takes more than one byte, whatever the round says of its file.
        possible = events is not None and events.rows <= events.bytes
        return _Wanted(events, contents, needed, needed and possible and seen.applied and self._scan is not None)

    def _read(self, seen: RoundSeen, file: File, target: Target) -> bool:
        """Reads a file of events or contents into the table; False when it could not be, which was reported."""
        stream = self._job.files.open(_named(seen, file))
        if stream is None:
            return False
        with stream:
            if file.role == EVENTS:
                read = self._scan is not None and self._scan.read(stream, file.name, seen.place, target)
                rows = target.rows if read else None
            else:
                rows = self._full.sums.read(stream, file.name, seen.place, target) if self._full is not None else None
        if rows is not None and rows != file.rows:
            message = f"has {rows} rows, its round says {file.rows}"
            self._job.collector.add(seen.place, file.name, "rows", message)
        return rows is not None

    def _spans(self, statements: Sequence[Statement]) -> list[Span]:
        spans, base = [], 0
        for each in statements:
            wanted = self._job.concerns(each.log_id) and not self._is_placed(each)
            spans.append(Span(each.log_id, each.first_index, each.count, base, wanted))
            base += each.count
        return spans

    def _is_placed(self, statement: Statement) -> bool:
        return statement.tree_size <= self._plan.placed_size(statement.log_id)


def _named(seen: RoundSeen, file: File) -> Named:
    return Named(seen.place, file.name, file.sha256, file.bytes)
