"""From files to records, and to the places of what is wrong."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.importers import records
from ledger.importers.records import Record, Wrong, files_in, read

Found = tuple[Any, Any]


def _read(tmp_path: Path, data: bytes | str, rows: Any = "json") -> list[Found]:
    """(place, value) of each record, (place, reason) of what is wrong."""
    file = tmp_path / "f"
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    return [
        ((each.place.line, each.place.item), each.value if isinstance(each, Record) else each.reason)
        for each in read(file, rows)
    ]


def test_json_lines_are_records_with_their_lines(tmp_path: Path) -> None:
    """Blank lines are none, and count; a byte order mark at the start is no content."""
    assert _read(tmp_path, '\ufeff\n{"a": 1}\n\n {"a": 2}') == [((2, None), {"a": 1}), ((4, None), {"a": 2})]
    assert _read(tmp_path, '\ufeff{"a": 1}') == [((1, None), {"a": 1})]
    assert _read(tmp_path, "") == _read(tmp_path, "\n \n") == []


@pytest.mark.parametrize("line", ["{", "7", "\udc80", "[" * 100_000, "NaN", '{"a": NaN}'])
def test_a_line_that_is_no_object_is_named_and_the_next_is_read(tmp_path: Path, line: str) -> None:
    """Broken JSON, another kind of value, bytes that are no UTF-8 and endless nesting stand alone with their line."""
    data = b'{"a": 1}\n' + line.encode("utf-8", "surrogateescape") + b'\n{"a": 2}\n'
    first, wrong, last = _read(tmp_path, data)
    assert (first[1], last[1]) == ({"a": 1}, {"a": 2})
    assert wrong[0] == (2, None)
    assert wrong[1] in ("is not JSON in UTF-8", "expected a JSON object")


def test_a_list_on_one_line_is_its_elements(tmp_path: Path) -> None:
    """As a proxy's answer has it; each element is named by its number."""
    found = _read(tmp_path, '[{"a": 1}, 7, {"a": 2}]')
    assert found == [((1, 1), {"a": 1}), ((1, 2), "expected a JSON object"), ((1, 3), {"a": 2})]


@pytest.mark.parametrize("indent", [1, 4])
def test_a_document_over_several_lines_is_its_objects(tmp_path: Path, indent: int) -> None:
    """One object, a list, several objects behind each other: each record with the line it begins on."""
    one, two = json.dumps({"a": 1}, indent=indent), json.dumps({"a": 2}, indent=indent)
    assert _read(tmp_path, one) == [((1, None), {"a": 1})]
    assert _read(tmp_path, one + "\n\n" + two) == [((1, None), {"a": 1}), ((5, None), {"a": 2})]
    listed = json.dumps([{"a": 1}, {"a": 2}], indent=indent)
    assert _read(tmp_path, listed) == [((2, None), {"a": 1}), ((5, None), {"a": 2})]


@pytest.mark.parametrize(
    ("text", "line"), [('{\n "a": 1,\n b\n}', 3), ('[\n{"a": 1},\n', 3), ('{\n"a":\n', 1), ('[\n{"a": 1}\n{"a" 2}]', 3)]
)
def test_a_broken_document_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    """What stands before is read; where it breaks is said; nothing behind is guessed."""
    *before, wrong = _read(tmp_path, text)
    assert all(value == {"a": 1} for _, value in before)
    assert wrong[1] == "is not JSON in UTF-8"
    assert line <= wrong[0][0] <= line + 2


def test_csv_is_rows_by_column(tmp_path: Path) -> None:
    """Fields may hold line ends; a row is named by the line it begins on, one that does not fit is told."""
    text = 'a,b\n1,"x\ny"\n2\n\n3,"{""k"": 1}"\n'
    assert _read(tmp_path, text, "json or csv") == [
        ((2, None), {"a": "1", "b": "x\ny"}),
        ((4, None), "expected 2 columns, found 1"),
        ((6, None), {"a": "3", "b": '{"k": 1}'}),
    ]
    assert _read(tmp_path, "a,a\n1,2\n", "json or csv") == [((1, None), "the header names a column twice")]
    assert _read(tmp_path, b"a,b\n\xff,2\n", "json or csv")[-1][1] == "is neither JSON Lines nor CSV in UTF-8"
    assert _read(tmp_path, '{"a": 1}', "json or csv") == [((1, None), {"a": 1})]


def test_gzip_is_told_by_its_bytes_and_a_torn_one_is_said(tmp_path: Path) -> None:
    """Half a file is not taken for a whole one, whatever its name."""
    packed = gzip.compress(b'{"a": 1}\n')
    assert _read(tmp_path, packed) == [((1, None), {"a": 1})]
    assert _read(tmp_path, packed[:-9])[-1] == ((None, None), "is not a whole gzip file")
    assert _read(tmp_path, packed[:12] + b"\xff" * 9)[-1] == ((None, None), "is not a whole gzip file")


def test_what_is_too_long_is_said_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line and a document have a bound."""
    monkeypatch.setattr(records, "LINE_BYTES_MAX", 20)
    monkeypatch.setattr(records, "DOCUMENT_BYTES_MAX", 40)
    assert _read(tmp_path, '{"a": 1}\n{"a": "' + "x" * 20 + '"}')[-1] == ((2, None), "is longer than 20 bytes")
    assert _read(tmp_path, "{\n" + " " * 40 + "}")[0][1].startswith("holds one JSON document of more than 40 bytes")


def test_folders_are_their_files_in_order(tmp_path: Path) -> None:
    """What is below counts; hidden files and the names left out don't."""
    for name in ("b/2.json", "b/1.json", "a.json", ".hidden/x", "b/.y", "b/data/z"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.touch()
    found = files_in([tmp_path], leave_out=frozenset({"data"}))
    assert [str(each.relative_to(tmp_path)) for each in found] == ["a.json", "b/1.json", "b/2.json"]
    assert list(files_in([tmp_path / "gone"])) == [tmp_path / "gone"]
    (wrong,) = read(tmp_path / "gone")
    assert isinstance(wrong, Wrong)
    assert wrong.reason == "can't be read: No such file or directory"


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":, \n1a\\').map(str.encode))
def test_whatever_a_file_holds_is_read_or_told(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """No bytes make the reader raise."""
    _read(tmp_path_factory.mktemp("any"), data, "json or csv")
    _read(tmp_path_factory.mktemp("any"), data)
