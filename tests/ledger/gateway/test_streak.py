"""When appends that fail speak against the event log, and when they do not."""

from __future__ import annotations

import pytest

from ledger.gateway.streak import FAILURES_MAX, PATIENCE_S, TRIAL_FIRST_S, TRIAL_LAST_S, AppendStreak

ALLOWED_S = 9.0


def refusing_at(now: float) -> AppendStreak:
    """A streak whose last failure, the one too many, was heard at `now`."""
    streak = AppendStreak()
    for number in range(FAILURES_MAX):
        streak.failed(now - FAILURES_MAX + number, now - FAILURES_MAX + number + 1, ALLOWED_S)
    assert streak.refusing
    return streak


def test_a_few_failures_say_nothing() -> None:
    """One failure fewer than the limit leaves the log as it was, and a success begins the count anew."""
    streak = AppendStreak()
    for turn in range(5):
        for number in range(FAILURES_MAX - 1):
            at = 10.0 * turn + number
            streak.failed(at, at + 0.5, ALLOWED_S)
        assert not streak.refusing
        streak.succeeded()
        assert streak.failures == 0


def test_failures_in_a_row_are_a_refusal() -> None:
    """The failure that reaches the limit makes the log refusing; a success ends that at once."""
    streak = refusing_at(100.0)
    assert streak.failures == FAILURES_MAX
    streak.succeeded()
    assert not streak.refusing


def test_appends_that_fail_together_are_one_failure() -> None:
    """What was under way when a failure was heard is not a further one, however many there are."""
    streak = AppendStreak()
    for _ in range(50):
        streak.failed(1.0, 2.0, ALLOWED_S)
    assert streak.failures == 1


def test_impatient_callers_say_nothing() -> None:
    """Appends that ran out of a short time count never; those that the log refused within it do."""
    streak = AppendStreak()
    for number in range(10):
        streak.failed(float(number), number + PATIENCE_S / 2, PATIENCE_S / 2)
    assert streak.failures == 0
    for number in range(20, 20 + FAILURES_MAX):
        streak.failed(float(number), number + 0.01, PATIENCE_S / 2)
    assert streak.refusing


def test_a_trial_comes_after_a_while() -> None:
    """Without any append the log is tried again, not before its time; one failure ends the trial."""
    streak = refusing_at(100.0)
    assert not streak.try_again(100.0 + TRIAL_FIRST_S / 2)
    assert streak.try_again(100.0 + TRIAL_FIRST_S)
    streak.failed(102.0, 102.1, ALLOWED_S)
    assert streak.refusing


@pytest.mark.parametrize("trials", [1, 3, 100])
def test_trials_become_rarer(trials: int) -> None:
    """Each trial that failed doubles the wait for the next, up to the longest; a success makes it short again."""
    now = 100.0
    streak = refusing_at(now)
    for _ in range(trials):
        now += TRIAL_LAST_S
        assert streak.try_again(now)
        streak.failed(now, now + 0.1, ALLOWED_S)
        now += 0.1
    wait = min(TRIAL_LAST_S, TRIAL_FIRST_S * 2**trials)
    assert not streak.try_again(now + wait * 0.99)
    assert streak.try_again(now + wait)
    streak.succeeded()
    for _ in range(FAILURES_MAX):
        now += TRIAL_LAST_S
        streak.failed(now, now, ALLOWED_S)
    assert streak.try_again(now + TRIAL_FIRST_S)
