"""Answers and requests that came compressed, opened as they come and never to more than a bound.

gzip and deflate, which can be opened to a bound. Of a body in another encoding (br, zstd), or in several, nothing is
read: `decompressor` gives None.

A gzip body may be several members, one behind the other (RFC 1952, 2.2), and whoever it is for reads all of them; so
does this. What stands behind the end is no part of the encoding: `Broken`.
"""

from __future__ import annotations

import zlib
from typing import Protocol

READABLE = ("gzip", "deflate")
MEMBERS_MAX = 64
"""Of one gzip body. Each costs a copy of what is behind it."""

_GZIP = 16 + zlib.MAX_WBITS


class Broken(ValueError):
    """The bytes are not in the encoding that they are said to be in."""


class Open(Protocol):
    """Opens a body, piece by piece."""

    def __call__(self, piece: bytes, most: int) -> bytes:
        """The next bytes as they came, and how many opened ones are wanted at most; what is beyond is lost."""
        ...

    @property
    def is_whole(self) -> bool:
        """Whether the body may end here."""
        ...


def decompressor(encoding: str) -> Open | None:
    """What opens this content encoding; None where nothing does."""
    named = encoding.strip().lower()
    if named in ("", "identity"):
        return _Plain()
    if named in ("gzip", "x-gzip"):
        return _Zlib(_GZIP)
    if named == "deflate":
        return _Zlib(zlib.MAX_WBITS)
    return None


class _Plain:
    is_whole = True

    def __call__(self, piece: bytes, most: int) -> bytes:
        return piece


class _Zlib:
    """gzip, or zlib's format; some servers send the bare stream where they say deflate."""

    def __init__(self, window_bits: int) -> None:
        self._window_bits = window_bits
        self._opener = zlib.decompressobj(window_bits)
        self._members = 0
        self._has_opened = False

    @property
    def is_whole(self) -> bool:
        return self._opener.eof

    def __call__(self, piece: bytes, most: int) -> bytes:
        most = max(1, most)
        opened = b""
        while piece and len(opened) < most:
            if self._opener.eof:
                piece = self._next_member(piece)
                if not piece:
                    break
            opened += self._decompress(piece, most - len(opened))
            piece = self._opener.unused_data
        return opened

    def _decompress(self, piece: bytes, most: int) -> bytes:
        try:
            opened = self._opener.decompress(piece, most)
        except zlib.error:
            if self._has_opened or self._window_bits != zlib.MAX_WBITS:
                raise Broken("is not what its content encoding says") from None
            self._window_bits = -zlib.MAX_WBITS
            self._opener = zlib.decompressobj(self._window_bits)
            return self._decompress(piece, most)
        self._has_opened = True
        return opened

    def _next_member(self, piece: bytes) -> bytes:
        """What is there of another member; zeros behind one are padding."""
        piece = piece.lstrip(b"\0")
        self._members += 1
        if piece and (self._window_bits != _GZIP or self._members >= MEMBERS_MAX):
            raise Broken("holds more than its content encoding")
        if piece:
            self._opener = zlib.decompressobj(self._window_bits)
        return piece
