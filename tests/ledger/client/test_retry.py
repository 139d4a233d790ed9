"""Failures and pauses."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.client.retry import HINT_MAX_MS, Backoff, FailureKind, failure


@pytest.mark.parametrize(
    ("code", "hint", "kind"),
    [
        ("UNAVAILABLE", None, FailureKind.AWAY),
        ("DEADLINE_EXCEEDED", None, FailureKind.AWAY),
        ("INTERNAL", None, FailureKind.AWAY),
        ("CANCELLED", None, FailureKind.AWAY),
        ("RESOURCE_EXHAUSTED", "250", FailureKind.BUSY),
        ("RESOURCE_EXHAUSTED", None, FailureKind.TOO_LARGE),
        ("INVALID_ARGUMENT", None, FailureKind.REFUSED),
        ("NOT_FOUND", None, FailureKind.DENIED),
        ("UNAUTHENTICATED", None, FailureKind.DENIED),
        ("PERMISSION_DENIED", None, FailureKind.DENIED),
        ("FAILED_PRECONDITION", None, FailureKind.GONE),
    ],
)
def test_a_status_says_who_is_at_fault(code: str, hint: str | None, kind: FailureKind) -> None:
    """Each gRPC status stands for one kind of failure."""
    assert failure(code, "", hint).kind is kind


@pytest.mark.parametrize("hint", ["", "soon", "-5", "1.5", "\u0663"])
def test_a_hint_that_is_no_number_is_none(hint: str) -> None:
    """A malformed `retry-after-ms` is ignored."""
    assert failure("UNAVAILABLE", "", hint).retry_after_ms is None


@given(st.integers(1, 1_000), st.integers(1_000, 60_000), st.integers(1, 200), st.integers(0, 2**32))
def test_pauses_double_up_to_the_longest_with_jitter(first: int, longest: int, failures: int, seed: int) -> None:
    """After n failures in a row the pause lies between half and the whole of min(longest, first * 2^(n-1))."""
    backoff = Backoff(first, longest, Random(seed))
    for n in range(1, failures + 1):
        backoff.failed(100.0)
        whole_s = min(longest, first * 2 ** (n - 1)) / 1_000
        assert 100 + whole_s / 2 - 1e-9 <= backoff.until <= 100 + whole_s + 1e-9
    backoff.succeeded()
    backoff.failed(0.0)
    assert backoff.until <= first / 1_000


@given(st.integers(0, 10**9), st.integers(0, 2**32))
def test_a_hint_is_kept_to_but_not_for_ever(hint_ms: int, seed: int) -> None:
    """The gateway's `retry-after-ms` is waited out, plus at most a tenth; an absurd one is cut to a minute."""
    backoff = Backoff(1, 1, Random(seed))
    backoff.failed(0.0, hint_ms)
    bounded = min(hint_ms, HINT_MAX_MS) / 1_000
    assert bounded <= backoff.until <= max(bounded * 1.1, 0.001) + 1e-9


@pytest.mark.parametrize(
    ("code", "detail", "expected"),
    [
        ("UNAVAILABLE", "failed to connect to all addresses; last error: ...", True),
        ("UNAVAILABLE", "the call could not start: RuntimeError", True),
        ("UNAVAILABLE", "Connection reset by peer", False),
        ("UNAVAILABLE", "", False),
        ("DEADLINE_EXCEEDED", "failed to connect to all addresses", False),
    ],
)
def test_what_was_certainly_not_sent(code: str, detail: str, expected: bool) -> None:
    """Only a call that found no connection, or could not start, is known to have sent nothing."""
    assert failure(code, detail, None).never_sent is expected
