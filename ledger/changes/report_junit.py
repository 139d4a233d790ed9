"""Evaluation reports in JUnit XML, as test runners write it.

JUnit has no place for what an evaluation must say; properties of the suite (or of `testsuites`) say it:

    <testsuites>
      <testsuite name="support-regression" tests="2" failures="0" errors="0" skipped="0">
        <properties>
          <property name="ledger.dataset_sha256" value="<64 hex>"/>
          <property name="ledger.artifact_sha256" value="<64 hex>"/>
          <property name="ledger.run_id" value="run-4711"/>
          <property name="ledger.metric.task_success.score" value="0.93"/>
          <property name="ledger.metric.task_success.threshold" value="0.88"/>
          <property name="ledger.metric.task_success.direction" value="at_least"/>
        </properties>
        <testcase classname="refunds" name="asks first"/>
        ...

- The suite's name is the property `ledger.suite`, else the one `testsuite`'s name. One report is about one artifact: a
  property stands once in the file, and an unknown `ledger.` one is refused.
- The cases are a metric of their own, `pass_rate`: passed / (passed + failed + errored). Its threshold is 1, at least,
  unless `ledger.metric.pass_rate.threshold` and `.direction` say another: a failed or errored case fails the report.
- Skipped cases were not run: they count neither as passed nor as failed. A report in which nothing was run proves
  nothing and is refused, and so is one that holds fewer cases than its own count says.

The parser (defusedxml) takes no document type, no entity and nothing from outside, and goes no deeper than
`DEPTH_MAX`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from ledger.changes.evaluation import PASS_RATE, REPORT_BYTES_MAX, Fields, Limit, Metric, Report
from ledger.errors import Rejected

DEPTH_MAX = 32
PREFIX = "ledger."
_METRIC = "metric."
_OWN = ("suite", "run_id", "dataset_sha256", "artifact_sha256")
_PARTS = ("score", "threshold", "direction")


@dataclass(slots=True)
class _Seen:
    """What a file holds: names of its suites, its properties, and how its cases ended."""

    suites: list[str] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    said: int = 0


def parse_junit_report(data: bytes, where: str) -> Report:
    """The report in a file's bytes; `Rejected`, with the field, when it is none."""
    if len(data) > REPORT_BYTES_MAX:
        raise Rejected("", f"{where}: expected at most {REPORT_BYTES_MAX} bytes, got {len(data)}")
    fields = Fields(where)
    seen = _read(data, where, fields)
    own = {name: seen.properties.pop(name, None) for name in _OWN}
    metrics = [*_cases(seen, where, fields), *_metrics(seen.properties, fields)]
    if own["suite"] is None and len(seen.suites) != 1:
        raise Rejected("", f"{where}: {PREFIX}suite: is missing; the file has {len(seen.suites)} suites")
    suite = own["suite"] if own["suite"] is not None else seen.suites[0]
    return Report(
        where,
        fields.name(suite or None, f"{PREFIX}suite"),
        fields.name(own["run_id"], f"{PREFIX}run_id"),
        fields.digest(own["dataset_sha256"], f"{PREFIX}dataset_sha256"),
        fields.digest(own["artifact_sha256"], f"{PREFIX}artifact_sha256"),
        fields.metrics(metrics, "metrics"),
        sha256(data).digest(),
    )


def _read(data: bytes, where: str, fields: Fields) -> _Seen:
    seen = _Seen()
    try:
        for depth, element in _elements(data, where):
            tag = element.tag
            if depth == 1 and tag not in ("testsuites", "testsuite"):
                raise fields.wrong("the root", "testsuites or testsuite")
            if tag == "property":
                _property(element, seen, fields)
            elif tag == "testcase":
                _count(element, seen)
            elif tag == "testsuite" and (element.find("testcase") is not None or element.find("testsuite") is None):
                # Of a suite that only holds suites the count holds theirs.
                seen.suites.append(element.get("name", ""))
                seen.said += _tests(element, fields)
            if tag == "testcase":
                element.clear()
    except DefusedXmlException:
        raise Rejected("", f"{where}: expected XML without a document type and without entities") from None
    except (ParseError, ValueError, LookupError):
        raise Rejected("", f"{where}: expected XML") from None
    return seen


def _elements(data: bytes, where: str) -> Iterator[tuple[int, Element]]:
    """Each element when it ends, with its depth from 1."""
    depth = 0
    events = iterparse(
        BytesIO(data), events=("start", "end"), forbid_dtd=True, forbid_entities=True, forbid_external=True
    )
    for event, element in events:
        if event == "start":
            depth += 1
            if depth > DEPTH_MAX:
                raise Rejected("", f"{where}: expected elements in each other at most {DEPTH_MAX} deep")
        else:
            yield depth, element
            depth -= 1


def _property(element: Element, seen: _Seen, fields: Fields) -> None:
    name, value = element.get("name", ""), element.get("value")
    if not name.startswith(PREFIX):
        return
    short = name.removeprefix(PREFIX)
    if short in seen.properties:
        raise fields.wrong(f"{PREFIX}{short}" if short in _OWN else "a property", "each property once")
    seen.properties[short] = (value if value is not None else element.text) or ""


def _count(element: Element, seen: _Seen) -> None:
    ended = {each.tag for each in element}
    if ended & {"failure", "error"}:
        seen.failed += 1
    elif "skipped" in ended:
        seen.skipped += 1
    else:
        seen.passed += 1


def _tests(element: Element, fields: Fields) -> int:
    said = element.get("tests", "0")
    if not said.isascii() or not said.isdecimal() or len(said) > 9:
        raise fields.wrong("testsuite.tests", "a number of cases")
    return int(said)


def _cases(seen: _Seen, where: str, fields: Fields) -> list[Metric]:
    """`pass_rate`."""
    run = seen.passed + seen.failed
    if not run:
        raise Rejected("", f"{where}: testcase: nothing was run: {seen.skipped} cases, all of them skipped")
    if seen.said > run + seen.skipped and not seen.failed:
        raise fields.wrong("testsuite.tests", f"{run + seen.skipped}, the cases that it holds; it says {seen.said}")
    given = {part: seen.properties.pop(f"{_METRIC}{PASS_RATE}.{part}", None) for part in _PARTS}
    if given["score"] is not None:
        raise fields.wrong(f"{PREFIX}{_METRIC}{PASS_RATE}.score", "none: it is counted from the cases")
    limit = _limit(given, f"{PREFIX}{_METRIC}{PASS_RATE}", fields)
    return [Metric(PASS_RATE, seen.passed / run, limit or Limit(1.0, at_least=True))]


def _metrics(properties: dict[str, str], fields: Fields) -> Iterator[Metric]:
    parts: dict[str, dict[str, str]] = {}
    for short, value in properties.items():
        name, _, part = short.removeprefix(_METRIC).rpartition(".")
        if not short.startswith(_METRIC) or not name or part not in _PARTS:
            known = ", ".join([*_OWN, *(f"{_METRIC}NAME.{each}" for each in _PARTS)])
            raise fields.wrong(f"{PREFIX}*", f"no other properties than {known}")
        parts.setdefault(name, {})[part] = value
    for name, given in parts.items():
        at = f"{PREFIX}{_METRIC}{name}" if name.isprintable() and len(name) < 80 else "a metric"
        score = fields.number(_number(given.get("score"), f"{at}.score", fields), f"{at}.score")
        yield Metric(fields.name(name, at), score, _limit(given, at, fields))


def _limit(given: dict[str, str] | dict[str, str | None], at: str, fields: Fields) -> Limit | None:
    return fields.limit(_number(given.get("threshold"), f"{at}.threshold", fields), given.get("direction"), at)


def _number(text: str | None, field: str, fields: Fields) -> float | None:
    if text is None:
        return None
    try:
        # Python also reads 1_000, and digits of other scripts.
        if not text.isascii() or "_" in text:
            raise ValueError
        return float(text)
    except ValueError:
        raise fields.wrong(field, "a number") from None
