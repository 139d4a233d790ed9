"""From the bytes of a Kafka fetch to records.

Nothing is left out, so that offsets stay contiguous and the sealer sees whatever is in the topic: records of aborted
transactions and the control records of transactions (a stranger's, the ledger uses none) come as ordinary records. A
batch whose checksum is wrong, a hole between offsets, or a batch that cannot be unpacked is an `IntegrityError`.

A header name that is not UTF-8 (again a stranger's) must not stop a partition. aiokafka's decoder refuses the whole
batch; it is then read by the small decoder here, which writes the bytes that are not UTF-8 as `\\xNN`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.memory_records import MemoryRecords

from ledger.errors import IntegrityError
from ledger.log.interface import Record, StoredRecord

_HEAD_BYTES = 61
_COUNT_AT = 57
_BASE_OFFSET_BYTES = 8
_CODEC_MASK = 0x07
_ATTRIBUTES_AT = 21

Raw = tuple[int, bytes | None, bytes | None, Iterable[tuple[str, bytes | None]]]
"""Offset, key, value, headers."""


def decode(data: bytes, where: str, offset: int, records_max: int, bytes_max: int) -> list[StoredRecord]:
    """The records in `data` from exactly `offset` on, as many as the limits allow; the first one in any case."""
    found: list[StoredRecord] = []
    size = 0
    expected = offset
    for at, key, value, headers in _records(data, where, offset):
        if at < offset:
            continue
        if at != expected:
            raise IntegrityError(f"{where}: offset {expected} is missing, the next record is {at}")
        key, value = key or b"", value or b""
        size += len(key) + len(value)
        if found and size > bytes_max:
            break
        named = tuple((name, content or b"") for name, content in headers)
        found.append(StoredRecord(at, Record(key, named, value)))
        if len(found) == records_max:
            break
        expected += 1
    return found


def _records(data: bytes, where: str, offset: int) -> Iterator[Raw]:
    batches = MemoryRecords(data)
    position = 0
    while batches.has_next():
        batch: Any = batches.next_batch()
        start = position
        position += 12 + int.from_bytes(data[position + 8 : position + 12], "big")
        if batch.next_offset <= offset:
            continue
        try:
            if not batch.validate_crc():
                raise IntegrityError(f"{where}: the batch at offset {batch.base_offset} fails its checksum")
            records = _unpacked(batch, data[start:position], where)
        except (CorruptRecordException, UnsupportedCodecError, IndexError) as error:
            name = type(error).__name__
            raise IntegrityError(f"{where}: the batch at offset {batch.base_offset} cannot be read: {name}") from None
        yield from records


def _unpacked(batch: Any, raw: bytes, where: str) -> list[Raw]:
    """A whole batch at once, so that one given up half way is not handed out twice."""
    try:
        return [(each.offset, each.key, each.value, each.headers) for each in batch]
    except UnicodeDecodeError:
        return list(_lenient(raw, where))


def _lenient(batch: bytes, where: str) -> Iterator[Raw]:
    """The records of one uncompressed batch of format 2, whose checksum is right, header names decoded leniently."""
    base = int.from_bytes(batch[:_BASE_OFFSET_BYTES], "big")
    count = int.from_bytes(batch[_COUNT_AT : _COUNT_AT + 4], "big")
    if int.from_bytes(batch[_ATTRIBUTES_AT : _ATTRIBUTES_AT + 2], "big") & _CODEC_MASK:
        raise IntegrityError(f"{where}: the batch at offset {base} is compressed and has a header that is not UTF-8")
    at = _HEAD_BYTES
    for _ in range(count):
        length, at = _varint(batch, at)
        after = at + length
        _, at = _varint(batch, at + 1)
        delta, at = _varint(batch, at)
        key, at = _nullable(batch, at)
        value, at = _nullable(batch, at)
        headers = []
        header_count, at = _varint(batch, at)
        for _ in range(header_count):
            name, at = _nullable(batch, at)
            content, at = _nullable(batch, at)
            headers.append(((name or b"").decode("utf-8", "backslashreplace"), content))
        yield base + delta, key, value, headers
        at = after


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A zig-zag varint as Kafka writes it, and the position after it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7


def _nullable(data: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = _varint(data, at)
    if length < 0:
        return None, at
    return data[at : at + length], at + length
