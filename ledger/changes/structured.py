"""TOML and JSON documents of a repository, read strictly, and values in them by key path.

A key path is keys separated by dots; `*` stands for every key of a table: `models.*`, `services.*.model`. A key that
holds a dot itself is reached by `*` only.

JSON names stand once in an object, and there are no NaN and no infinities.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any, NoReturn

from ledger.errors import Rejected

DOCUMENT_BYTES_MAX = 4 * 1024 * 1024
KEY_PARTS_MAX = 8
_MAYBE_KEY = re.compile(r"[\w\"'.\t -]+")


def read_document(data: bytes, where: str, *, is_json: bool) -> Any:
    """What a document holds. `Rejected`, beginning with `where`, when it is none."""
    if len(data) > DOCUMENT_BYTES_MAX:
        raise Rejected("", f"{where}: expected at most {DOCUMENT_BYTES_MAX} bytes, got {len(data)}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Rejected("", f"{where}: expected UTF-8") from None
    return read_json(text, where) if is_json else read_toml(text, where)


def read_json(text: str, where: str) -> Any:
    """A JSON value."""
    try:
        return json.loads(text, object_pairs_hook=_each_once, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise Rejected("", f"{where}: expected JSON; line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise Rejected("", f"{where}: expected objects and lists in each other less deeply") from None
    except ValueError as error:
        raise Rejected("", f"{where}: expected JSON: {error}") from None


def read_toml(text: str, where: str) -> Any:
    """A TOML document."""
    # The reader takes a time that grows with the square of a key's parts.
    if any(found[0].count(".") > KEY_PARTS_MAX and _is_key(text, found.end()) for found in _MAYBE_KEY.finditer(text)):
        raise Rejected("", f"{where}: expected keys of at most {KEY_PARTS_MAX} parts")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Rejected("", f"{where}: expected TOML: {error}") from None
    except (ValueError, RecursionError):
        raise Rejected("", f"{where}: expected TOML with numbers and lists of a sensible size") from None


def _is_key(text: str, end: int) -> bool:
    return text[end : end + 1] in ("=", "]", "")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def values_at(tree: Any, key_path: str) -> Iterator[tuple[str, Any]]:
    """Each value under the key path, with the path of keys that led to it."""
    yield from _below(tree, key_path.split("."), ())


def _below(value: Any, wanted: list[str], path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if not wanted:
        yield ".".join(path), value
    elif isinstance(value, dict):
        keys = list(value) if wanted[0] == "*" else [wanted[0]] if wanted[0] in value else []
        for key in keys:
            yield from _below(value[key], wanted[1:], (*path, key))
