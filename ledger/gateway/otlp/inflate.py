"""Compressed bodies, within a bound: what would become larger is refused before it does.

`gzip`, of one or several members, and `deflate` (zlib), the two that exporters know.
"""

from __future__ import annotations

import zlib

from ledger.errors import Rejected

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
ENCODINGS = tuple(_WINDOW_BITS)
MEMBERS_MAX = 64
"""Of one gzip body. Exporters send one; each costs a copy of what is behind it."""


class TooLarge(Rejected):
    """More bytes than are taken."""


def inflate(data: bytes, encoding: str, bytes_max: int) -> bytes:
    """The body in `data`. `TooLarge` beyond the bound, `Rejected` when it is not in this encoding."""
    made = bytearray()
    rest = data
    try:
        for _ in range(MEMBERS_MAX):
            stream = zlib.decompressobj(_WINDOW_BITS[encoding])
            made += stream.decompress(rest, bytes_max + 1 - len(made))
            if len(made) > bytes_max:
                raise TooLarge("", f"the body is more than {bytes_max} bytes once decompressed")
            if not stream.eof:
                raise Rejected("", f"the body is cut off within its {encoding}")
            rest = stream.unused_data
            if not rest:
                return bytes(made)
            if encoding != "gzip":
                raise Rejected("", f"the body holds more than its {encoding}")
    except zlib.error:
        raise Rejected("", f"the body is no {encoding}") from None
    raise Rejected("", f"the body has more than {MEMBERS_MAX} gzip members")
