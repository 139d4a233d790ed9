"""The applications of docs/VENDORS.md behind the recording proxy: no instrumentation, and the same is on record.

A real ledger, a real `audit-ledger proxy`, one loopback vendor; every client in a process of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.vendors.child import CASES, QUESTION
from tests.vendors.document import contents
from tests.vendors.recipes import Run
from tests.vendors.runs import PROXIED
from tests.vendors.runs_ledger import RunsLedger, runs_ledger
from tests.vendors.serving import Loopback
from tests.vendors.test_recipes import FACTS, RAISED, REDACTED, RESULT
from tests.vendors.turns import ANSWER, ANSWER_TOKENS, ARGUMENTS, ASKING_TOKENS, TOOL

REGIONS = {
    "azure": ("Sweden Central", "response-header"),
    "vertex": ("europe-west4", "endpoint"),
    "bedrock": ("eu-central-1", "configuration"),
}
CLASSES = {
    "openai": ("rate_limit_exceeded", "context_length_exceeded"),
    "azure": ("rate_limit_exceeded", "context_length_exceeded"),
    "anthropic": ("rate_limit_error", "invalid_request_error"),
    "vertex": ("RESOURCE_EXHAUSTED", "INVALID_ARGUMENT"),
    "bedrock": ("ThrottlingException", "ValidationException"),
}
EVERY = pytest.mark.parametrize("run", PROXIED, ids=lambda run: run.name.partition("-")[0])


@pytest.fixture(scope="module")
def ledger(vendor: Loopback, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunsLedger]:
    """The ledger after all runs, the proxy drained and gone."""
    with runs_ledger(tmp_path_factory.mktemp("ledger"), vendor) as running:
        with running.proxy() as exported:
            running.run(PROXIED, **exported)
        running.seal()
        yield running


def named(run: Run) -> str:
    """The vendor of a run."""
    return run.name.partition("-")[0]


@EVERY
def test_the_application_is_not_changed(ledger: RunsLedger, run: Run) -> None:
    """Behind the proxy every client answers as ever and raises its own errors."""
    told = ledger.told[run.name]
    assert list(told.values())[:4] == [ANSWER, ANSWER, *RAISED[named(run)][:2]]
    assert list(told) == list(CASES)
    assert told["cut"] not in (ANSWER, "")


@pytest.mark.parametrize("case", ["whole", "stream"])
@EVERY
def test_the_same_question_is_answered(ledger: RunsLedger, run: Run, case: str) -> None:
    """For this user: which model version, prompt revision and input produced which output, and which tools ran."""
    facts = FACTS[named(run)]
    steps = ledger.steps(run, case)
    first, last = (step for step in steps if step["kind"] == "request")
    (tool,) = (step for step in steps if step["kind"] == "tool_call")
    for step, tokens in ((first, ASKING_TOKENS), (last, ANSWER_TOKENS)):
        told = _last(step)
        assert {event["proof"]["state"] for event in step["events"]} == {"proven"}
        assert (told["vendor"], told["model_requested"]) == (facts.vendor, facts.asked)
        assert told.get("model_answered") == facts.answered
        assert (told.get("region"), told.get("region_source")) == REGIONS.get(named(run), (None, None))
        assert told.get("deployment") == facts.deployment
        assert [(each["prompt_id"], each["revision"]) for each in told["prompts"]] == [("support", "7")]
        assert (told["tokens_in"], told["tokens_out"]) == tokens[:2]
        assert told["provider_request_id"]
        assert QUESTION not in contents(step)["input"]
        assert REDACTED in contents(step)["input"]
        assert contents(step)["actor.user"] == run.user
    assert TOOL in contents(first)["output"]
    assert ANSWER in contents(last)["output"]
    assert _last(tool)["tool"] == TOOL
    # Vertex AI gives the call no id, and the proxy sees nothing else that joins the two.
    assert tool["requested_by_step"] == (None if named(run) == "vertex" else first["number"])
    assert json.loads(contents(tool)["parameters"]) == ARGUMENTS
    assert all(value in contents(tool)["result"] for value in RESULT.values())


@EVERY
def test_errors_are_on_record(ledger: RunsLedger, run: Run) -> None:
    """Every attempt that the vendor refused is a request with the vendor's own word for why, and its input."""
    for case, error in zip(("error", "error-stream"), CLASSES[named(run)], strict=True):
        steps = ledger.steps(run, case)
        assert steps
        for step in steps:
            assert _last(step)["error_class"] == error
            assert REDACTED in contents(step)["input"]
            assert "output" not in contents(step)


@EVERY
def test_a_stream_that_breaks_off_is_on_record(ledger: RunsLedger, run: Run) -> None:
    """What came before the connection broke is on record, and that it broke."""
    (step,) = ledger.steps(run, "cut")
    assert _last(step)["error_class"]
    assert REDACTED in contents(step)["input"]


def _last(step: dict[str, Any]) -> dict[str, Any]:
    """What the last of a step's events says."""
    event = step["events"][-1]
    found: dict[str, Any] = event["fields"][event["kind"]]
    return found
