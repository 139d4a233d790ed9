"""What is read from requests and answers, against answers in the vendors' own shapes."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.vendors import FORMATS, Answered, AnswerReader, read_request, route_of
from ledger.vendors.event_stream import message_bytes
from ledger.vendors.pieces import Room
from ledger.vendors.routes import Route
from tests.ledger.vendors.test_frames import Cuts, JsonValues, cut_at
from tests.vendors import anthropic_api, bedrock_api, google_api, openai_chat, openai_responses
from tests.vendors.serving import event_frames, named_event_frames
from tests.vendors.turns import ARGUMENTS, PLAIN, TOOL, Turn

SSE = "text/event-stream; charset=utf-8"
EVENTS = "application/vnd.amazon.eventstream"
ANSWERED = [Turn.ASK_TOOL, Turn.ANSWER, Turn.PLAIN]
ASKED = {"model": "gpt-4o", "input": "hello"}


@dataclass(frozen=True)
class Wire:
    """One format: its path, a whole answer's body, a streamed answer's bytes and how they are framed."""

    path: str
    body: Callable[[Turn], Any]
    streamed: Callable[[Turn], bytes]
    framing: str
    version: str
    streamed_path: str = ""


def _packed(frames: Iterable[tuple[str, Any]]) -> bytes:
    return b"".join(message_bytes({":event-type": name}, json.dumps(value).encode()) for name, value in frames)


WIRES = {
    "openai.chat": Wire(
        "/v1/chat/completions",
        lambda turn: openai_chat.completion(turn, "gpt-4o-2024-08-06"),
        lambda turn: b"".join(event_frames(openai_chat.chunks(turn, "gpt-4o-2024-08-06", with_usage=True), done=True)),
        SSE,
        "gpt-4o-2024-08-06",
    ),
    "openai.responses": Wire(
        "/v1/responses",
        lambda turn: openai_responses.response(turn, "gpt-4o-2024-08-06", ASKED),
        lambda turn: b"".join(named_event_frames(openai_responses.events(turn, "gpt-4o-2024-08-06", ASKED))),
        SSE,
        "gpt-4o-2024-08-06",
    ),
    "anthropic.messages": Wire(
        "/v1/messages",
        lambda turn: anthropic_api.message_of(turn, "claude-haiku-4-5-20251001"),
        lambda turn: b"".join(named_event_frames(anthropic_api.events(turn, "claude-haiku-4-5-20251001"))),
        SSE,
        "claude-haiku-4-5-20251001",
    ),
    "gemini.generate": Wire(
        "/v1beta/models/gemini-2.5-flash:generateContent",
        lambda turn: google_api.answer(turn, "gemini-2.5-flash-001"),
        lambda turn: b"".join(event_frames(google_api.chunks(turn, "gemini-2.5-flash-001"), newline="\r\n")),
        SSE,
        "gemini-2.5-flash-001",
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
    ),
    "gemini.generate as an array": Wire(
        "/v1beta/models/gemini-2.5-flash:generateContent",
        lambda turn: google_api.answer(turn, "gemini-2.5-flash-001"),
        lambda turn: json.dumps(list(google_api.chunks(turn, "gemini-2.5-flash-001")), indent=2).encode(),
        "application/json; charset=UTF-8",
        "gemini-2.5-flash-001",
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
    ),
    "bedrock.converse": Wire(
        f"/model/{bedrock_api.MODEL}/converse",
        bedrock_api.converse_output,
        lambda turn: _packed(bedrock_api.converse_events(turn)),
        EVENTS,
        "",
        f"/model/{bedrock_api.MODEL}/converse-stream",
    ),
    "bedrock.invoke": Wire(
        f"/model/{bedrock_api.MODEL.replace(':', '%3A')}/invoke",
        lambda turn: anthropic_api.message_of(turn, bedrock_api.ANSWERING),
        lambda turn: _packed(("chunk", each) for each in bedrock_api.invoke_chunks(turn)),
        EVENTS,
        bedrock_api.ANSWERING,
        f"/model/{bedrock_api.MODEL}/invoke-with-response-stream",
    ),
}
EVERY_WIRE = pytest.mark.parametrize("name", list(WIRES))


def route(path: str) -> Route:
    """The route of a path that has one."""
    found = route_of("POST", path)
    assert found is not None
    return found


def read(path: str, pieces: Iterable[bytes], framing: str, status: int = 200, **headers: str) -> Answered:
    """What an answer says that came in these pieces."""
    reader = AnswerReader(route(path), status, {"content-type": framing, **headers})
    for piece in pieces:
        reader.feed(piece, 0.0)
    return reader.end(True)


@EVERY_WIRE
@pytest.mark.parametrize("turn", ANSWERED)
def test_an_answer_in_one_body(name: str, turn: Turn) -> None:
    """The version that answered, tokens with those from a cache, output and finish reason are read."""
    wire = WIRES[name]
    found = read(wire.path, [json.dumps(wire.body(turn)).encode()], "application/json")
    assert found.model == wire.version
    assert (found.tokens_in, found.tokens_out, found.tokens_cached or 0) == turn.tokens
    if turn is Turn.ASK_TOOL:
        assert found.finish == "tool_calls"
        said = json.dumps(found.output)
        assert TOOL in said
        assert "1001" in said
    else:
        assert found.finish == "stop"
        assert found.output == turn.text
    assert not found.partial
    assert not found.error_class


def _without_ids(value: Any) -> Any:
    """An output without what a vendor makes anew for each answer, and what is empty."""
    if isinstance(value, dict):
        kept = {key: _without_ids(each) for key, each in value.items() if key not in ("id", "call_id", "toolUseId")}
        return {key: each for key, each in kept.items() if each not in (None, [], {})}
    return [_without_ids(each) for each in value] if isinstance(value, list) else value


@EVERY_WIRE
@pytest.mark.parametrize("turn", ANSWERED)
@settings(max_examples=20, deadline=None)
@given(cuts=Cuts)
def test_a_streamed_answer_says_what_the_same_in_one_says(name: str, turn: Turn, cuts: list[int]) -> None:
    """Streamed and cut anywhere, an answer gives the same record as in one body."""
    wire = WIRES[name]
    whole = read(wire.path, [json.dumps(wire.body(turn)).encode()], "application/json")
    streamed = read(wire.streamed_path or wire.path, cut_at(wire.streamed(turn), cuts), wire.framing)
    assert _without_ids(streamed.output) == _without_ids(whole.output)
    same = replace(streamed, output=None, response_id="", tier="") == replace(
        whole, output=None, response_id="", tier=""
    )
    assert same, (streamed, whole)


@EVERY_WIRE
def test_a_stream_that_breaks_off_keeps_what_came(name: str) -> None:
    """Of a stream without its end what came is kept, and it is called partial."""
    wire = WIRES[name]
    data = wire.streamed(Turn.ANSWER)
    data = data[: len(data) // 2]
    reader = AnswerReader(route(wire.streamed_path or wire.path), 200, {"content-type": wire.framing})
    reader.feed(data, 1.0)
    found = reader.end(False)
    assert found.partial
    assert found.finish is None or name == "openai.responses"


@EVERY_WIRE
def test_the_time_of_the_first_token_is_that_of_its_piece(name: str) -> None:
    """The first token is timed by the piece that brought it, not by the first byte of the stream."""
    wire = WIRES[name]
    data = wire.streamed(Turn.ASK_TOOL)
    reader = AnswerReader(route(wire.streamed_path or wire.path), 200, {"content-type": wire.framing})
    for at in range(len(data)):
        reader.feed(data[at : at + 1], float(at))
    assert reader.first_token_at is not None
    assert 0 < reader.first_token_at < len(data)


@EVERY_WIRE
@settings(max_examples=60, deadline=None)
@given(value=JsonValues, noise=st.binary(max_size=60))
def test_nothing_that_comes_raises(name: str, value: Any, noise: bytes) -> None:
    """Bodies of any shape, and streams of any bytes, give a record and raise nothing."""
    wire = WIRES[name]
    data = json.dumps(value).encode("utf-8", "replace")
    read_request(route(wire.path), data)
    read_request(route(wire.path), noise)
    read(wire.path, [data], "application/json")
    read(wire.path, [data], "application/json", 500)
    read(wire.streamed_path or wire.path, [noise, data], wire.framing)
    format_ = FORMATS[route(wire.path).format]
    assert format_.assembler is not None
    assembler = format_.assembler(Room(), bedrock_api.MODEL)
    for event in ("", "chunk", "contentBlockDelta", "content_block_delta", "response.output_text.delta"):
        assembler.take(event, value)
        assembler.take(event, {"index": 0, "choices": value, "delta": value, "candidates": value, "output_index": 0})
    format_.answered(assembler.body(), bedrock_api.MODEL)


TOOL_HISTORY = {
    "/v1/chat/completions": {
        "model": "gpt-4o",
        "user": "mia@example.org",
        "store": False,
        "max_completion_tokens": 100,
        "temperature": 0.5,
        "seed": 7,
        "stream": True,
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Where is it?"},
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "old", "type": "function", "function": {"name": "look", "arguments": "{}"}},
                ],
            },
            {"role": "tool", "tool_call_id": "old", "content": "nothing"},
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": TOOL, "arguments": json.dumps(ARGUMENTS)}}
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "on its way"},
        ],
    },
    "/v1/responses": {
        "model": "gpt-4o",
        "instructions": "Be kind.",
        "user": "mia@example.org",
        "store": False,
        "max_output_tokens": 100,
        "temperature": 0.5,
        "stream": True,
        "input": [
            {"role": "user", "content": "Where is it?"},
            {"type": "function_call", "call_id": "old", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "old", "output": "nothing"},
            {"type": "function_call", "call_id": "c1", "name": TOOL, "arguments": json.dumps(ARGUMENTS)},
            {"type": "function_call_output", "call_id": "c1", "output": "on its way"},
        ],
    },
    "/v1/messages": {
        "model": "claude-haiku-4-5",
        "system": "Be kind.",
        "metadata": {"user_id": "mia@example.org"},
        "max_tokens": 100,
        "temperature": 0.5,
        "stream": True,
        "messages": [
            {"role": "user", "content": "Where is it?"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "old", "name": "look", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "old", "content": "nothing"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": TOOL, "input": ARGUMENTS}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "on its way"}]},
        ],
    },
    "/v1/projects/acme-ai/locations/europe-west4/publishers/google/models/gemini-2.5-flash:streamGenerateContent": {
        "systemInstruction": {"parts": [{"text": "Be kind."}]},
        "generationConfig": {"maxOutputTokens": 100, "temperature": 0.5, "seed": 7},
        "contents": [
            {"role": "user", "parts": [{"text": "Where is it?"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"output": "nothing"}}}]},
            {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": TOOL, "args": ARGUMENTS}}]},
            {
                "role": "user",
                "parts": [{"functionResponse": {"id": "c1", "name": TOOL, "response": {"output": "on its way"}}}],
            },
        ],
    },
    f"/model/{bedrock_api.MODEL}/converse-stream": {
        "system": [{"text": "Be kind."}],
        "inferenceConfig": {"maxTokens": 100, "temperature": 0.5},
        "messages": [
            {"role": "user", "content": [{"text": "Where is it?"}]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "old", "name": "look", "input": {}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "old", "content": [{"text": "nothing"}]}}]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "c1", "name": TOOL, "input": ARGUMENTS}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "c1", "content": [{"text": "on its way"}]}}]},
        ],
    },
}


@pytest.mark.parametrize("path", list(TOOL_HISTORY))
def test_a_request_with_results_of_tools(path: str) -> None:
    """Model, instructions, parameters and the user's own words are read; of the results, which one is new."""
    found = read_request(route(path), json.dumps(TOOL_HISTORY[path]).encode())
    assert found.model in ("gpt-4o", "claude-haiku-4-5", "gemini-2.5-flash", bedrock_api.MODEL)
    assert (found.system, found.temperature, found.tokens_max, found.streamed) == ("Be kind.", 0.5, 100, True)
    assert "Where is it?" in json.dumps(found.input)
    assert "Be kind." not in json.dumps(found.input)
    old, new = found.tools_ran
    assert (old.tool, old.is_new, new.tool, new.is_new, new.call_id) == ("look", False, TOOL, True, "c1")
    arguments = json.loads(new.arguments) if isinstance(new.arguments, str) else new.arguments
    assert arguments == ARGUMENTS
    assert "on its way" in json.dumps(new.result)
    assert new.outcome is None
    if "user" in TOOL_HISTORY[path] or "metadata" in TOOL_HISTORY[path]:
        assert found.user == "mia@example.org"


@pytest.mark.parametrize(
    ("path", "format_", "model", "place"),
    [
        ("/openai/v1/chat/completions", "openai.chat", "", ("", "", "")),
        ("/openai/deployments/support%20one/chat/completions", "openai.chat", "support one", ("support one", "", "")),
        ("/v1/completions", "openai.completions", "", ("", "", "")),
        ("/anthropic/v1/messages", "anthropic.messages", "", ("", "", "")),
        (
            "/v1/projects/p/locations/eu/publishers/anthropic/models/claude-x@1:streamRawPredict",
            "anthropic.messages",
            "claude-x@1",
            ("", "eu", "p"),
        ),
        ("/v1/projects/p/locations/eu/endpoints/77:generateContent", "gemini.generate", "", ("77", "eu", "p")),
        ("/v1/projects/p/locations/eu/endpoints/openapi/chat/completions", "openai.chat", "", ("", "eu", "p")),
        ("/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Aprompt%2FX/converse", "bedrock.converse", "", ("", "", "")),
    ],
)
def test_paths(path: str, format_: str, model: str, place: tuple[str, str, str]) -> None:
    """A path tells format, model, deployment, region and project, behind any prefix."""
    found = route(path)
    assert found.format == format_
    assert (found.deployment, found.region, found.project) == place
    assert found.model == (model or found.model)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/chat/completions"),
        ("POST", "/v1/threads/t/messages"),
        ("POST", "/v1/files"),
        ("POST", "/v1beta/models/x:tunedThing"),
        ("POST", "/guardrail/g/version/1/apply"),
        ("POST", "/v1/chat/completions/extra"),
    ],
)
def test_paths_that_are_not_known(method: str, path: str) -> None:
    """What is not known is not taken for something else."""
    assert route_of(method, path) is None


@pytest.mark.parametrize(
    ("path", "status", "headers", "body", "error"),
    [
        (
            "/v1/chat/completions",
            429,
            {},
            {"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}},
            ("rate_limit_exceeded", "slow down"),
        ),
        (
            "/v1/messages",
            529,
            {},
            {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}},
            ("overloaded_error", "busy"),
        ),
        (
            "/v1beta/models/x:streamGenerateContent",
            429,
            {},
            [{"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}}],
            ("RESOURCE_EXHAUSTED", "quota"),
        ),
        (
            "/model/m/converse",
            429,
            {"x-amzn-errortype": "ThrottlingException:http://internal"},
            {"message": "too many"},
            ("ThrottlingException", "too many"),
        ),
        ("/v1/chat/completions", 502, {}, "<html>bad gateway</html>", ("http_502", "<html>bad gateway</html>")),
    ],
)
def test_errors(path: str, status: int, headers: dict[str, str], body: Any, error: tuple[str, str]) -> None:
    """An error's class is the vendor's own word for it, else its status; it is no output."""
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    found = read(path, [data], "application/json", status, **headers)
    assert (found.error_class, found.error_text) == error
    assert found.output is None


def test_an_error_in_the_middle_of_a_stream() -> None:
    """A stream that says in the middle that it failed keeps what came, and the error."""
    events = list(anthropic_api.events(Turn.PLAIN, "claude"))[:4]
    data = b"".join(named_event_frames(events))
    data += b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'
    found = read("/v1/messages", [data], SSE)
    assert found.error_class == "overloaded_error"
    assert PLAIN.startswith(str(found.output))
    assert found.output


def test_a_compressed_answer_is_read() -> None:
    """A gzipped stream is read as what is in it; one in an unknown encoding says that it can't be read."""
    data = gzip.compress(WIRES["openai.chat"].streamed(Turn.PLAIN))
    found = read("/v1/chat/completions", cut_at(data, [5, 50, 300]), SSE, 200, **{"content-encoding": "gzip"})
    assert found.output == PLAIN
    found = read("/v1/chat/completions", [b"?"], SSE, 200, **{"content-encoding": "br"})
    assert found.unreadable


def test_an_answer_without_end_is_cut() -> None:
    """An answer longer than its bound is cut, and says so."""
    reader = AnswerReader(
        route("/v1/chat/completions"), 200, {"content-type": SSE}, body_bytes_max=100, stream_bytes_max=5_000
    )
    chunk = b'data: {"choices":[{"index":0,"delta":{"content":"again and "}}]}\n\n'
    for _ in range(200):
        reader.feed(chunk, 0.0)
    found = reader.end(True)
    assert found.cut
    assert len(str(found.output)) < 5_000


def test_tools_that_a_vendor_ran_itself() -> None:
    """Searches and MCP calls in an answer are tools that ran at the vendor, with what they gave back."""
    body = {
        "id": "resp_1",
        "status": "completed",
        "output": [
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"query": "weather"}},
            {
                "type": "mcp_call",
                "id": "mcp_1",
                "name": "refund",
                "server_label": "shop",
                "arguments": "{}",
                "error": "denied",
            },
        ],
    }
    search, refund = FORMATS["openai.responses"].answered(body, "").tools_ran
    assert (search.tool, search.outcome, search.at_vendor) == ("web_search", "ok", True)
    assert (refund.tool, refund.outcome, refund.error_text, refund.destination) == ("refund", "error", "denied", "shop")
    message = {
        "content": [
            {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "weather"}},
            {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": [{"url": "https://example.org"}]},
        ]
    }
    (search,) = FORMATS["anthropic.messages"].answered(message, "").tools_ran
    assert (search.tool, search.outcome, search.at_vendor) == ("web_search", "ok", True)


@pytest.mark.parametrize(
    ("model", "chunks", "output"),
    [
        ("meta.llama3-8b", [{"generation": "Good "}, {"generation": "day", "stop_reason": "stop"}], "Good day"),
        (
            "amazon.titan-text",
            [{"outputText": "Good "}, {"outputText": "day", "completionReason": "FINISH"}],
            "Good day",
        ),
        ("mistral.mistral-7b", [{"outputs": [{"text": "Good day", "stop_reason": "stop"}]}], "Good day"),
        (
            "openai.gpt-oss",
            [
                {"choices": [{"index": 0, "delta": {"content": "Good day"}}]},
                {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            ],
            "Good day",
        ),
        (
            "amazon.nova-pro",
            [
                {"contentBlockDelta": {"delta": {"text": "Good day"}, "contentBlockIndex": 0}},
                {"messageStop": {"stopReason": "end_turn"}},
            ],
            "Good day",
        ),
    ],
)
def test_models_behind_invoke(model: str, chunks: list[Any], output: str) -> None:
    """Streams of the models behind InvokeModel are put together in each one's own format, tokens from the metrics."""
    chunks[-1]["amazon-bedrock-invocationMetrics"] = {"inputTokenCount": 5, "outputTokenCount": 2}
    data = _packed(("chunk", {"bytes": base64.b64encode(json.dumps(each).encode()).decode()}) for each in chunks)
    found = read(f"/model/{model}/invoke-with-response-stream", [data], EVENTS)
    assert (found.output, found.finish, found.tokens_in, found.tokens_out) == (output, "stop", 5, 2)
