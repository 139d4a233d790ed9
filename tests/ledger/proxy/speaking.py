"""The vendors' own clients, each made to say the same through a proxy."""

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

from tests.vendors import bedrock_api
from tests.vendors.turns import OVERLOADED, TOOL

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
    """OpenAI's client, as OpenAI or Azure has it."""
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
    """Chat completions."""
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
    """OpenAI's responses."""
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
    """Anthropic's messages."""
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
    """generateContent, at Vertex AI or the Gemini API."""
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
    """boto3's, with the header fields of a caller who says who he is."""
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
    """Bedrock's Converse."""
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
    """Bedrock's InvokeModel, with a model of Anthropic's."""
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
