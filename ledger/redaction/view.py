"""The matching view: a text as the rules see it, with a map back to the text as it stands.

Values are written in many ways that mean the same. In the view

- digits of other scripts, full-width letters and signs, no-break and other spaces, hyphens and dashes, typographic
  quotes are their ASCII relatives;
- `%20`, `%2B` and the like (of forms and links), `&#64;` and `&#46;` (of HTML) are the signs they stand for;
- zero-width characters, soft hyphens and direction marks are left out;
- escapes of JSON are decoded, however many backslashes stand before them, so that JSON inside a JSON string is seen
  too: `\\u0040`, `\\/`. `\\"`, `\\n`, `\\r`, `\\t`, `\\b`, `\\f` keep their length (each character becomes the quote
  or the blank), which needs no map.

The view is only looked at, never stored. It is UTF-8; a lone surrogate counts as `?`. A span of the view maps to whole
units of the text: an escape sequence, and the invisible characters between two visible ones, are never cut.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

import re2

FOLDING_VERSION = 1


def _relatives() -> dict[str, str]:
    found = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    for zero in map(ord, "\u0660\u06f0\u07c0\u0966\u09e6\u0a66\u0ae6\u0b66\u0be6\u0c66\u0ce6\u0d66\u0e50"):
        found |= {chr(zero + digit): str(digit) for digit in range(10)}
    found |= {chr(0x1D7CE + place): str(place % 10) for place in range(50)}
    found |= dict.fromkeys("\u00a0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B))), " ")
    found |= dict.fromkeys("\u0085\u2028\u2029", "\n")
    found |= dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63", "-")
    found |= dict.fromkeys("\u2018\u2019\u201b\u2032", "'") | dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"')
    found |= {"\ufe6b": "@", "\ufe52": ".", "\uff61": ".", "\u2024": ".", "\u2044": "/", "\u2215": "/"}
    found |= dict.fromkeys("\u00b7\u2027\u2219\u22c5", ".")
    return found


_RELATIVES = _relatives()
_TABLE = str.maketrans(_RELATIVES)
_INVISIBLE = (
    "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064"
    "\u2066\u2067\u2068\u2069\ufe00\ufe01\ufe02\ufe03\ufe04\ufe05\ufe06\ufe07\ufe08\ufe09\ufe0a\ufe0b\ufe0c\ufe0d\ufe0e\ufe0f\ufeff"
)
_RELATIVE = re.compile(f"[{re.escape(''.join(_RELATIVES))}]")
_ANY_DISGUISE = re2.compile(f"[{re2.escape(''.join(_RELATIVES))}{_INVISIBLE}]")
_ANY_INVISIBLE = re2.compile(f"[{_INVISIBLE}]")
_UNIT = re.compile(
    rf"\\+u([0-9a-fA-F]{{4}})|\\+/|[{_INVISIBLE}]"
    r"|%(2[0BDEFbdef89]|40)|&#(?:0{0,4}(64|46|43|45)|[xX]0{0,4}(40|2[EeBbDd]));|&(commat|period|plus);"
)
_NAMED = {"commat": "@", "period": ".", "plus": "+"}
_ESCAPED = re.compile(r"%2|%40|&#|&commat;|&period;|&plus;")
_LOW = re.compile(r"\\+u([dD][c-fC-F][0-9a-fA-F]{2})")


@dataclass(frozen=True, slots=True)
class Runs:
    """How characters of a view stand for characters of the source, run by run.

    Run i begins at character `starts[i]` of the view and `sources[i]` of the source. Where `units[i]` is 0 the two go
    on side by side; else the run is one character of the view that stands for that many of the source.
    """

    starts: list[int]
    sources: list[int]
    units: list[int]


@dataclass(frozen=True, slots=True)
class View:
    """`text` is what detectors get, `data` the same in UTF-8 for rules; `runs` is None where places are the same."""

    text: str
    data: bytes
    runs: Runs | None

    def char_spans(self, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Byte spans of `data`, in order and not overlapping, as character spans of `text`."""
        if len(self.data) == len(self.text):
            return spans
        found, at, count = [], 0, 0
        for start, end in spans:
            count += len(self.data[at:start].decode("utf-8"))
            length = len(self.data[start:end].decode("utf-8"))
            found.append((count, count + length))
            at, count = end, count + length
        return found

    def byte_spans(self, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Character spans of `text`, in order of their starts, as byte spans of `data`."""
        if len(self.data) == len(self.text):
            return spans
        found, at, count = [], 0, 0
        for start, end in spans:
            count += len(self.text[at:start].encode("utf-8", "replace"))
            at = start
            found.append((count, count + len(self.text[start:end].encode("utf-8", "replace"))))
        return found

    def source_span(self, start: int, end: int) -> tuple[int, int]:
        """The characters of the source that the characters [start, end) of the view stand for; end > start."""
        if self.runs is None:
            return start, end
        starts, sources, units = self.runs.starts, self.runs.sources, self.runs.units
        first = bisect_right(starts, start) - 1
        last = bisect_right(starts, end - 1) - 1
        source_end = sources[last] + (units[last] or end - starts[last])
        return sources[first] + start - starts[first], source_end


def view_of(text: str) -> View:
    """The matching view of `text`; linear in its length."""
    text_seen = text
    if "\\" in text_seen:
        for escape, seen in (
            ('\\"', '""'),
            ("\\n", "\n\n"),
            ("\\r", "\r\r"),
            ("\\t", "\t\t"),
            ("\\b", "  "),
            ("\\f", "  "),
        ):
            text_seen = text_seen.replace(escape, seen)
    units = "\\" in text_seen and ("\\u" in text_seen or "\\/" in text_seen)
    units = units or (("%" in text_seen or "&" in text_seen) and _ESCAPED.search(text_seen) is not None)
    if text_seen.isascii():
        if not units:
            return View(text_seen, text_seen.encode("ascii"), None)
        return _mapped(text_seen)
    data = text_seen.encode("utf-8", "replace")
    disguised = _ANY_DISGUISE.search(data) is not None
    if disguised:
        text_seen = _with_relatives(text_seen)
        data = text_seen.encode("utf-8", "replace")
    if units or (disguised and _ANY_INVISIBLE.search(data)):
        return _mapped(text_seen)
    return View(text_seen, data, None)


def _with_relatives(text: str) -> str:
    found = set(_RELATIVE.findall(text))
    if len(found) > 12:
        return text.translate(_TABLE)
    for each in found:
        text = text.replace(each, _RELATIVES[each])
    return text


def _mapped(text: str) -> View:
    """The view of a text with escapes of several characters or with invisible ones, and its runs."""
    parts: list[str] = []
    runs = Runs([0], [0], [0])
    length = at = 0

    def run(source: int, unit: int) -> None:
        runs.starts.append(length)
        runs.sources.append(source)
        runs.units.append(unit)

    for found in _UNIT.finditer(text):
        start, end = found.span()
        if start < at:
            continue
        parts.append(text[at:start])
        length += start - at
        if found.group(1) is not None:
            seen, end = _decoded(text, found.group(1), end)
        else:
            seen = _sign(found)
        if seen:
            run(start, end - start)
            parts.append(seen)
            length += 1
        run(end, 0)
        at = end
    parts.append(text[at:])
    whole = "".join(parts)
    return View(whole, whole.encode("utf-8", "replace"), runs)


def _sign(found: re.Match[str]) -> str:
    """What a unit that is no `\\u` stands for: a sign, or nothing where it is invisible."""
    _, percent, decimal, hexadecimal, name = found.groups()
    if percent or hexadecimal:
        return chr(int(percent or hexadecimal, 16))
    if decimal:
        return chr(int(decimal))
    return _NAMED[name] if name else "/" if found.group().endswith("/") else ""


def _decoded(text: str, digits: str, end: int) -> tuple[str, int]:
    """The character seen for an escape whose digits end at `end`, with the second half of a surrogate pair if any."""
    code = int(digits, 16)
    if 0xD800 <= code < 0xDC00 and (low := _LOW.match(text, end)) is not None:
        code = 0x10000 + ((code - 0xD800) << 10) + int(low.group(1), 16) - 0xDC00
        end = low.end()
    seen = chr(code)
    return ("" if seen in _INVISIBLE else _RELATIVES.get(seen, seen)), end
