"""The recipes of docs/VENDORS.md, run as they stand: each vendor's own client, and nothing but an OTLP address.

One real ledger (`audit-ledger up`), one loopback vendor; every client in a process of its own. Every vendor answers the
same question: for this user, which model version, prompt revision and input produced which output, and which tools ran.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.vendors.child import CASES, QUESTION
from tests.vendors.document import body, contents, essence, sections, shown
from tests.vendors.recipes import Run
from tests.vendors.runs import BARE, OTHERS, OVER_HTTP, RECOMMENDED
from tests.vendors.runs_ledger import RunsLedger, runs_ledger
from tests.vendors.serving import Loopback
from tests.vendors.turns import ANSWER, ANSWER_TOKENS, ARGUMENTS, ASKING_TOKENS, TOOL

# A dozen processes of real clients beside a whole ledger: slow on a busy machine, and nothing else.
pytestmark = pytest.mark.timeout(900)

REDACTED = "Where is order 1001? Write to ⟨email:"
RESULT = {"order_id": "1001", "status": "shipped", "arrives": "Friday"}


@pytest.fixture(scope="module")
def ledger(vendor: Loopback, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunsLedger]:
    """The ledger after all runs."""
    with runs_ledger(tmp_path_factory.mktemp("ledger"), vendor) as running:
        running.run((*RECOMMENDED, *OTHERS, OVER_HTTP, BARE))
        yield running


@dataclass(frozen=True, slots=True)
class Facts:
    """What is to be known of every answered request of a run; None: unknown."""

    vendor: str
    asked: str
    answered: str | None
    region: str | None = None
    region_source: str | None = None
    deployment: str | None = None
    finish: tuple[str, str] = ("tool_calls", "stop")
    errors: tuple[str, str, str] = ("", "", "")


FACTS = {
    "openai": Facts(
        "openai",
        "gpt-4o",
        "gpt-4o-2024-08-06",
        errors=("openai.RateLimitError", "openai.BadRequestError", "httpx.RemoteProtocolError"),
    ),
    "azure": Facts(
        "azure.ai.openai",
        "support-gpt4o",
        "gpt-4o-2024-08-06",
        deployment="support-gpt4o",
        errors=("openai.RateLimitError", "openai.BadRequestError", "httpx.RemoteProtocolError"),
    ),
    "anthropic": Facts(
        "anthropic",
        "claude-haiku-4-5",
        "claude-haiku-4-5-20251001",
        finish=("tool_use", "end_turn"),
        errors=("rate_limit_error", "invalid_request_error", "connection_error"),
    ),
    "vertex": Facts(
        "gcp.vertex_ai",
        "gemini-2.5-flash",
        "gemini-2.5-flash-001",
        region="europe-west4",
        region_source="endpoint",
        finish=("stop", "stop"),
        errors=("429", "400", "httpx2.RemoteProtocolError"),
    ),
    "bedrock": Facts(
        "aws.bedrock",
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        None,
        region="eu-central-1",
        region_source="configuration",
        finish=("tool_use", "end_turn"),
        errors=("ThrottlingException", "ValidationException", ""),
    ),
}
RAISED = {
    "openai": ("RateLimitError", "BadRequestError", "RemoteProtocolError"),
    "azure": ("RateLimitError", "BadRequestError", "RemoteProtocolError"),
    "anthropic": ("RateLimitError", "BadRequestError", "RemoteProtocolError"),
    "vertex": ("ClientError", "ClientError", "RemoteProtocolError"),
    "bedrock": ("ThrottlingException", "ValidationException", "ProtocolError"),
}


@pytest.mark.parametrize("run", [*RECOMMENDED, *OTHERS, OVER_HTTP], ids=lambda run: run.name)
def test_the_application_is_not_changed(ledger: RunsLedger, run: Run) -> None:
    """Instrumented, every client answers as ever and raises its own errors."""
    raised = RAISED[run.name.partition("-")[0]]
    assert ledger.told[run.name] == dict(zip(CASES, (ANSWER, ANSWER, *raised), strict=True))


@pytest.mark.parametrize("case", ["whole", "stream"])
@pytest.mark.parametrize("run", RECOMMENDED, ids=lambda run: run.name)
def test_the_same_question_is_answered(ledger: RunsLedger, run: Run, case: str) -> None:
    """For this user: which model version, prompt revision and input produced which output, and which tools ran."""
    facts = FACTS[run.name]
    first, tool, last = ledger.steps(run, case)
    assert [step["kind"] for step in (first, tool, last)] == ["request", "tool_call", "request"]
    for step, finish, tokens in ((first, facts.finish[0], ASKING_TOKENS), (last, facts.finish[1], ANSWER_TOKENS)):
        told = body(step)
        fields = step["events"][0]["fields"]
        assert step["events"][0]["proof"]["state"] == "proven"
        assert (told["vendor"], told["model_requested"]) == (facts.vendor, facts.asked)
        assert told.get("model_answered") == facts.answered
        assert (told.get("region"), told.get("region_source")) == (facts.region, facts.region_source)
        assert told.get("deployment") == facts.deployment
        assert [(each["prompt_id"], each["revision"]) for each in told["prompts"]] == [("support", "7")]
        assert told["finish_reason_raw"] == finish
        assert told["tokens_out"] == tokens[1]
        assert told["tokens_in"] + (told.get("tokens_cached") or 0) >= tokens[0]
        assert told["latency_ms"] >= 0
        assert told["provider_request_id"]
        assert (fields["producer_service"], fields["producer_version"]) == ("support-bot", "1.4.2")
        assert QUESTION not in contents(step)["input"]
        assert REDACTED in contents(step)["input"]
        assert contents(step)["actor.user"] == run.user
    assert TOOL in contents(first)["output"]
    assert tool["requested_by_step"] == first["number"]
    # Vertex AI gives the call no id: by its name, in the same trace, and marked so.
    inferred = "tool_call.requested_by_event_id" in tool["events"][0]["fields"]["derived_fields"]
    assert inferred == (run.name == "vertex")
    assert ANSWER in contents(last)["output"]
    assert (body(tool)["tool"], body(tool)["outcome"]) == (TOOL, "ok")
    assert json.loads(contents(tool)["parameters"]) == ARGUMENTS
    assert json.loads(contents(tool)["result"]) == RESULT


def test_a_call_that_two_instrumentations_tell_of_is_one_step(ledger: RunsLedger) -> None:
    """Anthropic's client traces itself inside another's span: one step, what only the inner one knows amends it."""
    (both,) = (run for run in OTHERS if run.name == "anthropic-both")
    for case in ("whole", "stream"):
        first, tool, last = ledger.steps(both, case)
        assert [len(step["amendments"]) for step in (first, tool, last)] == [1, 0, 1]
        assert body(first)["vendor_account"]


def test_over_http_it_is_the_same(ledger: RunsLedger) -> None:
    """The exporters that speak HTTP bring the same events as those that speak gRPC."""
    for case in CASES:
        (grpc, http) = ([_facts(step) for step in ledger.steps(run, case)] for run in (RECOMMENDED[0], OVER_HTTP))
        assert grpc == http


def _facts(step: dict[str, Any]) -> tuple[str, set[str], set[str]]:
    """A step without what differs from run to run: what its events are, say and hold."""
    return step["kind"], {*body(step)}, {*contents(step)}


@pytest.mark.parametrize("run", RECOMMENDED, ids=lambda run: run.name)
def test_errors_are_on_record(ledger: RunsLedger, run: Run) -> None:
    """A refusal by the vendor is a request with its error, its input, and nothing that was not answered."""
    for case, error in zip(("error", "error-stream"), FACTS[run.name].errors, strict=False):
        (step,) = ledger.steps(run, case)
        assert body(step)["error_class"] == error
        assert body(step)["model_requested"] == FACTS[run.name].asked
        assert {"model_answered", "tokens_out"}.isdisjoint(body(step))
        assert REDACTED in contents(step)["input"]
        assert "output" not in contents(step)


def test_the_document_shows_what_is_so(ledger: RunsLedger) -> None:
    """The document's table and its printed reconstructions are those of this run, ids, times and numbers aside."""
    made = {name: essence(part) for name, part in sections(ledger).items()}
    assert {name: essence(part) for name, part in shown().items()} == made
