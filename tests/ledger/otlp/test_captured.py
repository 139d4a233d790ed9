"""What real instrumentation exports becomes events that answer an auditor's question, whichever package it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ledger.otlp.asked_tools import asked_tools
from ledger.record.translate import translate
from ledger.v1 import event_pb2 as pb
from tests.ledger.otlp.captured import EXPECTED, NAMES, events, mapped, requests, told

OPENAI = ("genai-openai-span", "openai-v2-latest", "openllmetry-openai", "openinference-openai")
"""Packages that write contents on the span, with OpenAI's client."""

PLAIN, STREAMED, WITH_TOOLS, WITH_RESULT, LIMITED = range(5)
"""The calls of each, in order."""


def reading(event: pb.Event) -> tuple[Any, ...]:
    """What an auditor asks of a request."""
    body = event.request
    return (body.vendor, body.model_requested, body.model_answered, body.tokens_in, body.tokens_out, body.finish_reason)


@pytest.mark.parametrize("name", NAMES)
def test_each_capture_becomes_exactly_what_is_written_down(name: str) -> None:
    """Every field of every event of a capture is the expected one, and the gateway takes the event."""
    assert told(name) == (EXPECTED / f"{name}.jsonl").read_text("utf-8")
    for event in events(name):
        translate(event)
    assert all(not one.refused for one in mapped(name))


@pytest.mark.parametrize("name", OPENAI)
def test_the_same_call_says_the_same_whoever_instrumented_it(name: str) -> None:
    """Vendor, models, tokens, finish reason, parameters, input and output of a call do not depend on the package."""
    event = requests(name)[PLAIN]
    assert reading(event) == ("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", 21, 7, pb.FINISH_REASON_STOP)
    assert (event.request.temperature, event.request.tokens_max) == (0.2, 100)
    assert event.request.provider_request_id == "chatcmpl-81"
    assert event.request.operation == pb.AI_OPERATION_CHAT
    assert "Where is order A-7?" in event.request.input.text
    assert "You help with orders." in event.request.input.text
    assert "It is on its way." in event.request.output.text
    assert event.request.latency_ms > 0
    assert (event.producer.service, event.producer.version, event.producer.environment) == ("desk", "1.4.0", "test")


@pytest.mark.parametrize("name", OPENAI)
def test_a_failed_call_keeps_its_error_and_its_input(name: str) -> None:
    """A refused call has the model asked for, an error's class and text, an input, and no output."""
    event = requests(name)[LIMITED]
    assert event.request.model_requested == "limited"
    assert "RateLimitError" in event.request.error_class
    assert "429" in event.request.error_text.text
    assert "Where is order A-7?" in event.request.input.text
    assert not event.request.HasField("output")
    assert not event.request.model_answered


@pytest.mark.parametrize("name", OPENAI)
def test_a_tool_that_was_asked_for_is_in_the_output(name: str) -> None:
    """An answer that asks for a tool names it with its call id and arguments; it is no tool call by itself."""
    event = requests(name)[WITH_TOOLS]
    assert event.request.finish_reason == pb.FINISH_REASON_TOOL_CALLS
    assert [(each.call_id, each.tool) for each in asked_tools(json.loads(event.request.output.text))] == [
        ("call_4f1", "find_order")
    ]
    assert "A-7" in event.request.output.text
    assert "find_order" in event.request.tool_definitions.text or name == "openai-v2-latest"
    assert not [each for each in events(name) if each.HasField("tool_call")]


@pytest.mark.parametrize(
    ("name", "vendor", "asked", "answered"),
    [
        ("openllmetry-anthropic", "anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
        ("openinference-anthropic", "anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
        ("openllmetry-bedrock", "aws.bedrock", "claude-3-5-sonnet-20240620-v1:0", ""),
        ("openinference-bedrock", "aws.bedrock", "anthropic.claude-3-5-sonnet-20240620-v1:0", ""),
        ("botocore", "aws.bedrock", "anthropic.claude-3-5-sonnet-20240620-v1:0", ""),
        ("google-genai-latest", "gcp.gemini", "gemini-2.5-flash", "gemini-2.5-flash"),
        ("openllmetry-older", "openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
        ("langfuse", "", "", "gpt-4o-mini"),
    ],
)
def test_vendor_and_models_are_what_the_package_says_and_no_more(
    name: str, vendor: str, asked: str, answered: str
) -> None:
    """What a package leaves out stays unknown; a model that may be either is marked as derived."""
    event = next(each for each in requests(name) if each.request.operation != pb.AI_OPERATION_OTHER)
    assert (event.request.vendor, event.request.model_requested, event.request.model_answered) == (
        vendor,
        asked,
        answered,
    )
    assert ("request.model_answered" in event.derived_fields) == (name == "langfuse")
    assert ("request.model_requested" in event.derived_fields) == (name == "openinference-bedrock")


@pytest.mark.parametrize("name", ["openai-v2-old", "genai-openai-event", "botocore"])
def test_contents_that_come_in_logs_amend_the_event_of_their_span(name: str) -> None:
    """Where only logs hold the contents, the span's event declares them absent, and an amendment of it brings them."""
    amendments = {event.amends_event_id: event for event in events(name) if event.amends_event_id}
    first = requests(name)[0]
    assert (first.request.input.absent, first.request.output.absent) == (True, True)
    late = amendments[first.event_id]
    assert "Where is order A-7?" in late.request.input.text
    assert "It is on its way." in late.request.output.text
    assert late.request.finish_reason == pb.FINISH_REASON_STOP
    assert late.story.session_id == first.story.session_id


def test_a_tool_without_a_call_id_is_paired_by_name_and_says_so() -> None:
    """A run under the request that asked for it gets that call's id and request, marked as inferred."""
    for name in ("google-genai-latest", "openllmetry-older"):
        (run,) = [event for event in events(name) if event.HasField("tool_call")]
        asking = next(event for event in requests(name) if event.event_id == run.tool_call.requested_by_event_id)
        assert run.tool_call.call_id in asking.request.output.text
        assert {"tool_call.call_id", "tool_call.requested_by_event_id"} <= set(run.derived_fields)


def test_a_client_that_traces_itself_beside_its_instrumentation_is_one_step() -> None:
    """The same call seen by an instrumentation and by the client itself is one event and an amendment of it."""
    for name in ("openinference-anthropic", "openllmetry-anthropic"):
        seen = [event for event in events(name) if event.request.provider_request_id == "msg_71"]
        amended = {event.amends_event_id for event in seen if event.amends_event_id}
        assert amended == {event.event_id for event in seen if not event.amends_event_id}
        assert all("amends_event_id" in event.derived_fields for event in seen if event.amends_event_id)


def test_an_mcp_tool_that_fails_is_an_error() -> None:
    """A tool called over MCP has its own name, parameters and result; `isError` in the result is an error."""
    ran, failed = events("openllmetry-mcp")
    assert (ran.tool_call.tool, ran.tool_call.outcome) == ("find_order", pb.TOOL_OUTCOME_OK)
    assert json.loads(ran.tool_call.parameters.text) == {"order": "A-7"}
    assert (failed.tool_call.tool, failed.tool_call.outcome) == ("no_such_tool", pb.TOOL_OUTCOME_ERROR)


def test_streamed_calls_say_so_and_when_the_first_token_came() -> None:
    """A streamed call has its flag and the time to its first token, derived where an event's time tells it."""
    for name, derived in (("genai-openai-span", False), ("openinference-openai", True), ("openllmetry-older", True)):
        event = requests(name)[STREAMED + (name == "openllmetry-older")]
        assert event.request.streamed
        assert event.request.time_to_first_token_ms > 0
        assert ("request.time_to_first_token_ms" in event.derived_fields) == derived


def test_prompts_without_an_id_stay_attributes() -> None:
    """A template and revision without a prompt's id name no prompt; they are kept as they came."""
    event = requests("openinference-openai")[PLAIN]
    assert not event.request.prompts
    kept = json.loads(event.request.attributes.text)
    assert kept["llm.prompt_template.template"] == "Help with {topic}"
    assert kept["llm.prompt_template.version"] == "7"
    assert json.loads(event.request.variables.text) == {"topic": "orders"}
