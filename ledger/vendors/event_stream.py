"""AWS's binary event stream (`application/vnd.amazon.eventstream`), taken apart as it comes.

    message = u32 total length || u32 length of the headers || u32 CRC-32 of those 8 bytes
              || headers || payload || u32 CRC-32 of all before it
    header  = u8 length of the name || name || u8 type || value

Numbers are big-endian. Both checksums are checked: what does not check is `BrokenStream`, and nothing behind it can be
read, since its length is not to be trusted either. Values of headers that matter here are strings (type 7).

Memory: one message, at most `bytes_max` bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

MESSAGE_BYTES_MAX = 16 * 1024 * 1024 + 128 * 1024 + 16
_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
_OVERHEAD_BYTES = _PRELUDE.size + _CRC.size
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value by type, where they are fixed: booleans, integers, time, UUID."""
_BYTES, _STRING = 6, 7


class BrokenStream(ValueError):
    """The bytes are no event stream, or were changed on their way."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its headers that are strings, and its payload."""

    headers: dict[str, str]
    payload: bytes


class EventStreamReader:
    """Takes bytes in any pieces, gives whole messages."""

    def __init__(self, bytes_max: int = MESSAGE_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._held = bytearray()

    def feed(self, piece: bytes) -> Iterator[Message]:
        """The messages that end in this piece. `BrokenStream` when a checksum does not hold."""
        self._held += piece
        while len(self._held) >= _PRELUDE.size:
            total, header_bytes, checksum = _PRELUDE.unpack_from(self._held)
            if zlib.crc32(self._held[:8]) != checksum:
                raise BrokenStream("the checksum of a message's lengths does not hold")
            if total > self._bytes_max or total < _OVERHEAD_BYTES + header_bytes:
                raise BrokenStream(f"a message of {total} bytes with headers of {header_bytes}")
            if len(self._held) < total:
                return
            whole = bytes(self._held[:total])
            del self._held[:total]
            yield _message(whole, header_bytes)


def _message(whole: bytes, header_bytes: int) -> Message:
    if zlib.crc32(whole[: -_CRC.size]) != _CRC.unpack_from(whole, len(whole) - _CRC.size)[0]:
        raise BrokenStream("the checksum of a message does not hold")
    end = _PRELUDE.size + header_bytes
    return Message(_headers(whole[_PRELUDE.size : end]), whole[end : -_CRC.size])


def _headers(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    try:
        while at < len(data):
            length = data[at]
            name = data[at + 1 : at + 1 + length].decode("utf-8")
            at += 1 + length
            kind = data[at]
            at += 1
            if kind in (_BYTES, _STRING):
                (size,) = struct.unpack_from(">H", data, at)
                at += 2
                if kind == _STRING:
                    found[name] = data[at : at + size].decode("utf-8")
            else:
                size = _FIXED[kind]
            at += size
    except (IndexError, KeyError, UnicodeDecodeError, struct.error):
        raise BrokenStream("the headers of a message can't be read") from None
    if at != len(data):
        raise BrokenStream("the headers of a message are longer than they say")
    return found
