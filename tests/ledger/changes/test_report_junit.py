"""Evaluation reports in JUnit XML."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.changes.evaluation import REPORT_BYTES_MAX, Limit, Metric, Report
from ledger.changes.report_junit import parse_junit_report
from ledger.errors import Rejected
from tests.ledger.changes.reports import DATASET, junit_report

ARTIFACT = "ab" * 32
FAILED = '<testcase name="a"/><testcase name="b"><failure message="x"/></testcase>'
ERRORED = '<testcase name="a"/><testcase name="b"><error/></testcase>'
SKIPPED = '<testcase name="a"/><testcase name="b"><skipped/></testcase>'


def parsed(text: str) -> Report:
    """The report in a text."""
    return parse_junit_report(text.encode(), "report.xml")


def prop(name: str, value: str) -> str:
    """One property of ours."""
    return f'<property name="ledger.{name}" value="{value}"/>'


def test_a_report_says_what_was_measured() -> None:
    """Properties and cases become a report; all cases must pass unless it says otherwise."""
    more = prop("metric.task.success.score", "0.93") + prop("metric.task.success.threshold", "0.88")
    found = parsed(junit_report(ARTIFACT, properties=more + prop("metric.task.success.direction", "at_least")))
    assert (found.suite, found.run_id) == ("support-regression", "run-4711")
    assert (found.dataset.hex(), found.artifact.hex()) == (DATASET, ARTIFACT)
    assert found.metrics == (
        Metric("pass_rate", 1.0, Limit(1.0, True)),
        Metric("task.success", 0.93, Limit(0.88, True)),
    )


@pytest.mark.parametrize(("cases", "rate"), [(FAILED, 0.5), (ERRORED, 0.5), (SKIPPED, 1.0), (FAILED + SKIPPED, 2 / 3)])
def test_failed_and_errored_cases_count_and_skipped_ones_do_not(cases: str, rate: float) -> None:
    """The pass rate is of the cases that were run."""
    (found,) = parsed(junit_report(ARTIFACT, cases)).metrics
    assert found.score == pytest.approx(rate)
    assert found.limit == Limit(1.0, True)


def test_a_report_may_ask_for_less_than_all() -> None:
    """A threshold of the pass rate stands in the file, with its direction."""
    more = prop("metric.pass_rate.threshold", "0.5") + prop("metric.pass_rate.direction", "at_least")
    (found,) = parsed(junit_report(ARTIFACT, FAILED, more)).metrics
    assert found.limit == Limit(0.5, True)


def test_what_pytest_writes_is_read() -> None:
    """A suite inside `testsuites`, outputs, properties of a case, and attributes that are nobody's business."""
    cases = (
        '<testcase classname="a.b" name="c" time="0.1"><properties><property name="x" value="y"/></properties>'
        '<system-out><![CDATA[<failure>]]></system-out></testcase><testcase name="d"/>'
    )
    assert parsed(junit_report(ARTIFACT, cases)).metrics[0].score == 1.0


def test_suites_in_a_suite_are_counted_once() -> None:
    """The count of a suite that only holds suites is theirs."""
    inner = (
        junit_report(ARTIFACT, properties=prop("suite", "all"))
        .partition("<testsuites>")[2]
        .partition("</testsuites>")[0]
    )
    found = parsed(f'<testsuites tests="2"><testsuite name="outer" tests="2">{inner}</testsuite></testsuites>')
    assert found.suite == "all"
    assert found.metrics[0].score == 1.0


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (junit_report(ARTIFACT).replace(prop("dataset_sha256", DATASET), ""), "ledger.dataset_sha256: is missing"),
        (junit_report(ARTIFACT).replace(prop("artifact_sha256", ARTIFACT), ""), "ledger.artifact_sha256: is missing"),
        (junit_report(ARTIFACT).replace(prop("run_id", "run-4711"), ""), "ledger.run_id: is missing"),
        (junit_report(ARTIFACT).replace('name="support-regression" ', ""), "ledger.suite: is missing"),
        (junit_report(ARTIFACT).replace("<testsuites>", "<testsuites><testsuite/>"), "the file has 2 suites"),
        (junit_report("xyz"), "ledger.artifact_sha256: expected a SHA-256"),
        (junit_report(ARTIFACT, properties=prop("run_id", "other")), "ledger.run_id: expected each property once"),
        (junit_report(ARTIFACT, properties=prop("runid", "x")), "expected no other properties"),
        (junit_report(ARTIFACT, properties=prop("metric.m.scor", "1")), "expected no other properties"),
        (junit_report(ARTIFACT, properties=prop("metric.m.threshold", "1")), "metric.m.score: is missing"),
        (junit_report(ARTIFACT, properties=prop("metric.m.score", "nan")), "metric.m.score: expected a finite number"),
        (junit_report(ARTIFACT, properties=prop("metric.m.score", "1e999")), "metric.m.score: expected a finite"),
        (junit_report(ARTIFACT, properties=prop("metric.m.score", "1_0")), "metric.m.score: expected a number"),
        (junit_report(ARTIFACT, properties=prop("metric.m.score", "")), "metric.m.score: expected a number"),
        (junit_report(ARTIFACT, properties=prop("metric.pass_rate.score", "1")), "it is counted from the cases"),
        (junit_report(ARTIFACT, properties=prop("metric.pass_rate.threshold", "1")), "pass_rate.direction: is missing"),
        (junit_report(ARTIFACT, '<testcase name="a"><skipped/></testcase>'), "nothing was run"),
        (junit_report(ARTIFACT).replace("<testcase", "<case"), "nothing was run"),
        (junit_report(ARTIFACT).replace('tests="2"', 'tests="3"'), "testsuite.tests: expected 2"),
        (junit_report(ARTIFACT).replace('tests="2"', 'tests="-1"'), "testsuite.tests"),
        ("<html/>", "the root: expected testsuites or testsuite"),
        (junit_report(ARTIFACT)[:-15], "expected XML"),
        ("", "expected XML"),
    ],
)
def test_what_is_wrong_is_named(text: str, place: str) -> None:
    """A property that is missing or wrong, a file that was cut off, and a report that proves nothing are refused."""
    with pytest.raises(Rejected, match=re.escape(place)):
        parsed(text)


BILLION = '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "text",
    [
        junit_report(ARTIFACT, head=BILLION).replace("run-4711", "&b;"),
        junit_report(ARTIFACT, head='<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>').replace(
            "run-4711", "&f;"
        ),
        junit_report(ARTIFACT, head='<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">'),
        junit_report(ARTIFACT, head="<!DOCTYPE x>"),
        junit_report(ARTIFACT, head='<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>'),
    ],
)
def test_entities_and_document_types_are_refused(text: str) -> None:
    """Nothing is expanded and nothing is fetched, whatever the file says."""
    with pytest.raises(Rejected, match="without a document type"):
        parsed(text)


def test_depth_and_size_are_bounded() -> None:
    """Elements in each other without end and a file without end are refused, not read."""
    with pytest.raises(Rejected, match="deep"):
        parsed("<testsuites>" + "<a>" * 1_000_000)
    with pytest.raises(Rejected, match="bytes"):
        parse_junit_report(b" " * (REPORT_BYTES_MAX + 1), "report.xml")


fragments = st.sampled_from(
    [
        *("<testsuites>", "</testsuites>", "<testsuite name='s'>", "</testsuite>", "<testcase>", "</testcase>"),
        *("<failure/>", "<properties>", prop("run_id", "r"), prop("metric.m.score", "1"), "<!DOCTYPE a>", "&a;", "<"),
    ]
)


@given(st.binary(max_size=200) | st.lists(fragments, max_size=12).map(lambda parts: "".join(parts).encode()))
def test_any_bytes_are_refused(data: bytes) -> None:
    """What is no whole report is refused, and never in another way."""
    with pytest.raises(Rejected):
        parse_junit_report(data, "report.xml")
