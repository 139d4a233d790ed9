"""How a time stands in the ledger's own signed notes: RFC 3339, UTC, milliseconds: `2026-11-21T12:00:00.000+00:00`.

One time has one text, so that a note which says the same has the same bytes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ledger.tlog.note import NoteError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def note_time(at_ms: int) -> str:
    """The text of a time in Unix milliseconds."""
    return (_EPOCH + at_ms * _MILLISECOND).isoformat(timespec="milliseconds")


def parse_note_time(text: str, where: str) -> int:
    """The Unix milliseconds that a text says; `NoteError`, beginning with `where`, when it is no such text."""
    try:
        at_ms = (datetime.fromisoformat(text) - _EPOCH) // _MILLISECOND
        if note_time(at_ms) == text:
            return at_ms
    except (ValueError, TypeError, OverflowError):
        pass  # no time, one without a zone, or one before the year 1: named below like any other wrong one
    raise NoteError(f"{where}: expected a time such as 2026-11-21T12:00:00.000+00:00")
