"""SQL values as JSON, type by type; the expected forms are the table in `query.sandbox.model`."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from query.sandbox.values import Unshowable, json_values


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    """An engine set up as in the box."""
    connection = duckdb.connect(":memory:", config={"arrow_lossless_conversion": "true"})
    connection.execute("SET TimeZone='UTC'")
    return connection


def column(connection: duckdb.DuckDBPyConnection, select: str) -> list[Any]:
    """The first column's values, all batches."""
    reader = connection.execute(select).to_arrow_reader(2_048)
    return [value for batch in reader for value in json_values(batch.column(0))]


CASES: dict[str, Any] = {
    "NULL": None,
    "true": True,
    "9223372036854775807::BIGINT": 2**63 - 1,
    "(-170141183460469231731687303715884105728)::HUGEINT": -(2**127),
    "170141183460469231731687303715884105727::HUGEINT": 2**127 - 1,
    "340282366920938463463374607431768211455::UHUGEINT": 2**128 - 1,
    "sum(5::BIGINT)": 5,
    "1.5::DOUBLE": 1.5,
    "'nan'::DOUBLE": "NaN",
    "'inf'::FLOAT": "Infinity",
    "'-inf'::DOUBLE": "-Infinity",
    "1.50::DECIMAL(10, 2)": "1.50",
    "(-0.000000000000000001)::DECIMAL(38, 18)": "-0.000000000000000001",
    "'naïve 🦆\n'": "naïve 🦆\n",
    "'\\x00\\xFFa'::BLOB": "00ff61",
    "TIMESTAMPTZ '2026-11-21 09:08:07.65+01'": "2026-11-21T08:08:07.650000Z",
    "TIMESTAMP '2026-11-21 09:08:07'": "2026-11-21T09:08:07.000000Z",
    "TIMESTAMP_S '2026-11-21 09:08:07'": "2026-11-21T09:08:07Z",
    "TIMESTAMP_MS '2026-11-21 09:08:07.123'": "2026-11-21T09:08:07.123Z",
    "TIMESTAMP_NS '2026-11-21 09:08:07.123456789'": "2026-11-21T09:08:07.123456789Z",
    "TIMESTAMPTZ 'infinity'": "infinity",
    "TIMESTAMP '-infinity'": "-infinity",
    "TIMESTAMP '29999-01-01'": "29999-01-01T00:00:00.000000Z",
    "TIMESTAMP '1969-12-31 23:59:59.999999'": "1969-12-31T23:59:59.999999Z",
    "DATE '2026-02-28'": "2026-02-28",
    "DATE 'infinity'": "infinity",
    "DATE '0044-03-15 (BC)'": "-0043-03-15",
    "TIME '09:08:07.6'": "09:08:07.600000",
    "TIME '24:00:00'": "24:00:00.000000",
    "INTERVAL '1 year 2 months 3 days 1.5 seconds'": "P14M3DT1.5S",
    "INTERVAL '-5 hours'": "PT-18000S",
    "INTERVAL '0 days'": "PT0S",
    "UUID '0195fa3e-0000-7000-8000-000000000001'": "0195fa3e-0000-7000-8000-000000000001",
    "'b'::ENUM('a', 'b')": "b",
    "'{\"a\": 1}'::JSON": '{"a": 1}',
    "[1, NULL, 3]": [1, None, 3],
    "[]::INT[]": [],
    "[1, 2]::INT[2]": [1, 2],
    "[['a'], NULL, []]": [["a"], None, []],
    "{'a': 1, 'b': {'c': '\\x01'::BLOB}}": {"a": 1, "b": {"c": "01"}},
    "row(1, 'x')": [1, "x"],
    "MAP {'k': 1.5, 'l': NULL}": {"k": "1.5", "l": None},
    "MAP {1: 'a', 2: 'b'}": [[1, "a"], [2, "b"]],
    "MAP {}": [],
    "[{'at': TIMESTAMPTZ '2026-01-01 00:00:00Z'}]": [{"at": "2026-01-01T00:00:00.000000Z"}],
}


@pytest.mark.parametrize("expression", CASES)
def test_form(expression: str, connection: duckdb.DuckDBPyConnection) -> None:
    """Each value has exactly its documented form, and stays the same through JSON."""
    values = column(connection, f"SELECT {expression}")
    assert values == [CASES[expression]]
    assert type(values[0]) is type(CASES[expression])
    assert json.loads(json.dumps(values, allow_nan=False)) == values


@pytest.mark.parametrize("expression", [text for text in CASES if text not in ("NULL", "sum(5::BIGINT)")])
def test_null_between_values(expression: str, connection: duckdb.DuckDBPyConnection) -> None:
    """A NULL beside a value is None, whatever the type."""
    values = column(connection, f"SELECT unnest([{expression}, NULL, {expression}])")
    assert values == [CASES[expression], None, CASES[expression]]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([[1], None, [2, 3], [], [4]]),
        pa.array([[1], None, [2, 3], [], [4]], pa.large_list(pa.int64())),
        pa.array([[1, 2], None, [3, 4], [5, 6]], pa.list_(pa.int64(), 2)),
        pa.array([[("a", 1)], None, [], [("b", 2), ("c", None)]], pa.map_(pa.string(), pa.int64())),
        pa.array([[(1, 1)], None, [], [(2, 2), (3, None)]], pa.map_(pa.int64(), pa.int64())),
        pa.array([{"a": [1], "b": "x"}, None, {"a": None, "b": "y"}, {"a": [2, 3], "b": None}]),
        pa.array([0, None, 2**63 - 1, 5], pa.timestamp("us", "UTC")),
        pa.array(["a", None, "b", "a"]).dictionary_encode(),
    ],
)
def test_a_part_of_a_column(array: pa.Array) -> None:
    """Any slice of a column has the same values as that part of the whole."""
    whole = json_values(array)
    for start in range(len(array) + 1):
        for length in range(len(array) - start + 1):
            assert json_values(array.slice(start, length)) == whole[start : start + length]


@pytest.mark.parametrize("expression", ["'101'::BIT", "'12:00:00+02'::TIMETZ", "5::BIGNUM", "union_value(k := 1)"])
def test_no_form(expression: str, connection: duckdb.DuckDBPyConnection) -> None:
    """A type without a form is refused, also inside another."""
    for select in (f"SELECT {expression}", f"SELECT [{expression}]", f"SELECT {{'a': {expression}}}"):
        with pytest.raises(Unshowable, match="cannot be shown"):
            column(connection, select)
