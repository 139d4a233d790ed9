"""A search through every byte that a ledger left on disk.

A *needle* is looked for as it is and as it is usually disguised: base64 (at each of three offsets), hexadecimal digits,
JSON escapes. A file is searched as its bytes, which takes in the free pages and logs of databases, and besides as what
it compresses: the values of Parquet columns, the content of gzip and Zstandard frames.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

PARQUET, GZIP, ZSTD = b"PAR1", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, slots=True)
class Found:
    """A needle in some form, in a file or stream."""

    where: str
    needle: str
    form: str


def forms(needle: str) -> Iterator[tuple[str, bytes]]:
    """The ways in which a needle may be written."""
    data = needle.encode()
    yield "plain", data
    yield "hex", data.hex().encode()
    yield "HEX", data.hex().upper().encode()
    escaped = json.dumps(needle)[1:-1]
    if escaped != needle:
        yield "JSON", escaped.encode()
    yield "JSON, every character", "".join(f"\\u{ord(character):04x}" for character in needle).encode()
    yield "JSON, signs", "".join(c if c.isalnum() else f"\\u{ord(c):04x}" for c in needle).encode()
    for offset in range(3):
        # What stands before and behind is unknown: only characters that the needle alone decides.
        encoded = base64.b64encode(bytes(offset) + data)
        first = (offset * 8 + 5) // 6
        last = (offset + len(data)) * 8 // 6
        yield f"base64 at {offset}", encoded[first:last]


class DiskSearch:
    """Looks for these needles."""

    def __init__(self, needles: Iterable[str]) -> None:
        self._forms = [(needle, form, data) for needle in sorted(set(needles)) for form, data in forms(needle)]

    def in_folder(self, folder: Path) -> list[Found]:
        """All that is found in the files below a folder, and in their names."""
        found = []
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            found += self.in_bytes(name.encode(), f"the name {name}")
            if path.is_file():
                for layer, data in _layers(path):
                    found += self.in_bytes(data, f"{name}{layer}")
        return found

    def in_bytes(self, data: bytes, where: str) -> list[Found]:
        """All that is found in some bytes."""
        return [Found(where, needle, form) for needle, form, written in self._forms if written in data]


def _layers(path: Path) -> Iterator[tuple[str, bytes]]:
    data = path.read_bytes()
    yield "", data
    if data.startswith(PARQUET):
        table = pq.read_table(pa.BufferReader(data))
        for name in table.column_names:
            yield f", column {name}", "\n".join(_texts(table[name])).encode("latin-1")
    elif data.startswith(GZIP):
        yield ", unpacked", gzip.decompress(data)
    elif data.startswith(ZSTD):
        yield ", unpacked", zstandard.ZstdDecompressor().decompressobj().decompress(data)


def _texts(values: object) -> Iterator[str]:
    """Every text and byte string inside a column's values, bytes as Latin-1."""
    if isinstance(values, (pa.ChunkedArray, list)):
        for value in values.to_pylist() if isinstance(values, pa.ChunkedArray) else values:
            yield from _texts(value)
    elif isinstance(values, dict):
        for value in values.values():
            yield from _texts(value)
    elif isinstance(values, bytes):
        yield values.decode("latin-1")
    elif isinstance(values, str):
        yield values.encode().decode("latin-1")
