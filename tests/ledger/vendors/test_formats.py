"""What is read from answers, whole or streamed, in the vendors' own shapes."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.vendors import FORMATS, AnswerReader, read_request
from ledger.vendors.pieces import Growing, Room
from tests.ledger.vendors.test_frames import Cuts, JsonValues, cut_at
from tests.ledger.vendors.wires import EVERY_WIRE, SSE, WIRES, read, route
from tests.vendors import bedrock_api
from tests.vendors.serving import event_frames, named_event_frames
from tests.vendors.turns import PLAIN, TOOL, Turn

ANSWERED = [Turn.ASK_TOOL, Turn.ANSWER, Turn.PLAIN]


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


def test_an_answer_that_is_no_text_says_so() -> None:
    """Sound that comes as bytes is no garbled text: an answer that can't be kept; a page of text is what came."""
    found = read("/v1/audio/speech", [b"\xff\xfb\x90" + bytes(range(256))], "audio/mpeg")
    assert (found.unreadable, found.output) == (True, None)
    page = read("/v1/audio/speech", ["Überlastet".encode(), "ä".encode()[:1]], "text/plain")
    assert (page.unreadable, page.output) == (False, "Überlastet")


def _deltas(*deltas: dict[str, Any]) -> Any:
    frames = [{"choices": [{"index": 0, "delta": each}]} for each in deltas]
    frames[-1]["choices"][0]["finish_reason"] = "stop"
    return read("/v1/chat/completions", event_frames(frames, done=True), SSE).output


@pytest.mark.parametrize(
    ("deltas", "said"),
    [
        (
            [
                {"audio": {"id": "a1", "transcript": "Good "}},
                {"audio": {"id": "a1", "transcript": "day", "data": "AA"}},
            ],
            {"content": None, "audio": {"id": "a1", "transcript": "Good day", "data": "AA"}},
        ),
        (
            [{"content": "See"}, {"annotations": [{"type": "url_citation", "url": "u"}]}],
            {"content": "See", "annotations": [{"type": "url_citation", "url": "u"}]},
        ),
        (
            [
                {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "h"}]}]},
                {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "m"}]}]},
                {"content": "Yes"},
            ],
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                    {"type": "text", "text": "Yes"},
                ]
            },
        ),
        (
            [
                {"tool_calls": [{"index": 0, "id": "c", "type": "custom", "custom": {"name": "sql", "input": "SEL"}}]},
                {"tool_calls": [{"index": 0, "custom": {"input": "ECT 1"}}]},
            ],
            {
                "content": None,
                "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}],
            },
        ),
    ],
    ids=["audio", "annotations", "parts", "custom"],
)
def test_nothing_of_a_streamed_chat_is_dropped(deltas: list[dict[str, Any]], said: dict[str, Any]) -> None:
    """Sound, citations, contents in parts and free-text tools are put together like texts and functions are."""
    assert _deltas(*deltas) == {"role": "assistant", **said}


def test_citations_of_a_stream_stand_with_their_text() -> None:
    """What Anthropic and Bedrock cite in a stream is read as in an answer that came whole."""
    block: dict[str, Any] = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    cited: dict[str, Any] = {"type": "citations_delta", "citation": {"url": "u"}}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": "m"}},
        block,
        {"type": "content_block_delta", "index": 0, "delta": cited},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "See"}},
        {"type": "message_stop"},
    ]
    assert read("/v1/messages", named_event_frames(events), SSE).output == [
        {"type": "text", "text": "See", "citations": [{"url": "u"}]}
    ]
    make = FORMATS["bedrock.converse"].assembler
    assert make is not None
    assembler = make(Room(), "")
    for delta in ({"text": "See"}, {"citation": {"title": "t"}}):
        assembler.take("contentBlockDelta", {"contentBlockIndex": 0, "delta": delta})
    assembler.take("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"image": {"format": "png"}}})
    assert FORMATS["bedrock.converse"].answered(assembler.body(), "").output == [
        {"citationsContent": {"content": [{"text": "See"}], "citations": [{"title": "t"}]}},
        {"image": {"format": "png"}},
    ]


@given(st.lists(JsonValues, max_size=8))
def test_whatever_comes_in_pieces_is_bounded(pieces: list[Any]) -> None:
    """Pieces of any kind, one after the other, raise nothing and stay JSON within the room."""
    growing = Growing(Room(20))
    for piece in pieces:
        growing.add(piece)
    json.dumps(growing.value())
    assert isinstance(growing.is_empty, bool)


@pytest.mark.parametrize("numbers", [(0, 1), (0, 0), (None, None)])
def test_streamed_calls_are_told_apart_however_they_are_numbered(numbers: tuple[int | None, int | None]) -> None:
    """Calls that a server gives the same number, or none, are two calls; pieces behind a call's first belong to it."""

    def piece(at: int | None, given: dict[str, Any]) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": {"tool_calls": [given if at is None else {"index": at, **given}]}}]}

    def begun(at: int | None, name: str) -> dict[str, Any]:
        return piece(at, {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": '{"n":'}})

    frames = []
    for at, name in zip(numbers, ("one", "two"), strict=True):
        frames += [begun(at, name), piece(at, {"function": {"arguments": f'"{name}"'}}), begun(at, name)]
        frames[-1]["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] = "}"
    found = read("/v1/chat/completions", event_frames(frames, done=True), SSE)
    assert isinstance(found.output, dict)
    assert [(each["id"], each["function"]["arguments"]) for each in found.output["tool_calls"]] == [
        ("call_one", '{"n":"one"}'),
        ("call_two", '{"n":"two"}'),
    ]


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
