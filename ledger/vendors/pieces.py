"""Text that comes in pieces, put together up to a bound.

One `Room` is shared by all texts of an answer, so that an answer without end costs no memory without end: what does not
fit any more is left out, and the answer says that it was cut.
"""

from __future__ import annotations

CHARACTERS_MAX = 16 * 1024 * 1024


class Room:
    """How many characters an answer may still grow by."""

    def __init__(self, characters: int = CHARACTERS_MAX) -> None:
        self._left = characters
        self.cut = False

    def take(self, piece: str) -> str:
        """What of `piece` there is room for."""
        if len(piece) > self._left:
            piece = piece[: self._left]
            self.cut = True
        self._left -= len(piece)
        return piece


class Pieces:
    """One text."""

    __slots__ = ("_parts", "_room")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._parts: list[str] = []

    def add(self, piece: str) -> None:
        """Puts a piece behind the others."""
        if piece:
            self._parts.append(self._room.take(piece))

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added."""
        return not self._parts

    def text(self) -> str:
        """All of them."""
        whole = "".join(self._parts)
        self._parts = [whole] if whole else []
        return whole
