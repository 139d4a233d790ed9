"""Events and contents as Parquet.

*Events*, one row a leaf, sorted by log id, then index (a round) or by subject, then index (a compacted file):

| column                 | type      | meaning                                                                   |
| ---------------------- | --------- | ------------------------------------------------------------------------- |
| log_id                 | binary    | 32 bytes                                                                  |
| index                  | int64     | the leaf's index in its log                                               |
| round, sealed_at       | int64, us | the round that sealed it, and when                                        |
| partition, offset      | int64     | where it stood in the event log                                           |
| leaf_hash, chain_hash  | binary    | SHA-256(0x00 ‖ payload); the hash chain after this leaf                   |
| mark                   | string    | null, `conflict` or `undetermined`                                        |
| subject                | binary    | the first person of the event (actor, else first subject), for sorting    |
| payload                | binary    | the canonical bytes; everything below is decoded from them                |
| ...                    |           | every field of the payload schema, by its name                            |

*Contents*, one row a stored content: log_id, index, slot, event_id, subject, ciphertext.

A file is only ever believed through its whole SHA-256 in a round or placement: page checksums miss flips.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from ledger.errors import IntegrityError

ROW_GROUP_ROWS = 16_384
BATCH_ROWS = 8_192
LEDGER_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    ("log_id", pa.binary()),
    ("index", pa.int64()),
    ("round", pa.int64()),
    ("sealed_at", pa.timestamp("us", tz="UTC")),
    ("partition", pa.int64()),
    ("offset", pa.int64()),
    ("leaf_hash", pa.binary()),
    ("chain_hash", pa.binary()),
    ("mark", pa.string()),
    ("subject", pa.binary()),
    ("payload", pa.large_binary()),
)
"""What the ledger adds to the payload's own columns, in this order, in front of them."""

CONTENTS_SCHEMA = pa.schema(
    [
        ("log_id", pa.binary()),
        ("index", pa.int64()),
        ("slot", pa.string()),
        ("event_id", pa.binary()),
        ("subject", pa.binary()),
        ("ciphertext", pa.large_binary()),
    ]
)

# Dictionaries help where few values repeat; digests and ciphertexts would only pay for them.
_PLAIN = frozenset(
    {"leaf_hash", "chain_hash", "payload", "ciphertext", "event_id", "submission_digest", "index", "offset"}
)
_UNCOMPRESSED = frozenset({"leaf_hash", "chain_hash", "ciphertext", "submission_digest", "event_id"})
_STATISTICS = ["log_id", "index", "subject", "round", "received_at", "occurred_at", "kind", "slot"]


def events_table(ledger: dict[str, Any], payload_columns: pa.Table) -> pa.Table:
    """The events of a file: `ledger` gives the columns of `LEDGER_COLUMNS`, row by row beside the payload's."""
    columns = {
        name: pa.array(ledger[name], type=kind)
        if not isinstance(ledger[name], (pa.Array, pa.ChunkedArray))
        else ledger[name].cast(kind)
        for name, kind in LEDGER_COLUMNS
    }
    for name in payload_columns.column_names:
        columns[name] = payload_columns[name]
    return pa.table(columns)


def to_parquet(table: pa.Table, row_group_rows: int = ROW_GROUP_ROWS) -> bytes:
    """The table as a Parquet file in memory."""
    sink = io.BytesIO()
    write_parquet(table, sink, row_group_rows)
    return sink.getvalue()


def write_parquet(table: pa.Table, sink: Any, row_group_rows: int = ROW_GROUP_ROWS) -> None:
    """Writes the table to a file object or path."""
    names = _leaves(table.schema)
    pq.write_table(
        table,
        sink,
        row_group_size=row_group_rows,
        version="2.6",
        compression={name: "NONE" if name.split(".")[0] in _UNCOMPRESSED else "ZSTD" for name in names},
        compression_level={name: 1 for name in names if name.split(".")[0] not in _UNCOMPRESSED},
        use_dictionary=[name for name in names if name.split(".")[0] not in _PLAIN],
        write_statistics=[name for name in _STATISTICS if name in table.column_names],
        store_schema=True,
    )


def _leaves(schema: pa.Schema) -> tuple[str, ...]:
    return _leaves_of(schema)


@cache
def _leaves_of(schema: pa.Schema) -> tuple[str, ...]:
    sink = io.BytesIO()
    pq.write_table(schema.empty_table(), sink)
    parquet = pq.ParquetFile(sink).schema
    return tuple(parquet.column(i).path for i in range(len(parquet)))


def check_bytes(data: bytes, digest: bytes, name: str) -> None:
    """Raises unless `data` is the file with that SHA-256."""
    found = sha256(data).digest()
    if found != digest:
        raise IntegrityError(f"{name}: SHA-256 is {found.hex()}, expected {digest.hex()}")


def file_sha256(path: Path, name: str) -> bytes:
    """The SHA-256 of a whole file; `IntegrityError` when it is missing."""
    try:
        with open(path, "rb") as stream:
            digest = sha256()
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
            return digest.digest()
    except (FileNotFoundError, NotADirectoryError):
        raise IntegrityError(f"{name}: is missing") from None


def open_parquet(source: Path | BinaryIO) -> pq.ParquetFile:
    """A Parquet file, read by whoever asks and by no thread of Arrow's. `pa.ArrowException` or `OSError` if it is none.

    Threads that read ahead can be at work still when a command ends, and abort it after all was said and done.
    Not memory-mapped: a file cut short under a mapping would end the process instead of raising.
    """
    return pq.ParquetFile(source, memory_map=False, pre_buffer=False)


def record_batches(file: pq.ParquetFile, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    """The file's rows, a bounded number at a time; `pa.ArrowException` or `OSError` when it is no such file."""
    yield from file.iter_batches(batch_size=BATCH_ROWS, columns=columns, use_threads=False)


def from_parquet(data: bytes, name: str, columns: list[str] | None = None) -> pa.Table:
    """The table in a Parquet file; `IntegrityError` when it isn't one."""
    try:
        return pq.read_table(pa.BufferReader(data), columns=columns, use_threads=True, pre_buffer=False)
    except (pa.ArrowInvalid, pa.ArrowException, OSError, KeyError) as error:
        raise IntegrityError(f"{name}: is not a readable Parquet file ({type(error).__name__})") from None
