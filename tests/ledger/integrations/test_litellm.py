"""LiteLLM's own library against a server that speaks OpenAI's API, with the callback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.v1 import event_pb2 as pb
from ledger.v1.event_pb2 import Event
from tests.ledger.cli.running import TENANT, Cli
from tests.ledger.integrations.conftest import need, recorded, run, sealed
from tests.vendors.serving import Loopback
from tests.vendors.turns import ANSWER, OVERLOADED, PLAIN, TOOL

PROGRAM = """
import asyncio, json, sys, time
import litellm
from ledger.client import Client, Ledger
from ledger.integrations.litellm import LedgerLogger

ledger = Ledger(Client(sys.argv[1], tenant="acme", service="bot", linger_ms=1), classification="confidential")
litellm.callbacks = [LedgerLogger(ledger)]
litellm.suppress_debug_info = True
TOOLS = [{"type": "function", "function": {"name": "find_order", "parameters": {"type": "object", "properties": {}}}}]
# litellm 1.106 imports the package mcp, which its install does not bring, wherever tools are given.
HOW = {"model": "openai/gpt-4o", "api_base": sys.argv[2] + "/v1", "api_key": "none", "_skip_mcp_handler": True}

def asks(text, **more):
    system = {"role": "system", "content": "You help."}
    return {**HOW, "messages": [system, {"role": "user", "content": text}], **more}

def done(count):
    end = time.monotonic() + 20
    while ledger.stats().emitted < count and time.monotonic() < end:
        time.sleep(0.01)
    assert ledger.stats().emitted == count, ledger.stats()

with ledger.session("sync"), ledger.acting_for(user="mia", role="customer"):
    litellm.completion(**asks("hi", temperature=0.5, max_tokens=9, metadata={"trace_id": "t-1"}))
    pieces = [chunk for chunk in litellm.completion(**asks("hi", stream=True))]
    assert len(pieces) > 2
    try:
        litellm.completion(**asks("[answer 429]", max_retries=0))
    except litellm.RateLimitError as error:
        pass
    else:
        raise AssertionError("no error")
litellm.completion(**asks("hi", user="bob", metadata={"trace_id": "t-2"}, litellm_session_id="own-1"))
done(4)

async def main():
    async with ledger.session("async"):
        await litellm.acompletion(**asks("hi"))
        async for _ in await litellm.acompletion(**asks("hi", stream=True)):
            pass
        try:
            await litellm.acompletion(**asks("[answer 429]", max_retries=0))
        except litellm.RateLimitError:
            pass
        await litellm.aembedding(model="openai/text-embedding-3-small", input=["a"], mock_response=[0.1])
        while ledger.stats().emitted < 8:
            await asyncio.sleep(0.01)

asyncio.run(asyncio.wait_for(main(), 30))
done(8)

@ledger.tool(side_effect="read")
def find_order(order_id):
    return "arrives on Friday"

def tool_round(session, emitted, run):
    with ledger.session(session), ledger.acting_for(user="mia"), ledger.agent("helper", version="2"):
        asked = asks("Where is order 1001?", tools=TOOLS)
        message = litellm.completion(**asked).choices[0].message
        (call,) = message.tool_calls
        done(emitted + 1)
        back = {"role": "tool", "tool_call_id": call.id, "content": run(call)}
        litellm.completion(**{**asked, "messages": [*asked["messages"], message.model_dump(), back]})

def decorated(call):
    with ledger.answering(call.id):
        return find_order(**json.loads(call.function.arguments))

tool_round("decorated", 8, decorated)
done(12)
tool_round("undecorated", 12, lambda call: "arrives on Friday")
done(15)
assert ledger.stats().faults == 0
assert ledger.close()
"""


@pytest.fixture(scope="module")
def events(openai: Loopback, tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """What one program put on record; importing litellm takes long enough for one."""
    need("litellm")
    return recorded(PROGRAM, openai.url, home=tmp_path_factory.mktemp("litellm"))


def _of(events: list[Event], session: str) -> list[Event]:
    return [event for event in events if event.story.session_id == session]


def _requests(events: list[Event]) -> list[pb.AiRequest]:
    return [event.request for event in events if event.HasField("request")]


def test_calls_streams_and_failures_are_on_record(events: list[Event]) -> None:
    """Sync: vendor, models, contents, tokens, parameters, finish reason, latency; the error of a failure; who acted
    around the call, also where LiteLLM calls back from its own threads."""
    by_kind = {"stream" if each.request.streamed else each.request.error_class: each for each in _of(events, "sync")}
    plain, streamed, failed = (by_kind[key] for key in ("", "stream", "RateLimitError"))
    (own,) = _of(events, "own-1")
    body = plain.request
    assert (body.vendor, body.model_requested, body.model_answered) == ("openai", "gpt-4o", "gpt-4o-2024-08-06")
    assert (body.system_instructions.text, body.output.text) == ("You help.", PLAIN)
    assert json.loads(body.input.text) == [{"role": "user", "content": "hi"}]
    assert (body.tokens_in, body.tokens_out, body.temperature, body.tokens_max) == (12, 3, 0.5, 9)
    assert (body.finish_reason, body.currency) == (pb.FINISH_REASON_STOP, "USD")
    assert body.cost_nanos > 0
    assert body.HasField("latency_ms")
    assert body.provider_request_id
    assert (streamed.request.output.text, streamed.request.HasField("time_to_first_token_ms")) == (PLAIN, True)
    # LiteLLM gives a stream the model asked for: which one answered is not known.
    assert streamed.request.model_answered == ""
    assert "Rate limit" in failed.request.error_text.text
    assert not failed.request.HasField("output")
    for event in (plain, streamed, failed):
        assert (event.actor.user.identifier, event.actor.role) == ("mia", "customer")
    assert (plain.story.correlation_id, own.story.correlation_id) == ("t-1", "t-2")
    assert (own.actor.user.identifier, own.actor.identity_source) == ("bob", pb.IDENTITY_SOURCE_CLAIMED)
    assert len({event.event_id for event in events}) == len(events) == 15


def test_the_same_for_asyncio(events: list[Event]) -> None:
    """Coroutines, async streams, failures, embeddings: each once."""
    found = _requests(_of(events, "async"))
    assert sorted(each.operation for each in found) == [pb.AI_OPERATION_CHAT] * 3 + [pb.AI_OPERATION_EMBEDDING]
    assert [each.streamed for each in found].count(True) == 1
    assert [each.error_class for each in found].count("RateLimitError") == 1


def test_a_decorated_tool_is_joined_to_the_call_that_asked(events: list[Event]) -> None:
    """Its run is on record once, with the request whose answer asked for it, all under one correlation id."""
    found = _of(events, "decorated")
    asking, answering = sorted(_requests(found), key=lambda each: each.output.text == ANSWER)
    started, completed = (event for event in found if event.HasField("tool_call"))
    (asked,) = (event for event in found if event.request.finish_reason == pb.FINISH_REASON_TOOL_CALLS)
    assert started.tool_call.requested_by_event_id == asked.event_id
    assert json.loads(asking.output.text)["tool_calls"][0]["function"]["name"] == TOOL
    assert answering.output.text == ANSWER
    assert started.tool_call.call_id
    assert completed.tool_call.result.text == "arrives on Friday"
    assert {event.actor.agent for event in found} == {"helper"}
    assert len({event.story.correlation_id for event in found}) == 1


def test_a_tool_that_nobody_recorded_is_told_by_the_next_call(events: list[Event]) -> None:
    """Its result is what the model was given; when it ran is not known, and not claimed."""
    (tool,) = (event for event in _of(events, "undecorated") if event.HasField("tool_call"))
    assert (tool.tool_call.tool, tool.tool_call.result.text) == (TOOL, "arrives on Friday")
    assert not tool.HasField("occurred_at")
    assert "tool_call" in tool.derived_fields


def test_what_was_called_is_reconstructed(openai: Loopback, tmp_path: Path) -> None:
    """Through a real gateway into a sealed ledger and back: which model version and input produced which output for
    this user, and which tools ran."""
    need("litellm")
    cli = Cli(tmp_path / "home")
    cli.make(TENANT)
    with cli.up() as up:
        run(PROGRAM, up.gateway, openai.url, home=tmp_path)
        sealed(cli, up)
        shown = cli.good("reconstruct", "--tenant", TENANT, "--user", "mia", "--to", up.gateway).out
    for part in ("gpt-4o-2024-08-06", "Where is order 1001?", ANSWER, TOOL, "arrives on Friday", "helper"):
        assert part in shown


def test_the_markers_are_the_servers() -> None:
    """The program uses the markers that the loopback server knows."""
    assert OVERLOADED in PROGRAM
