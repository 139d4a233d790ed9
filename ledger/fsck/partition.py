"""One partition: its rounds, what they name, what they don't."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ledger.errors import IntegrityError, Unavailable
from ledger.fsck.lines import FsckLine
from ledger.fsck.object_names import PartitionObject
from ledger.newest_rounds import NewestRound
from ledger.segments import names
from ledger.segments.history import History
from ledger.segments.holdings import Holdings
from ledger.segments.objects import FileStore
from ledger.segments.placement import Placement
from ledger.segments.round import CONTENTS, EVENTS, STATEMENTS, Round


@dataclass(slots=True)
class PartitionLook:
    """What is known of a partition. `whole`: every round could be followed, so what is needed is known."""

    history: History
    holdings: Holdings
    numbers: list[int]
    whole: bool = True
    rounds: dict[int, frozenset[str]] = field(default_factory=dict)
    committed: dict[bytes, Placement | None] = field(default_factory=dict)
    lines: list[FsckLine] = field(default_factory=list)

    @property
    def newest(self) -> int:
        """The newest published round; -1 when there is none."""
        return self.numbers[-1] if self.numbers else -1

    def needed(self) -> set[str]:
        """The files of events and contents in which rows stand now, as far as the rounds could be followed."""
        return {file.name for log in self.holdings.logs.values() for file in log.files()}


def look(history: History) -> PartitionLook:
    """Reads the rounds of a partition, and the placements they commit."""
    found = PartitionLook(history, Holdings(history), history.published())
    try:
        found.holdings.refresh()
        found.whole = found.holdings.state.next_number == len(found.numbers)
    except (IntegrityError, Unavailable) as error:
        found.whole = False
        found.lines.append(FsckLine("damaged", f"partition {history.partition}", str(error)))
    expected = 0
    for number in found.numbers:
        if number != expected:
            missing = f"round {expected} is" if number == expected + 1 else f"rounds {expected}-{number - 1} are"
            found.lines.append(FsckLine("hole", f"partition {history.partition}", f"{missing} missing"))
        expected = number + 1
    for number in found.numbers:
        try:
            round_, _ = history.read_round(number)
        except (IntegrityError, Unavailable):
            continue  # named above, by whoever followed the rounds; its files cannot be judged
        found.rounds[number] = frozenset(file.name for file in round_.files)
        _take_placements(found, round_)
    return found


def judge_newest(found: PartitionLook, remembered: NewestRound) -> Iterator[FsckLine]:
    """The newest round that the key store remembers."""
    try:
        remembered.check_there(found.history.partition, found.newest + 1)
    except IntegrityError as error:
        where, _, message = str(error).partition(": ")
        yield FsckLine("hole", where, message)


def _take_placements(found: PartitionLook, round_: Round) -> None:
    for digest in round_.placements:
        try:
            found.committed[digest] = found.history.placement(digest)
        except (IntegrityError, Unavailable) as error:
            found.committed[digest] = None
            name = names.placement_name(round_.partition, digest)
            missing = str(error).endswith("is missing")
            message = f"is missing; round {round_.number} committed it" if missing else str(error)
            found.lines.append(FsckLine("hole" if missing else "damaged", name, message))


def judge_numbered(found: PartitionLook, name: str, kind: PartitionObject) -> Iterator[FsckLine]:
    """An object with a round's number in its name: a file, or checkpoints."""
    published = kind.number in found.rounds
    if kind.part == "checkpoints":
        if not published and kind.number > found.newest:
            yield FsckLine("hole", name, f"was signed after round {kind.number}, which is missing")
        return
    if published:
        if name not in found.rounds[kind.number]:
            yield FsckLine("orphan", name, f"round {kind.number} was published without it", removable=True)
    elif kind.number <= found.newest:
        yield FsckLine("pending", name, f"round {kind.number} is missing or damaged, so nobody can tell")
    elif kind.number == found.newest + 1:
        yield FsckLine("pending", name, f"round {kind.number} is not published: a crash before, or a sealer at work")
    else:
        yield FsckLine("hole", name, f"was written for round {kind.number}; round {found.newest + 1} is missing")


def judge_missing(found: PartitionLook, present: set[str], store: FileStore) -> Iterator[FsckLine]:
    """What rounds and current placements name and need, and is not there; and what is there and no longer needed."""
    needed = found.needed()
    partition = found.history.partition
    for number, named in found.rounds.items():
        followed = number < found.holdings.state.next_number
        for name in sorted(named - present):
            role = name.split("/")[2]
            # A sealer may have published this round since the names were listed.
            if (role == STATEMENTS or not followed or name in needed) and not store.exists(name):
                yield FsckLine("hole", name, f"is missing; round {number} names it")
    for log in found.holdings.logs.values():
        placed = log.placement.files if log.placement is not None else ()
        for file in placed:
            if file.name not in present and not store.exists(file.name):
                yield FsckLine("hole", file.name, "is missing; the log's current placement names it")
    if found.whole:
        yield from _superseded(found, present, needed, partition)


def _superseded(found: PartitionLook, present: set[str], needed: set[str], partition: int) -> Iterator[FsckLine]:
    named = {name for names_ in found.rounds.values() for name in names_ if name.split("/")[2] in (EVENTS, CONTENTS)}
    placed = {file.name for placement in found.committed.values() if placement for file in placement.files}
    left = (named | placed) & present - needed
    if left:
        message = f"{len(left)} files hold only rows that stand in a current placement"
        yield FsckLine("superseded", f"partition {partition}", message)


def judge_placement(found: PartitionLook, name: str, kind: PartitionObject, proposed: bool) -> Iterator[FsckLine]:
    """A placement that no round has committed."""
    if kind.digest in found.committed:
        return
    try:
        placement = found.history.placement(kind.digest)
    except (IntegrityError, Unavailable) as error:
        yield FsckLine("damaged", name, str(error))
        return
    head = found.holdings.state.head(placement.log_id)
    if placement.sequence_number <= head.placement_number and found.whole:
        message = f"the log's placement {placement.sequence_number} is another one"
        yield FsckLine("proposal" if proposed else "orphan", name, message, removable=not proposed)
    elif placement.previous != head.placement:
        yield FsckLine("proposal", name, "does not descend from the log's current placement: no round will commit it")
    elif proposed:
        yield FsckLine("proposal", name, "waits for a round; a sealer that checked it and refused it says so")
    else:
        yield FsckLine("pending", name, "is not proposed: a crash before, or a compactor at work")


def judge_marker(found: PartitionLook, name: str, kind: PartitionObject, present: set[str]) -> Iterator[FsckLine]:
    """The marker of a proposal, where the placement has nothing more to say."""
    if kind.digest in found.committed:
        yield FsckLine("proposal", name, "is committed; the next sealer removes its marker")
    elif names.placement_name(kind.partition, kind.digest) not in present:
        yield FsckLine("proposal", name, "marks a placement that is not there")


def named_by_placements(looks: Iterable[PartitionLook], proposals: Iterable[Placement]) -> dict[str, str]:
    """Every compacted file that a placement names, and which kind of placement does."""
    named = {file.name: "proposed" for placement in proposals for file in placement.files}
    for found in looks:
        for placement in found.committed.values():
            named.update({file.name: "committed" for file in placement.files} if placement else {})
    return named
