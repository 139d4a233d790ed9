"""From files to records, each with its place. Gzipped files are told by their first bytes, not by their names.

What a file holds is told by how it begins:

| begins with                     | read as                                                                    |
| ------------------------------- | -------------------------------------------------------------------------- |
| a whole JSON object             | JSON Lines: a record a line                                                |
| a whole JSON list, on its line  | JSON Lines of lists: each element is a record                              |
| `{` or `[` that goes on below   | one JSON document, or several behind each other: objects, or lists of them |
| anything else                   | CSV with a header, where the importer takes CSV; else JSON Lines           |

In JSON Lines a line that is no JSON is told by its number, and the next line is read. In a document spread over lines
nobody can say where the next record begins: what is wrong there ends the file. A document has to fit into memory, a
line too: `DOCUMENT_BYTES_MAX`, `LINE_BYTES_MAX`.

A folder stands for the files in it and below, in the order of their names; names that begin with a dot are left out.
`-` stands for standard input.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal, NoReturn, cast

from ledger.errors import Rejected

LINE_BYTES_MAX = 64 * 1024 * 1024
DOCUMENT_BYTES_MAX = 256 * 1024 * 1024
STDIN = "-"
_GZIP = b"\x1f\x8b"
_NO_JSON = "is not JSON in UTF-8"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: file ("": the only one), line from 1, which one from 1 where a line holds several."""

    file: str
    line: int | None = None
    item: int | None = None

    def __str__(self) -> str:
        if not self.file:
            return "the file" if self.line is None else f"line {self.line}"
        line = "" if self.line is None else f":{self.line}"
        return f"{self.file}{line}" + ("" if self.item is None else f", item {self.item}")


@dataclass(frozen=True, slots=True)
class Record:
    """One JSON object, or one row of CSV with its columns by name."""

    place: Place
    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wrong:
    """What could not be read or taken: where, which field, why. Nothing of its value."""

    place: Place
    field: str
    reason: str


class _Stop(Exception):
    """The rest of a file can't be read."""

    def __init__(self, line: int | None, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


def files_in(paths: Iterable[Path], *, leave_out: frozenset[str] = frozenset()) -> Iterator[Path]:
    """The files that paths stand for; `leave_out` are names of files and folders inside folders that are no source."""
    for path in paths:
        if path.is_dir():
            below = (each for each in sorted(path.rglob("*")) if each.is_file())
            for each in below:
                parts = each.relative_to(path).parts
                if not any(part.startswith(".") or part in leave_out for part in parts):
                    yield each
        else:
            yield path


def read(
    path: Path, rows: Literal["json", "json or csv"] = "json", pages: str | None = None
) -> Iterator[Record | Wrong]:
    """The records of a file, and what is wrong in it, in their order. Never raises for what stands in it.

    `pages`: an object with a list under this name is a page of a longer list, and stands for the list's elements.
    """
    for found in _records(path, rows):
        listed = found.value.get(pages) if pages is not None and isinstance(found, Record) else None
        if isinstance(listed, list):
            for at, each in enumerate(listed, start=1):
                yield _record(each, Place(found.place.file, found.place.line, at))
        else:
            yield found


def _records(path: Path, rows: str) -> Iterator[Record | Wrong]:
    name = str(path)
    try:
        with _opened(path) as raw:
            gzipped = raw.peek(len(_GZIP)).startswith(_GZIP)
            stream: BinaryIO = gzip.GzipFile(fileobj=raw) if gzipped else raw  # type: ignore[assignment]
            yield from _read(name, stream, rows)
    except _Stop as stop:
        yield Wrong(Place(name, stop.line), "", stop.reason)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        yield Wrong(Place(name), "", "is not a whole gzip file")
    except OSError as error:
        yield Wrong(Place(name), "", f"can't be read: {error.strerror}")


def _opened(path: Path) -> AbstractContextManager[io.BufferedReader]:
    return nullcontext(cast(io.BufferedReader, sys.stdin.buffer)) if str(path) == STDIN else open(path, "rb")


def _read(name: str, stream: BinaryIO, rows: str) -> Iterator[Record | Wrong]:
    first, number = b"", 0
    while not first.strip():
        first, number = _line(stream, number + 1), number + 1
        if not first:
            return
    first = first.removeprefix(b"\xef\xbb\xbf") if number == 1 else first
    opens = first.lstrip()[:1] in (b"{", b"[")
    if not opens and rows == "json or csv":
        yield from _csv(name, first, number, stream)
    elif opens and _json(first) is None and _goes_on(first):
        yield from _document(name, first, number, stream)
    else:
        yield from _lines(name, first, number, stream)


def _line(stream: BinaryIO, number: int) -> bytes:
    line = stream.readline(LINE_BYTES_MAX + 1)
    if len(line) > LINE_BYTES_MAX:
        raise _Stop(number, f"is longer than {LINE_BYTES_MAX} bytes")
    return line


# --- JSON Lines -----------------------------------------------------------------------------------------------------


def _lines(name: str, first: bytes, number: int, stream: BinaryIO) -> Iterator[Record | Wrong]:
    line = first
    while line:
        if line.strip():
            found = _json(line)
            if found is None:
                yield Wrong(Place(name, number), "", _NO_JSON)
            else:
                yield from _values(found[0], Place(name, number))
        number += 1
        line = _line(stream, number)


def _values(value: Any, place: Place) -> Iterator[Record | Wrong]:
    if not isinstance(value, list):
        yield _record(value, place)
        return
    for at, each in enumerate(value, start=1):
        yield _record(each, Place(place.file, place.line, at))


def _record(value: Any, place: Place) -> Record | Wrong:
    return Record(place, value) if isinstance(value, dict) else Wrong(place, "", "expected a JSON object")


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _json(line: bytes) -> tuple[Any] | None:
    """The line's value; None where it is no JSON."""
    try:
        return (_DECODER.decode(line.decode("utf-8")),)
    except (ValueError, RecursionError):
        return None


def _goes_on(line: bytes) -> bool:
    """Whether what begins here may end on a later line: the text ends where JSON expects more."""
    try:
        text = line.decode("utf-8").strip()
        _DECODER.decode(text)
    except json.JSONDecodeError as error:
        return error.pos >= len(text)
    except (ValueError, RecursionError):
        return False
    return False


# --- documents ------------------------------------------------------------------------------------------------------


def _document(name: str, first: bytes, number: int, stream: BinaryIO) -> Iterator[Record | Wrong]:
    raw = first + stream.read(DOCUMENT_BYTES_MAX)
    if len(raw) > DOCUMENT_BYTES_MAX:
        raise _Stop(None, f"holds one JSON document of more than {DOCUMENT_BYTES_MAX} bytes; make it JSON Lines")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Stop(number + raw.count(b"\n", 0, error.start), _NO_JSON) from None
    at, counted, in_list = 0, 0, False
    while True:
        at = _skip(text, at, "," if in_list else "")
        number += text.count("\n", counted, at)
        counted = at
        if at == len(text):
            if in_list:
                raise _Stop(number, _NO_JSON)
            return
        if text[at] == "[" and not in_list:
            at, in_list = at + 1, True
        elif text[at] == "]" and in_list:
            at, in_list = at + 1, False
        else:
            try:
                value, at = _DECODER.raw_decode(text, at)
            except (ValueError, RecursionError) as error:
                inside = error.lineno - 1 - text.count("\n", 0, at) if isinstance(error, json.JSONDecodeError) else 0
                raise _Stop(number + inside, _NO_JSON) from None
            yield _record(value, Place(name, number))


def _skip(text: str, at: int, besides: str) -> int:
    while at < len(text) and (text[at] in " \t\r\n" or (besides and text[at] in besides)):
        at += 1
    return at


# --- CSV ------------------------------------------------------------------------------------------------------------


def _csv(name: str, first: bytes, number: int, stream: BinaryIO) -> Iterator[Record | Wrong]:
    # Fields may be as long as a line of JSON may be.
    csv.field_size_limit(LINE_BYTES_MAX)
    rest = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    try:
        lines = chain((first.decode("utf-8"),), rest)
        reader = csv.reader(lines, strict=True)
        header = next(reader)
        if len(set(header)) != len(header):
            raise _Stop(number, "the header names a column twice")
        begins = reader.line_num + number
        for row in reader:
            place = Place(name, begins)
            begins = reader.line_num + number
            if len(row) == len(header):
                yield Record(place, dict(zip(header, row, strict=True)))
            elif row:
                yield Wrong(place, "", f"expected {len(header)} columns, found {len(row)}")
    except (UnicodeDecodeError, csv.Error):
        raise _Stop(None, "is neither JSON Lines nor CSV in UTF-8") from None
    finally:
        rest.detach()


def text_of(value: dict[str, Any], field: str, where: str = "") -> str:
    """A text that must be there; `Rejected` names the field."""
    found = value.get(field)
    if not isinstance(found, str) or not found:
        raise Rejected(f"{where}{field}", "expected a text that is not empty")
    return plain(found)


def plain(text: str) -> str:
    """The text as a name or an identifier can hold it: what UTF-8 can't encode (lone surrogates) is replaced."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
