"""Evaluation reports: what was measured on which artifact, and whether that is enough.

A report says which suite ran, on which data set, on which artifact (both by SHA-256), under which run id, and its
metrics. Whether a score is enough is never taken from the report's own verdict:

- A threshold has a direction: `at_least` (the score must not be below it) or `at_most` (not above). It is always
  stated, never guessed from the metric's name.
- The declaration's threshold decides. A threshold that the report states itself must be met as well: a harness may be
  stricter than the declaration, never laxer. Recorded is the stricter of the two, with the verdict of both.
- A metric that nobody gives a threshold proves nothing. It is recorded without a verdict.
- A report whose own verdict contradicts its numbers contradicts itself and is refused.

In the ledger a metric that must not be *above* its threshold is called `NAME (at most)`, since an Evaluation has no
field for the direction.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ledger.changes.document import Threshold
from ledger.errors import Rejected
from ledger.record.names import name as payload_name
from ledger.v1 import event_pb2 as pb

REPORT_BYTES_MAX = 16 * 1024 * 1024
METRICS_MAX = 200
AT_MOST_SUFFIX = " (at most)"
PASS_RATE = "pass_rate"
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Limit:
    """A threshold with its direction."""

    value: float
    at_least: bool

    def is_met_by(self, score: float) -> bool:
        """Whether the score is on the right side of it, or on it."""
        return score >= self.value if self.at_least else score <= self.value

    def is_stricter_than(self, other: Limit) -> bool:
        """Of two limits in one direction."""
        return self.value > other.value if self.at_least else self.value < other.value

    def __str__(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a report. `limit`: the threshold that the report itself states."""

    name: str
    score: float
    limit: Limit | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One evaluation report. `where`: the file, for messages; `sha256`: of its bytes."""

    where: str
    suite: str
    run_id: str
    dataset: bytes
    artifact: bytes
    metrics: tuple[Metric, ...]
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Score:
    """One metric, judged. `passed` is None where nobody gives a threshold."""

    report: Report
    metric: Metric
    limit: Limit | None
    passed: bool | None

    def to_event(self) -> pb.Evaluation:
        """As the Change says it."""
        at_most = self.limit is not None and not self.limit.at_least
        evaluation = pb.Evaluation(
            suite=self.report.suite,
            dataset_sha256=self.report.dataset,
            artifact_sha256=self.report.artifact,
            run_id=self.report.run_id,
            metric=self.metric.name + (AT_MOST_SUFFIX if at_most else ""),
            score=self.metric.score,
        )
        if self.limit is not None:
            evaluation.threshold = self.limit.value
            evaluation.verdict = pb.EVALUATION_VERDICT_PASSED if self.passed else pb.EVALUATION_VERDICT_FAILED
        return evaluation


def judge_metric(report: Report, metric: Metric, declared: Iterable[Threshold]) -> Score:
    """One metric against its own threshold and the declared ones that are about it."""
    limits = [Limit(each.limit, each.at_least) for each in declared]
    if metric.limit is not None:
        limits.append(metric.limit)
    if not limits:
        return Score(report, metric, None, None)
    passed = all(each.is_met_by(metric.score) for each in limits)
    # Of two directions the one that is not met is told; of one direction the stricter.
    failed = [each for each in limits if not each.is_met_by(metric.score)]
    shown, *others = failed or limits
    for each in others:
        if each.at_least == shown.at_least and each.is_stricter_than(shown):
            shown = each
    return Score(report, metric, shown, passed)


class Fields:
    """Values of a report, checked as they are taken; `where` leads every message."""

    def __init__(self, where: str) -> None:
        self._where = where

    def wrong(self, field: str, expected: str) -> Rejected:
        """What is to be raised for a field."""
        return Rejected("", f"{self._where}: {field}: expected {expected}")

    def name(self, value: Any, field: str) -> str:
        """A name that may stand in a payload."""
        if value is None:
            raise Rejected("", f"{self._where}: {field}: is missing")
        if not isinstance(value, str) or not value:
            raise self.wrong(field, "a name")
        try:
            payload_name(value, field)
        except Rejected as error:
            raise Rejected("", f"{self._where}: {field}: {error.reason}") from None
        return value

    def digest(self, value: Any, field: str) -> bytes:
        """A SHA-256 in hex, with or without `sha256:` in front."""
        if value is None:
            raise Rejected("", f"{self._where}: {field}: is missing; expected a SHA-256 in hex")
        text = value.removeprefix("sha256:").lower() if isinstance(value, str) else ""
        if len(text) != 64 or not _HEX.issuperset(text):
            raise self.wrong(field, "a SHA-256 in hex, 64 digits")
        return bytes.fromhex(text)

    def number(self, value: Any, field: str) -> float:
        """A finite number; not a truth value, not a text."""
        if value is None:
            raise Rejected("", f"{self._where}: {field}: is missing; expected a number")
        if type(value) not in (int, float):
            raise self.wrong(field, "a number")
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if not math.isfinite(found):
            raise self.wrong(field, "a finite number")
        return found

    def limit(self, value: Any, direction: Any, field: str) -> Limit | None:
        """A threshold with its direction; both or neither."""
        if value is None and direction is None:
            return None
        number = self.number(value, f"{field}.threshold")
        if direction is None:
            raise Rejected("", f"{self._where}: {field}.direction: is missing; expected at_least or at_most")
        if direction not in ("at_least", "at_most"):
            raise self.wrong(f"{field}.direction", "at_least or at_most")
        return Limit(number, direction == "at_least")

    def verdict(self, value: Any, metric: Metric, field: str) -> None:
        """The report's own verdict, which must be what its numbers say."""
        if value is None:
            return
        if value not in ("passed", "failed"):
            raise self.wrong(f"{field}.verdict", "passed or failed")
        if metric.limit is not None and metric.limit.is_met_by(metric.score) != (value == "passed"):
            raise self.wrong(f"{field}.verdict", "what score and threshold say; it contradicts them")

    def metrics(self, found: list[Metric], field: str) -> tuple[Metric, ...]:
        """Some metrics, each once."""
        if not found:
            raise Rejected("", f"{self._where}: {field}: is missing; expected one metric or more")
        if len(found) > METRICS_MAX:
            raise self.wrong(field, f"at most {METRICS_MAX} metrics, got {len(found)}")
        names = [each.name for each in found]
        if len(set(names)) != len(names):
            raise self.wrong(field, "each metric once")
        return tuple(found)
