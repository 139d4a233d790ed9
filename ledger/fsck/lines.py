"""What fsck says about one object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LineKind = Literal[
    "hole",
    "damaged",
    "unknown",
    "orphan",
    "pending",
    "leftover",
    "proposal",
    "superseded",
    "derived-damaged",
    "derived-stale",
]

PROBLEMS: frozenset[LineKind] = frozenset({"hole", "damaged", "unknown"})
"""Kinds that somebody has to look into; the others are the traces of crashes, and of work under way."""


@dataclass(frozen=True, slots=True)
class FsckLine:
    """One object, and what there is to say about it. `removable`: `clean` may take it away."""

    kind: LineKind
    name: str
    message: str
    removable: bool = False

    @property
    def is_problem(self) -> bool:
        """Whether somebody has to look into it."""
        return self.kind in PROBLEMS

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}: {self.message}"
