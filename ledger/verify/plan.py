"""Which placement each log of a partition has in the end: read from the rounds before the partition is verified.

A row is looked for where the *current* placement says, and that is known only when all rounds were seen. This first
look reads the signed rounds and the placements they name, and nothing else. It reports nothing: the pass that follows
meets the same objects and names what is wrong with them. A placement that cannot be read, or does not descend from
the one before it, is left out here, as the rules leave it out there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ledger.errors import IntegrityError, Unavailable
from ledger.segments.history import History
from ledger.segments.placement import Placement
from ledger.segments.state import PartitionState
from ledger.tlog.merkle import CompactRange


@dataclass(slots=True)
class Plan:
    """The published round numbers of a partition, and each log's last placement with its digest.

    Whether a deletion is one rightly (its statement's size and root) the pass that follows tells, or names what is
    wrong with it.
    """

    numbers: list[int]
    placements: dict[bytes, tuple[bytes, Placement]] = field(default_factory=dict)

    def is_deleted(self, log_id: bytes) -> bool:
        """Whether the log's rows need not be there."""
        found = self.placements.get(log_id)
        return found is not None and found[1].is_deletion

    def placed_size(self, log_id: bytes) -> int:
        """How many of the log's rows stand in its placement's files."""
        found = self.placements.get(log_id)
        return found[1].size if found else 0


def plan(history: History) -> Plan:
    """The first look at a partition."""
    made = Plan(history.published())
    stand_in = PartitionState(history.partition)
    for expected, number in enumerate(made.numbers):
        if number != expected:
            break
        try:
            round_, _ = history.read_round(number)
        except (IntegrityError, Unavailable):
            break
        for digest in round_.placements:
            _take(made, stand_in, history, digest)
    return made


def _take(made: Plan, stand_in: PartitionState, history: History, digest: bytes) -> None:
    """Takes a placement by the rules that hold for it, but for the size of its log, which is not known here yet."""
    try:
        placement = history.placement(digest)
        if placement.is_deletion:
            _take_deletion(made, stand_in, placement, digest)
            return
        size = max(placement.size, stand_in.head(placement.log_id).size)
        large_enough = CompactRange(size, (bytes(32),) * size.bit_count())
        stand_in.logs[placement.log_id] = replace(stand_in.head(placement.log_id), edge=large_enough)
        stand_in.apply_placement(placement, digest)
    except (IntegrityError, Unavailable):
        return
    made.placements[placement.log_id] = (digest, placement)


def _take_deletion(made: Plan, stand_in: PartitionState, placement: Placement, digest: bytes) -> None:
    """Its size and root can't be compared with the log's here; whether it descends from the last placement can."""
    head = stand_in.head(placement.log_id)
    descends = (placement.previous, placement.sequence_number) == (head.placement, head.placement_number + 1)
    if descends and not head.is_deleted:
        stand_in.logs[placement.log_id] = replace(head, is_deleted=True)
        made.placements[placement.log_id] = (digest, placement)
