"""Whether an artifact may be deployed, and every reason why not. Pure functions.

An artifact passes when

- enough people other than its authors have reviewed exactly it, verified (`ledger.changes.reviews`), and nobody's
  latest review asks for changes;
- where its kind is evaluated, a report on exactly it meets every threshold: those of the declaration, each of which
  must be measured, and its own; without a declared threshold at least one metric of its own that has one;
- a model's name fixes a version;
- where `signed_commits` says so, each of its authors signed.

| code                         | meaning                                                                   |
| ---------------------------- | ------------------------------------------------------------------------- |
| `no_verified_reviewer`       | fewer reviews count than the gate asks for                                |
| a code of `reviews`          | why a review does not count; told where too few do                        |
| `changes_requested`          | somebody's latest review asks for changes                                 |
| `floating_model`             | the model's name fixes no version                                         |
| `no_evaluation`              | no report is on this artifact                                             |
| `metric_missing`             | a declared metric was not measured                                        |
| `dataset_differs`            | it was measured on another data set than the declared one                 |
| `threshold_missing`          | nobody gives any metric of the report a threshold                         |
| `threshold_not_met`          | a score is on the wrong side of its threshold                             |
| `evaluation_of_other`        | a report is on an artifact that this commit does not have                 |
| `no_artifacts`               | neither this commit nor the base has any but the declaration itself       |
| `author_not_signed`          | a commit that touches it is not signed by its author                      |

The declaration itself needs a review whatever it says, and no evaluation. So does the removal of an artifact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ledger.changes.artifacts import Artifact
from ledger.changes.document import Rules, Threshold
from ledger.changes.evaluation import Report, Score, judge_metric
from ledger.changes.patterns import matches
from ledger.changes.people import Person
from ledger.changes.reviews import Reviewed, Sighting, judge_reviews


@dataclass(frozen=True, slots=True)
class Candidate:
    """One artifact that is to be deployed, or one that is gone (`artifact` None), with what is known about it.

    `origin`: the commit that brought it in, `before`: what was there before. `unsigned`: commits of its authors that
    none of them signed. `is_declaration`: it is the declaration itself.
    """

    key: str
    artifact: Artifact | None
    before: Artifact | None
    origin: str
    origin_at_s: int
    authors: tuple[Person, ...]
    commits: tuple[str, ...]
    signed_by_authors: bool
    unsigned: tuple[str, ...]
    sightings: tuple[Sighting, ...]
    is_declaration: bool = False

    @property
    def kind(self) -> str:
        """Its kind."""
        return self.key.partition(":")[0]

    @property
    def id(self) -> str:
        """Its id."""
        return self.key.partition(":")[2]


@dataclass(frozen=True, slots=True)
class Failure:
    """One reason: a code (see the module) and what exactly, in words."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One artifact, judged. `notes` are no failures and should be known."""

    candidate: Candidate
    failures: tuple[Failure, ...]
    reviewed: Reviewed
    scores: tuple[Score, ...]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether it may be deployed."""
        return not self.failures


def judge(candidate: Candidate, reports: Sequence[Report], rules: Rules) -> Outcome:
    """One artifact against the rules. `reports`: all that were given; only those on it count."""
    artifact = candidate.artifact
    digest = artifact.sha256 if artifact is not None else None
    reviewed = judge_reviews(digest, candidate.authors, candidate.sightings)
    failures = list(_review_failures(reviewed, rules))
    scores: list[Score] = []
    notes = []
    if artifact is not None:
        if artifact.pin is not None and artifact.pin.verdict == "floating":
            failures.append(Failure("floating_model", f"{artifact.id}: {artifact.pin.reason}"))
        elif artifact.pin is not None and artifact.pin.verdict == "unverified":
            notes.append(f"{artifact.id}: {artifact.pin.reason}")
        own = [each for each in reports if each.artifact == digest]
        scores = [
            judge_metric(each, metric, _about(candidate, each, metric.name, rules))
            for each in own
            for metric in each.metrics
        ]
        failures += _evaluation_failures(candidate, own, scores, rules)
    if rules.signed_commits:
        failures += [Failure("author_not_signed", f"commit {each}") for each in candidate.unsigned]
    return Outcome(candidate, tuple(failures), reviewed, tuple(scores), tuple(notes))


def _review_failures(reviewed: Reviewed, rules: Rules) -> Iterator[Failure]:
    if len(reviewed.counted) < rules.reviewers_min:
        yield Failure("no_verified_reviewer", f"{len(reviewed.counted)} reviews count, {rules.reviewers_min} must")
        for each in reviewed.refused:
            if each.code != "changes_requested":
                yield Failure(each.code, each.detail)
    for each in reviewed.refused:
        if each.code == "changes_requested":
            yield Failure(each.code, each.detail)


def _applies(threshold: Threshold, candidate: Candidate, rules: Rules) -> bool:
    kinds = rules.evaluated if threshold.kinds is None else threshold.kinds
    if candidate.is_declaration or candidate.kind not in kinds:
        return False
    return not threshold.artifacts or any(matches(each, candidate.id) for each in threshold.artifacts)


def _about(candidate: Candidate, report: Report, metric: str, rules: Rules) -> list[Threshold]:
    return [
        each
        for each in rules.thresholds
        if each.suite == report.suite and each.metric == metric and _applies(each, candidate, rules)
    ]


def _evaluation_failures(
    candidate: Candidate, reports: Sequence[Report], scores: Sequence[Score], rules: Rules
) -> Iterator[Failure]:
    declared = [each for each in rules.thresholds if _applies(each, candidate, rules)]
    for score in scores:
        if score.passed is False:
            text = f"{score.report.suite}, {score.metric.name}: {score.metric.score:g}, expected {score.limit}"
            yield Failure("threshold_not_met", f"{text} ({score.report.where})")
    for each in declared:
        measured = [s for s in scores if (s.report.suite, s.metric.name) == (each.suite, each.metric)]
        if reports and not measured:
            yield Failure("metric_missing", f"{each.suite}, {each.metric}: no report has it")
        for found in {s.report.dataset for s in measured}:
            if each.dataset is not None and found != each.dataset:
                yield Failure(
                    "dataset_differs",
                    f"{each.suite}: measured on {found.hex()[:12]}, declared {each.dataset.hex()[:12]}",
                )
    if candidate.is_declaration or not (declared or candidate.kind in rules.evaluated):
        return
    if not reports:
        yield Failure("no_evaluation", "no report is on this artifact")
    elif not any(score.passed is not None for score in scores):
        yield Failure("threshold_missing", "no metric has a threshold; [[evaluations]] declares one")


def nothing_held(artifacts: Iterable[str], own_key: str) -> list[Failure]:
    """Where there is no artifact but the declaration (`own_key`), a gate would hold nothing to anything, for ever."""
    if any(key != own_key for key in artifacts):
        return []
    return [Failure("no_artifacts", "no file is an artifact; [[artifacts]] in audit-ledger.toml says which are")]


def stray_reports(reports: Iterable[Report], artifacts: Mapping[str, Artifact]) -> list[Failure]:
    """Reports on something that this commit does not have."""
    known = {each.sha256 for each in artifacts.values()}
    return [
        Failure(
            "evaluation_of_other",
            f"{each.where}: is on {each.artifact.hex()}, which no artifact of this commit is; it was changed since, or "
            "another was evaluated",
        )
        for each in reports
        if each.artifact not in known
    ]
