"""What `run_sql` takes and answers: tables from files and Arrow data, views, values, the operator's mistakes."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ledger.errors import Misconfigured, Rejected
from query.sandbox import SqlLimits, SqlTable, files_allowed, run_sql
from query.sandbox import run as run_module
from tests.query.sandbox.conftest import ROWS, Ask, Ground

needs_landlock = pytest.mark.skipif(not files_allowed(), reason="this kernel has no Landlock: files are refused")


def test_answers(ask: Ask) -> None:
    """Columns, types, rows and the state of the walls come back."""
    result = ask("SELECT word, count(*) AS many FROM events WHERE n < 700 GROUP BY word ORDER BY word LIMIT 2")
    assert (result.columns, result.types) == (("word", "many"), ("VARCHAR", "BIGINT"))
    assert result.rows == [("word 0", 100), ("word 1", 100)]
    assert not result.truncated
    assert result.elapsed_ms > 0


def test_views_hide_and_rename(ask: Ask) -> None:
    """Our own statements run before the query, in order, and may build on each other."""
    setup = (
        "CREATE VIEW few AS SELECT n AS number FROM events WHERE n < 3",
        "CREATE MACRO twice(x) AS x * 2",
        "CREATE VIEW doubled AS SELECT twice(number) AS number FROM few",
    )
    assert ask("SELECT number FROM doubled ORDER BY 1", setup=setup).rows == [(0,), (2,), (4,)]


def test_the_catalogue_can_be_asked(ask: Ask) -> None:
    """DESCRIBE, SHOW, SUMMARIZE and EXPLAIN are answered."""
    assert [row[:2] for row in ask("DESCRIBE events").rows] == [("n", "BIGINT"), ("word", "VARCHAR")]
    assert ("events",) in ask("SHOW TABLES").rows
    assert len(ask("SUMMARIZE events").rows) == 2
    assert ask("EXPLAIN SELECT * FROM events").columns == ("explain_key", "explain_value")


def test_an_empty_answer_has_columns(ask: Ask) -> None:
    """No row is an answer too."""
    result = ask("SELECT * FROM events WHERE n < 0")
    assert (result.columns, result.rows) == (("n", "word"), [])


def test_a_wrong_query_gets_the_engine_s_words(ask: Ask) -> None:
    """An error in the auditor's SQL is told as the engine tells it."""
    with pytest.raises(Rejected, match='Referenced column "wrod" not found') as refused:
        ask("SELECT wrod FROM events")
    assert refused.value.field == "sql"


def test_an_error_in_the_midst_of_the_rows(ask: Ask) -> None:
    """An error that appears only when rows were sent already is still an error, not a short answer."""
    with pytest.raises(Rejected, match="Could not convert"):
        ask("SELECT CASE WHEN n < 4900 THEN n ELSE CAST(word AS INT) END FROM events")


def test_columns_of_one_name_are_told_apart(ask: Ask) -> None:
    """Objects by name keep every column, as DuckDB names them in a subquery."""
    assert ask("SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS a").to_json_rows() == [{"a": 1, "a_2": 2, "a_1": 3, "a_3": 4}]


def test_rows_are_json(ask: Ask) -> None:
    """What a result holds can be written as JSON as it stands, whatever the types."""
    odd = 'bignum, bit, time_tz, "union"'
    result = ask(f"SELECT * EXCLUDE ({odd}) FROM test_all_types()")
    assert len(json.loads(json.dumps(result.to_json_rows(), allow_nan=False))) == 3


def test_a_type_without_a_form_is_refused_by_name(ask: Ask) -> None:
    """A value that has no JSON form is refused with its column and type; nothing is shown half."""
    with pytest.raises(Rejected, match='column "bits": values of type BIT cannot be shown; cast it to VARCHAR'):
        ask("SELECT 1 AS one, '101'::BIT AS bits")


def test_a_million_rows(tmp_path: Path) -> None:
    """A million rows can be scanned, and fetched where the limits allow."""
    data = pa.table({"n": pa.array(range(1_000_000)), "hash": pa.array([b"\x01" * 32] * 1_000_000)})
    path = tmp_path / "million.parquet"
    pq.write_table(data, path)
    table = SqlTable("events", files=(path,)) if files_allowed() else SqlTable("events", data=data)
    limits = SqlLimits(rows_max=1_000_000, result_bytes_max=1 << 28, time_s=120)
    assert run_sql(query="SELECT sum(n) FROM events", tables=[table], limits=limits).rows == [(499_999_500_000,)]
    result = run_sql(query="SELECT n, hash FROM events", tables=[table], limits=limits)
    assert (len(result.rows), result.truncated) == (1_000_000, False)
    assert result.rows[-1] == (999_999, "01" * 32)


@needs_landlock
def test_files_and_data_are_one_table(ground: Ground) -> None:
    """A tenant's compacted files and the filtered rest are read as one relation, by name."""
    rest = pa.table({"word": ["late"], "n": [ROWS]})
    table = SqlTable("events", files=(ground.own, ground.own), data=rest)
    result = run_sql(query="SELECT count(*), max(n), max_by(word, n) FROM events", tables=[table])
    assert result.rows == [(2 * ROWS + 1, ROWS, "late")]


def test_data_as_a_reader() -> None:
    """Arrow data may come as a reader, which is never held in full by the parent."""
    schema = pa.schema({"n": pa.int64()})
    batches = (pa.record_batch({"n": [n]}, schema) for n in range(3))
    table = SqlTable("events", data=pa.RecordBatchReader.from_batches(schema, batches))
    assert run_sql(query="SELECT sum(n) FROM events", tables=[table]).rows == [(3,)]


def test_empty_data() -> None:
    """A table without rows is still a table."""
    table = SqlTable("events", data=pa.table({"n": pa.array([], pa.int64())}))
    assert run_sql(query="SELECT count(*) FROM events", tables=[table]).rows == [(0,)]


def test_queries_at_once(ground: Ground) -> None:
    """Several threads may ask at once; each gets its own answer from its own process."""

    def one(n: int) -> int:
        table = SqlTable("events", data=pa.table({"n": [n]}))
        return int(run_sql(query="SELECT n FROM events", tables=[table]).rows[0][0])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(8))) == list(range(8))


def test_without_landlock_files_are_refused(ground: Ground) -> None:
    """With Landlock missing (simulated) a file is never handed over: the operator is told what to do instead."""
    with pytest.raises(Misconfigured, match="without Landlock no file can be handed to a query"):
        run_sql(query="SELECT 1", tables=[SqlTable("events", files=(ground.own,))], landlock=False)


def test_without_landlock_it_is_said(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With Landlock missing (simulated) Arrow data is answered, the result says so, and so does the log, once."""
    run_module._warn_unsealed.cache_clear()
    monkeypatch.setattr(run_module, "abi_version", lambda: 0)
    table = SqlTable("events", data=ground.data())
    with caplog.at_level(logging.WARNING):
        results = [run_sql(query="SELECT count(*) FROM events", tables=[table]) for _ in range(2)]
    assert [(result.rows, result.landlock) for result in results] == [([(ROWS,)], False)] * 2
    assert [record.message for record in caplog.records if "without Landlock" in record.message] == [
        "sql runs without Landlock: the engine's settings and resource limits are the only walls"
    ]


@needs_landlock
def test_with_landlock_it_is_said(ground: Ground) -> None:
    """Where the kernel has Landlock it is used, for files and for Arrow data."""
    for table in (SqlTable("events", files=(ground.own,)), SqlTable("events", data=ground.data())):
        assert run_sql(query="SELECT 1", tables=[table]).landlock


@pytest.mark.parametrize(
    ("table", "setup", "message"),
    [
        (SqlTable("events"), (), "table events has neither files nor data"),
        (SqlTable("events", data=pa.table({"n": [1]})), ("CREATE VIEW v AS SELECT m FROM events",), "given its tables"),
        (SqlTable("events", data=pa.table({"n": [1]})), ("SET allowed_paths=['/']",), "given its tables"),
    ],
)
def test_what_the_operator_must_mend(table: SqlTable, setup: tuple[str, ...], message: str) -> None:
    """Tables and statements of our own that cannot be made are no fault of the auditor's."""
    with pytest.raises(Misconfigured, match=message):
        run_sql(query="SELECT 1", tables=[table], setup=setup)


@needs_landlock
def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """A missing file and a folder are named without their place."""
    for path, message in ((tmp_path / "gone", "cannot open gone: No such file"), (tmp_path, "is not a regular file")):
        with pytest.raises(Misconfigured, match=message) as failed:
            run_sql(query="SELECT 1", tables=[SqlTable("events", files=(path,))])
        assert str(tmp_path.parent) not in str(failed.value)


@needs_landlock
def test_a_file_that_is_no_parquet(ground: Ground) -> None:
    """A file the engine cannot read is the operator's, and its place is not told."""
    with pytest.raises(Misconfigured, match="given its tables") as failed:
        run_sql(query="SELECT 1", tables=[SqlTable("events", files=(ground.text,))])
    assert str(ground.folder) not in str(failed.value)
