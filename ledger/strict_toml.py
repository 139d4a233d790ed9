"""Reading a TOML file of which every key is known: the policy, roles, upstreams, a repository's declaration.

A document is bounded in size, in the depth of its keys and in its numbers before it is looked at. What is wrong is one
`Misconfigured` that names the place, what was expected and what was found.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from typing import Any

from ledger.errors import Misconfigured, Rejected
from ledger.record.names import name as payload_name

SHOWN_CHARACTERS_MAX = 80
KEY_PARTS_MAX = 8
# What may be a key: the reader takes a time that grows with the square of a key's parts.
_MAYBE_KEY = re.compile(r"[\w\"'.\t -]+")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def load_toml(data: bytes, where: str, bytes_max: int) -> dict[str, Any]:
    """The tree in a file's bytes. `Misconfigured`, beginning with `where`, when there is none."""
    if len(data) > bytes_max:
        raise Misconfigured(f"{where}: expected at most {bytes_max} bytes, got {len(data)}")
    try:
        text = data.decode("utf-8")
        if any(_is_deep(found[0], text[found.end() : found.end() + 1]) for found in _MAYBE_KEY.finditer(text)):
            raise Misconfigured(f"{where}: expected keys of at most {KEY_PARTS_MAX} parts")
        return tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misconfigured(f"{where}: expected TOML in UTF-8: {error}") from None
    except (ValueError, RecursionError):
        raise Misconfigured(f"{where}: expected TOML with numbers and lists of a sensible size") from None


def _is_deep(run: str, behind: str) -> bool:
    """Whether this is a key, or the beginning of one that is cut off, of too many parts."""
    return run.count(".") >= KEY_PARTS_MAX and behind in ("=", "]", "")


class StrictReader:
    """Reads one document; `where` begins every message. `at` is a value's place in the document."""

    def __init__(self, where: str) -> None:
        self.where = where

    def keys(self, tree: dict[str, Any], required: set[str], optional: set[str], at: str) -> None:
        """Exactly these keys."""
        prefix = f"{at}." if at else ""
        for key in tree:
            if key not in required | optional:
                # A key in quotes may hold anything, and messages go to terminals.
                key = key if _BARE_KEY.fullmatch(key) else repr(key)
                known = ", ".join(sorted(required | optional))
                raise Misconfigured(f"{self.where}: {prefix}{key}: is unknown; expected one of {known}")
        for key in sorted(required - tree.keys()):
            raise Misconfigured(f"{self.where}: {prefix}{key}: is missing")

    def format(self, value: Any, known: int) -> None:
        """The one format that there is."""
        if value is True or value != known:
            raise self.wrong("format", f"{known}, the only one this build knows", value)

    def table(self, value: Any, at: str) -> dict[str, Any]:
        """A table."""
        if not isinstance(value, dict):
            raise self.wrong(at, "a table", value)
        return value

    def text(self, value: Any, at: str, what: str = "text") -> str:
        """Text as it may stand in a payload."""
        if not isinstance(value, str) or not value:
            raise self.wrong(at, what, value)
        try:
            payload_name(value, at)
        except Rejected as error:
            raise Misconfigured(f"{self.where}: {at}: {error.reason}") from None
        return value

    def match(self, value: Any, at: str, pattern: re.Pattern[str]) -> str:
        """Text of one form."""
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise self.wrong(at, f"text that matches {pattern.pattern}", value)
        return value

    def one_of(self, value: Any, at: str, known: Collection[str]) -> str:
        """One of some words."""
        if not isinstance(value, str) or value not in known:
            raise self.wrong(at, f"one of {', '.join(known)}", value)
        return value

    def number(self, value: Any, at: str, least: int, most: int) -> int:
        """A whole number; what is true or false is none."""
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(at, f"a whole number from {least} to {most}", value)
        return value

    def wrong(self, at: str, expected: str, found: Any) -> Misconfigured:
        """What to raise."""
        shown = repr(found)
        shown = shown if len(shown) <= SHOWN_CHARACTERS_MAX else f"{shown[:SHOWN_CHARACTERS_MAX]}..."
        return Misconfigured(f"{self.where}: {at}: expected {expected}, got {shown}")
