"""The applications of docs/VENDORS.md without telemetry: behind the recording proxy, and with the ledger's own client.

A real ledger, a real `audit-ledger proxy`, one loopback vendor; every client in a process of its own. The same question
is answered as by telemetry (`test_recipes`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.vendors.child import CASES, QUESTION
from tests.vendors.document import contents
from tests.vendors.recipes import Run
from tests.vendors.runs import PROXIED, RECORDED
from tests.vendors.runs_ledger import RunsLedger, runs_ledger
from tests.vendors.serving import Loopback
from tests.vendors.test_recipes import FACTS, RAISED, REDACTED, RESULT
from tests.vendors.turns import ANSWER, ANSWER_TOKENS, ARGUMENTS, ASKING_TOKENS, TOOL

# A dozen processes of real clients beside a whole ledger: slow on a busy machine, and nothing else.
pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True, slots=True)
class PathFacts:
    """What a path tells of a vendor: the region and whence, and the classes of its errors."""

    region: tuple[str | None, str | None]
    errors: tuple[str, str]


UNKNOWN = (None, None)
BEHIND_PROXY = {
    "openai": PathFacts(UNKNOWN, ("rate_limit_exceeded", "context_length_exceeded")),
    "azure": PathFacts(("Sweden Central", "response-header"), ("rate_limit_exceeded", "context_length_exceeded")),
    "anthropic": PathFacts(UNKNOWN, ("rate_limit_error", "invalid_request_error")),
    "vertex": PathFacts(("europe-west4", "endpoint"), ("RESOURCE_EXHAUSTED", "INVALID_ARGUMENT")),
    "bedrock": PathFacts(("eu-central-1", "configuration"), ("ThrottlingException", "ValidationException")),
}
BY_CLIENT = {
    "openai": PathFacts(UNKNOWN, ("openai.RateLimitError", "openai.BadRequestError")),
    "azure": PathFacts(("swedencentral", "configuration"), ("openai.RateLimitError", "openai.BadRequestError")),
    "anthropic": PathFacts(UNKNOWN, ("anthropic.RateLimitError", "anthropic.BadRequestError")),
    "vertex": PathFacts(("europe-west4", "configuration"), ("ClientError", "ClientError")),
    "bedrock": PathFacts(("eu-central-1", "configuration"), ("ThrottlingException", "ValidationException")),
}
EVERY = pytest.mark.parametrize("run", [*PROXIED, *RECORDED], ids=lambda run: run.name)


@pytest.fixture(scope="module")
def ledger(vendor: Loopback, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunsLedger]:
    """The ledger after all runs, the proxy drained and gone."""
    with runs_ledger(tmp_path_factory.mktemp("ledger"), vendor) as running:
        with running.proxy() as exported:
            running.run(PROXIED, **exported)
        running.run(RECORDED)
        yield running


def named(run: Run) -> str:
    """The vendor of a run."""
    return run.name.partition("-")[0]


def path_facts(run: Run) -> PathFacts:
    """What this run's path tells of its vendor."""
    return (BEHIND_PROXY if run in PROXIED else BY_CLIENT)[named(run)]


def requests(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The steps that are requests."""
    return [step for step in steps if step["kind"] == "request"]


def last(step: dict[str, Any]) -> dict[str, Any]:
    """What the last of a step's events says."""
    event = step["events"][-1]
    found: dict[str, Any] = event["fields"][event["kind"]]
    return found


@EVERY
def test_the_application_is_not_changed(ledger: RunsLedger, run: Run) -> None:
    """Every client answers as ever and raises its own errors."""
    told = ledger.told[run.name]
    assert list(told) == list(CASES)
    assert list(told.values())[:4] == [ANSWER, ANSWER, *RAISED[named(run)][:2]]
    assert told["cut"] not in (ANSWER, "")


@pytest.mark.parametrize("case", ["whole", "stream"])
@EVERY
def test_the_same_question_is_answered(ledger: RunsLedger, run: Run, case: str) -> None:
    """For this user: which model version, prompt revision and input produced which output, and which tools ran."""
    facts, steps = FACTS[named(run)], ledger.steps(run, case)
    asking, answering = requests(steps)
    (tool,) = (step for step in steps if step["kind"] == "tool_call")
    for step, tokens in ((asking, ASKING_TOKENS), (answering, ANSWER_TOKENS)):
        told = last(step)
        assert {event["proof"]["state"] for event in step["events"]} == {"proven"}
        assert (told["vendor"], told["model_requested"]) == (facts.vendor, facts.asked)
        assert told.get("model_answered") == facts.answered
        assert (told.get("region"), told.get("region_source")) == path_facts(run).region
        assert told.get("deployment") == facts.deployment
        assert [(each["prompt_id"], each["revision"]) for each in told["prompts"]] == [("support", "7")]
        assert (told["tokens_in"], told["tokens_out"]) == tokens[:2]
        assert told["finish_reason_raw"]
        assert told["provider_request_id"]
        assert "latency_ms" in told
        assert QUESTION not in contents(step)["input"]
        assert REDACTED in contents(step)["input"]
        assert contents(step)["actor.user"] == run.user
    assert TOOL in contents(asking)["output"]
    assert ANSWER in contents(answering)["output"]
    assert last(tool)["tool"] == TOOL
    assert json.loads(contents(tool)["parameters"]) == ARGUMENTS
    assert all(value in contents(tool)["result"] for value in RESULT.values())


@EVERY
def test_the_answer_that_asked_for_the_tool_is_known(ledger: RunsLedger, run: Run) -> None:
    """By the call's id; Vertex AI gives none, which only what runs in the service can make up for."""
    steps = ledger.steps(run, "whole")
    (tool,) = (step for step in steps if step["kind"] == "tool_call")
    known = run in RECORDED or named(run) != "vertex"
    assert tool["requested_by_step"] == (requests(steps)[0]["number"] if known else None)


@EVERY
def test_errors_are_on_record(ledger: RunsLedger, run: Run) -> None:
    """A request that the vendor refused says why, and holds its input; behind the proxy, every attempt."""
    for case, error in zip(("error", "error-stream"), path_facts(run).errors, strict=True):
        steps = requests(ledger.steps(run, case))
        assert steps
        for step in steps:
            assert last(step)["error_class"].endswith(error)
            assert REDACTED in contents(step)["input"]
            assert "output" not in contents(step)


@EVERY
def test_a_stream_that_breaks_off_is_on_record(ledger: RunsLedger, run: Run) -> None:
    """It is on record that the connection broke, and what had been asked."""
    (step,) = ledger.steps(run, "cut")
    assert last(step)["error_class"]
    assert REDACTED in contents(step)["input"]
