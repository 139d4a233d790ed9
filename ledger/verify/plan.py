"""Which placement each log of a partition has in the end: read from the rounds before the partition is verified.

A row is looked for where the *current* placement says, and that is known only when all rounds were seen. This first
look reads the signed rounds and the placements they name, and nothing else. It reports nothing: the pass that follows
meets the same objects and names what is wrong with them. A placement that cannot be read, or does not descend from
the one before it, is left out here, as the rules leave it out there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.errors import IntegrityError, Unavailable
from ledger.segments.history import History
from ledger.segments.placement import NO_PLACEMENT, Placement


@dataclass(slots=True)
class Plan:
    """The published round numbers of a partition, and each log's last placement with its digest."""

    numbers: list[int]
    placements: dict[bytes, tuple[bytes, Placement]] = field(default_factory=dict)

    def placed_size(self, log_id: bytes) -> int:
        """How many of the log's rows stand in its placement's files."""
        found = self.placements.get(log_id)
        return found[1].size if found else 0


def plan(history: History) -> Plan:
    """The first look at a partition."""
    made = Plan(sorted(set(history.published())))
    for expected, number in enumerate(made.numbers):
        if number != expected:
            break
        try:
            round_, _ = history.read_round(number)
        except (IntegrityError, Unavailable):
            break
        for digest in round_.placements:
            _take(made, history, digest)
    return made


def _take(made: Plan, history: History, digest: bytes) -> None:
    try:
        placement = history.placement(digest)
    except (IntegrityError, Unavailable):
        return
    last, before = made.placements.get(placement.log_id, (NO_PLACEMENT, None))
    number, size = (before.sequence_number, before.size) if before else (0, 0)
    if placement.previous == last and placement.sequence_number == number + 1 and placement.size >= size:
        made.placements[placement.log_id] = (digest, placement)
