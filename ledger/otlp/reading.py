"""How a convention is written down: rows of (our field, its attribute, how the value is read), and what needs more.

A convention is asked only about records that carry one of its `heads`, the first part of an attribute's key. Its `more`
comes before its rows: it reads what a row cannot (families of numbered attributes, JSON inside a value). What it reads
beyond rows it says in `families`, for the documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ledger.otlp.record import Found, Record
from ledger.otlp.values import Value

Read = Callable[[Value], Value]
"""None where the value is not what the field takes."""


class Row(NamedTuple):
    """One attribute of a convention, and the field that it fills. `derived`: the field is inferred from it."""

    path: str
    attribute: str
    read: Read
    derived: bool = False


class Family(NamedTuple):
    """Attributes that are read together, and the fields that they fill: for the documentation."""

    paths: str
    attributes: str


@dataclass(frozen=True, slots=True)
class Convention:
    """A way of writing attributes. `rows` stand in the order of their precedence."""

    name: str
    heads: frozenset[str]
    rows: Sequence[Row]
    more: Callable[[Record, Found], None] | None = None
    families: Sequence[Family] = ()
    by_kind: dict[str, tuple[Row, ...]] = field(init=False, default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        for kind in ("request", "tool_call", "context"):
            self.by_kind[kind] = tuple(row for row in self.rows if belongs(row.path, f"{kind}."))

    def read(self, record: Record, found: Found) -> None:
        """Adds what the record says in this convention."""
        if self.heads.isdisjoint(record.heads):
            return
        if self.more is not None and found.kind != "context":
            self.more(record, found)
        attributes = record.attributes
        for path, attribute, read, derived in self.by_kind[found.kind]:
            if attribute in attributes:
                value = read(attributes[attribute])
                if value is not None and found.give(path, value, attribute, derived=derived):
                    found.used.add(attribute)


_BODIES = ("request.", "tool_call.")


def belongs(path: str, body: str) -> bool:
    """Whether a path is of this body or of the envelope."""
    path = path.removeprefix("reference:")
    return path.startswith(body) or not path.startswith(_BODIES)
