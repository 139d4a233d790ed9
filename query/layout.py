"""Laying out text for a terminal: widths, wrapping, blocks, tables. Pure functions.

What comes out of the ledger may hold anything, terminal escape sequences too: everything printed passes `printable`,
which shows control and unseen characters as escapes. Widths count cells: East Asian wide characters take two, combining
marks none.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

WIDTH_LEAST = 40
ELLIPSIS = "…"
RULE = "─"
_GAP = 2


def printable(text: str) -> str:
    """The text on one line, with every character that does not print shown as an escape."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def cells(text: str) -> int:
    """How many cells a printable text takes."""
    if text.isascii():
        return len(text)
    return sum(_cells(each) for each in text)


def cut(text: str, width: int) -> str:
    """The text, shortened with an ellipsis where it is wider."""
    if cells(text) <= width:
        return text
    return _beginning(text, width - 1) + ELLIPSIS


def pad(text: str, width: int, *, right: bool = False) -> str:
    """The text filled up with spaces."""
    missing = " " * max(0, width - cells(text))
    return missing + text if right else text + missing


def wrap(text: str, width: int) -> Iterator[str]:
    """Printable lines of at most `width` cells; broken at spaces where there are any."""
    for line in text.split("\n"):
        rest = printable(line.replace("\t", "    ").rstrip("\r"))
        while cells(rest) > width:
            head = _beginning(rest, width)
            at = head.rfind(" ")
            if at > width // 2:
                head = head[:at]
            yield head
            rest = rest[len(head) :].lstrip(" ")
        yield rest


def block(text: str, width: int, *, indent: str, lines_max: int) -> Iterator[str]:
    """A text as an indented block of at most so many lines; what is left out is counted."""
    lines = list(wrap(text, max(width - cells(indent), WIDTH_LEAST // 2)))
    shown = lines if len(lines) <= lines_max else lines[: lines_max - 1]
    yield from (f"{indent}{line}".rstrip() for line in shown)
    if len(shown) < len(lines):
        yield f"{indent}{ELLIPSIS} {len(lines) - len(shown)} more lines"


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], width: int) -> str:
    """A table with a head. Numbers stand to the right.

    Columns share the width, and what does not fit is shortened: `table_width` tells whether anything is.
    """
    texts = [[printable("" if value is None else str(value)) for value in row] for row in rows]
    heads = [printable(each) for each in columns]
    numeric = [
        bool(texts) and all(_is_number(row[at]) for row in texts if row[at]) and any(row[at] for row in texts)
        for at in range(len(heads))
    ]
    wanted = _wanted(heads, texts)
    widths = _shared(wanted, width - _GAP * (len(wanted) - 1))
    lines = [_row(heads, widths, numeric), "  ".join(RULE * each for each in widths)]
    lines += [_row(row, widths, numeric) for row in texts]
    return "\n".join(lines)


def table_width(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """How wide a table must be for nothing in it to be shortened."""
    texts = [[printable("" if value is None else str(value)) for value in row] for row in rows]
    wanted = _wanted([printable(each) for each in columns], texts)
    return sum(wanted) + _GAP * (len(wanted) - 1)


def _wanted(heads: Sequence[str], texts: Sequence[Sequence[str]]) -> list[int]:
    return [max([cells(head), *(cells(row[at]) for row in texts)]) for at, head in enumerate(heads)]


def _beginning(text: str, width: int) -> str:
    """As much of the text as fits, one character at least."""
    used = 0
    for at, each in enumerate(text):
        used += _cells(each)
        if used > width:
            return text[: max(at, 1)]
    return text


def _row(texts: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    parts = [
        pad(cut(text, width), width, right=to_right) for text, width, to_right in zip(texts, widths, right, strict=True)
    ]
    return "  ".join(parts).rstrip()


def _shared(wanted: Sequence[int], width: int) -> list[int]:
    """Widths that together fit: narrow columns get what they want, the others share what is left."""
    widths = dict.fromkeys(range(len(wanted)), 0)
    left = max(width, len(wanted))
    waiting = sorted(widths, key=lambda at: wanted[at])
    while waiting:
        share = max(1, left // len(waiting))
        at = waiting.pop(0)
        widths[at] = min(wanted[at], share)
        left -= widths[at]
    return [widths[at] for at in range(len(wanted))]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
