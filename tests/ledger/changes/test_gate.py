"""The gate, as a pure function."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.changes.artifacts import Artifact, Place
from ledger.changes.document import Rules, Source, Threshold
from ledger.changes.evaluation import Limit, Metric, Report
from ledger.changes.gate import Candidate, judge, stray_reports
from ledger.changes.pins import judge_pin
from tests.ledger.changes.repositories import codes
from tests.ledger.changes.test_reviews import MIA, PRIYA, THAT, THIS, TOMAS, seen

PROMPT = Artifact("prompt", "support", "1" * 12, THIS, Place("p", Source("prompt", ("p",)), "o"), b"")
METRIC = Metric("m", 0.9, Limit(0.8, True))


def candidate(artifact: Artifact | None = PROMPT, **changed: Any) -> Candidate:
    """A prompt by Mia that Tomas reviewed."""
    fields: dict[str, Any] = {
        "key": artifact.key if artifact is not None else "prompt:support",
        "artifact": artifact,
        "before": None,
        "origin": "c" * 40,
        "origin_at_s": 0,
        "authors": (MIA,),
        "commits": ("c" * 40,),
        "signed_by_authors": False,
        "unsigned": ("c" * 40,),
        "sightings": (seen(),),
        **changed,
    }
    return Candidate(**fields)


def report(*metrics: Metric, artifact: bytes = THIS, suite: str = "s", dataset: bytes = b"d" * 32) -> Report:
    """A report on the prompt."""
    return Report("r.json", suite, "run", dataset, artifact, metrics or (METRIC,), b"r" * 32)


def threshold(metric: str = "m", limit: float = 0.8, **changed: Any) -> Threshold:
    """A declared threshold."""
    return Threshold("s", metric, limit, True, **changed)


def test_what_is_reviewed_and_evaluated_passes() -> None:
    """One review by another and one report that meets its threshold are enough by default."""
    outcome = judge(candidate(), [report()], Rules())
    assert outcome.passed
    assert [each.passed for each in outcome.scores] == [True]


def test_a_declared_threshold_must_be_measured_and_met() -> None:
    """The declaration decides which metric, on which data set, for which artifacts."""
    rules = Rules(thresholds=(threshold(), threshold("other", 0.1), threshold(dataset=b"x" * 32)))
    assert codes(judge(candidate(), [report()], rules)) == ["metric_missing", "dataset_differs"]
    strict = Rules(thresholds=(threshold(limit=0.95),))
    assert codes(judge(candidate(), [report()], strict)) == ["threshold_not_met"]
    for elsewhere in (
        threshold(limit=0.95, artifacts=("other",)),
        threshold(limit=0.95, kinds=frozenset({"model"})),
        Threshold("t", "m", 0.95, True, artifacts=("other",)),
    ):
        assert judge(candidate(), [report()], Rules(thresholds=(elsewhere,))).passed
    assert codes(judge(candidate(), [report()], Rules(thresholds=(threshold(limit=0.95, artifacts=("sup*",)),)))) == [
        "threshold_not_met"
    ]


def test_a_declared_suite_can_not_be_replaced_by_another_report() -> None:
    """A report of another suite that is satisfied with itself does not stand for the declared one."""
    rules = Rules(thresholds=(threshold(),))
    assert codes(judge(candidate(), [report(suite="easy")], rules)) == ["metric_missing"]


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([], ["no_evaluation"]),
        ([report(artifact=THAT)], ["no_evaluation"]),
        ([report(Metric("m", 0.9))], ["threshold_missing"]),
        ([report(Metric("m", 0.7, Limit(0.8, True)))], ["threshold_not_met"]),
        ([report(Metric("m", 0.9, Limit(0.8, False)))], ["threshold_not_met"]),
        ([report(), report(Metric("n", 0.1, Limit(0.2, True)))], ["threshold_not_met"]),
    ],
)
def test_reports_that_prove_nothing(reports: list[Report], expected: list[str]) -> None:
    """No report, one on something else, one without thresholds, one that fails beside one that passes."""
    assert codes(judge(candidate(), reports, Rules())) == expected


def test_kinds_that_are_not_evaluated_need_no_report() -> None:
    """Unless a threshold is declared for them."""
    rules = Rules(evaluated=frozenset())
    assert judge(candidate(), [], rules).passed
    declared = Rules(evaluated=frozenset(), thresholds=(threshold(kinds=frozenset({"prompt"})),))
    assert codes(judge(candidate(), [], declared)) == ["no_evaluation"]


def test_too_few_reviews_fail_and_every_reason_is_told() -> None:
    """Two are asked for, one counts: the others are told with why they don't."""
    rules = Rules(reviewers_min=2)
    some = candidate(sightings=(seen(), seen(MIA), seen(PRIYA, verified=False)))
    assert codes(judge(some, [report()], rules)) == ["no_verified_reviewer", "author_is_reviewer", "review_asserted"]
    enough = candidate(sightings=(seen(), seen(PRIYA), seen(MIA)))
    assert judge(enough, [report()], rules).passed


def test_asking_for_changes_fails_however_many_approve() -> None:
    """Whoever still asks for changes stops it."""
    some = candidate(sightings=(seen(), seen(PRIYA, verdict="changes_requested")))
    assert codes(judge(some, [report()], Rules())) == ["changes_requested"]


def test_a_floating_model_fails_and_an_unverified_one_is_noted() -> None:
    """A pin is judged with everything else."""

    def model(name: str) -> Artifact:
        return Artifact("model", f"v/{name}", name, THIS, PROMPT.place, b"", pin=judge_pin(name))

    assert codes(judge(candidate(model("latest")), [report()], Rules())) == ["floating_model"]
    assert judge(candidate(model("gpt-4o-2024-08-06")), [report()], Rules()).notes == ()
    noted = judge(candidate(model("command-r7b")), [report()], Rules())
    assert noted.passed
    assert "not known" in noted.notes[0]


def test_signed_commits_can_be_asked_for() -> None:
    """Each commit that its author did not sign is named."""
    assert codes(judge(candidate(), [report()], Rules(signed_commits=True))) == ["author_not_signed"]
    assert judge(candidate(unsigned=()), [report()], Rules(signed_commits=True)).passed


def test_the_declaration_needs_a_review_whatever_it_says() -> None:
    """It needs no evaluation, were its kind evaluated."""
    rules = Rules(evaluated=frozenset({"policy", "prompt"}), thresholds=(threshold(),))
    own = candidate(is_declaration=True)
    assert judge(own, [], rules).passed
    assert "no_verified_reviewer" in codes(judge(candidate(is_declaration=True, sightings=()), [], rules))


def test_a_removal_needs_a_review_and_no_report() -> None:
    """What is gone can't be evaluated."""
    gone = candidate(None, sightings=(seen(digest=None),))
    assert judge(gone, [], Rules()).passed
    assert codes(judge(candidate(None, sightings=()), [], Rules())) == ["no_verified_reviewer"]


def test_a_report_on_nothing_of_this_commit_is_refused() -> None:
    """Both digests can be compared: the message holds the report's."""
    (found,) = stray_reports([report(), report(artifact=THAT)], {"prompt:support": PROMPT})
    assert found.code == "evaluation_of_other"
    assert THAT.hex() in found.detail
    assert judge(candidate(sightings=(seen(TOMAS),)), [report(), report(artifact=THAT)], Rules()).passed
