"""What redaction reports: findings, counts, and the class that follows from them.

A finding says where and what, never the value. Each rule and detector says the lowest classification
an input with such a value in it can have.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

Classification = Literal["public", "internal", "confidential", "restricted"]
CLASSES: tuple[Classification, ...] = ("public", "internal", "confidential", "restricted")

# The type under which literal placeholders are counted: text that came looking like one of ours.
LITERAL = "literal_placeholder"


@dataclass(frozen=True, slots=True)
class Finding:
    """One value found: characters [start, end) of the text as it came, its type, the rule that found it, its number.

    `number` is None where the numbering's bound was reached; then the placeholder has no number either.
    """

    start: int
    end: int
    type: str
    rule: str
    number: int | None


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text without what was found in it.

    `classification` is the lowest class the text as it came can have had: "public" where nothing was found. `pack` is
    the identity of the rules and detectors that ran.
    """

    text: str
    findings: tuple[Finding, ...]
    counts: tuple[tuple[str, int], ...]
    classification: Classification
    pack: str


@dataclass(frozen=True, slots=True)
class Detection:
    """What a detector says: characters [start, end) of the text it was given are a value of `type`."""

    start: int
    end: int
    type: str


class Detector(Protocol):
    """Another way to find values, beside the rules.

    `find` is given the text as the rules see it (escapes decoded, look-alike characters folded) and answers spans in
    it. It must be deterministic for one `version`. What it raises is not caught: a text that could not be looked at
    is not stored as redacted. A `type` is lower-case ASCII letters, digits and underscores, at most 32.
    """

    @property
    def name(self) -> str:
        """Stands in the identity of what ran."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the answers may."""
        ...

    @property
    def classification(self) -> Classification:
        """The lowest class of a text in which this detector found something."""
        ...

    def find(self, text: str) -> Iterable[Detection]:
        """The values in `text`, in any order; they may overlap."""
        ...


def highest(classes: Iterable[Classification]) -> Classification:
    """The most restrictive of them; "public" of none."""
    return max(classes, key=CLASSES.index, default="public")
