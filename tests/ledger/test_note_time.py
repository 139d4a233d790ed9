"""Times in the ledger's own signed notes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.note_time import note_time, parse_note_time
from ledger.tlog.note import NoteError

YEAR_10000_MS = 253_402_300_800_000


def test_a_time_has_one_text() -> None:
    """With milliseconds and the zone as an offset, whatever the time."""
    assert note_time(0) == "1970-01-01T00:00:00.000+00:00"
    assert note_time(1_790_000_030_007) == "2026-09-21T14:13:50.007+00:00"


@given(st.integers(0, YEAR_10000_MS - 1))
def test_a_text_gives_its_time_back(at_ms: int) -> None:
    """To the millisecond, for every time that has a text."""
    assert parse_note_time(note_time(at_ms), "note") == at_ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-09-21",
        "2026-09-21T14:13:50.007",
        "2026-09-21T14:13:50.007Z",
        "2026-09-21T14:13:50.007+01:00",
        "2026-09-21T14:13:50+00:00",
        "2026-02-30T14:13:50.007+00:00",
        "2026-09-21T24:00:00.000+00:00",
        "0001-01-01T00:00:00.000+23:00",
        "2026-09-21T14:13:50.007+00:00 ",
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    """Other forms of the same time, and times that do not exist, are no times of a note."""
    with pytest.raises(NoteError, match="manifest: expected a time such as"):
        parse_note_time(text, "manifest")
