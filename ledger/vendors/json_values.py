"""JSON from outside, read without trust: a value of another type than expected is one that is not there.

Nothing here raises on any input: what a vendor or a caller sends may be malformed, nested beyond reason or hold numbers
that no column takes, and is still to be recorded as far as it can be understood.
"""

from __future__ import annotations

import json
import math
from typing import Any

Json = Any
"""What `load` gives: dict, list, str, int, float, bool or None."""

WHOLE_MAX = 2**63 - 1


def load(data: bytes | str) -> Json:
    """The value of a JSON text in UTF-8; None where it is none, or one that Python can't hold."""
    try:
        return json.loads(data, parse_constant=_refused)
    except (ValueError, RecursionError):
        return None


def dump(value: Json) -> str:
    """A value as JSON text, as short as it can be; keys stay in their order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def table(value: Json) -> dict[str, Json]:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Json) -> list[Json]:
    """The list, or an empty one."""
    return value if isinstance(value, list) else []


def tables(value: Json) -> list[dict[str, Json]]:
    """The objects in a list; what else is in it is left out."""
    return [each for each in items(value) if isinstance(each, dict)]


def text(value: Json) -> str:
    """The text, or an empty one."""
    return value if isinstance(value, str) else ""


def whole(value: Json) -> int | None:
    """A count from 0 that 63 bits hold. A float without a fraction counts: some servers write 12.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= WHOLE_MAX:
        return None
    return value


def signed(value: Json) -> int | None:
    """A whole number of 64 bits with a sign."""
    if isinstance(value, bool) or not isinstance(value, int) or not -WHOLE_MAX <= value <= WHOLE_MAX:
        return None
    return value


def number(value: Json) -> float | None:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def flag(value: Json) -> bool | None:
    """True or false."""
    return value if isinstance(value, bool) else None


def total(*counts: int | None) -> int | None:
    """The sum of the counts that are there; None where none is."""
    known = [each for each in counts if each is not None]
    return sum(known) if known else None


def _refused(constant: str) -> None:
    raise ValueError("NaN and Infinity are no JSON")
