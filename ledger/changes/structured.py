"""TOML and JSON documents of a repository, read strictly, and values in them by key path.

A key path is keys separated by dots; `*` stands for every key of a table: `models.*`, `services.*.model`. A key that
holds a dot itself is reached by `*` only.

JSON names stand once in an object, and there are no NaN and no infinities.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn

from ledger.errors import Misconfigured, Rejected
from ledger.strict_toml import load_toml

DOCUMENT_BYTES_MAX = 4 * 1024 * 1024


def read_document(data: bytes, where: str, *, is_json: bool) -> Any:
    """What a document holds. `Rejected`, beginning with `where`, when it is none."""
    return _read_json(data, where) if is_json else _read_toml(data, where)


def _read_toml(data: bytes, where: str) -> Any:
    try:
        return load_toml(data, where, DOCUMENT_BYTES_MAX)
    except Misconfigured as error:
        raise Rejected("", str(error)) from None


def _read_json(data: bytes, where: str) -> Any:
    if len(data) > DOCUMENT_BYTES_MAX:
        raise Rejected("", f"{where}: expected at most {DOCUMENT_BYTES_MAX} bytes, got {len(data)}")
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_each_once, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise Rejected("", f"{where}: expected UTF-8") from None
    except json.JSONDecodeError as error:
        raise Rejected("", f"{where}: expected JSON; line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise Rejected("", f"{where}: expected objects and lists in each other less deeply") from None
    except ValueError as error:
        raise Rejected("", f"{where}: expected JSON: {error}") from None


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
