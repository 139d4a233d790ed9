"""Evaluation reports in JSON."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.changes.evaluation import Limit, Metric, Report
from ledger.changes.report_json import parse_json_report
from ledger.errors import Rejected
from tests.ledger.changes.reports import DATASET, json_report

ARTIFACT = "ab" * 32


def parsed(report: Any) -> Report:
    """The report, from its JSON."""
    return parse_json_report(json.dumps(report).encode(), "report.json")


def metric(**changed: Any) -> list[dict[str, Any]]:
    """The metrics of a report, its only one changed."""
    return [{"name": "m", "score": 0.5, **changed}]


def test_a_report_says_what_was_measured() -> None:
    """Suite, run, data set, artifact and metrics are what the file says."""
    found = parsed(json_report(ARTIFACT))
    assert (found.suite, found.run_id) == ("support-regression", "run-4711")
    assert (found.dataset.hex(), found.artifact.hex()) == (DATASET, ARTIFACT)
    assert found.metrics == (Metric("task_success", 0.93, Limit(0.88, True)),)
    assert parsed(json_report(f"sha256:{ARTIFACT.upper()}")).artifact.hex() == ARTIFACT


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"format": "x"}, "format"),
        ({"suite": None}, "suite: is missing"),
        ({"suite": ""}, "suite"),
        ({"suite": "mia@example.org wrote this long and very free text here"}, "suite"),
        ({"run_id": None}, "run_id: is missing"),
        ({"run_id": 7}, "run_id"),
        ({"dataset_sha256": None}, "dataset_sha256: is missing"),
        ({"dataset_sha256": "x" * 64}, "dataset_sha256"),
        ({"artifact_sha256": None}, "artifact_sha256: is missing"),
        ({"artifact_sha256": "ab"}, "artifact_sha256"),
        ({"metrics": None}, "metrics: is missing"),
        ({"metrics": []}, "metrics: is missing"),
        ({"metrics": {}}, "metrics"),
        ({"metrics": [7]}, "metrics[0]"),
        ({"metrics": metric(name=None)}, "metrics[0].name"),
        ({"metrics": metric(score=None)}, "metrics[0].score: is missing"),
        ({"metrics": metric(score="0.9")}, "metrics[0].score"),
        ({"metrics": metric(score=True)}, "metrics[0].score"),
        ({"metrics": metric(score=10**400)}, "metrics[0].score: expected a finite number"),
        ({"metrics": metric(threshold=0.5)}, "metrics[0].direction: is missing"),
        ({"metrics": metric(direction="at_least")}, "metrics[0].threshold: is missing"),
        ({"metrics": metric(threshold=0.5, direction=">=")}, "metrics[0].direction"),
        ({"metrics": metric(threshold=0.6, direction="at_least", verdict="passed")}, "metrics[0].verdict"),
        ({"metrics": metric(threshold=0.4, direction="at_most", verdict="passed")}, "metrics[0].verdict"),
        ({"metrics": metric(verdict="maybe")}, "metrics[0].verdict"),
        ({"metrics": metric(treshold=0.5)}, "metrics[0].*"),
        ({"metrics": metric() + metric()}, "metrics: expected each metric once"),
        ({"metrics": [{"name": f"m{i}", "score": 1} for i in range(300)]}, "metrics: expected at most"),
        ({"threshold": 1}, "*: expected no other fields"),
    ],
)
def test_what_is_wrong_is_named(changed: dict[str, Any], place: str) -> None:
    """A field that is missing, of another kind, or contradicts another is named."""
    with pytest.raises(Rejected, match=re.escape(place)) as caught:
        parsed(json_report(ARTIFACT, **changed))
    assert str(caught.value).startswith("report.json: ")


@pytest.mark.parametrize("score", ["NaN", "Infinity", "-Infinity"])
def test_a_score_is_a_number(score: str) -> None:
    """Not a number is no score, and compares with no threshold."""
    text = json.dumps(json_report(ARTIFACT)).replace("0.93", score)
    with pytest.raises(Rejected, match="no number of JSON"):
        parse_json_report(text.encode(), "report.json")


def test_no_content_of_the_report_is_repeated() -> None:
    """What is refused is named by its place, never by its text."""
    with pytest.raises(Rejected) as caught:
        parsed(json_report(ARTIFACT, secret_field="s3cret"))
    assert "s3cret" not in str(caught.value)
    assert "secret_field" not in str(caught.value)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_report_or_are_refused(data: bytes) -> None:
    """Nothing makes reading fail in another way."""
    with pytest.raises(Rejected):
        parse_json_report(data, "report.json")
