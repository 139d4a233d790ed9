"""AWS event stream framing (`application/vnd.amazon.eventstream`), the writing side: botocore brings the reading one.

A message: total length u32, length of the headers u32, CRC-32 of those 8 bytes, the headers, the payload, CRC-32 of all
before. A header: length of the name u8, the name, type u8 (7 = string), length of the value u16, the value. Big-endian.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping

from tests.vendors.serving import JSON

STRING = 7


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message."""
    block = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + block + payload
    return body + struct.pack(">I", zlib.crc32(body))


def event(name: str, value: JSON) -> bytes:
    """An event of a stream."""
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return message(headers, json.dumps(value).encode())


def exception(name: str, value: JSON) -> bytes:
    """An exception inside a stream."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return message(headers, json.dumps(value).encode())


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return struct.pack(">B", len(key)) + key + struct.pack(">BH", STRING, len(text)) + text
