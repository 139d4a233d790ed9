"""Values of foreign records as fields of events: read without trust, in one form for equal values.

The same row comes as JSON from a service and as CSV from its database: an empty text is then what null is, a number is
a text, JSON is a text of JSON. Everything here gives the same for both, so that the events are the same to the byte.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from ledger.client.builders import content
from ledger.errors import Rejected
from ledger.importers.records import plain
from ledger.redaction.clear_names import held_in
from ledger.v1 import event_pb2 as pb
from ledger.vendors.fields import name_of
from ledger.vendors.json_values import Json, whole

TRUNCATED = "text/plain;truncated=yes"


def text(value: Json) -> str:
    """The text, "" where there is none."""
    return plain(value) if isinstance(value, str) else ""


def clear_name(value: Json) -> str | None:
    """The text where it may stand in clear; None where it is none, is free text, or holds an address or a token."""
    found = name_of(text(value))
    return found if found is not None and held_in(found) is None else None


def json_of(value: Json) -> Json:
    """JSON, also where it comes as a text of JSON; what is no JSON is the text it is. None for "", {} and []."""
    for _ in range(2):
        # A database quotes a text of JSON once more than a service does.
        if isinstance(value, str):
            try:
                value = _DECODER.decode(value) if value.strip() else None
            except (ValueError, RecursionError):
                return value
    return value if value not in ({}, [], "") else None


def _refused(_: str) -> Json:
    raise ValueError("no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refused)


def number(value: Json) -> float | None:
    """A number, also of a text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return float(value) if isinstance(value, int | float) and value == value and abs(value) < 1e18 else None


def count(value: Json) -> int | None:
    """A count from 0, also of a text."""
    found = number(value)
    return None if found is None else whole(found)


def moment(value: Json, field: str) -> datetime:
    """A time, which must be there: RFC 3339, or as PostgreSQL writes it; without a zone it is UTC. To the millisecond.

    A source's programs and its database keep different fractions of a second; the millisecond is what all of them have.
    """
    found = optional_moment(value)
    if found is None:
        raise Rejected(field, "expected a time such as 2024-05-15T15:00:00.000Z")
    return found


def optional_moment(value: Json) -> datetime | None:
    """The same where it may be missing."""
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        at = datetime.fromisoformat(value.strip())
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at.replace(microsecond=at.microsecond // 1_000 * 1_000)


def ms_of(at: datetime) -> int:
    """Unix milliseconds; 0 for a time before 1970."""
    return max(0, int(at.timestamp() * 1_000))


def content_of(value: Json, *, truncated: bool = False) -> pb.Content | None:
    """A content: a text as it is, JSON in one form for equal values. `truncated`: the source says that it cut it."""
    if value is None:
        return None
    if isinstance(value, str):
        made = content(value)
    else:
        made = content(json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")))
        if made.HasField("text"):
            made.media_type = "application/json"
    if truncated:
        made.media_type = TRUNCATED
    return made


def not_captured() -> pb.Content:
    """There was a content, and the source did not keep it."""
    return pb.Content(absent=True)


def known(**fields: Any) -> dict[str, Any]:
    """Those that say something."""
    return {name: value for name, value in fields.items() if value is not None and value != "" and value != []}
