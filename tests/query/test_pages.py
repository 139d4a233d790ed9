"""Single values of a Parquet column, page by page: the same as pyarrow reads, or not read at all."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.segments.rows import CONTENTS_SCHEMA, write_parquet
from query import pages
from query.pages import NotPaged


def written(path: Path, rows: int, group_rows: int) -> list[bytes]:
    """A contents file as sealers write it; returns its ciphertexts."""
    chance = random.Random(rows)
    stored = [chance.randbytes(chance.randint(0, 3_000)) for _ in range(rows)]
    table = pa.table(
        {
            "log_id": [bytes(32)] * rows,
            "index": list(range(rows)),
            "slot": ["input"] * rows,
            "event_id": [bytes(16)] * rows,
            "subject": [None] * rows,
            "ciphertext": stored,
        },
        schema=CONTENTS_SCHEMA,
    )
    write_parquet(table, path, group_rows)
    return stored


@pytest.mark.parametrize(("rows", "group_rows"), [(1, 10), (5_000, 4_000), (3_000, 100)])
def test_values_are_those_that_were_written(tmp_path: Path, rows: int, group_rows: int) -> None:
    """Whatever rows are asked for, in one page or over several, their values come back."""
    path = tmp_path / "a.parquet"
    stored = written(path, rows, group_rows)
    parquet = pq.ParquetFile(path)
    chance = random.Random(3)
    with open(path, "rb") as stream:
        several = 0
        for group in range(parquet.num_row_groups):
            chunk = pages.chunk_of(stream.fileno(), parquet, group, "ciphertext")
            several = max(several, len(chunk.pages))
            count = parquet.metadata.row_group(group).num_rows
            for _ in range(5):
                wanted = sorted(chance.sample(range(count), chance.randint(1, min(count, 40))))
                assert pages.values(stream.fileno(), chunk, wanted) == [
                    stored[group * group_rows + at] for at in wanted
                ]
        assert several > 1 or rows < 5_000


@pytest.mark.parametrize("compression", ["ZSTD", "NONE"])
@pytest.mark.parametrize("nullable", [True, False])
def test_compressed_or_not_nullable_or_not(tmp_path: Path, compression: str, nullable: bool) -> None:
    """Payloads are compressed, ciphertexts are not; both are read."""
    stored = [bytes([at % 256]) * at for at in range(3_000)]
    table = pa.table({"payload": stored}, schema=pa.schema([pa.field("payload", pa.large_binary(), nullable)]))
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, compression=compression, use_dictionary=False)
    with open(path, "rb") as stream:
        chunk = pages.chunk_of(stream.fileno(), pq.ParquetFile(path), 0, "payload")
        assert pages.values(stream.fileno(), chunk, [0, 7, 2_999]) == [stored[0], stored[7], stored[2_999]]


@pytest.mark.parametrize(
    "options",
    [{"compression": "SNAPPY"}, {"use_dictionary": True}, {"data_page_version": "2.0"}, {"compression": "GZIP"}],
)
def test_what_it_does_not_read_it_says_so(tmp_path: Path, options: dict[str, object]) -> None:
    """Other codecs, dictionaries and page versions are left to pyarrow."""
    path = tmp_path / "a.parquet"
    table = pa.table({"payload": [b"a", b"b"]})
    pq.write_table(table, path, **{"compression": "NONE", "use_dictionary": False, **options})
    with open(path, "rb") as stream, pytest.raises(NotPaged):
        pages.chunk_of(stream.fileno(), pq.ParquetFile(path), 0, "payload")


def test_nulls_and_other_columns_are_left_to_pyarrow(tmp_path: Path) -> None:
    """A column with a null, a number, or none of that name is not read here."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [b"x", None, b"y"], "n": [1, 2, 3]}), path, compression="NONE", use_dictionary=False)
    with open(path, "rb") as stream:
        parquet = pq.ParquetFile(path)
        with pytest.raises(NotPaged):
            pages.values(stream.fileno(), pages.chunk_of(stream.fileno(), parquet, 0, "a"), [0])
        for column in ("n", "none"):
            with pytest.raises(NotPaged):
                pages.chunk_of(stream.fileno(), parquet, 0, column)


@given(st.binary(max_size=60), st.integers(0, 40))
def test_nonsense_is_refused_and_never_more(data: bytes, row: int) -> None:
    """Bytes that are no pages end in NotPaged: no other error, no endless loop."""
    try:
        pages._Head(data).struct()
    except NotPaged:
        pass
    except RecursionError:
        pytest.fail("a header recursed")
    page = pages.Page(0, len(data), len(data), 0, 50)
    with contextlib.suppress(NotPaged):
        pages._take(data, page, [row])
