"""Server-sent events, taken apart as they come (WHATWG HTML, 9.2 "Server-sent events").

Lines end with CRLF, LF or CR, wherever the chunks are cut, a CRLF's halves included. A blank line ends an event; an
event without data is none; what stands behind the last blank line is no event. Comments, `id` and `retry` are left out.

Memory: one event, at most `bytes_max` bytes. A longer one is left out and counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

EVENT_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SentEvent:
    """One event: its type, "" where it says none, and its data."""

    event: str
    data: bytes


class SseReader:
    """Takes bytes in any pieces, gives whole events."""

    def __init__(self, bytes_max: int = EVENT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._line = bytearray()
        self._data: list[bytes] = []
        self._held = 0
        self._event = ""
        self._after_cr = False
        self._at_start = True
        self._too_long = False
        self.left_out = 0

    def feed(self, piece: bytes) -> Iterator[SentEvent]:
        """The events that end in this piece."""
        if self._after_cr and piece:
            self._after_cr = False
            if piece[0] == 0x0A:
                piece = piece[1:]
        at = 0
        while True:
            end, following = _line_end(piece, at)
            if end < 0:
                self._keep(piece[at:])
                return
            self._keep(piece[at:end])
            if piece[end] == 0x0D and following == len(piece) and following == end + 1:
                self._after_cr = True
            at = following
            found = self._take_line()
            if found is not None:
                yield found

    def _keep(self, part: bytes) -> None:
        if not self._too_long and self._held + len(self._line) + len(part) <= self._bytes_max:
            self._line += part
            return
        self._too_long = True
        self._data.clear()
        # Of an event that is left out, only whether its lines are blank still matters.
        self._line = (self._line or bytearray(part))[:1]

    def _take_line(self) -> SentEvent | None:
        line = bytes(self._line)
        self._line.clear()
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            return self._end()
        if self._too_long:
            return None
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._held += len(value) + 1
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        return None

    def _end(self) -> SentEvent | None:
        event, data, too_long = self._event, self._data, self._too_long
        self._event, self._data, self._held, self._too_long = "", [], 0, False
        if too_long:
            self.left_out += 1
            return None
        return SentEvent(event, b"\n".join(data)) if data else None


def _line_end(piece: bytes, at: int) -> tuple[int, int]:
    """Where the line that begins at `at` ends, and where the next begins; -1 where it does not end here."""
    feed = piece.find(b"\n", at)
    back = piece.find(b"\r", at, feed if feed >= 0 else len(piece))
    if back >= 0:
        return back, back + 2 if piece[back + 1 : back + 2] == b"\n" else back + 1
    return feed, feed + 1
