"""Reading the rounds of a partition in order, each checked before it is believed.

For each round: its signature by a ledger key that was valid at its sealing time; the SHA-256 of its bundle; the rules
of `ledger.segments.state`; the placements it commits. Events and contents files are not read here: who opens one checks
its digest then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from ledger.canonical import Malformed
from ledger.errors import IntegrityError
from ledger.final_statement import open_final_statement
from ledger.segments import names
from ledger.segments.objects import ObjectStore
from ledger.segments.placement import Placement, decode_placement
from ledger.segments.round import ROUND, STATEMENTS, Round
from ledger.segments.rows import check_bytes
from ledger.segments.state import PartitionState
from ledger.segments.statement import BUNDLE, STATEMENT, Bundle, Statement, receipts_digest
from ledger.signed import SIGNED, BadSignature, verify
from ledger.trust import TrustedKeys


@dataclass(frozen=True, slots=True)
class SealedRound:
    """A round that passed every check here, with what it commits. `statements` in the order of the bundle."""

    round: Round
    body: bytes
    statements: tuple[Statement, ...]
    receipts: tuple[tuple[bytes, ...], ...]
    placements: tuple[tuple[bytes, Placement], ...]


class History:
    """The published rounds of one partition."""

    def __init__(self, store: ObjectStore, partition: int, keys: TrustedKeys) -> None:
        self._store = store
        self._keys = keys
        self.partition = partition

    def published(self) -> list[int]:
        """The numbers of all rounds there are, sorted. A hole in them is somebody's finding, not this method's."""
        found = (
            names.round_number(name) for name in self._store.names_in(names.partition_folder(self.partition, "rounds"))
        )
        return sorted(number for number in found if number is not None)

    def check_contiguous(self) -> int:
        """The number of rounds; raises when some below the newest are missing."""
        numbers = self.published()
        missing = sorted(set(range(numbers[-1] + 1 if numbers else 0)) - set(numbers))
        if missing:
            raise IntegrityError(f"partition {self.partition}: rounds are missing: {_ranges(missing)}")
        return len(numbers)

    def follow(self, state: PartitionState) -> Iterator[SealedRound]:
        """Applies every further published round to `state` and yields it; ends at the newest."""
        while self._store.exists(names.round_name(self.partition, state.next_number)):
            yield self.step(state)

    def step(self, state: PartitionState) -> SealedRound:
        """Reads, checks and applies the next round; an error leaves the state as it was."""
        number = state.next_number
        where = f"partition {self.partition}, round {number}"
        round_, body = self.read_round(number)
        bundle = self._bundle(round_, where)
        statements = [entry.statement for entry in bundle.entries]
        try:
            decoded = [STATEMENT.decode(raw) for raw in statements]
        except Malformed as error:
            raise IntegrityError(f"{where}: a statement is malformed: {error}") from None
        for entry, statement in zip(bundle.entries, decoded, strict=True):
            if (statement.receipt_count, statement.receipts_digest) != (
                len(entry.receipts),
                receipts_digest(entry.receipts),
            ):
                raise IntegrityError(
                    f"{where}, log {statement.log_id.hex()}: receipts differ from the statement's digest"
                )
        placements = tuple((digest, self.placement(digest)) for digest in round_.placements)
        state.apply(round_, body, statements, decoded, placements)
        return SealedRound(round_, body, tuple(decoded), tuple(entry.receipts for entry in bundle.entries), placements)

    def read_round(self, number: int) -> tuple[Round, bytes]:
        """One round and its body, with a good signature; nothing else about it is checked."""
        where = f"partition {self.partition}, round {number}"
        data = self._store.read(names.round_name(self.partition, number))
        try:
            signed = SIGNED.decode(data)
            round_ = ROUND.decode(signed.body)
        except Malformed as error:
            raise IntegrityError(f"{where}: is malformed: {error}") from None
        try:
            at = datetime.fromtimestamp(round_.sealed_at_us / 1_000_000, UTC)
        except (ValueError, OverflowError, OSError):
            raise IntegrityError(f"{where}: its sealing time is not a time") from None
        try:
            key = self._keys.key("ledger", signed.key_id, at)
        except IntegrityError as error:
            raise BadSignature(f"{where}: {error}") from None
        verify(signed, key, where)
        return round_, signed.body

    def placement(self, digest: bytes) -> Placement:
        """A placement by its digest. The final statement of a deletion is signed by a ledger key that was good then."""
        name = names.placement_name(self.partition, digest)
        data = self._store.read(name)
        if sha256(data).digest() != digest:
            raise IntegrityError(f"{name}: its SHA-256 is not the one in its name")
        try:
            placement = decode_placement(data)
        except Malformed as error:
            raise IntegrityError(f"{name}: is malformed: {error}") from None
        if placement.is_deletion:
            try:
                open_final_statement(placement.final, self._keys)
            except IntegrityError as error:
                raise BadSignature(f"{name}: {error}") from None
        return placement

    def _bundle(self, round_: Round, where: str) -> Bundle:
        file = round_.file(STATEMENTS)
        if file is None:
            return Bundle(())
        data = self._store.read(file.name)
        check_bytes(data, file.sha256, file.name)
        try:
            return BUNDLE.decode(data)
        except Malformed as error:
            raise IntegrityError(f"{where}: its bundle is malformed: {error}") from None


def _ranges(numbers: list[int]) -> str:
    """`1, 4-7` for the numbers 1, 4, 5, 6, 7."""
    parts: list[str] = []
    start = last = numbers[0]
    for number in [*numbers[1:], None]:
        if number is not None and number == last + 1:
            last = number
            continue
        parts.append(str(start) if start == last else f"{start}-{last}")
        if number is not None:
            start = last = number
    return ", ".join(parts)
