"""The vendors' own clients through the proxy: they read what the vendor says, and what happened is on record."""

from __future__ import annotations

import json

import pytest

from ledger.record.translate import translate
from ledger.v1 import event_pb2 as pb
from tests.ledger.proxy.running import Running
from tests.ledger.proxy.speaking import CLIENTS, Spoken, spoken_converse, spoken_google, spoken_openai
from tests.vendors.serving import Loopback
from tests.vendors.turns import ANSWER, ARGUMENTS, PLAIN, TOOL

EVERY_CLIENT = pytest.mark.parametrize("name", list(CLIENTS))
SECRETS = ("sk-secret", "sk-ant-secret", "Bearer", "the caller's own", "the proxy's own")


def held(event: pb.Event, *wanted: str) -> list[str]:
    """Those of the texts that stand anywhere in an event."""
    data = event.SerializeToString()
    return [each for each in wanted if each.encode() in data]


def check_request(event: pb.Event, spoken: Spoken, *, streamed: bool) -> pb.AiRequest:
    """What every recorded request says, whatever the vendor."""
    assert translate(event).kind == "request"
    assert event.producer.capture_path == pb.CAPTURE_PATH_PROXY
    assert (event.actor.user.identifier, event.story.session_id) == ("mia", "s-1")
    assert event.actor.identity_source == pb.IDENTITY_SOURCE_CLAIMED
    assert event.actor.identity_attribute == "x-ledger-user"
    assert event.policy_decision.verdict == pb.VERDICT_ALLOW
    assert (event.policy_decision.policy_id, event.policy_decision.policy_revision) == ("test", "1")
    request = event.request
    assert (request.vendor, request.model_requested) == (spoken.vendor, spoken.asked)
    assert [(each.prompt_id, each.revision) for each in request.prompts] == [("greeting", "7")]
    assert request.streamed is streamed
    assert request.HasField("latency_ms")
    assert held(event, *SECRETS) == []
    return request


@EVERY_CLIENT
def test_a_plain_answer(name: str, proxy: Running) -> None:
    """The client reads the vendor's answer; the record holds who asked what of which model, and what came back."""
    spoken = CLIENTS[name](proxy.url)
    assert spoken.plain("Good morning") == PLAIN
    request = check_request(proxy.event(), spoken, streamed=False)
    assert request.model_answered == spoken.answered
    assert "Good morning" in request.input.text
    assert request.output.text == PLAIN
    assert (request.tokens_in, request.tokens_out) == (12, 3)
    assert request.finish_reason == pb.FINISH_REASON_STOP
    assert request.provider_request_id
    assert request.output_delivered == pb.DELIVERY_AS_IS
    assert proxy.event().phase == pb.PHASE_SINGLE


@EVERY_CLIENT
def test_a_streamed_answer(name: str, proxy: Running) -> None:
    """A streamed answer reads the same, and its record says what it said, with the time to its first token."""
    spoken = CLIENTS[name](proxy.url)
    assert spoken.streamed("Good morning") == PLAIN
    request = check_request(proxy.event(), spoken, streamed=True)
    assert request.output.text == PLAIN
    assert request.model_answered == spoken.answered
    assert (request.tokens_in, request.tokens_out) == (12, 3)
    assert request.HasField("time_to_first_token_ms")
    assert request.time_to_first_token_ms <= request.latency_ms


@EVERY_CLIENT
def test_a_tool_asked_for_and_run(name: str, proxy: Running) -> None:
    """A call that the model asked for stands in its answer; the result in the next request is a tool that ran."""
    spoken = CLIENTS[name](proxy.url)
    assert spoken.tool_story() == ANSWER
    events = proxy.events(3)
    asking, answered = (each for each in events if each.WhichOneof("body") == "request")
    (ran,) = (each for each in events if each.WhichOneof("body") == "tool_call")
    assert asking.request.finish_reason == pb.FINISH_REASON_TOOL_CALLS
    assert TOOL in asking.request.output.text
    assert answered.request.output.text == ANSWER
    assert TOOL in answered.request.tool_definitions.text
    assert ran.tool_call.tool == TOOL
    assert json.loads(ran.tool_call.parameters.text) == ARGUMENTS
    assert "on its way" in ran.tool_call.result.text
    assert (ran.actor.user.identifier, ran.story.session_id) == ("mia", "s-1")
    assert list(ran.derived_fields) == ["event_id", "tool_call"]
    said_error = name in ("anthropic", "converse")
    expected = pb.TOOL_OUTCOME_ERROR if said_error else pb.TOOL_OUTCOME_UNSPECIFIED
    assert ran.tool_call.outcome == expected
    if name not in ("gemini", "vertex"):
        assert ran.tool_call.call_id
        assert ran.tool_call.call_id in asking.request.output.text
    assert translate(ran).kind == "tool_call"


@EVERY_CLIENT
def test_a_vendors_error(name: str, proxy: Running) -> None:
    """A 429 reaches the client as the vendor's own error, and is on record in the vendor's own word."""
    spoken = CLIENTS[name](proxy.url)
    assert spoken.overloaded() == spoken.error_class
    request = check_request(proxy.event(), spoken, streamed=False)
    assert request.error_class == spoken.error_class
    assert request.error_text.text
    assert not request.HasField("output")


def test_regions_and_places_are_told_by_what_knows_them(proxy: Running) -> None:
    """Region, project, deployment and account come from the answer, the path or the configuration, and say which."""
    spoken_openai(proxy.url, azure=True).plain("hi")
    spoken_google(proxy.url, vertex=True).plain("hi")
    spoken_converse(proxy.url).plain("hi")
    spoken_openai(proxy.url).plain("hi")
    azure, vertex, bedrock, plain = (each.request for each in proxy.events(4))
    assert (azure.region, azure.region_source, azure.deployment) == (
        "Sweden Central",
        "response-header",
        "support-gpt4o",
    )
    assert (vertex.region, vertex.region_source, vertex.vendor_project) == ("europe-west4", "endpoint", "acme-support")
    assert (bedrock.region, bedrock.region_source) == ("eu-central-1", "configuration")
    assert (plain.vendor_account, plain.vendor_project) == ("acme-org", "proj_support")


def test_bedrock_requests_are_signed_again(proxy: Running, vendor: Loopback) -> None:
    """What reaches Bedrock is signed with the proxy's credentials, for its region and host, and nothing else is."""
    spoken_converse(proxy.url).plain("hi")
    (seen,) = vendor.seen
    sent = {name.lower(): value for name, value in seen.headers.items()}
    assert "Credential=AKIAPROXY/" in sent["authorization"]
    assert "/eu-central-1/bedrock/aws4_request" in sent["authorization"]
    assert sent["x-amz-security-token"] == "the proxy's own session"
    assert not [name for name in sent if name.startswith("x-ledger-")]
    assert sent["host"] == vendor.url.removeprefix("http://")
