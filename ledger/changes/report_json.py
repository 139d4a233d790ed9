"""Evaluation reports in JSON.

    {
      "format": "audit-ledger-evaluation/1",
      "suite": "support-regression",
      "run_id": "run-4711",
      "dataset_sha256": "<64 hex>",            // of the data set's bytes
      "artifact_sha256": "<64 hex>",           // of what was evaluated, as `audit-ledger change check` tells it
      "metrics": [
        {"name": "task_success", "score": 0.93, "threshold": 0.88, "direction": "at_least", "verdict": "passed"},
        {"name": "refusals", "score": 0.01}
      ]
    }

`threshold` and `direction` come together or not at all; `verdict` is optional. Every other field is required, an
unknown one is refused: what is misspelt must not be what is not there. Names stand once, numbers are finite.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from ledger.changes.evaluation import Fields, Metric, Report
from ledger.changes.structured import read_document
from ledger.errors import Rejected

FORMAT = "audit-ledger-evaluation/1"
_FIELDS = frozenset({"format", "suite", "run_id", "dataset_sha256", "artifact_sha256", "metrics"})
_METRIC_FIELDS = frozenset({"name", "score", "threshold", "direction", "verdict"})


def parse_json_report(data: bytes, where: str) -> Report:
    """The report in a file's bytes; `Rejected`, with the field, when it is none."""
    tree = read_document(data, where, is_json=True)
    fields = Fields(where)
    if not isinstance(tree, dict):
        raise Rejected("", f"{where}: expected a JSON object")
    if tree.get("format") != FORMAT:
        raise fields.wrong("format", f'"{FORMAT}"')
    _no_others(tree, _FIELDS, "", fields)
    metrics = tree.get("metrics")
    if metrics is not None and not isinstance(metrics, list):
        raise fields.wrong("metrics", "a list")
    return Report(
        where,
        fields.name(tree.get("suite"), "suite"),
        fields.name(tree.get("run_id"), "run_id"),
        fields.digest(tree.get("dataset_sha256"), "dataset_sha256"),
        fields.digest(tree.get("artifact_sha256"), "artifact_sha256"),
        fields.metrics([_metric(each, f"metrics[{i}]", fields) for i, each in enumerate(metrics or [])], "metrics"),
        sha256(data).digest(),
    )


def _metric(value: Any, at: str, fields: Fields) -> Metric:
    if not isinstance(value, dict):
        raise fields.wrong(at, "an object")
    _no_others(value, _METRIC_FIELDS, f"{at}.", fields)
    metric = Metric(
        fields.name(value.get("name"), f"{at}.name"),
        fields.number(value.get("score"), f"{at}.score"),
        fields.limit(value.get("threshold"), value.get("direction"), at),
    )
    fields.verdict(value.get("verdict"), metric, at)
    return metric


def _no_others(tree: dict[str, Any], known: frozenset[str], at: str, fields: Fields) -> None:
    if tree.keys() - known:
        raise fields.wrong(f"{at}*", f"no other fields than {', '.join(sorted(known))}")
