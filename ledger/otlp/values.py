"""Values of attributes, as plain Python values; and the one form in which a structured value is kept.

An attribute's value may come as a structure or as a text that holds JSON, by exporter and signal. Both become the same
content: JSON with sorted keys and no white space, characters as they are, whole numbers without a fraction (1.0 is 1,
as RFC 8785 writes it), bytes in base64, NaN and infinities as the texts "NaN", "Infinity", "-Infinity" (protobuf's JSON
form of them). A text that is no JSON object or array, repeats a key inside an object, or nests deeper than the limit,
stays the text it is: nothing of it is lost.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

Value = Any
"""str, bool, int, float, bytes, None, or a list or dict (with texts for keys) of those."""

EXACT_INTEGERS = 2**53
_NOT_FINITE = {math.inf: "Infinity", -math.inf: "-Infinity"}


class TooDeep(Exception):
    """A value is nested deeper than the limit."""


def plain(value: AnyValue, depth_max: int) -> Value:
    """The value; None where none is set. Of a key that a map holds twice, the last value counts."""
    which = value.WhichOneof("value")
    if which is None:
        return None
    if which == "array_value":
        if depth_max <= 0:
            raise TooDeep
        return [plain(each, depth_max - 1) for each in value.array_value.values]
    if which == "kvlist_value":
        if depth_max <= 0:
            raise TooDeep
        return {each.key: plain(each.value, depth_max - 1) for each in value.kvlist_value.values}
    if which == "string_value_strindex":  # a reference into another signal's table: absent, says the protocol
        return None
    found = getattr(value, which)
    return tidy(found) if which == "double_value" else found


def tidy(value: float) -> Value:
    """A number as it is kept: without a fraction of zero; what is no number as protobuf's JSON form names it."""
    if not math.isfinite(value):
        return _NOT_FINITE.get(value, "NaN")
    return int(value) if value.is_integer() and abs(value) <= EXACT_INTEGERS else value


def structure(value: Value, depth_max: int) -> Value:
    """What a text of JSON says, where the value is one that holds an object or array; else the value itself."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        parsed = json.loads(value, object_pairs_hook=_object, parse_constant=str, parse_float=_float)
        _check_depth(parsed, depth_max)
    except (ValueError, RecursionError, TooDeep):
        return value
    return parsed


def canonical(value: Value) -> str:
    """A structured value in its one form."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_base64)
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:  # a lone surrogate, which UTF-8 cannot hold: escaped, as everything beside it
            return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_base64)
    return text


def holding(text: str) -> str:
    """The text without lone surrogates, which UTF-8 cannot hold: each becomes U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _object(pairs: Iterable[tuple[str, Value]]) -> dict[str, Value]:
    pairs = list(pairs)
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _float(text: str) -> Value:
    return tidy(float(text))


def _base64(value: Value) -> str:
    if not isinstance(value, bytes):
        raise TypeError(f"a value of type {type(value).__name__} is none of telemetry")
    return base64.b64encode(value).decode("ascii")


def _check_depth(value: Value, depth_max: int) -> None:
    level = [value]
    for _ in range(depth_max + 1):
        level = [
            inner
            for each in level
            if isinstance(each, (list, dict))
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise TooDeep


def text_of(value: Value) -> str | None:
    """A text that is not empty; numbers as they are written. None for anything else."""
    if isinstance(value, str):
        return holding(value) or None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return canonical(tidy(value) if isinstance(value, float) else value)


def number_of(value: Value) -> float | None:
    """A finite number, also one written as a text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if not isinstance(value, (int, float)):
        return None
    try:
        value = float(value)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def integer_of(value: Value) -> int | None:
    """A whole number that 64 signed bits hold, also one written as a text or with a fraction of zero."""
    if isinstance(value, str):
        value = value.strip()
        if value.removeprefix("-").isdecimal() and value.isascii() and len(value) < 21:
            value = int(value)
        else:
            value = number_of(value)
    if isinstance(value, float):
        value = int(value) if value.is_integer() and abs(value) <= EXACT_INTEGERS else None
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        return None
    return value


def count_of(value: Value) -> int | None:
    """A whole number from 0."""
    found = integer_of(value)
    return found if found is not None and found >= 0 else None


def truth_of(value: Value) -> bool | None:
    """True or false, also written as a text."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else None


def texts_of(value: Value) -> list[str] | None:
    """A list of texts; a single one counts as a list, and a text may hold the list as JSON. None when empty."""
    value = structure(value, 2)
    found = [text_of(each) for each in (value if isinstance(value, list) else [value])]
    texts = [each for each in found if each]
    return texts or None


def key_values(attributes: Iterable[KeyValue], depth_max: int) -> tuple[dict[str, Value], list[str]]:
    """Attributes by key, and the keys of those nested too deep. Of a key that stands twice, the last value counts."""
    found: dict[str, Value] = {}
    too_deep: list[str] = []
    for each in attributes:
        try:
            value = plain(each.value, depth_max)
        except TooDeep:
            too_deep.append(each.key)
        else:
            if value is not None:
                found[each.key] = value
    return found, too_deep
