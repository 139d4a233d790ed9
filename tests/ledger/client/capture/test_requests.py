"""Calls of models: what they say, and which tools were asked for by them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ledger.client import Ledger
from ledger.client.capture.finish import calls_of, finish_fields
from ledger.v1 import event_pb2 as pb
from tests.ledger.client.capture.conftest import Recorded

ASKED = [{"id": "call_1", "type": "function", "function": {"name": "find_flight", "arguments": '{"no": "X1"}'}}]


def test_a_block_is_one_event_with_what_was_asked_and_answered(ledger: Ledger, recorded: Recorded) -> None:
    """Vendor, models, prompt, contents, tokens and finish reason stand where the record has them."""
    with ledger.request(
        vendor="openai", model="gpt-4o", prompt=("support", "7"), input=[{"role": "user", "content": "hi"}], region="eu"
    ) as asked:
        asked.retrieved({"index_id": "kb", "document_id": "d1", "text": "the rule", "score": 0.5})
        asked.answered(model="gpt-4o-2024-08-06", output="hello", finish_reason="stop", tokens_in=3, tokens_out=1)
        asked.add(provider_request_id="req-1")
    (event,) = recorded()
    body = event.request
    assert event.event_id == asked.event_id
    assert event.phase == pb.PHASE_SINGLE
    assert (body.vendor, body.model_requested, body.model_answered) == ("openai", "gpt-4o", "gpt-4o-2024-08-06")
    assert [(each.prompt_id, each.revision) for each in body.prompts] == [("support", "7")]
    assert json.loads(body.input.text) == [{"role": "user", "content": "hi"}]
    assert (body.output.text, body.operation, body.region) == ("hello", pb.AI_OPERATION_CHAT, "eu")
    assert (body.finish_reason_raw, body.finish_reason) == ("stop", pb.FINISH_REASON_STOP)
    assert (body.tokens_in, body.tokens_out, body.provider_request_id) == (3, 1, "req-1")
    assert body.HasField("latency_ms")
    assert body.retrieved[0].text.text == "the rule"
    assert event.story.correlation_id


def test_an_error_that_leaves_the_block_is_the_calls_error(ledger: Ledger, recorded: Recorded) -> None:
    """It goes on unchanged; the event says its class, and that the call has a latency and no output."""
    error = ConnectionError("reset by 10.0.0.1")
    with pytest.raises(ConnectionError) as raised:
        with ledger.request(vendor="anthropic", model="claude"):
            raise error
    assert raised.value is error
    (event,) = recorded()
    assert (event.request.error_class, event.request.error_text.text) == ("ConnectionError", "reset by 10.0.0.1")
    assert not event.request.HasField("output")


def test_a_request_that_says_when_it_begins_has_two_phases(ledger: Ledger, recorded: Recorded) -> None:
    """With `started=True` a call that never comes back is seen; a tool below it knows it."""

    @ledger.request(vendor="openai", model="gpt-4o", input="q", started=True)
    def ask() -> None:
        assert len(recorded()) == 1
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        ask()
    started, failed = recorded()
    assert (started.phase, failed.phase) == (pb.PHASE_STARTED, pb.PHASE_FAILED)
    assert started.operation_id == failed.operation_id
    assert (started.request.input.text, failed.request.model_requested) == ("q", "gpt-4o")


def test_a_decorated_function_gives_input_and_output(ledger: Ledger, recorded: Recorded) -> None:
    """Its arguments are the input, what it returns the output, unless it says otherwise inside."""

    @ledger.request(vendor="openai", model="gpt-4o")
    def ask(question: str) -> str:
        running = ledger.running_request()
        assert running is not None
        running.answered(model="gpt-4o-2024-08-06")
        return "42"

    @ledger.request(vendor="openai", model="gpt-4o")
    async def ask_later(question: str) -> Any:
        return {"role": "assistant", "content": "43"}

    assert ask("what?") == "42"
    assert asyncio.run(ask_later("when?")) == {"role": "assistant", "content": "43"}
    first, second = (event.request for event in recorded())
    assert (json.loads(first.input.text), first.output.text) == ({"question": "what?"}, "42")
    assert first.model_answered == "gpt-4o-2024-08-06"
    assert json.loads(second.output.text)["content"] == "43"
    assert ledger.running_request() is None


def test_a_streamed_answer_is_kept_as_it_went_out(ledger: Ledger, recorded: Recorded) -> None:
    """The chunks pass unchanged; the time to the first and what was streamed are on record, also when it stops early
    or breaks."""

    def chunks(count: int) -> Iterator[SimpleNamespace]:
        for at in range(count):
            if at == 3:
                raise ConnectionError("cut")
            yield SimpleNamespace(delta=f"{at},")

    with ledger.request(vendor="openai", model="gpt-4o") as asked:
        assert len(list(asked.stream(chunks(2), text=lambda chunk: chunk.delta))) == 2
    with ledger.request(vendor="openai", model="gpt-4o") as asked:
        for _ in asked.stream(["one ", "two "]):
            break
    with pytest.raises(ConnectionError), ledger.request(vendor="openai", model="gpt-4o") as asked:
        list(asked.stream(chunks(5), text=lambda chunk: chunk.delta))
    whole, early, cut = (event.request for event in recorded())
    assert (whole.output.text, whole.streamed, whole.HasField("time_to_first_token_ms")) == ("0,1,", True, True)
    assert early.output.text == "one "
    assert (cut.output.text, cut.error_class) == ("0,1,2,", "ConnectionError")


async def test_streams_of_decorated_generators_and_async_for(ledger: Ledger, recorded: Recorded) -> None:
    """A generator that yields the answer's pieces needs no more than the decorator."""

    @ledger.request(vendor="openai", model="gpt-4o")
    async def answer(question: str) -> AsyncIterator[str]:
        yield "a"
        yield "b"

    async def pieces() -> AsyncIterator[str]:
        yield "c"

    assert [each async for each in answer("q")] == ["a", "b"]
    async with ledger.request(vendor="openai", model="gpt-4o") as asked:
        assert [each async for each in asked.stream_async(pieces())] == ["c"]
    first, second = (event.request for event in recorded())
    assert (first.output.text, first.streamed, second.output.text) == ("ab", True, "c")


def test_a_tool_knows_which_request_asked_for_it_by_call_id(ledger: Ledger, recorded: Recorded) -> None:
    """Run under the call's id, after the request's block: the request is named, its words are the intent (derived)."""
    with ledger.session("s1"):
        with ledger.request(vendor="openai", model="gpt-4o") as asked:
            asked.answered(output="I look it up.", finish_reason="tool_calls", tool_calls=ASKED)
        with ledger.answering("call_1"):
            with ledger.tool("anything") as run, ledger.tool("inner"):
                pass
        with ledger.tool("other", call_id="call_9"):
            pass
    request, tool, inner, *_, other, _ = recorded()
    assert tool.operation_id == run.operation_id
    assert tool.tool_call.requested_by_event_id == request.event_id == asked.event_id
    assert (tool.tool_call.call_id, tool.tool_call.intent.text) == ("call_1", "I look it up.")
    assert list(tool.derived_fields) == ["tool_call.intent"]
    assert (inner.tool_call.call_id, inner.tool_call.requested_by_event_id) == ("", b"")
    assert (other.tool_call.call_id, other.tool_call.requested_by_event_id) == ("call_9", b"")
    message = json.loads(request.request.output.text)
    assert (message["content"], message["tool_calls"][0]["id"]) == ("I look it up.", "call_1")


def test_the_only_call_of_its_name_is_inferred_and_said_to_be(ledger: Ledger, recorded: Recorded) -> None:
    """Without an id the one open call of this tool is taken, marked derived; with two, none is guessed."""

    @ledger.tool
    def find_flight(no: str) -> None: ...

    def ask(*calls: dict[str, Any]) -> None:
        with ledger.request(vendor="openai", model="gpt-4o") as asked:
            asked.answered(tool_calls=calls)

    with ledger.agent("helper"):
        ask(*ASKED)
        find_flight("X1")
        find_flight("X2")
        ask({**ASKED[0], "id": "call_2"}, {**ASKED[0], "id": "call_3"})
        find_flight("X3")
    request, first, _, second, _, _, third, _ = recorded()
    assert first.tool_call.requested_by_event_id == request.event_id
    assert list(first.derived_fields) == ["tool_call.requested_by_event_id", "tool_call.call_id"]
    assert not second.tool_call.requested_by_event_id
    assert not third.tool_call.requested_by_event_id


def test_a_story_that_begins_after_the_request_finds_its_calls(ledger: Ledger, recorded: Recorded) -> None:
    """A request outside of any session, the tool inside of one: it is joined all the same."""
    with ledger.request(vendor="openai", model="gpt-4o") as asked:
        asked.answered(tool_calls=ASKED)
    with ledger.session("s1"), ledger.answering("call_1"), ledger.tool("find_flight", started=False):
        pass
    assert recorded()[-1].tool_call.requested_by_event_id == asked.event_id


async def test_tasks_beside_each_other_never_take_each_others_calls(ledger: Ledger, recorded: Recorded) -> None:
    """A vendor that calls every call `call_1`: outside of any session too, each task finds its own request."""
    barrier = asyncio.Barrier(2)

    async def handle() -> bytes:
        with ledger.request(vendor="local", model="m") as asked:
            asked.answered(tool_calls=ASKED)
        await barrier.wait()
        with ledger.answering("call_1"), ledger.tool("find_flight"):
            pass
        return asked.event_id

    requests = await asyncio.gather(handle(), handle())
    asked_by = [event.tool_call.requested_by_event_id for event in recorded() if event.phase == pb.PHASE_STARTED]
    assert sorted(asked_by) == sorted(requests)


@pytest.mark.parametrize(
    "given",
    [
        {"id": "c", "function": {"name": "t", "arguments": '{"a":1}'}},
        {"id": "c", "name": "t", "input": {"a": 1}},
        {"toolUseId": "c", "name": "t", "input": {"a": 1}},
        {"id": "c", "name": "t", "args": {"a": 1}},
        SimpleNamespace(id="c", function=SimpleNamespace(name="t", arguments='{"a":1}')),
    ],
)
def test_calls_are_understood_as_the_vendors_give_them(given: Any) -> None:
    """OpenAI, Anthropic, Bedrock, LangChain; dicts and objects."""
    (call,) = calls_of([given, {"no": "call"}, 7])
    assert (call.call_id, call.tool, json.loads(call.arguments)) == ("c", "t", {"a": 1})
    assert calls_of("x") == calls_of(None) == calls_of({"id": "c"}) == ()


def test_finish_reasons_of_every_vendor() -> None:
    """Their words are kept, and put into the record's; an unknown one is another, not none."""
    for raw, plain in [("end_turn", "stop"), ("FinishReason.MAX_TOKENS", "length"), ("tool_use", "tool_calls")]:
        assert finish_fields(raw) == {"finish_reason_raw": raw, "finish_reason": plain}
    assert finish_fields("eos_soon")["finish_reason"] == "other"
    assert finish_fields(None) == finish_fields("") == {}
