"""One statement whose rows are all there: what depth `leaves`, and depth `full`, say about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ledger.errors import IntegrityError, Unavailable
from ledger.segments.placement import Placement
from ledger.verify.agreement import Sealed, check_agreement
from ledger.verify.awaited import Expected
from ledger.verify.contents import ContentSums
from ledger.verify.explain import explain_contents
from ledger.verify.identity import Identities
from ledger.verify.job import Job
from ledger.verify.leaves import Stretch, check_leaves
from ledger.verify.receipts import Entries, coverage
from ledger.verify.rounds import RoundSeen
from ledger.verify.typed import TypedRows


@dataclass(frozen=True, slots=True)
class Full:
    """What depth `full` works with."""

    sums: ContentSums
    typed: TypedRows
    identities: Identities


@dataclass(frozen=True, slots=True)
class StatementCheck:
    """Checks the statements of one partition; `full` None: depth `leaves`."""

    job: Job
    full: Full | None

    def check(
        self, seen: RoundSeen, stretch: Stretch, entries: Entries, placement: Placement | None, contents_whole: bool
    ) -> None:
        """`placement`: where the rows stand, None for the round's own files. `contents_whole`: they could be read."""
        statement, collector = stretch.statement, self.job.collector
        where = f"{seen.where}, log {statement.log_id.hex()}"
        leaves = stretch.leaves()
        collector.count(events=len(leaves))
        self.job.awaited.meet(statement.log_id, leaves, statement.repeats)
        for rule, message in self._wrong(seen, stretch, leaves, entries, placement, contents_whole):
            collector.add(seen.place, where, rule, message)

    def _wrong(
        self,
        seen: RoundSeen,
        stretch: Stretch,
        leaves: list[bytes],
        entries: Entries,
        placement: Placement | None,
        contents_whole: bool,
    ) -> Iterator[tuple[str, str]]:
        yield from check_leaves(stretch, leaves)
        yield from self._coverage(seen, stretch, leaves, entries)
        if self.full is None:
            return
        sealed = Sealed(seen.round, stretch.statement, stretch.rows, leaves, entries)
        yield from check_agreement(sealed, self.full.identities)
        if contents_whole:
            try:
                yield from explain_contents(self.job.store, seen, stretch, placement, self.full.sums)
            except (IntegrityError, Unavailable) as error:
                yield "content", f"contents differ, and could not be read again to say which: {error}"

    def _coverage(
        self, seen: RoundSeen, stretch: Stretch, leaves: list[bytes], entries: Entries
    ) -> Iterator[tuple[str, str]]:
        statement = stretch.statement
        covered = coverage(leaves, statement.repeats, entries.leaves())
        uncovered = [at for at in covered.uncovered if not stretch.rows["own"][at]]
        if uncovered:
            more = f" (and {len(uncovered) - 1} more)" if len(uncovered) > 1 else ""
            index = statement.first_index + uncovered[0]
            yield "uncovered", f"index {index}: no receipt sealed beside it covers it{more}"
        for at in covered.repeats_uncovered:
            offset = statement.repeats[at].offset
            yield "uncovered", f"the repeat at offset {offset}: no receipt sealed beside it covers it"
        where = f"{seen.where}, log {statement.log_id.hex()}"
        for at in covered.unsealed:
            if self.job.awaited.full:
                self.job.collector.note(f"{where}: too many unsealed events wait; those from here on were not followed")
                return
            expected = Expected(seen.place, where, entries.entry(at), entries.deadline(at))
            self.job.awaited.expect(statement.log_id, expected)
