"""What all event logs share: the digest of a record, and the sizes that batches are cut by."""

from __future__ import annotations

import struct
from hashlib import sha256

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from ledger.canonical import Malformed
from ledger.log.interface import (
    BATCH_OVERHEAD_BYTES,
    Record,
    batch_bytes,
    headers_codec,
    record_bytes,
    record_digest,
)

records = st.builds(
    Record,
    key=st.binary(max_size=50),
    headers=st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=20)), max_size=4).map(tuple),
    value=st.binary(max_size=300),
)


def _sized(data: bytes) -> bytes:
    return struct.pack(">Q", len(data)) + data


def test_the_digest_is_written_down() -> None:
    """The digest is SHA-256 over tag, key, headers and value, each with its length: these bytes are permanent."""
    record = Record(b"key", (("kind", b"event"), ("é", b"")), b"value")
    expected = sha256(
        _sized(b"audit-ledger/log-record/v1")
        + _sized(b"key")
        + struct.pack(">Q", 2)
        + _sized(b"kind")
        + _sized(b"event")
        + _sized("é".encode())
        + _sized(b"")
        + _sized(b"value")
    )
    assert record_digest(record) == expected.digest()
    assert record_digest(record).hex() == "92069868b8dc21add7d17eb6950f6650b26aaef7e9a2b8cc755421f50c5a6f03"


@given(records, records)
def test_different_records_have_different_digests(one: Record, other: Record) -> None:
    """No part of a record can be taken for another part."""
    assert (record_digest(one) == record_digest(other)) == (one == other)


@given(records)
def test_headers_come_back_from_their_bytes(record: Record) -> None:
    """Headers have one encoding, and it decodes to them."""
    assert headers_codec.decode(headers_codec.encode(record.headers)) == record.headers


def test_headers_cut_short_are_refused() -> None:
    """Bytes that are not whole headers are malformed."""
    whole = headers_codec.encode((("kind", b"event"),))
    for length in range(len(whole)):
        with pytest.raises(Malformed):
            headers_codec.decode(whole[:length])


@given(st.lists(records, min_size=1, max_size=5))
def test_a_batch_never_takes_more_than_its_measure(batch: list[Record]) -> None:
    """`batch_bytes` bounds what Kafka's own format takes, and is the sum of its parts."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 20)
    for index, record in enumerate(batch):
        assert builder.append(index, 1_790_000_000_000, record.key, record.value, list(record.headers)) is not None
    assert len(builder.build()) <= batch_bytes(batch)
    assert batch_bytes(batch) == BATCH_OVERHEAD_BYTES + sum(record_bytes(record) for record in batch)
