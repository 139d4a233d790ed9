"""What a verification found: a frozen report, and the collector that fills it.

A finding names a place (`where`: a partition's round, a log's index, a file), the rule it breaks, and what was expected
and found. Rules:

| rule           | what is wrong                                                                              |
| -------------- | ------------------------------------------------------------------------------------------ |
| R1 ... R11     | how one round follows another: `ledger.segments.state`                                     |
| hole           | rounds are missing below the newest, something shows that newer ones were published, or a  |
|                | partition has none while others have                                                       |
| missing        | a file that a round or the current placement names is not there                            |
| digest         | a file is not the one that was named: SHA-256, size, rows                                  |
| format         | bytes that are not what they claim to be                                                   |
| signature      | nobody trusted signed this, or not at that time                                            |
| unreadable     | the store could not give a file: a disk, a permission                                      |
| partition      | a log is sealed in another partition than the trusted one                                  |
| placement      | a rule of `ledger.segments.placement`                                                      |
| rows           | which rows stand in a file: each index once, in order, of the right log                    |
| leaf           | `leaf_hash` is not that of the payload                                                     |
| chain          | the hash chain does not link, or does not end where the statement says                     |
| root           | the tree of the leaves does not have the statement's root                                  |
| receipt        | a receipt does not hold, or differs from what was sealed under it                          |
| uncovered      | an event was sealed without a receipt                                                      |
| missing-event  | a receipt's event is not in its log, and its sealing delay has passed                      |
| payload        | a payload does not decode, or is another tenant's or shard's                               |
| column         | a typed or ledger column differs from what payload, statement and round say                |
| statistics     | a file's statistics do not enclose its rows, so that readers would skip some               |
| schema         | the schemas that a statement pins are not those its payloads use                           |
| content        | a content is missing, altered, twice there, or described by no payload                     |
| removal        | a content was removed without an Erasure or Expiry event, or is still there                |
| identity       | an event id stands twice, or a repeat, conflict or undetermined mark is not one            |
| checkpoint     | a stored checkpoint contradicts the rounds                                                 |
| since          | the ledger does not continue the checkpoint kept elsewhere, or the round that it remembers |

Findings are in the order of the ledger: by partition, then round, then as they were met; those that concern a whole log
come after its partition's rounds. At most `findings_max` are kept; how many more there were is told.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from ledger.canonical import Malformed
from ledger.errors import LedgerError, Unavailable
from ledger.signed import BadSignature

Depth = Literal["files", "leaves", "full"]
DEPTHS: tuple[Depth, ...] = ("files", "leaves", "full")
FINDINGS_MAX = 1_000

# The rules of `ledger.segments.state` stand in brackets behind its messages.
_STATE_RULE = re.compile(r"(.*) \((R\d+)\)", re.S)


@dataclass(frozen=True, slots=True)
class FindingLine:
    """One thing that is wrong."""

    where: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message} ({self.rule})" if self.where else f"{self.message} ({self.rule})"


@dataclass(frozen=True, slots=True)
class Counts:
    """What was looked at. `bytes` are those of files whose SHA-256 was taken.

    `outside_entries` are the entries of receipts kept elsewhere; `pending` are entries of any receipt whose event is
    not sealed yet and still in time; `deleted_logs` were not looked into, because their tenant was deleted.
    """

    partitions: int = 0
    rounds: int = 0
    statements: int = 0
    receipts: int = 0
    placements: int = 0
    events: int = 0
    contents: int = 0
    files: int = 0
    bytes: int = 0
    checkpoints: int = 0
    outside_entries: int = 0
    pending: int = 0
    deleted_logs: int = 0


@dataclass(frozen=True, slots=True)
class Head:
    """Where a log stands by the rounds that hold: what a checkpoint of it says. `root` has 32 bytes."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome. `heads`: every log verified, tenant logs and rounds logs, sorted by origin.

    `notes` are no findings: what could not be judged with what was given. `findings_dropped` counts those beyond the
    bound.
    """

    depth: Depth
    counts: Counts
    findings: tuple[FindingLine, ...]
    findings_dropped: int
    notes: tuple[str, ...]
    heads: tuple[Head, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing wrong was found."""
        return not self.findings

    @property
    def exit_code(self) -> int:
        """0 when it passed, 1 otherwise."""
        return 0 if self.passed else 1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a verification is: rounds done of those published, events and bytes checked so far."""

    rounds: int
    rounds_total: int
    events: int
    bytes: int


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """What findings are sorted by. Round -1 stands before all rounds, `LATER` after them."""

    partition: int
    round: int = -1


LATER = 2**63


@dataclass(slots=True)
class Collector:
    """Takes findings, notes and counts. Safe for threads."""

    findings_max: int = FINDINGS_MAX
    dropped: int = 0
    _found: list[tuple[Place, int, FindingLine]] = field(default_factory=list)
    _notes: dict[str, None] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, place: Place, where: str, rule: str, message: str) -> None:
        """One more finding."""
        with self._lock:
            if len(self._found) >= self.findings_max:
                self.dropped += 1
                return
            self._found.append((place, len(self._found), FindingLine(where, rule, message)))

    def error(self, place: Place, error: LedgerError) -> None:
        """The finding that a raised error is; such a message begins with its place."""
        match = _STATE_RULE.fullmatch(str(error))
        text = match[1] if match else str(error)
        where, _, message = text.partition(": ") if ": " in text else (f"partition {place.partition}", "", text)
        self.add(place, where, match[2] if match else _rule_of(error), message)

    def note(self, text: str) -> None:
        """Something to know that is not a finding; the same one counts once."""
        with self._lock:
            self._notes[text] = None

    def count(self, **added: int) -> None:
        """Adds to the counts by name."""
        with self._lock:
            for name, value in added.items():
                self._counts[name] = self._counts.get(name, 0) + value

    def counted(self, name: str) -> int:
        """A count so far."""
        return self._counts.get(name, 0)

    def found(self) -> int:
        """How many findings there are so far, dropped ones included."""
        return len(self._found) + self.dropped

    def report(self, depth: Depth, heads: tuple[Head, ...]) -> Report:
        """All of it, in order."""
        found = sorted(self._found, key=lambda each: (each[0], each[1]))
        lines = tuple(line for _, _, line in found)
        return Report(depth, Counts(**self._counts), lines, self.dropped, tuple(self._notes), heads)


def _rule_of(error: LedgerError) -> str:
    if isinstance(error, Unavailable):
        return "unreadable"
    if isinstance(error, BadSignature):
        return "signature"
    message = str(error)
    if message.endswith("is missing"):
        return "missing"
    if "SHA-256" in message and not isinstance(error, Malformed):
        return "digest"
    return "format"
