"""Scores against thresholds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.changes.document import Threshold
from ledger.changes.evaluation import Limit, Metric, Report, judge_metric
from ledger.v1 import event_pb2 as pb

REPORT = Report("report.json", "suite", "run-1", b"d" * 32, b"a" * 32, (), b"r" * 32)
numbers = st.floats(-10, 10)


def threshold(limit: float, *, at_least: bool) -> Threshold:
    """A declared threshold."""
    return Threshold("suite", "m", limit, at_least)


@pytest.mark.parametrize(
    ("score", "own", "declared", "passed", "shown"),
    [
        (0.9, None, [], None, None),
        (0.9, Limit(0.9, True), [], True, 0.9),
        (0.89, Limit(0.9, True), [], False, 0.9),
        (0.1, Limit(0.1, False), [], True, 0.1),
        (0.11, Limit(0.1, False), [], False, 0.1),
        (0.9, Limit(0.5, True), [threshold(0.95, at_least=True)], False, 0.95),
        (0.9, Limit(0.95, True), [threshold(0.5, at_least=True)], False, 0.95),
        (0.9, Limit(0.8, True), [threshold(0.85, at_least=True)], True, 0.85),
        (0.9, None, [threshold(0.5, at_least=True), threshold(0.8, at_least=False)], False, 0.8),
    ],
)
def test_a_score_is_held_to_every_threshold(
    score: float, own: Limit | None, declared: list[Threshold], passed: bool | None, shown: float | None
) -> None:
    """The report's own threshold and the declared ones must all be met; the stricter one is told."""
    judged = judge_metric(REPORT, Metric("m", score, own), declared)
    assert judged.passed is passed
    assert (judged.limit.value if judged.limit else None) == shown


@given(numbers, st.none() | st.builds(Limit, numbers, st.booleans()), st.lists(st.tuples(numbers, st.booleans())))
def test_a_further_threshold_never_turns_a_failure_into_a_pass(
    score: float, own: Limit | None, limits: list[tuple[float, bool]]
) -> None:
    """More thresholds are stricter, and what is recorded is one that decided."""
    declared = [threshold(value, at_least=at_least) for value, at_least in limits]
    judged = judge_metric(REPORT, Metric("m", score, own), declared)
    more = judge_metric(REPORT, Metric("m", score, own), [*declared, threshold(0.0, at_least=True)])
    assert not (judged.passed is False and more.passed)
    if judged.limit is not None:
        assert judged.limit.is_met_by(score) is judged.passed


def test_the_direction_stands_in_the_event() -> None:
    """A metric that must not be above its threshold says so; one without a threshold has no verdict."""
    most = judge_metric(REPORT, Metric("cost", 2.0, Limit(3.0, False)), []).to_event()
    assert (most.metric, most.verdict) == ("cost (at most)", pb.EVALUATION_VERDICT_PASSED)
    least = judge_metric(REPORT, Metric("success", 0.2, Limit(0.9, True)), []).to_event()
    assert (least.metric, least.verdict, least.threshold) == ("success", pb.EVALUATION_VERDICT_FAILED, 0.9)
    none = judge_metric(REPORT, Metric("seen", 0.2), []).to_event()
    assert none.verdict == pb.EVALUATION_VERDICT_UNSPECIFIED
    assert not none.HasField("threshold")
