"""Bombs: each ends at a limit, in time, with an error that names the limit, and leaves no process behind."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest

from ledger.errors import Misconfigured, Rejected
from query.sandbox import SqlLimits, SqlTable, run_sql
from tests.query.sandbox.conftest import ROWS, Ask

SLOW = {
    "counting for ever": "SELECT count(*) FROM range(1000000000000) a",
    "a cross join": "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = 1",
    "the table with itself": "SELECT count(*) FROM events a, events b, events c WHERE a.n + b.n + c.n = 1",
    "endless recursion": "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT 1 FROM x) SELECT count(*) FROM x",
    "one call that cannot be interrupted": (
        "SELECT length(regexp_replace(repeat('ab', 30000000), '(a|b)+?b', 'x', 'g'))"
    ),
}

LARGE = {
    "a long text": "SELECT length(repeat('x', 900000000) || repeat('y', 900000000))",
    "a text from all rows": "SELECT length(string_agg(word, '')) FROM events, range(1000000)",
    "a list of everything": "SELECT len(list(range)) FROM range(1000000000)",
    "a sort that would spill": (
        "SELECT a.word FROM events a, events b ORDER BY a.word || b.word, b.n LIMIT 1 OFFSET 9000000"
    ),
    "a join that would spill": "SELECT count(DISTINCT a.n * 100000 + b.n) FROM events a, events b",
    "a group for every row": "SELECT max(c) FROM (SELECT count(*) AS c FROM range(200000000) GROUP BY hash(range))",
    "a value that fills the result": "SELECT repeat('x', 400000000) FROM range(8)",
}


@pytest.mark.parametrize("name", SLOW)
def test_time(name: str, ask: Ask) -> None:
    """A query is killed soon after its time is up, whatever it is in the midst of."""
    before = time.monotonic()
    with pytest.raises(
        Rejected, match=r"^sql: the query took longer than the limit time_s = 1 and was stopped$|memory_bytes"
    ):
        ask(SLOW[name], time_s=1)
    assert time.monotonic() - before < 15


@pytest.mark.parametrize("name", LARGE)
def test_memory(name: str, ask: Ask) -> None:
    """A query that wants more memory than it may have is refused, and spills nothing to disk."""
    with pytest.raises(Rejected, match=r"memory_bytes = 67108864|result_bytes_max = 67108864"):
        ask(LARGE[name], memory_bytes=64 << 20, time_s=60)


def test_rows_are_cut_at_their_limit(ask: Ask) -> None:
    """The rows end at rows_max, and the result says that there were more."""
    result = ask("SELECT n FROM events ORDER BY n", rows_max=3_000)
    assert [row[0] for row in result.rows] == list(range(3_000))
    assert result.truncated
    assert result.truncated_by == "rows_max"


@pytest.mark.parametrize("rows_max", [ROWS, ROWS + 1])
def test_a_result_that_just_fits_is_whole(rows_max: int, ask: Ask) -> None:
    """As many rows as the limit allows are no truncated result."""
    result = ask("SELECT n FROM events", rows_max=rows_max)
    assert (len(result.rows), result.truncated_by) == (ROWS, None)


def test_a_result_one_too_large_is_cut(ask: Ask) -> None:
    """One row over the limit is cut, and said to be."""
    result = ask("SELECT n FROM events", rows_max=ROWS - 1)
    assert (len(result.rows), result.truncated_by) == (ROWS - 1, "rows_max")


@pytest.mark.parametrize("result_bytes_max", [1_000, 20_000, 60_000])
def test_bytes_are_cut_at_their_limit(result_bytes_max: int, ask: Ask) -> None:
    """The rows end where their JSON would exceed result_bytes_max, at a whole row."""
    result = ask("SELECT n, word FROM events ORDER BY n", result_bytes_max=result_bytes_max)
    assert result.truncated_by == "result_bytes_max"
    assert result.rows == [(n, f"word {n % 7}") for n in range(len(result.rows))]
    assert 0.8 * result_bytes_max < sum(len(f'[{n},"{word}"],') for n, word in result.rows) <= result_bytes_max


def test_an_endless_result_ends(ask: Ask) -> None:
    """A result without end is cut as it streams: it is never made in full."""
    result = ask("SELECT range, repeat('x', 1000) FROM range(1000000000000)", result_bytes_max=1 << 20)
    assert result.truncated_by == "result_bytes_max"
    assert len(result.rows) > 1_000


def test_one_row_too_large(ask: Ask) -> None:
    """When not even the first row fits, there is nothing to show: an error names the limit."""
    with pytest.raises(Rejected, match=r"the first row alone is larger than the limit \(result_bytes_max = 1000\)"):
        ask("SELECT repeat('x', 2000)", result_bytes_max=1_000)


def test_column_names_count_too(ask: Ask) -> None:
    """A result whose columns' names alone exceed the limit is refused."""
    with pytest.raises(Rejected, match="result_bytes_max = 1000"):
        ask("SELECT " + ", ".join(f"1 AS column_{n}" for n in range(1_000)), result_bytes_max=1_000)


def test_a_long_query_is_refused(ask: Ask) -> None:
    """A query's text has a limit of its own."""
    with pytest.raises(Rejected, match=r"query_bytes_max = 100$"):
        ask("SELECT " + "1 + " * 100 + "1", query_bytes_max=100)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("-(", ")"), ("{'a': ", "}"), ("(SELECT ", ")")])
@pytest.mark.parametrize("depth", [900, 50_000])
def test_deep_nesting_ends(opening: str, closing: str, depth: int, ask: Ask) -> None:
    """A query nested without measure is answered, refused, stopped or crashes its own process: it never hurts ours."""
    with suppress(Rejected):
        ask("SELECT " + opening * depth + "1" + closing * depth, time_s=2)


def test_arrow_data_has_a_limit() -> None:
    """The parent takes no more Arrow data into memory than it was told to."""
    table = SqlTable("events", data=pa.table({"n": range(100_000)}))
    with pytest.raises(Rejected, match="arrow_bytes_max = 1000"):
        run_sql(query="SELECT 1", tables=[table], limits=SqlLimits(arrow_bytes_max=1_000))


def test_a_limit_of_nothing_is_refused() -> None:
    """A limit of zero or less is a mistake in the configuration."""
    with pytest.raises(Misconfigured, match="rows_max must be above 0, found 0"):
        SqlLimits(rows_max=0)


def test_no_process_and_no_descriptor_stays(ask: Ask) -> None:
    """After answers, errors and kills this process has no child and no descriptor more than before."""
    descriptors = Path("/proc/self/fd") if Path("/proc/self/fd").exists() else Path("/dev/fd")
    ask("SELECT 1")
    before, children = len(list(descriptors.iterdir())), children_now()
    for query in ("SELECT 1", "nonsense", "SELECT * FROM pandas_scan(NULL)", SLOW["counting for ever"]):
        try:
            ask(query, time_s=0.3)
        except Rejected:
            continue
    assert len(list(descriptors.iterdir())) == before
    assert children_now() == children


def children_now() -> set[str]:
    """The children of this process, the dead that nobody waited for among them; other tests may have some that stay."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(stat.parent.name)
    return found
