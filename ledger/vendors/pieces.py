"""Texts and values that come in pieces, put together up to a bound.

Of a value that no format's assembler knows (`Growing`) the pieces are put together as vendors cut them: texts behind
each other, lists too, objects field by field; of anything else, and of what names rather than says something, the first
counts.

One `Room` is shared by all texts of an answer, so that an answer without end costs no memory without end: what does not
fit any more is left out, and the answer says that it was cut.
"""

from __future__ import annotations

from typing import Any

from ledger.vendors.json_values import Json, dump

ITEMS_MAX = 4_096
DEPTH_MAX = 16
NAMING = frozenset({"id", "type", "role", "index", "name", "object", "format"})
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


class Growing:
    """One value of any kind."""

    __slots__ = ("_depth", "_held", "_last", "_room")

    def __init__(self, room: Room, depth: int = 0) -> None:
        self._room = room
        self._depth = depth
        self._held: Any = None
        self._last: Json = None

    def add(self, piece: Json) -> None:
        """Puts a piece to what is there."""
        if isinstance(piece, dict) and (self._held is None or isinstance(self._held, dict)):
            self._add_fields(piece)
        elif isinstance(piece, list) and (self._held is None or isinstance(self._held, list)):
            for each in piece:
                self._add_item(each)
        elif isinstance(piece, str) and (self._held is None or isinstance(self._held, Pieces)):
            self._held = self._held or Pieces(self._room)
            self._held.add(piece)
        elif self._held is None:
            self._held = piece

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added that says anything."""
        return self.value() in (None, "", [], {})

    def value(self) -> Json:
        """All of it."""
        if isinstance(self._held, Pieces):
            return self._held.text()
        if isinstance(self._held, dict):
            return {key: each.value() if isinstance(each, Growing) else each for key, each in self._held.items()}
        if isinstance(self._held, list):
            return [each.value() for each in self._held]
        return self._held

    def _add_fields(self, piece: dict[str, Json]) -> None:
        self._held = self._held or {}
        for key, each in piece.items():
            if key in self._held and not isinstance(self._held[key], Growing):
                continue
            if key not in self._held and not self._has_room(self._held):
                return
            if key in NAMING and isinstance(each, str):
                self._held[key] = self._room.take(each)
            else:
                self._inner(self._held.setdefault(key, Growing(self._room, self._depth + 1)), each)

    def _add_item(self, item: Json) -> None:
        """A part of text goes on with the last one, where that is of its kind, number and id."""
        self._held = self._held or []
        kind = _kind(item)
        if self._held and kind is not None and kind == self._last:
            self._inner(self._held[-1], item)
        elif self._has_room(self._held):
            new = Growing(self._room, self._depth + 1)
            self._inner(new, item)
            self._held.append(new)
            self._last = kind

    def _inner(self, inner: Growing, piece: Json) -> None:
        if self._depth < DEPTH_MAX:
            inner.add(piece)
        elif inner.is_empty:
            inner.add(self._room.take(dump(piece)))

    def _has_room(self, held: dict[str, Any] | list[Any]) -> bool:
        if len(held) >= ITEMS_MAX:
            self._room.cut = True
        return len(held) < ITEMS_MAX


def _kind(part: Json) -> Json:
    """What tells whether a part goes on in the next piece; None where it does not: what is no text is one each."""
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str) or not kind.startswith(("text", "thinking", "reasoning")):
        return None
    return kind, part.get("index"), part.get("id")
