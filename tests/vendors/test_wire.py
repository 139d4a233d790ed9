"""The loopback vendors answer in the vendors' own shapes, and the vendors' own clients read them.

Nothing here is instrumented. Whole answers and stream events are checked against the types that each vendor publishes
in its client: a missing, wrong or invented field fails.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
from pathlib import Path
from typing import Any

import anthropic
import boto3
import botocore
import openai
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from botocore.eventstream import EventStreamBuffer
from botocore.model import ServiceModel, StructureShape
from botocore.validate import ParamValidator
from google import genai
from google.genai import types as google_types
from google.oauth2.credentials import Credentials
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from tests.vendors import (
    anthropic_api,
    aws_event_stream,
    azure_api,
    bedrock_api,
    google_api,
    openai_chat,
    openai_responses,
)
from tests.vendors.serving import Loopback
from tests.vendors.turns import ANSWER, CUT, INVALID, OVERLOADED, PLAIN, TOOL, Turn

ANSWERED = [Turn.ASK_TOOL, Turn.ANSWER, Turn.PLAIN]
RESPONSE_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
MESSAGE_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def invented(model: BaseModel, path: str = "") -> list[str]:
    """Fields that the vendor's type doesn't know, anywhere in a model."""
    found = [f"{path}.{name}" for name in model.model_extra or {}]
    for name in type(model).model_fields:
        value = getattr(model, name)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, BaseModel):
                found += invented(each, f"{path}.{name}")
    return found


def service_model() -> ServiceModel:
    """The published description of the Bedrock runtime."""
    path = Path(botocore.__file__).parent / "data" / "bedrock-runtime"
    (described,) = path.glob("*/service-2.json.gz")
    return ServiceModel(json.loads(gzip.decompress(described.read_bytes())))


def wrong(value: dict[str, Any], shape: Any) -> str:
    """What the vendor's own validator finds, in words; unknown fields included."""
    assert isinstance(shape, StructureShape)
    unknown = [name for name in value if name not in shape.members]
    report: str = ParamValidator().validate(value, shape).generate_report()
    return report + "".join(f"unknown {each}" for each in unknown)


@pytest.mark.parametrize("turn", ANSWERED)
def test_openai_shapes(turn: Turn) -> None:
    """Chat completions, their chunks, responses and their events hold what the vendor's types hold, no more."""
    assert invented(ChatCompletion.model_validate(openai_chat.completion(turn, "gpt-4o-2024-08-06"))) == []
    for chunk in openai_chat.chunks(turn, "gpt-4o-2024-08-06", with_usage=True):
        assert invented(ChatCompletionChunk.model_validate(chunk)) == []
    asked = {"model": "gpt-4o", "input": "hello"}
    assert invented(Response.model_validate(openai_responses.response(turn, "gpt-4o-2024-08-06", asked))) == []
    for event in openai_responses.events(turn, "gpt-4o-2024-08-06", asked):
        assert invented(RESPONSE_EVENT.validate_python(event)) == []


@pytest.mark.parametrize("turn", ANSWERED)
def test_azure_shapes(turn: Turn) -> None:
    """Azure's chunks are OpenAI's but for the content filter's verdict on the prompt."""
    found = [
        each
        for chunk in azure_api.chunks(turn, "gpt-4o-2024-08-06", with_usage=False)
        for each in invented(ChatCompletionChunk.model_validate(chunk))
    ]
    assert found == [".prompt_filter_results"]


@pytest.mark.parametrize("turn", ANSWERED)
def test_anthropic_shapes(turn: Turn) -> None:
    """Messages and their stream events hold what the vendor's types hold, no more."""
    assert invented(Message.model_validate(anthropic_api.message_of(turn, "claude-haiku-4-5-20251001"))) == []
    for event in anthropic_api.events(turn, "claude-haiku-4-5-20251001"):
        if event["type"] != "ping":  # documented for streams; the client drops it before its types
            assert invented(MESSAGE_EVENT.validate_python(event)) == []


@pytest.mark.parametrize("turn", ANSWERED)
def test_google_shapes(turn: Turn) -> None:
    """Answers and chunks validate as the vendor's response type, which forbids unknown fields."""
    for each in (google_api.answer(turn, "gemini-2.5-flash-001"), *google_api.chunks(turn, "gemini-2.5-flash-001")):
        google_types.GenerateContentResponse.model_validate(each)


@pytest.mark.parametrize("turn", ANSWERED)
def test_bedrock_shapes(turn: Turn) -> None:
    """Converse answers and stream events validate against the service's published model."""
    service = service_model()
    converse = service.operation_model("Converse").output_shape
    assert wrong(bedrock_api.converse_output(turn), converse) == ""
    events = service.operation_model("ConverseStream").output_shape.members["stream"].members
    for name, value in bedrock_api.converse_events(turn):
        assert wrong(value, events[name]) == ""
    chunk = service.operation_model("InvokeModelWithResponseStream").output_shape.members["body"].members["chunk"]
    for value in bedrock_api.invoke_chunks(turn):
        assert wrong({"bytes": base64.b64decode(value["bytes"])}, chunk) == ""


def test_bedrock_frames() -> None:
    """The vendor's own reader takes the frames apart, checksums included."""
    buffer = EventStreamBuffer()
    buffer.add_data(aws_event_stream.event("messageStart", {"role": "assistant"}))
    buffer.add_data(aws_event_stream.exception("throttlingException", {"message": "slow down"}))
    first, second = list(buffer)
    assert first.headers[":event-type"] == "messageStart"
    assert json.loads(first.payload) == {"role": "assistant"}
    assert second.to_response_dict()["status_code"] == 400
    assert second.headers[":exception-type"] == "throttlingException"


OPENAI_TOOLS: Any = [{"type": "function", "function": {"name": TOOL, "parameters": {"type": "object"}}}]


@pytest.mark.parametrize("azure", [False, True], ids=["openai", "azure"])
def test_openai_clients(vendor: Loopback, azure: bool) -> None:
    """OpenAI's and Azure's clients read whole answers, streams, errors and a broken stream."""
    client: openai.OpenAI
    if azure:
        client = openai.AzureOpenAI(azure_endpoint=vendor.url, api_version="2024-10-21", api_key="none", max_retries=0)
    else:
        client = openai.OpenAI(base_url=f"{vendor.url}/v1", api_key="none", max_retries=0)
    model = "support-gpt4o" if azure else "gpt-4o"

    def ask(text: str, **more: Any) -> Any:
        return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)

    with client:
        asked = ask("Where is it?", tools=OPENAI_TOOLS)
        assert asked.choices[0].message.tool_calls[0].function.name == TOOL
        assert asked.model == "gpt-4o-2024-08-06"
        streamed = list(ask("Good morning", stream=True, stream_options={"include_usage": True}))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices) == PLAIN
        assert streamed[-1].usage.total_tokens == 15
        with pytest.raises(openai.RateLimitError) as limited:
            ask(OVERLOADED)
        assert limited.value.code == "rate_limit_exceeded"
        with pytest.raises(openai.BadRequestError):
            ask(INVALID, stream=True)
        with pytest.raises(Exception, match=r"(?i)peer closed|incomplete|reset|disconnected"):
            list(ask(CUT, stream=True))


def test_openai_responses_client(vendor: Loopback) -> None:
    """OpenAI's client reads responses, whole and streamed."""
    tools: Any = [{"type": "function", "name": TOOL, "parameters": {"type": "object"}, "strict": False}]
    with openai.OpenAI(base_url=f"{vendor.url}/v1", api_key="none", max_retries=0) as client:
        asked = client.responses.create(model="gpt-4o", input="Where is it?", tools=tools)
        (call,) = asked.output
        assert call.type == "function_call"
        result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "{}"}
        turn: Any = [{"role": "user", "content": "Where is it?"}, call.to_dict(), result]
        with client.responses.stream(model="gpt-4o", input=turn, tools=tools) as stream:
            assert stream.get_final_response().output_text == ANSWER
        with pytest.raises(openai.RateLimitError):
            client.responses.create(model="gpt-4o", input=OVERLOADED)


def test_anthropic_client(vendor: Loopback) -> None:
    """Anthropic's client reads whole answers, streams, errors and a broken stream."""
    tools: Any = [{"name": TOOL, "input_schema": {"type": "object"}}]

    with anthropic.Anthropic(base_url=vendor.url, api_key="none", max_retries=0) as client:

        def ask(text: str, **more: Any) -> Any:
            messages: Any = [{"role": "user", "content": text}]
            return client.messages.create(model="claude-haiku-4-5", max_tokens=100, messages=messages, **more)

        asked = ask("Where is it?", tools=tools)
        assert (asked.content[0].name, asked.model) == (TOOL, "claude-haiku-4-5-20251001")
        messages: Any = [{"role": "user", "content": "Good morning"}]
        with client.messages.stream(model="claude-haiku-4-5", max_tokens=100, messages=messages) as stream:
            assert stream.get_final_text() == PLAIN
        with pytest.raises(anthropic.RateLimitError):
            ask(OVERLOADED)
        with pytest.raises(anthropic.BadRequestError):
            ask(INVALID, stream=True)
        with pytest.raises(Exception, match=r"(?i)peer closed|incomplete|reset|disconnected"):
            list(ask(CUT, stream=True))


def test_google_client(vendor: Loopback) -> None:
    """Google's client reads whole answers, streams and errors, on both paths."""
    options = google_types.HttpOptions(base_url=vendor.url)
    vertex = genai.Client(
        vertexai=True,
        project="acme-support",
        location="europe-west4",
        credentials=Credentials("none"),  # type: ignore[no-untyped-call]
        http_options=options,
    )
    for client in (vertex, genai.Client(api_key="none", http_options=options)):
        answer = client.models.generate_content(model="gemini-2.5-flash", contents="Good morning")
        assert (answer.text, answer.model_version) == (PLAIN, "gemini-2.5-flash-001")
        chunks = list(client.models.generate_content_stream(model="gemini-2.5-flash", contents="Good morning"))
        assert "".join(chunk.text or "" for chunk in chunks) == PLAIN
        with pytest.raises(genai.errors.ClientError) as limited:
            client.models.generate_content(model="gemini-2.5-flash", contents=OVERLOADED)
        assert (limited.value.code, limited.value.status) == (429, "RESOURCE_EXHAUSTED")
        client.close()
    assert any("/locations/europe-west4/publishers/google/models/" in seen.path for seen in vendor.seen)


def test_bedrock_client(vendor: Loopback) -> None:
    """AWS's client reads whole answers, event streams, errors and a broken stream."""
    client = boto3.client(
        "bedrock-runtime",
        region_name="eu-central-1",
        endpoint_url=vendor.url,
        aws_access_key_id="none",
        aws_secret_access_key="none",
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )

    def messages(text: str) -> Any:
        return [{"role": "user", "content": [{"text": text}]}]

    tools = {"tools": [{"toolSpec": {"name": TOOL, "inputSchema": {"json": {"type": "object"}}}}]}
    asked = client.converse(modelId=bedrock_api.MODEL, messages=messages("Where is it?"), toolConfig=tools)
    assert asked["output"]["message"]["content"][0]["toolUse"]["name"] == TOOL
    streamed = list(client.converse_stream(modelId=bedrock_api.MODEL, messages=messages("Good morning"))["stream"])
    texts = [each["contentBlockDelta"]["delta"]["text"] for each in streamed if "contentBlockDelta" in each]
    assert "".join(texts) == PLAIN
    body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": messages("hi")})
    whole = client.invoke_model(modelId=bedrock_api.MODEL, body=body)
    assert Message.model_validate_json(whole["body"].read()).content[0].type == "text"
    parts = client.invoke_model_with_response_stream(modelId=bedrock_api.MODEL, body=io.BytesIO(body.encode()))["body"]
    last = json.loads([part["chunk"]["bytes"] for part in parts][-1])
    assert last["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 3
    with pytest.raises(client.exceptions.ThrottlingException):
        client.converse(modelId=bedrock_api.MODEL, messages=messages(OVERLOADED))
    with pytest.raises(client.exceptions.ValidationException):
        client.converse_stream(modelId=bedrock_api.MODEL, messages=messages(INVALID))
    with pytest.raises(Exception, match=r"(?i)connection|incomplete|broken|prematurely"):
        list(client.converse_stream(modelId=bedrock_api.MODEL, messages=messages(CUT))["stream"])
    assert any("Credential=none/" in seen.headers.get("Authorization", "") for seen in vendor.seen)
    client.close()
