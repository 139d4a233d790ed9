"""One partition's rounds, from the first to the newest, each checked before it is believed.

`follow` applies every round to the partition's state by the rules R1 to R11 and hands it on. Where a round cannot be
applied, nothing after it can be either: those that remain are checked each by itself (signature, files, receipts),
which still names what else was touched. A round whose placement or receipts are wrong, but whose statements hold,
does not end the walk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ledger.canonical import Malformed
from ledger.errors import IntegrityError, LedgerError, Unavailable
from ledger.segments import names
from ledger.segments.history import History
from ledger.segments.objects import FileStore
from ledger.segments.round import STATEMENTS, Round
from ledger.segments.rows import check_bytes
from ledger.segments.state import PartitionState
from ledger.segments.statement import BUNDLE, STATEMENT, Statement, receipts_digest
from ledger.tlog.merkle import EMPTY, CompactRange
from ledger.verify.report import Collector, Place


@dataclass(frozen=True, slots=True)
class RoundSeen:
    """A round that was read. `statements` with their `receipts`, in the bundle's order; the bundle's size in bytes.

    `applied`: the state has moved on by it, and `edge` is the edge of the rounds' own tree after it; else it was
    checked by itself only.
    """

    round: Round
    body: bytes
    raw: tuple[bytes, ...]
    statements: tuple[Statement, ...]
    receipts: tuple[tuple[bytes, ...], ...]
    applied: bool = False
    edge: CompactRange = EMPTY

    @property
    def place(self) -> Place:
        """Where findings about it stand."""
        return Place(self.round.partition, self.round.number)

    @property
    def where(self) -> str:
        """How messages name it."""
        return f"partition {self.round.partition}, round {self.round.number}"


class Walk:
    """Walks the rounds of one partition."""

    def __init__(self, store: FileStore, history: History, collector: Collector) -> None:
        self._store = store
        self._history = history
        self._collector = collector
        self.state = PartitionState(history.partition)

    def follow(self, numbers: list[int]) -> Iterator[RoundSeen]:
        """Every published round that can be read; `self.state` is the state after the one just given."""
        self._report_holes(numbers)
        broken = False
        for number in numbers:
            if not broken:
                seen = self._next(number)
                broken = self.state.next_number != number + 1
                if broken:
                    first = f"partition {self.state.partition}, round {number}"
                    self._collector.note(f"{first}: could not be followed; it and later rounds were checked one by one")
            else:
                seen = self._read(number)
            if seen is not None:
                self._collector.count(rounds=1, statements=len(seen.statements))
                yield seen

    def _report_holes(self, numbers: list[int]) -> None:
        partition = self.state.partition
        expected = 0
        for number in numbers:
            if number != expected:
                missing = f"round {expected} is" if number == expected + 1 else f"rounds {expected}-{number - 1} are"
                place = Place(partition, expected)
                self._collector.add(place, f"partition {partition}", "hole", f"{missing} missing before round {number}")
            expected = number + 1

    def _next(self, number: int) -> RoundSeen | None:
        if number != self.state.next_number:
            return self._read(number)
        seen = self._read(number)
        if seen is None:
            return None
        try:
            self.state.apply(seen.round, seen.body, list(seen.raw), list(seen.statements))
        except IntegrityError as error:
            self._collector.error(seen.place, error)
            return seen
        for digest in seen.round.placements:
            try:
                placement = self._history.placement(digest)
                self.state.apply_placement(placement, digest)
                self._collector.count(placements=1)
            except (IntegrityError, Unavailable) as error:
                self._collector.error(seen.place, error)
        return replace(seen, applied=True, edge=self.state.edge)

    def _read(self, number: int) -> RoundSeen | None:
        place = Place(self.state.partition, number)
        try:
            round_, body = self._history.read_round(number)
            if (round_.partition, round_.number) != (place.partition, number):
                said = f"partition {round_.partition}, round {round_.number}"
                raise IntegrityError(f"partition {place.partition}, round {number}: is {said} (R1)")
            raw, receipts = self._bundle(round_, place)
        except LedgerError as error:
            self._collector.error(place, error)
            return None
        where = f"partition {self.state.partition}, round {number}"
        try:
            statements = tuple(STATEMENT.decode(each) for each in raw)
        except Malformed as error:
            self._collector.add(place, where, "format", f"a statement is malformed: {error}")
            return None
        for statement, sealed in zip(statements, receipts, strict=True):
            if (statement.receipt_count, statement.receipts_digest) != (len(sealed), receipts_digest(sealed)):
                message = "the receipts beside the statement are not those whose digest it holds"
                self._collector.add(place, f"{where}, log {statement.log_id.hex()}", "receipt", message)
        return RoundSeen(round_, body, raw, statements, receipts)

    def _bundle(self, round_: Round, place: Place) -> tuple[tuple[bytes, ...], tuple[tuple[bytes, ...], ...]]:
        file = round_.file(STATEMENTS)
        if file is None:
            return (), ()
        expected = names.segment_name(place.partition, STATEMENTS, place.round, file.sha256)
        if file.name != expected:
            where = f"partition {place.partition}, round {place.round}"
            raise IntegrityError(f"{where}: names its bundle otherwise than its digest says (R9)")
        data = self._store.read(file.name)
        check_bytes(data, file.sha256, file.name)
        self._collector.count(files=1, bytes=len(data))
        if len(data) != file.bytes:
            raise IntegrityError(f"{file.name}: has {len(data)} bytes, its SHA-256 is right, expected {file.bytes}")
        try:
            entries = BUNDLE.decode(data).entries
        except Malformed as error:
            raise IntegrityError(f"{file.name}: is malformed: {error}") from None
        return tuple(each.statement for each in entries), tuple(each.receipts for each in entries)
