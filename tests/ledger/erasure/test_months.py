"""When a month of a retention class is over."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ledger.erasure.months import is_over


@pytest.mark.parametrize(
    ("month", "months", "at", "over"),
    [
        ("2026-01", 0, "2026-01-31", False),
        ("2026-01", 0, "2026-02-01", True),
        ("2026-01", 13, "2027-02-28", False),
        ("2026-01", 13, "2027-03-01", True),
        ("2026-12", 1, "2027-01-31", False),
        ("2026-12", 1, "2027-02-01", True),
        ("2020-01", None, "2027-02-01", False),
    ],
)
def test_a_month_is_kept_to_the_end_of_its_time(month: str, months: int | None, at: str, over: bool) -> None:
    """Kept for n months after the end of the month of receipt; without a number for ever."""
    assert is_over(month, months, datetime.fromisoformat(at).replace(tzinfo=UTC)) is over
