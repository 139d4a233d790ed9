"""The vendors' own clients through the proxy: they read what the vendor says, and what happened is on record."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anthropic
import boto3
import botocore.config
import openai
import pytest
from google import genai
from google.genai import types as google_types
from google.oauth2.credentials import Credentials

from ledger.record.translate import translate
from ledger.v1 import event_pb2 as pb
from tests.ledger.proxy.running import Running
from tests.vendors import bedrock_api
from tests.vendors.serving import Loopback
from tests.vendors.turns import ANSWER, ARGUMENTS, OVERLOADED, PLAIN, TOOL

CUSTOM = {"x-ledger-user": "mia", "x-ledger-session": "s-1", "x-ledger-prompt": "greeting@7"}
RESULT = '{"state":"on its way"}'


@dataclass(frozen=True)
class Spoken:
    """How one vendor's client asks, streams, fails, and answers a tool; each gives the text that came."""

    vendor: str
    asked: str
    answered: str
    plain: Callable[[str], str]
    streamed: Callable[[str], str]
    tool_story: Callable[[], str]
    overloaded: Callable[[], str]
    error_class: str
    has_id: bool = True


def openai_client(url: str, azure: bool) -> Any:
    if azure:
        return openai.AzureOpenAI(
            azure_endpoint=f"{url}/azure",
            api_version="2024-10-21",
            api_key="sk-secret",
            max_retries=0,
            default_headers=CUSTOM,
        )
    return openai.OpenAI(base_url=f"{url}/openai/v1", api_key="sk-secret", max_retries=0, default_headers=CUSTOM)


def spoken_openai(url: str, *, azure: bool = False) -> Spoken:
    client = openai_client(url, azure)
    model = "support-gpt4o" if azure else "gpt-4o"
    tools = [{"type": "function", "function": {"name": TOOL, "parameters": {"type": "object"}}}]

    def ask(messages: list[Any], **more: Any) -> Any:
        return client.chat.completions.create(model=model, messages=messages, **more)

    def user(text: str) -> dict[str, Any]:
        return {"role": "user", "content": text}

    def streamed(text: str) -> str:
        chunks = ask([user(text)], stream=True, stream_options={"include_usage": True})
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

    def story() -> str:
        question = user("Where is it?")
        first = ask([question], tools=tools).choices[0].message
        result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": RESULT}
        history = [question, first.model_dump(exclude_none=True), result]
        return str(ask(history, tools=tools).choices[0].message.content)

    def overloaded() -> str:
        with pytest.raises(openai.RateLimitError) as error:
            ask([user(OVERLOADED)])
        return str(error.value.code)

    return Spoken(
        "azure.ai.openai" if azure else "openai",
        model,
        "gpt-4o-2024-08-06",
        lambda text: str(ask([user(text)]).choices[0].message.content),
        streamed,
        story,
        overloaded,
        "rate_limit_exceeded",
    )


def spoken_responses(url: str) -> Spoken:
    client = openai_client(url, azure=False)
    tools = [{"type": "function", "name": TOOL, "parameters": {"type": "object"}, "strict": False}]

    def ask(given: Any, **more: Any) -> Any:
        return client.responses.create(model="gpt-4o", input=given, **more)

    def streamed(text: str) -> str:
        with client.responses.stream(model="gpt-4o", input=text) as stream:
            return str(stream.get_final_response().output_text)

    def story() -> str:
        (call,) = ask("Where is it?", tools=tools).output
        result = {"type": "function_call_output", "call_id": call.call_id, "output": RESULT}
        history = [{"role": "user", "content": "Where is it?"}, call.to_dict(), result]
        return str(ask(history, tools=tools).output_text)

    def overloaded() -> str:
        with pytest.raises(openai.RateLimitError) as error:
            ask(OVERLOADED)
        return str(error.value.code)

    return Spoken(
        "openai",
        "gpt-4o",
        "gpt-4o-2024-08-06",
        lambda text: str(ask(text).output_text),
        streamed,
        story,
        overloaded,
        "rate_limit_exceeded",
    )


def spoken_anthropic(url: str) -> Spoken:
    client = anthropic.Anthropic(
        base_url=f"{url}/anthropic", api_key="sk-ant-secret", max_retries=0, default_headers=CUSTOM
    )
    tools: Any = [{"name": TOOL, "input_schema": {"type": "object"}}]

    def ask(messages: Any, **more: Any) -> Any:
        return client.messages.create(model="claude-haiku-4-5", max_tokens=100, messages=messages, **more)

    def user(content: Any) -> dict[str, Any]:
        return {"role": "user", "content": content}

    def streamed(text: str) -> str:
        messages: Any = [user(text)]
        with client.messages.stream(model="claude-haiku-4-5", max_tokens=100, messages=messages) as stream:
            return stream.get_final_text()

    def story() -> str:
        first = ask([user("Where is it?")], tools=tools)
        result = {"type": "tool_result", "tool_use_id": first.content[0].id, "content": RESULT, "is_error": True}
        asked = {"role": "assistant", "content": [each.model_dump(exclude_none=True) for each in first.content]}
        return str(ask([user("Where is it?"), asked, user([result])], tools=tools).content[0].text)

    def overloaded() -> str:
        with pytest.raises(anthropic.RateLimitError):
            ask([user(OVERLOADED)])
        return "rate_limit_error"

    return Spoken(
        "anthropic",
        "claude-haiku-4-5",
        "claude-haiku-4-5-20251001",
        lambda text: str(ask([user(text)]).content[0].text),
        streamed,
        story,
        overloaded,
        "rate_limit_error",
    )


def spoken_google(url: str, *, vertex: bool) -> Spoken:
    options = google_types.HttpOptions(
        base_url=f"{url}/{'vertex' if vertex else 'gemini'}", headers=CUSTOM, retry_options=None
    )
    if vertex:
        client = genai.Client(
            vertexai=True,
            project="acme-support",
            location="europe-west4",
            credentials=Credentials("secret"),  # type: ignore[no-untyped-call]
            http_options=options,
        )
    else:
        client = genai.Client(api_key="secret", http_options=options)
    declared: Any = [{"function_declarations": [{"name": TOOL}]}]
    config = google_types.GenerateContentConfig(
        tools=declared, automatic_function_calling=google_types.AutomaticFunctionCallingConfig(disable=True)
    )
    model = "gemini-2.5-flash"

    def streamed(text: str) -> str:
        return "".join(each.text or "" for each in client.models.generate_content_stream(model=model, contents=text))

    def story() -> str:
        first = client.models.generate_content(model=model, contents="Where is it?", config=config)
        ran = google_types.Part.from_function_response(name=TOOL, response={"output": RESULT})
        history: Any = [
            google_types.Content(role="user", parts=[google_types.Part(text="Where is it?")]),
            first.candidates[0].content,  # type: ignore[index]
            google_types.Content(role="user", parts=[ran]),
        ]
        return str(client.models.generate_content(model=model, contents=history, config=config).text)

    def overloaded() -> str:
        with pytest.raises(genai.errors.ClientError) as error:
            client.models.generate_content(model=model, contents=OVERLOADED)
        return str(error.value.status)

    return Spoken(
        "gcp.vertex_ai" if vertex else "gcp.gemini",
        model,
        "gemini-2.5-flash-001",
        lambda text: str(client.models.generate_content(model=model, contents=text).text),
        streamed,
        story,
        overloaded,
        "RESOURCE_EXHAUSTED",
    )


def bedrock_client(url: str) -> Any:
    client = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=f"{url}/bedrock",
        aws_access_key_id="the caller's own",
        aws_secret_access_key="the caller's own",
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )

    def add(request: Any, **_: Any) -> None:
        for name, value in CUSTOM.items():
            request.headers[name] = value

    client.meta.events.register("before-sign.*.*", add)
    return client


def spoken_converse(url: str) -> Spoken:
    client = bedrock_client(url)
    tools = {"tools": [{"toolSpec": {"name": TOOL, "inputSchema": {"json": {"type": "object"}}}}]}

    def user(*content: Any) -> dict[str, Any]:
        return {"role": "user", "content": list(content)}

    def ask(messages: list[Any], **more: Any) -> Any:
        return client.converse(modelId=bedrock_api.MODEL, messages=messages, **more)["output"]["message"]

    def streamed(text: str) -> str:
        events = client.converse_stream(modelId=bedrock_api.MODEL, messages=[user({"text": text})])["stream"]
        deltas = [each["contentBlockDelta"]["delta"] for each in events if "contentBlockDelta" in each]
        return "".join(each["text"] for each in deltas)

    def story() -> str:
        question = user({"text": "Where is it?"})
        first = ask([question], toolConfig=tools)
        call = first["content"][0]["toolUse"]
        result = {"toolUseId": call["toolUseId"], "content": [{"json": json.loads(RESULT)}], "status": "error"}
        answer = ask([question, first, user({"toolResult": result})], toolConfig=tools)
        return str(answer["content"][0]["text"])

    def overloaded() -> str:
        with pytest.raises(client.exceptions.ThrottlingException):
            ask([user({"text": OVERLOADED})])
        return "ThrottlingException"

    return Spoken(
        "aws.bedrock",
        bedrock_api.MODEL,
        "",
        lambda text: str(ask([user({"text": text})])["content"][0]["text"]),
        streamed,
        story,
        overloaded,
        "ThrottlingException",
    )


def spoken_invoke(url: str) -> Spoken:
    client = bedrock_client(url)
    tools = [{"name": TOOL, "input_schema": {"type": "object"}}]

    def body(messages: list[Any], **more: Any) -> str:
        return json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": messages, **more})

    def ask(messages: list[Any], **more: Any) -> Any:
        answer = client.invoke_model(modelId=bedrock_api.MODEL, body=body(messages, **more))
        return json.loads(answer["body"].read())

    def user(content: Any) -> dict[str, Any]:
        return {"role": "user", "content": content}

    def streamed(text: str) -> str:
        answer = client.invoke_model_with_response_stream(modelId=bedrock_api.MODEL, body=body([user(text)]))
        parts = [json.loads(each["chunk"]["bytes"]) for each in answer["body"]]
        return "".join(each["delta"]["text"] for each in parts if each["type"] == "content_block_delta")

    def story() -> str:
        first = ask([user("Where is it?")], tools=tools)
        result = {"type": "tool_result", "tool_use_id": first["content"][0]["id"], "content": RESULT}
        history = [user("Where is it?"), {"role": "assistant", "content": first["content"]}, user([result])]
        return str(ask(history, tools=tools)["content"][0]["text"])

    def overloaded() -> str:
        with pytest.raises(client.exceptions.ThrottlingException):
            ask([user(OVERLOADED)])
        return "ThrottlingException"

    return Spoken(
        "aws.bedrock",
        bedrock_api.MODEL,
        bedrock_api.ANSWERING,
        lambda text: str(ask([user(text)])["content"][0]["text"]),
        streamed,
        story,
        overloaded,
        "ThrottlingException",
    )


CLIENTS: dict[str, Callable[[str], Spoken]] = {
    "openai": spoken_openai,
    "azure": lambda url: spoken_openai(url, azure=True),
    "responses": spoken_responses,
    "anthropic": spoken_anthropic,
    "gemini": lambda url: spoken_google(url, vertex=False),
    "vertex": lambda url: spoken_google(url, vertex=True),
    "converse": spoken_converse,
    "invoke": spoken_invoke,
}
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
