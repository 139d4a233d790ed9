"""JSON as text: where its strings and numbers stand, without changing a byte of the rest.

A document is scanned, never built: duplicate keys, numbers of any size and spelling, blanks and any depth of nesting
are as they were. `scan` answers None for what is not JSON (RFC 8259; one value, or several separated by blanks where
`sequence` is set, as in JSON lines).

`places` says what a finding replaces: in a string, its own characters; of a bare number, the whole number, by a
string, so that the document stays JSON. A string may hold JSON itself (a model's tool call does): a number in there
is replaced by a string in *its* escaping, to any depth up to `DEPTH_MAX`.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, field

DEPTH_MAX = 8
_STRING = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
_TOKEN = re.compile(
    rf"[ \t\n\r]*+(?:({_STRING})|(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+)"
    r"|(true|false|null)|([\[\]{},:]))"
)
# In what is known to be JSON.
_STRING_OR_NUMBER = re.compile(r'("[^"\\]*+(?:\\.[^"\\]*+)*+")|-?[0-9][0-9.eE+-]*+')
_BLANK = re.compile(r"[ \t\n\r]*+")
_UNIT = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)
_VALUE, _KEY, _FIRST_KEY, _FIRST_VALUE, _COLON, _AFTER = range(6)


# A string's characters between its quotes, or a number: [start, end) of the document, and whether it is a string.
Token = tuple[int, int, bool]
# Characters [start, end) go; quote + placeholder + quote come.
Place = tuple[int, int, str]


def looks_like_json(text: str) -> bool:
    """Whether it is worth scanning: the first visible character opens an object or an array."""
    return text.lstrip(" \t\n\r")[:1] in ("{", "[")


def scan(text: str, sequence: bool = False) -> list[Token] | None:
    """The strings (keys too) and numbers of a document in order, None where `text` is no JSON; linear.

    Python's parser says ten times as fast as `walk` whether it is; what it builds is thrown away, and numbers are not
    made of their digits. Only what is nested too deeply for it, and sequences, are walked.
    """
    if sequence:
        return walk(text, sequence)
    try:
        _PARSER.decode(text)
    except RecursionError:
        return walk(text)
    except ValueError:
        return None
    return [
        (found.start() + 1, found.end() - 1, True) if found.lastindex else (*found.span(), False)
        for found in _STRING_OR_NUMBER.finditer(text)
    ]


def _refused(constant: str) -> None:
    raise ValueError("NaN and Infinity are no JSON")


_PARSER = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=_refused)


def walk(text: str, sequence: bool = False) -> list[Token] | None:
    """As `scan`, without recursion to any depth, and for several values one after the other."""
    tokens: list[Token] = []
    open_: list[str] = []
    state, at, length = _VALUE, 0, len(text)
    match = _TOKEN.match
    while True:
        found = match(text, at)
        if found is None:
            blank = _BLANK.match(text, at)
            whole = blank is not None and blank.end() == length and state == _AFTER and not open_
            return tokens if whole else None
        kind, at = found.lastindex, found.end()
        if state == _AFTER and not open_:
            if not sequence:
                return None
            state = _VALUE
        if kind == 4:
            following = _punctuation(found.group(4), state, open_)
            if following is None:
                return None
            state = following
            continue
        if state in (_KEY, _FIRST_KEY):
            if kind != 1:
                return None
            state = _COLON
        elif state in (_VALUE, _FIRST_VALUE):
            state = _AFTER
        else:
            return None
        if kind == 1:
            tokens.append((found.start(1) + 1, at - 1, True))
        elif kind == 2:
            tokens.append((found.start(2), at, False))


def _punctuation(sign: str, state: int, open_: list[str]) -> int | None:
    """The state after a bracket, comma or colon; None where it may not stand here."""
    if sign in "{[":
        if state not in (_VALUE, _FIRST_VALUE):
            return None
        open_.append(sign)
        return _FIRST_KEY if sign == "{" else _FIRST_VALUE
    if sign == ":":
        return _VALUE if state == _COLON else None
    if not open_:
        return None
    if sign == ",":
        return (_KEY if open_[-1] == "{" else _VALUE) if state == _AFTER else None
    opening, empty = ("{", _FIRST_KEY) if sign == "}" else ("[", _FIRST_VALUE)
    if open_[-1] != opening or state not in (_AFTER, empty):
        return None
    open_.pop()
    return _AFTER


@dataclass(slots=True)
class Document:
    """A scanned document, and the documents found inside its strings as they are asked for."""

    text: str
    tokens: list[Token]
    _starts: list[int] = field(default_factory=list)
    _inner: dict[int, tuple[Document, list[int]] | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._starts = [token[0] for token in self.tokens]

    def places(self, start: int, end: int, after: int) -> list[Place]:
        """What the finding [start, end) replaces, token by token, from `after` on; nothing between tokens."""
        found = []
        for number in range(max(0, bisect_right(self._starts, start) - 1), len(self.tokens)):
            token_start, token_end, string = self.tokens[number]
            if token_start >= end:
                break
            if token_end <= start:
                continue
            if string:
                found.append(self._in_string(number, max(start, token_start), min(end, token_end), DEPTH_MAX))
            else:
                found.append((token_start, token_end, '"'))
        return [place for place in found if place[0] >= after]

    def _in_string(self, number: int, start: int, end: int, depth: int) -> Place:
        """In a string: its own characters, or the whole of a bare number of the document inside the string."""
        start, end = _whole_escapes(self.text, start, end)
        plain = (start, end, "")
        if depth == 0 or not self.text[start:end].isascii() or not self.text[start:end].isdigit():
            return plain
        nested = self._document_in(number)
        if nested is None:
            return plain
        document, offsets = nested
        inner_start = bisect_right(offsets, start) - 1
        at = bisect_right(document._starts, inner_start) - 1
        if at < 0 or inner_start >= document.tokens[at][1]:
            return plain
        token_start, token_end, string = document.tokens[at]
        if string:
            inner = document._in_string(at, inner_start, inner_start + end - start, depth - 1)
        else:
            inner = (token_start, token_end, '"')
        inner_start, inner_end, inner_quote = inner
        if not inner_quote:
            return plain
        quote = inner_quote.replace("\\", "\\\\").replace('"', '\\"')
        return offsets[inner_start], offsets[inner_end - 1] + 1, quote

    def _document_in(self, number: int) -> tuple[Document, list[int]] | None:
        """The document in string `number` and, for each of its characters, its place here; None where it is none."""
        if number not in self._inner:
            start, end, _ = self.tokens[number]
            body = self.text[start:end]
            nested = None
            if body.lstrip(" \t\n\r\\nrt")[:1] in ("{", "["):
                inner, offsets = _decode(body, start)
                tokens = scan(inner)
                nested = None if tokens is None else (Document(inner, tokens), offsets)
            self._inner[number] = nested
        return self._inner[number]


def _whole_escapes(text: str, start: int, end: int) -> tuple[int, int]:
    """The span, moved so that it neither begins behind the backslash of an escape nor ends with one."""
    before = start
    while text[before - 1] == "\\":
        before -= 1
    last = end
    while last > start and text[last - 1] == "\\":
        last -= 1
    return start - (start - before) % 2, end - (end - last) % 2


def _decode(body: str, base: int) -> tuple[str, list[int]]:
    """A JSON string's characters one by one (halves of a pair apart), and where each stands."""
    parts: list[str] = []
    offsets: list[int] = []
    at = 0
    for unit in _UNIT.finditer(body):
        parts.append(body[at : unit.start()])
        offsets.extend(range(base + at, base + unit.start()))
        parts.append(json.loads(f'"{unit.group()}"'))
        offsets.append(base + unit.start())
        at = unit.end()
    parts.append(body[at:])
    offsets.extend(range(base + at, base + len(body)))
    return "".join(parts), offsets
