"""A few values of a large Parquet column without reading its whole row group: only the pages that hold them.

pyarrow reads a column by row groups; of 16,384 payloads or ciphertexts it decompresses and copies all, where an answer
needs fifty. A column chunk is a row of *pages* of about a megabyte, each behind a header (Thrift's compact protocol)
that says how long it is and how many values it holds. This module reads the headers once for each chunk, then only the
pages asked for.

It reads exactly what `ledger.segments.rows` writes for `payload` and `ciphertext`: byte arrays, flat, without nulls,
plain, uncompressed or zstd, pages of version 1. Anything else is `NotPaged`, and the caller reads the row group by
pyarrow. What comes out is compared with a digest from elsewhere (a leaf hash, a content's descriptor): a mistake here
can cost time, not an answer.

    page  = header || body                 body, decompressed = [definition levels] || values
    definition levels (optional column)    u32 length || one run: varint(count << 1) || 1, which says "no nulls"
    value = u32 little-endian length || bytes
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import zstandard

_HEAD_BYTES, _HEAD_BYTES_MAX = 256, 1 << 20
_PAGES_MAX = 100_000
_PAGE_BYTES_MAX = 1 << 30
_DATA_PAGE, _PLAIN = 0, 0
_STOP, _TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(13)


class NotPaged(Exception):
    """Not a column that this module reads."""


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page's body stands, and which rows of the row group it holds."""

    offset: int
    compressed_bytes: int
    bytes: int
    first_row: int
    rows: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A column in a row group: its pages. `optional`: definition levels stand in front of the values."""

    pages: tuple[Page, ...]
    first_rows: tuple[int, ...]
    codec: str
    optional: bool


def chunk_of(descriptor: int, parquet: Any, group: int, column: str) -> Chunk:
    """The pages of a column in a row group of an open file (`parquet`: pyarrow's ParquetFile of the same)."""
    found = parquet.metadata.row_group(group)
    at = next((each for each in range(found.num_columns) if found.column(each).path_in_schema == column), None)
    if at is None:
        raise NotPaged(column)
    chunk, schema = found.column(at), parquet.schema.column(at)
    flat = schema.max_repetition_level == 0 and schema.max_definition_level <= 1
    if chunk.physical_type != "BYTE_ARRAY" or not flat or chunk.dictionary_page_offset is not None:
        raise NotPaged(column)
    if chunk.compression not in ("UNCOMPRESSED", "ZSTD"):
        raise NotPaged(chunk.compression)
    pages = _pages(descriptor, chunk.data_page_offset, chunk.data_page_offset + chunk.total_compressed_size)
    if sum(page.rows for page in pages) != found.num_rows:
        raise NotPaged(column)
    return Chunk(
        tuple(pages), tuple(page.first_row for page in pages), chunk.compression, schema.max_definition_level == 1
    )


def values(descriptor: int, chunk: Chunk, rows: Sequence[int]) -> list[bytes]:
    """The values of these rows of the row group, which ascend."""
    by_page: dict[int, list[int]] = {}
    for row in rows:
        by_page.setdefault(bisect_right(chunk.first_rows, row) - 1, []).append(row)
    found: list[bytes] = []
    for number, inside in by_page.items():
        page = chunk.pages[number]
        if not page.first_row <= inside[0] <= inside[-1] < page.first_row + page.rows:
            raise NotPaged("row")
        found += _take(_body(descriptor, chunk, page), page, inside)
    return found


def _pages(descriptor: int, offset: int, end: int) -> list[Page]:
    pages: list[Page] = []
    row = 0
    while offset < end:
        fields, head_bytes = _header(descriptor, offset)
        kind, size, stored, data = fields.get(1), fields.get(2), fields.get(3), fields.get(5)
        if kind != _DATA_PAGE or not isinstance(data, dict) or data.get(2) != _PLAIN or len(pages) >= _PAGES_MAX:
            raise NotPaged("page")
        rows = data.get(1)
        if not (isinstance(size, int) and isinstance(stored, int) and isinstance(rows, int)):
            raise NotPaged("page")
        if not (0 < stored <= _PAGE_BYTES_MAX and 0 < size <= _PAGE_BYTES_MAX and rows > 0):
            raise NotPaged("page")
        pages.append(Page(offset + head_bytes, stored, size, row, rows))
        row += rows
        offset += head_bytes + stored
    return pages


def _header(descriptor: int, offset: int) -> tuple[dict[int, Any], int]:
    """The page header at an offset, and its length. Few are long: those with the page's smallest and largest value."""
    try:
        head = _Head(os.pread(descriptor, _HEAD_BYTES, offset))
        fields = head.struct()
    except NotPaged:
        head = _Head(os.pread(descriptor, _HEAD_BYTES_MAX, offset))
        fields = head.struct()
    return fields, head.at


def _body(descriptor: int, chunk: Chunk, page: Page) -> bytes:
    data = os.pread(descriptor, page.compressed_bytes, page.offset)
    if chunk.codec == "ZSTD":
        try:
            data = zstandard.ZstdDecompressor().decompress(data, max_output_size=page.bytes)
        except zstandard.ZstdError:
            raise NotPaged("body") from None
    if len(data) != page.bytes:
        raise NotPaged("body")
    if not chunk.optional:
        return data
    length = int.from_bytes(data[:4], "little")
    levels = _Head(data[4 : 4 + length])
    if levels.varint() != page.rows << 1 or levels.data[levels.at :] != b"\x01":
        raise NotPaged("nulls")
    return data[4 + length :]


def _take(data: bytes, page: Page, rows: Sequence[int]) -> list[bytes]:
    found = []
    at, row = 0, page.first_row
    for wanted in rows:
        while row < wanted:
            at += 4 + int.from_bytes(data[at : at + 4], "little")
            row += 1
        length = int.from_bytes(data[at : at + 4], "little")
        value = data[at + 4 : at + 4 + length]
        if at + 4 + length > len(data):
            raise NotPaged("value")
        found.append(value)
    return found


@dataclass(slots=True)
class _Head:
    """Reads Thrift's compact protocol: as much of it as page headers use."""

    data: bytes
    at: int = 0

    def struct(self) -> dict[int, Any]:
        """The fields of a struct by their numbers; those of types that no page header needs are left out."""
        fields: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) != _STOP:
            kind = head & 0x0F
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            fields[number] = self._value(kind)
        return fields

    def varint(self) -> int:
        """An unsigned variable-length integer."""
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise NotPaged("varint")

    def _value(self, kind: int) -> Any:
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind == _BYTE:
            return self._byte()
        if kind in (_I16, _I32, _I64):
            return self._zigzag()
        if kind == _STRUCT:
            return self.struct()
        if kind in (_DOUBLE, _BINARY):
            length = 8 if kind == _DOUBLE else self.varint()
            self.at += length
            if self.at > len(self.data):
                raise NotPaged("header")
            return None
        raise NotPaged("header")

    def _zigzag(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def _byte(self) -> int:
        if self.at >= len(self.data):
            raise NotPaged("header")
        self.at += 1
        return self.data[self.at - 1]
