"""The answer to a reconstruction: a story in steps, as values. `query.plain` and `query.render` write it out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from ledger.errors import Rejected
from query import plain
from query.evidence import SealedEvent
from query.flags import Flag
from query.governance import Governed
from query.order import Basis, Ending

SelectorKind = Literal["user", "session", "correlation", "event"]


@dataclass(frozen=True, slots=True)
class Selector:
    """What a story is looked up by. `value`: an identifier, an id, or for an event its UUID."""

    kind: SelectorKind
    value: str


@dataclass(frozen=True, slots=True)
class Window:
    """Only what happened in [start, end); None: unbounded. `Rejected` where nothing can lie in it."""

    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise Rejected("window", f"ends at {self.end.isoformat()}, not after it begins, {self.start.isoformat()}")

    def holds(self, at: datetime) -> bool:
        """Whether a time lies in it."""
        return (self.start is None or at >= self.start) and (self.end is None or at < self.end)


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `number` counts from 1; `requested_by` and `tool_calls` are step numbers.

    `events` are the phases of one operation, in order; `amendments` what later completed or corrected them.
    """

    number: int
    at: datetime
    time_known: bool
    kind: str
    ending: Ending
    ended_at: datetime | None
    events: tuple[SealedEvent, ...]
    amendments: tuple[SealedEvent, ...]
    requested_by: int | None
    requested_by_basis: Basis | None
    tool_calls: tuple[int, ...]
    governance: tuple[Governed, ...]
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A log's newest signed checkpoint that could be found; `note` is None when there is none (yet)."""

    origin: str
    size: int
    root: bytes
    note: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """A reconstruction. `person` is the pseudonym asked for, None when the ledger knows no such person.

    `known_at` None: all that is sealed; `effective_at` None: each step judged at its own time (`query.reconstruct`).
    """

    tenant: str
    selector: Selector
    person: bytes | None
    window: Window
    known_at: datetime | None
    effective_at: datetime | None
    steps: tuple[Step, ...]
    checkpoints: tuple[SignedCheckpoint, ...]

    @property
    def unended(self) -> tuple[Step, ...]:
        """The steps whose operation never ended."""
        return tuple(step for step in self.steps if step.ending == "never_ended")

    def to_json(self) -> dict[str, Any]:
        """The whole answer for programs."""
        return plain.story(self)

    @property
    def proven(self) -> bool:
        """Whether every event of it is proven."""
        return all(event.proof.state == "proven" for step in self.steps for event in (*step.events, *step.amendments))
