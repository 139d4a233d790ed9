"""What takes a streamed answer apart and puts it together again as the answer that would have come in one.

A format's assembler is told each streamed value in order and gives the body at the end, as the vendor writes it without
streaming; the format's reader of whole bodies reads both.

At most `BLOCKS_MAX` choices, blocks or calls are kept of an answer, whatever numbers it gives them.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from ledger.vendors.json_values import Json
from ledger.vendors.pieces import Room

BLOCKS_MAX = 4_096
T = TypeVar("T")


class Assembler(Protocol):
    """See the module."""

    @property
    def first_output(self) -> bool:
        """Whether a token of output, reasoning or a tool call has come."""
        ...

    @property
    def is_done(self) -> bool:
        """Whether the stream said that it was at its end."""
        ...

    def take(self, event: str, value: Json) -> None:
        """The next streamed value, under the type that its frame gives it."""
        ...

    def body(self) -> Json:
        """The answer so far."""
        ...


def kept_at(places: dict[int, T], at: int, new: T, room: Room) -> T | None:
    """What is kept under this number, `new` where nothing is yet; None where there are too many already."""
    found = places.get(at)
    if found is None:
        if len(places) >= BLOCKS_MAX:
            room.cut = True
            return None
        found = places[at] = new
    return found
