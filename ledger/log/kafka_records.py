"""From the bytes of a Kafka fetch to records.

Nothing is left out, so that offsets stay contiguous and the sealer sees whatever is in the topic: records of aborted
transactions and the control records of transactions (a stranger's, the ledger uses none) come as ordinary records. A
batch whose checksum is wrong, a hole between offsets, or a batch that cannot be unpacked is an `IntegrityError`.

A header name that is not UTF-8 (again a stranger's) must not stop a partition. aiokafka's decoder refuses the whole
batch; it is then read by the small decoder here, which writes the bytes that are not UTF-8 as `\\xNN`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


def decode(data: bytes, where: str, offset: int, records_max: int, bytes_max: int) -> list[StoredRecord]:
    """The records in `data` from exactly `offset` on, as many as the limits allow; the first one in any case."""
    found: list[StoredRecord] = []
    size = 0
    expected = offset
    for batch in _batches(data, where, offset):
        for stored in batch:
            if stored.offset != expected:
                if stored.offset < offset:
                    continue
                raise IntegrityError(f"{where}: offset {expected} is missing, the next record is {stored.offset}")
            size += len(stored.record.key) + len(stored.record.value)
            if found and size > bytes_max:
                return found
            found.append(stored)
            expected += 1
            if len(found) == records_max:
                return found
    return found


def _batches(data: bytes, where: str, offset: int) -> Iterator[list[StoredRecord]]:
    """The records of each batch that reaches beyond `offset`."""
    batches = MemoryRecords(data)
    end = 0
    while batches.has_next():
        batch: Any = batches.next_batch()
        start = end
        # Base offset (8 bytes) and length (4) stand before what the length counts.
        end += 12 + int.from_bytes(data[start + 8 : start + 12], "big")
        if batch.next_offset <= offset:
            continue
        if not batch.validate_crc():
            raise IntegrityError(f"{where}: the batch at offset {batch.base_offset} fails its checksum")
        try:
            records = _unpacked(batch, data[start:end], where)
        except (CorruptRecordException, UnsupportedCodecError, IndexError) as error:
            name = type(error).__name__
            raise IntegrityError(f"{where}: the batch at offset {batch.base_offset} cannot be read: {name}") from None
        yield records


def _unpacked(batch: Any, raw: bytes, where: str) -> list[StoredRecord]:
    """A whole batch at once, so that one given up half way is not handed out twice."""
    try:
        return [_stored(each.offset, each.key, each.headers, each.value) for each in batch]
    except UnicodeDecodeError:
        return _lenient(raw, where)


def _stored(
    offset: int, key: bytes | None, headers: Sequence[tuple[str, bytes | None]], value: bytes | None
) -> StoredRecord:
    return StoredRecord(offset, Record(key or b"", tuple((n, v) if v else (n, b"") for n, v in headers), value or b""))


def _lenient(batch: bytes, where: str) -> list[StoredRecord]:
    """The records of one uncompressed batch of format 2, whose checksum is right, header names decoded leniently."""
    base = int.from_bytes(batch[:_BASE_OFFSET_BYTES], "big")
    count = int.from_bytes(batch[_COUNT_AT : _COUNT_AT + 4], "big")
    if int.from_bytes(batch[_ATTRIBUTES_AT : _ATTRIBUTES_AT + 2], "big") & _CODEC_MASK:
        raise IntegrityError(f"{where}: the batch at offset {base} is compressed and has a header that is not UTF-8")
    found = []
    at = _HEAD_BYTES
    for _ in range(count):
        length, at = _varint(batch, at)
        after = at + length
        # One byte of attributes, then the time since the batch's first record.
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
        found.append(_stored(base + delta, key, headers, value))
        at = after
    return found


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
