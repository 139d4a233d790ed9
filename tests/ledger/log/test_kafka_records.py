"""From the bytes of a fetch to records: nothing jumped over, nothing a stranger sends stops a partition."""

from __future__ import annotations

import gzip
import random
from collections.abc import Sequence

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from ledger.errors import IntegrityError
from ledger.log.interface import Record, StoredRecord
from ledger.log.kafka_records import _lenient, decode

ALL = {"records_max": 10_000, "bytes_max": 1 << 30}
Loose = tuple[bytes | None, Sequence[tuple[str, bytes | None]], bytes | None]


def encoded(base: int, records: Sequence[Loose]) -> bytes:
    """One batch as the broker stores it."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 20)
    for index, (key, headers, value) in enumerate(records):
        builder.append(index, 1_790_000_000_000 + index, key, value, list(headers))
    return base.to_bytes(8, "big") + bytes(builder.build())[8:]


def with_checksum(batch: bytes) -> bytes:
    """The batch with the checksum that its changed bytes should have."""
    checksum: int = calc_crc32c(batch[21:])
    return batch[:17] + checksum.to_bytes(4, "big") + batch[21:]


def numbered(count: int) -> list[Loose]:
    """Records that say their number."""
    return [(b"k%d" % n, (("h", b"v%d" % n),), b"value-%d" % n) for n in range(count)]


DATA = encoded(10, numbered(5)) + encoded(15, numbered(3))


@pytest.mark.parametrize("offset", range(10, 18))
def test_begins_at_exactly_the_offset(offset: int) -> None:
    """A fetch answers with whole batches; what lies before the offset asked is left out."""
    found = decode(DATA, "p", offset, **ALL)
    assert [each.offset for each in found] == list(range(offset, 18))
    assert found[-1] == StoredRecord(17, Record(b"k2", (("h", b"v2"),), b"value-2"))


def test_keeps_the_limits() -> None:
    """No more records than asked, no more bytes than asked, but always the first."""
    assert len(decode(DATA, "p", 10, records_max=6, bytes_max=1 << 30)) == 6
    assert len(decode(DATA, "p", 12, records_max=100, bytes_max=30)) == 3
    assert len(decode(DATA, "p", 12, records_max=100, bytes_max=0)) == 1


def test_leaves_out_a_batch_cut_off_at_the_end() -> None:
    """A broker may cut the last batch short; the whole ones before it count."""
    for length in range(len(encoded(10, numbered(5))), len(DATA)):
        assert len(decode(DATA[:length], "p", 10, **ALL)) == 5
    assert decode(b"", "p", 10, **ALL) == []


def test_a_hole_is_an_integrity_error() -> None:
    """An offset that is missing, at the beginning or in between, is named and not jumped over."""
    with pytest.raises(IntegrityError, match="offset 15 is missing, the next record is 16"):
        decode(encoded(10, numbered(5)) + encoded(16, numbered(1)), "p", 12, **ALL)
    with pytest.raises(IntegrityError, match="offset 9 is missing, the next record is 10"):
        decode(DATA, "p", 9, **ALL)


def test_any_changed_byte_is_noticed() -> None:
    """A batch whose bytes do not fit its checksum is refused, wherever the change is."""
    batch = encoded(0, numbered(3))
    for position in range(21, len(batch)):
        changed = batch[:position] + bytes([batch[position] ^ 0x10]) + batch[position + 1 :]
        with pytest.raises(IntegrityError, match="checksum"):
            decode(changed, "p", 0, **ALL)


def test_nulls_read_as_empty() -> None:
    """A stranger's null key, value or header value is an empty one."""
    found = decode(encoded(0, [(None, (("h", None),), b"v"), (b"k", (), None)]), "p", 0, **ALL)
    assert [each.record for each in found] == [Record(b"", (("h", b""),), b"v"), Record(b"k", (), b"")]


def test_a_header_name_that_is_not_text_stops_nothing() -> None:
    """A name that is not UTF-8 is written out; all else in the batch is as ever."""
    records: list[Loose] = [
        (b"a", (("good", b"1"), ("QQQQ", b"2")), b"x" * 300),
        (None, (), b"y"),
        (b"", (("h", None),), None),
        (b"z" * 200, (("", b""),), b""),
    ]
    batch = encoded(7, records)
    assert batch.count(b"QQQQ") == 1
    found = decode(with_checksum(batch.replace(b"QQQQ", b"\xff\xfeok")), "p", 7, **ALL)
    plain = decode(batch, "p", 7, **ALL)
    assert found[0].record.headers == (("good", b"1"), ("\\xff\\xfeok", b"2"))
    assert (found[0].record.key, found[0].record.value) == (b"a", b"x" * 300)
    assert found[1:] == plain[1:]
    assert [each.offset for each in found] == [7, 8, 9, 10]


def test_the_lenient_decoder_agrees_with_the_fast_one() -> None:
    """On batches that both can read they give the same."""
    chance = random.Random(7)
    for _ in range(50):
        records: list[Loose] = [
            (
                chance.choice([None, chance.randbytes(chance.randrange(200))]),
                [
                    ("n" * chance.randrange(100), chance.choice([None, b"", b"v" * 150]))
                    for _ in range(chance.randrange(4))
                ],
                chance.choice([None, chance.randbytes(chance.randrange(20_000))]) if index else b"",
            )
            for index in range(chance.randrange(1, 80))
        ]
        batch = encoded(chance.randrange(1 << 40), records)
        base = int.from_bytes(batch[:8], "big")
        assert _lenient(batch, "p") == decode(batch, "p", base, **ALL)


def test_what_cannot_be_unpacked_is_an_integrity_error() -> None:
    """A compressed batch whose content is no record, or is packed in a way not supported, names the batch."""
    batch = encoded(3, numbered(2))
    for codec, content in ((1, gzip.compress(b"\x7f" * 40)), (4, b"zstd?")):
        head = batch[:21] + codec.to_bytes(2, "big") + batch[23:61]
        packed = with_checksum(head[:8] + (len(head) - 12 + len(content)).to_bytes(4, "big") + head[12:] + content)
        with pytest.raises(IntegrityError, match="batch at offset 3 cannot be read"):
            decode(packed, "p", 3, **ALL)
