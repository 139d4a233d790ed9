"""Every wire format, with answers in the vendors' own shapes, whole and streamed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from ledger.vendors import Answered, AnswerReader, route_of
from ledger.vendors.routes import Route
from tests.ledger.vendors.framing import message_bytes
from tests.vendors import anthropic_api, bedrock_api, google_api, openai_chat, openai_responses
from tests.vendors.serving import event_frames, named_event_frames
from tests.vendors.turns import Turn

SSE = "text/event-stream; charset=utf-8"
EVENTS = "application/vnd.amazon.eventstream"
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


def packed(frames: Iterable[tuple[str, Any]]) -> bytes:
    """Frames of AWS's event stream, each with its type."""
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
        lambda turn: packed(bedrock_api.converse_events(turn)),
        EVENTS,
        "",
        f"/model/{bedrock_api.MODEL}/converse-stream",
    ),
    "bedrock.invoke": Wire(
        f"/model/{bedrock_api.MODEL.replace(':', '%3A')}/invoke",
        lambda turn: anthropic_api.message_of(turn, bedrock_api.ANSWERING),
        lambda turn: packed(("chunk", each) for each in bedrock_api.invoke_chunks(turn)),
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
