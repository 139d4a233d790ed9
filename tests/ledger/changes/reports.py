"""Evaluation reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.ledger.changes.repositories import digest

DATASET = digest("the data set")


def json_report(artifact: str, score: float = 0.93, **changed: Any) -> dict[str, Any]:
    """A report on the artifact with this SHA-256."""
    metric = {"name": "task_success", "score": score, "threshold": 0.88, "direction": "at_least"}
    report = {
        "format": "audit-ledger-evaluation/1",
        "suite": "support-regression",
        "run_id": "run-4711",
        "dataset_sha256": DATASET,
        "artifact_sha256": artifact,
        "metrics": [metric],
        **changed,
    }
    return {name: value for name, value in report.items() if value is not None}


def junit_report(artifact: str, cases: str = "", properties: str = "", head: str = "") -> str:
    """A JUnit report on the artifact with this SHA-256; by default of two cases that passed."""
    cases = cases or '<testcase name="asks first"/><testcase name="refuses"/>'
    return f"""<?xml version="1.0" encoding="utf-8"?>
{head}<testsuites>
  <testsuite name="support-regression" tests="{cases.count("<testcase")}" errors="0" failures="0" skipped="0">
    <properties>
      <property name="ledger.dataset_sha256" value="{DATASET}"/>
      <property name="ledger.artifact_sha256" value="{artifact}"/>
      <property name="ledger.run_id" value="run-4711"/>
      {properties}
    </properties>
    {cases}
  </testsuite>
</testsuites>
"""


def written(folder: Path, report: dict[str, Any] | str, name: str = "report") -> Path:
    """A file with this report."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (f"{name}.xml" if isinstance(report, str) else f"{name}.json")
    path.write_text(report if isinstance(report, str) else json.dumps(report))
    return path
