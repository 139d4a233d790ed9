"""Events and contents as Parquet: documented columns, exact values, and damage that is named."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import IntegrityError
from ledger.record.columns import decode_columns
from ledger.record.payload import decode_payload, encode_payload
from ledger.record.schemas import PAYLOAD
from ledger.segments.rows import (
    CONTENTS_SCHEMA,
    LEDGER_COLUMNS,
    check_bytes,
    events_table,
    file_sha256,
    from_parquet,
    open_parquet,
    record_batches,
    to_parquet,
)
from ledger.tlog.merkle import leaf_hash, link
from tests.ledger.record.payloads import ANY_PAYLOAD
from tests.ledger.record.test_payload import sample

LOG = b"\x01" * 32


def events(payloads: list[bytes]) -> pa.Table:
    """The rows of one log that begins with these payloads."""
    leaves = [leaf_hash(payload) for payload in payloads]
    count = len(payloads)
    ledger: dict[str, Any] = {
        "log_id": [LOG] * count,
        "index": list(range(count)),
        "round": [0] * count,
        "sealed_at": [datetime(2026, 11, 1, tzinfo=UTC)] * count,
        "partition": [0] * count,
        "offset": list(range(1, count + 1)),
        "leaf_hash": leaves,
        "chain_hash": link(bytes(32), leaves),
        "mark": [None] * count,
        "subject": [None] * count,
        "payload": payloads,
    }
    return events_table(ledger, decode_columns(PAYLOAD, payloads))


@settings(max_examples=25, deadline=None)
@given(st.lists(ANY_PAYLOAD, min_size=1, max_size=4), st.integers(1, 4))
def test_rows_come_back_exactly(values: list[dict[str, Any]], row_group_rows: int) -> None:
    """Every column of every kind is read as it was written, whatever the row groups, and matches its payload."""
    payloads = [encode_payload(each) for each in values]
    table = events(payloads)
    data = to_parquet(table, row_group_rows)
    found = from_parquet(data, "file")
    assert found.cast(table.schema).equals(table)
    for row, payload in zip(found.to_pylist(), payloads, strict=True):
        decoded = decode_payload(payload)
        assert row["payload"] == payload
        assert {name: row[name] for name in decoded} == decoded
    assert pq.ParquetFile(pa.BufferReader(data)).num_row_groups == -(-len(payloads) // row_group_rows)


def test_columns_are_the_documented_ones() -> None:
    """The ledger's columns stand in front, then every field of the payload by its name."""
    table = events([encode_payload(sample())])
    names = [name for name, _ in LEDGER_COLUMNS]
    assert table.column_names == names + [field["name"] for field in PAYLOAD.definition["fields"]]
    assert len(set(table.column_names)) == len(table.column_names)
    assert CONTENTS_SCHEMA.names == ["log_id", "index", "slot", "event_id", "subject", "ciphertext"]


def test_ranges_are_kept_for_what_is_looked_for_and_for_nothing_secret() -> None:
    """Row groups tell ranges of the columns that a reader prunes by."""
    data = to_parquet(events([encode_payload(sample())]))
    group = pq.ParquetFile(pa.BufferReader(data)).metadata.row_group(0)
    told = {group.column(i).path_in_schema for i in range(group.num_columns) if group.column(i).is_stats_set}
    assert told >= {"log_id", "index", "round", "received_at", "kind"}
    assert not told & {"payload", "leaf_hash", "submission_digest", "ciphertext"}


def test_the_same_rows_give_the_same_bytes() -> None:
    """A file's name holds its digest: writing it again makes the same file."""
    payloads = [encode_payload(sample(tenant=str(number))) for number in range(5)]
    assert to_parquet(events(payloads)) == to_parquet(events(payloads))


def test_contents_come_back() -> None:
    """Ciphertexts stand in their own file, byte for byte."""
    rows = {"log_id": [LOG], "index": [0], "slot": ["input"], "event_id": [bytes(16)], "subject": [None]}
    table = pa.table({**rows, "ciphertext": [bytes(range(256))]}, schema=CONTENTS_SCHEMA)
    assert from_parquet(to_parquet(table), "file").cast(CONTENTS_SCHEMA).equals(table)


@pytest.mark.parametrize("damage", ["empty", "short", "no footer", "not parquet", "missing column"])
def test_a_damaged_file_is_named(damage: str) -> None:
    """What is no Parquet file any more is an error with the file's name, not a crash."""
    data = to_parquet(events([encode_payload(sample())]))
    broken = {"empty": b"", "short": data[:-100], "no footer": data[: len(data) // 2], "not parquet": b"x" * 1000}
    columns = ["nothing"] if damage == "missing column" else None
    with pytest.raises(IntegrityError, match="events/x: is not a readable Parquet file"):
        from_parquet(broken.get(damage, data), "events/x", columns)


def test_a_files_digest_is_that_of_all_its_bytes(tmp_path: Path) -> None:
    """Whole files are compared: one flipped bit, one missing byte is another file."""
    data = to_parquet(events([encode_payload(sample())]))
    path = tmp_path / "file"
    path.write_bytes(data)
    digest = sha256(data).digest()
    assert file_sha256(path, "file") == digest
    check_bytes(data, digest, "file")
    for at in range(0, len(data), 97):
        bent = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(IntegrityError, match="file: SHA-256 is"):
            check_bytes(bent, digest, "file")
    with pytest.raises(IntegrityError, match="is missing"):
        file_sha256(tmp_path / "none", "none")
    with pytest.raises(IntegrityError, match="is missing"):
        file_sha256(path / "below", "below")


READING = """
import os, sys
from ledger.segments.rows import open_parquet, record_batches
before = len(os.listdir("/proc/self/task"))
with open(sys.argv[1], "rb") as stream:
    rows = sum(batch.num_rows for batch in record_batches(open_parquet(stream), None))
print(rows, len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="this system does not list a process's threads")
def test_reading_a_file_starts_no_thread(tmp_path: Path) -> None:
    """What reads a file in batches does so in its own thread: none of Arrow's is left to abort a command that ends."""
    (tmp_path / "events.parquet").write_bytes(to_parquet(events([encode_payload(sample())] * 3)))
    done = subprocess.run(
        [sys.executable, "-c", READING, str(tmp_path / "events.parquet")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["3", "0"]


def test_batches_are_the_file(tmp_path: Path) -> None:
    """Opened by a path, a file gives all its rows, in order."""
    table = events([encode_payload(sample())] * 3)
    (tmp_path / "events.parquet").write_bytes(to_parquet(table))
    found = pa.Table.from_batches(record_batches(open_parquet(tmp_path / "events.parquet"), ["index", "leaf_hash"]))
    assert found.equals(table.select(["index", "leaf_hash"]).cast(found.schema))
