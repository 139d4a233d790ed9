"""Answers that came compressed, opened as they come and never to more than a bound.

gzip and deflate, which can be opened to a bound. Of an answer in another encoding (br, zstd), or in several, nothing is
read: `decompressor` gives None.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

Open = Callable[[bytes, int], bytes]
"""The next bytes as they came, and how many opened ones are wanted at most; what is beyond is lost."""

READABLE = ("gzip", "deflate")


class Broken(ValueError):
    """The bytes are not in the encoding that they are said to be in."""


def decompressor(encoding: str) -> Open | None:
    """What opens this content encoding; None where nothing does."""
    named = encoding.strip().lower()
    if named in ("", "identity"):
        return lambda piece, _: piece
    if named in ("gzip", "x-gzip"):
        return _zlib(zlib.MAX_WBITS | 16)
    if named == "deflate":
        return _deflate()
    return None


def _zlib(window_bits: int) -> Open:
    opener = zlib.decompressobj(window_bits)

    def open_(piece: bytes, most: int) -> bytes:
        try:
            return opener.decompress(piece, max(1, most))
        except zlib.error:
            raise Broken("is not what its content encoding says") from None

    return open_


def _deflate() -> Open:
    """deflate is zlib's format; some servers send the bare stream."""
    chosen: list[Open] = []

    def open_(piece: bytes, most: int) -> bytes:
        if not chosen:
            try:
                wrapped = _zlib(zlib.MAX_WBITS)
                opened = wrapped(piece, most)
            except Broken:
                wrapped = _zlib(-zlib.MAX_WBITS)
                opened = wrapped(piece, most)
            chosen.append(wrapped)
            return opened
        return chosen[0](piece, most)

    return open_
