"""What parent and child say to each other: one job in, frames out. JSON only: neither side runs what the other sent.

- **Job**: one JSON object in a sealed memory file, whose descriptor the child inherits.
- **Frame**: 4 bytes big-endian length, then one JSON array `[kind, body]` in UTF-8, through a pipe. In this order:

| kind       | body                                | meaning                                                         |
| ---------- | ----------------------------------- | --------------------------------------------------------------- |
| `ready`    | {"landlock": ABI}                   | locked down, tables made; the query's clock starts              |
| `columns`  | {"names": [...], "types": [...]}    | the query was accepted                                          |
| `rows`     | list of lists                       | any number of times                                             |
| `end`      | {"truncated_by": name or null}      | all rows were sent                                              |
| `error`    | {"wall": name, "message": text}     | instead of any of these; the last frame                         |

The walls of an error: `box` (the lockdown failed), `tables` (a table or a setup statement failed), `sql` (the query is
wrong or was refused), `memory`, or the name of the limit that was reached.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

_LENGTH_BYTES = 4
_SEPARATORS = (",", ":")


@dataclass(frozen=True, slots=True)
class JobTable:
    """A relation by the descriptors it is read from: Parquet files, and an Arrow stream (or none)."""

    name: str
    files: tuple[int, ...]
    arrow: int | None


@dataclass(frozen=True, slots=True)
class Job:
    """All that the child is told. `readable` are the folders and files its interpreter and engine need."""

    query: str
    tables: tuple[JobTable, ...]
    setup: tuple[str, ...]
    landlock: bool
    select_only: bool
    readable: tuple[str, ...]
    parent_pid: int
    time_s: float
    memory_bytes: int
    rows_max: int
    result_bytes_max: int
    threads: int

    def encode(self) -> bytes:
        """The job as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, data: bytes) -> Job:
        """The job that `encode` wrote; it comes from our own parent, so that a wrong one is a bug."""
        fields: dict[str, Any] = json.loads(data)
        fields["tables"] = tuple(JobTable(t["name"], tuple(t["files"]), t["arrow"]) for t in fields["tables"])
        fields["setup"], fields["readable"] = tuple(fields["setup"]), tuple(fields["readable"])
        return cls(**fields)

    @property
    def files(self) -> list[int]:
        """The descriptors of the files; not of Arrow data, whose memory no path leads to."""
        return [file for table in self.tables for file in table.files]

    @property
    def descriptors(self) -> list[int]:
        """Every descriptor the tables are read from."""
        return self.files + [table.arrow for table in self.tables if table.arrow is not None]


def to_json(value: Any) -> bytes:
    """Compact JSON in UTF-8; refuses NaN and infinities, which JSON does not have."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=_SEPARATORS).encode()


def frame(kind: str, body_json: bytes) -> bytes:
    """One frame whose body is JSON already."""
    text = b'["%s",%s]' % (kind.encode(), body_json)
    return len(text).to_bytes(_LENGTH_BYTES, "big") + text


class FrameError(ValueError):
    """The child sent something that is no frame."""


class FrameBuffer:
    """Frames out of a stream that arrives in pieces. Trusts nothing: the child runs a stranger's SQL."""

    def __init__(self, frame_bytes_max: int) -> None:
        self._bytes = bytearray()
        self._frame_bytes_max = frame_bytes_max

    def feed(self, piece: bytes) -> Iterator[tuple[str, Any, int]]:
        """Each (kind, body, bytes it took) that is complete with this piece."""
        self._bytes += piece
        while len(self._bytes) >= _LENGTH_BYTES:
            length = int.from_bytes(self._bytes[:_LENGTH_BYTES], "big")
            if length > self._frame_bytes_max:
                raise FrameError(f"a frame of {length} bytes, expected at most {self._frame_bytes_max}")
            end = _LENGTH_BYTES + length
            if len(self._bytes) < end:
                return
            text = bytes(self._bytes[_LENGTH_BYTES:end])
            del self._bytes[:end]
            yield *_parse(text), end


def _parse(text: bytes) -> tuple[str, Any]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FrameError("a frame that is not JSON, or nested too deeply") from error
    if not (isinstance(parsed, list) and len(parsed) == 2 and isinstance(parsed[0], str)):
        raise FrameError("a frame that is not [kind, body]")
    return parsed[0], parsed[1]
