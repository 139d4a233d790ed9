"""AWS's binary event stream as its sender writes it (`ledger.vendors.event_stream` has the layout)."""

from __future__ import annotations

import struct
import zlib

CRC = struct.Struct(">I")
AROUND_BYTES = 16
STRING = 7


def message_bytes(headers: dict[str, str], payload: bytes) -> bytes:
    """A message as it stands on the wire."""
    lines = b"".join(
        bytes([len(name)]) + name + bytes([STRING]) + struct.pack(">H", len(value)) + value
        for name, value in ((each.encode(), headers[each].encode()) for each in headers)
    )
    lengths = struct.pack(">II", AROUND_BYTES + len(lines) + len(payload), len(lines))
    head = lengths + CRC.pack(zlib.crc32(lengths)) + lines + payload
    return head + CRC.pack(zlib.crc32(head))
