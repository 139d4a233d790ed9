"""A JSON array taken apart element by element as it comes: how Gemini streams without server-sent events.

    [{...}
    ,
    {...}
    ]

Elements are objects; where one ends is known by counting brackets outside of strings. What is no array of objects gives
nothing. Memory: one element, at most `bytes_max` bytes; a longer one is left out and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

ELEMENT_BYTES_MAX = 16 * 1024 * 1024
_SIGN = re.compile(rb'["\\{}\[\]]')


class ArrayReader:
    """Takes bytes in any pieces, gives the bytes of whole elements."""

    def __init__(self, bytes_max: int = ELEMENT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._depth = 0
        self._is_other = False
        self._in_string = False
        self._escaped = False
        self._element = bytearray()
        self._too_long = False
        self.left_out = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The elements that end in this piece."""
        begin = 0
        at = 0
        if self._escaped and piece:
            self._escaped = False
            at = 1
        while (found := _SIGN.search(piece, at)) is not None:
            sign = found.group()
            at = found.end()
            if self._in_string:
                if sign == b"\\":
                    if at == len(piece):
                        self._escaped = True
                        break
                    at += 1
                elif sign == b'"':
                    self._in_string = False
            elif sign == b'"':
                self._in_string = True
            elif self._depth == 0 and (sign != b"[" or self._is_other):
                self._is_other = True
                return
            elif sign in b"{[":
                self._depth += 1
                if self._depth == 2:
                    begin = at - 1
            elif sign in b"}]":
                self._depth -= 1
                if self._depth == 1:
                    self._keep(piece[begin:at])
                    begin = at
                    element, too_long = bytes(self._element), self._too_long
                    self._element.clear()
                    self._too_long = False
                    if too_long:
                        self.left_out += 1
                    else:
                        yield element
        if self._depth >= 2:
            self._keep(piece[begin:])

    def _keep(self, part: bytes) -> None:
        if self._too_long or len(self._element) + len(part) > self._bytes_max:
            self._too_long = True
            self._element.clear()
        else:
            self._element += part
