"""A spool frame: one batch, sealed for the gateway, as it lies in a segment file. Pure.

    segment = frames, back to back
    frame   = "ALF1" || key id (8) || boot id (16) || u64 events || u64 box length
              || u32 CRC-32 of what follows this header || u32 CRC-32 of the header before it
              || a row an event: event id (16), u64 sequence number, u64 dropped count
              || box: libsodium sealed box of one serialized PublishRequest

Integers are big-endian. The rows stand in clear, so that a frame whose key is destroyed can still be declared event by
event; they hold no content and no person. Segments are only appended to, by one process, so that:

- a segment ends with at most one incomplete frame, the one being written when the process or the machine died. It was
  never promised: it is dropped (`torn_bytes`);
- what else does not check is damage by others. The header's own checksum says where the next frame starts; where the
  header is damaged, the next whole one is searched. Only what is damaged is lost, and it is counted.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from zlib import crc32

MAGIC = b"ALF1"
_HEADER = struct.Struct(">4s8s16sQQI")
_CHECK = struct.Struct(">I")
_ROW = struct.Struct(">16sQQ")
HEADER_BYTES = _HEADER.size + _CHECK.size
ROW_BYTES = _ROW.size


@dataclass(frozen=True, slots=True)
class Row:
    """One event of a frame."""

    event_id: bytes
    sequence: int
    dropped: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One batch in the spool."""

    key_id: bytes
    boot_id: bytes
    rows: tuple[Row, ...]
    box: bytes

    def encode(self) -> bytes:
        """The frame's bytes in a segment."""
        rest = b"".join([_ROW.pack(row.event_id, row.sequence, row.dropped) for row in self.rows]) + self.box
        header = _HEADER.pack(MAGIC, self.key_id, self.boot_id, len(self.rows), len(self.box), crc32(rest))
        return header + _CHECK.pack(crc32(header)) + rest

    @property
    def numbers(self) -> int:
        """How many numbers of its stream would be undeclared without this frame."""
        return sum(1 + row.dropped for row in self.rows)


@dataclass(frozen=True, slots=True)
class Segment:
    """What a segment file holds. `damaged_frames` were lost; of those whose header is whole, `damaged_events` says
    how many events they held."""

    frames: tuple[Frame, ...]
    torn_bytes: int
    damaged_frames: int
    damaged_events: int


def frame_bytes(events: int, box_bytes: int) -> int:
    """The size of a frame."""
    return HEADER_BYTES + events * ROW_BYTES + box_bytes


def read_segment(data: bytes) -> Segment:
    """Everything in a segment that checks, and what was found besides."""
    frames: list[Frame] = []
    damaged_frames = damaged_events = at = 0
    while at < len(data):
        header = _header(data, at)
        if header is None:
            found = _next_header(data, at + 1)
            if found is None:
                # Nothing whole behind it: the frame that was being written.
                return Segment(tuple(frames), len(data) - at, damaged_frames, damaged_events)
            damaged_frames += 1
            at = found
            continue
        key_id, boot_id, events, box_bytes, checksum = header
        start = at + HEADER_BYTES
        end = start + events * ROW_BYTES + box_bytes
        if end > len(data):
            return Segment(tuple(frames), len(data) - at, damaged_frames, damaged_events)
        rest = data[start:end]
        if crc32(rest) == checksum:
            rows = tuple(Row(*row) for row in _ROW.iter_unpack(rest[: events * ROW_BYTES]))
            frames.append(Frame(key_id, boot_id, rows, rest[events * ROW_BYTES :]))
        else:
            damaged_frames += 1
            damaged_events += events
        at = end
    return Segment(tuple(frames), 0, damaged_frames, damaged_events)


def _header(data: bytes, at: int) -> tuple[bytes, bytes, int, int, int] | None:
    """Key id, boot id, events, box length and checksum of the frame at `at`, if a whole header stands there."""
    if at + HEADER_BYTES > len(data):
        return None
    (check,) = _CHECK.unpack_from(data, at + _HEADER.size)
    if data[at : at + 4] != MAGIC or crc32(data[at : at + _HEADER.size]) != check:
        return None
    _, key_id, boot_id, events, box_bytes, checksum = _HEADER.unpack_from(data, at)
    return key_id, boot_id, events, box_bytes, checksum


def _next_header(data: bytes, at: int) -> int | None:
    """Where the next whole header starts, from `at` on."""
    while (at := data.find(MAGIC, at)) >= 0:
        if _header(data, at) is not None:
            return at
        at += 1
    return None
