"""LangChain's own core (models of its test kit, real tools, retrievers and runnables) with the callback handler."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.v1 import event_pb2 as pb
from ledger.v1.event_pb2 import Event
from tests.ledger.cli.running import TENANT, Cli
from tests.ledger.integrations.conftest import need, recorded, run, sealed

PROGRAM = '''
import asyncio, sys
from langchain_core.documents import Document
from langchain_core.language_models import FakeListLLM, GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.output_parsers import StrOutputParser
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from langchain_core.tools import tool
from ledger.client import Client, Ledger
from ledger.integrations.langchain import LedgerCallbackHandler

ledger = Ledger(Client(sys.argv[1], tenant="acme", service="bot", linger_ms=1), classification="confidential")
handler = LedgerCallbackHandler(ledger)

def config(session, **more):
    return {"callbacks": [handler], "metadata": {"user_id": "mia", "session_id": session, **more}}

def model(*answers):
    return GenericFakeChatModel(messages=iter(answers))

class Shelf(BaseRetriever):
    """A retriever of the application."""
    def _get_relevant_documents(self, query, *, run_manager):
        return [Document("Orders take two days.", id="doc-1", metadata={"score": 0.5}), Document("x", id="doc-2")]

@ledger.tool(side_effect="read")
def look_up(order_id):
    return "arrives on Friday"

@tool
def find_order(order_id: str) -> str:
    """Where an order is."""
    return look_up(order_id)

@tool
def breaks(order_id: str) -> str:
    """Always fails."""
    raise ValueError("no such order")

CALL = {"name": "find_order", "args": {"order_id": "1001"}, "id": "call_1", "type": "tool_call"}
ASKING = AIMessage(
    "I look it up.", tool_calls=[CALL],
    response_metadata={"model_name": "fake-2024-08-06", "finish_reason": "tool_calls"},
    usage_metadata={"input_tokens": 57, "output_tokens": 18, "total_tokens": 75,
                    "input_token_details": {"cache_read": 5}},
)
ANSWER = AIMessage("Order 1001 arrives on Friday.", response_metadata={"finish_reason": "stop"})

# An agent: a runnable that asks, runs the tools that the answer asks for, and asks again.
chat = model(ASKING, ANSWER)
def agent(question):
    messages = [SystemMessage("You help."), HumanMessage(question)]
    answer = chat.invoke(messages)
    messages.append(answer)
    for call in answer.tool_calls:
        messages.append(find_order.invoke(call))
    return chat.invoke(messages).content

assert RunnableLambda(agent).invoke("Where is order 1001?", config("agent")) == ANSWER.content

# Retrieval: a chain of a retriever, a prompt, a model and a parser; streamed.
prompt = ChatPromptTemplate.from_messages([("system", "Use {context}"), ("human", "{question}")])
asked = {"context": Shelf(), "question": RunnablePassthrough()}
chain = asked | prompt | model(AIMessage("two days")) | StrOutputParser()
assert "".join(chain.stream("How long?", config("rag"))) == "two days"

# Failures, of a model and of a tool.
def fails(messages):
    raise ConnectionError("reset")
broken = GenericFakeChatModel(messages=iter([]))
for what in (lambda: broken.invoke("x", config("broken")), lambda: breaks.invoke({"order_id": "7"}, config("broken"))):
    try:
        what()
    except Exception as error:
        seen = type(error).__name__
    else:
        raise AssertionError("no error")
assert seen == "ValueError"

# asyncio, beside each other; a model without chat; what is around counts before metadata.
async def later():
    async def one(session):
        chat = model(AIMessage(f"for {session}"))
        async for _ in chat.astream("hi", config(session)):
            pass
        await find_order.ainvoke({"order_id": session}, config(session))
    await asyncio.gather(one("task-a"), one("task-b"))
asyncio.run(later())
with ledger.session("around"), ledger.acting_for(user="ana"), ledger.agent("helper", version="2"):
    FakeListLLM(responses=["done"]).invoke("plain", config("other"))
    FakeListLLM(responses=["a", "b"]).batch(["one", "two"], {"callbacks": [handler]})
assert ledger.stats().faults == 0
assert ledger.close()
'''


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """What one program put on record."""
    need("langchain_core")
    return recorded(PROGRAM, home=tmp_path_factory.mktemp("langchain"))


def _of(events: list[Event], session: str) -> list[Event]:
    return [event for event in events if event.story.session_id == session]


def test_an_agents_run_is_on_record_step_by_step(events: list[Event]) -> None:
    """Two requests and the tool between them, joined to the call that asked for it, under one correlation id; what the
    tool did with the ledger itself is below it."""
    asking, started, inner, inner_end, completed, answering = _of(events, "agent")
    body = asking.request
    assert (body.operation, body.model_answered) == (pb.AI_OPERATION_CHAT, "fake-2024-08-06")
    assert body.vendor
    assert (body.system_instructions.text, json.loads(body.input.text)[0]["content"]) == (
        "You help.",
        "Where is order 1001?",
    )
    assert (body.tokens_in, body.tokens_out, body.tokens_cached) == (57, 18, 5)
    assert (body.finish_reason, body.HasField("latency_ms")) == (pb.FINISH_REASON_TOOL_CALLS, True)
    assert json.loads(body.output.text)["tool_calls"][0]["id"] == "call_1"
    tool = started.tool_call
    assert (tool.tool, tool.call_id, tool.requested_by_event_id) == ("find_order", "call_1", asking.event_id)
    assert (json.loads(tool.parameters.text), tool.intent.text) == ({"order_id": "1001"}, "I look it up.")
    assert completed.operation_id == started.event_id
    assert (completed.tool_call.outcome, completed.tool_call.result.text) == (
        pb.TOOL_OUTCOME_OK,
        "arrives on Friday",
    )
    assert (inner.tool_call.tool, inner.story.parent_event_id) == ("look_up", started.event_id)
    assert inner_end.operation_id == inner.event_id
    assert [each["role"] for each in json.loads(answering.request.input.text)] == ["user", "assistant", "tool"]
    assert answering.request.output.text == "Order 1001 arrives on Friday."
    found = _of(events, "agent")
    assert {event.actor.user.identifier for event in found} == {"mia"}
    assert {event.actor.identity_attribute for event in found} == {"metadata.user_id"}
    assert len({event.story.correlation_id for event in found}) == 1


@pytest.mark.parametrize(
    ("vendor", "operation", "is_told"),
    [
        ("openai", "chat", True),
        ("openai", "completion", False),
        ("aws.bedrock", "chat", False),
        ("groq", "chat", False),
        (None, "chat", False),
    ],
)
def test_a_model_that_may_only_be_the_one_asked_for_is_no_answer(
    vendor: str | None, operation: str, is_told: bool
) -> None:
    """Classes that put their own model's name into an answer tell nothing; another name is the answer's."""
    from ledger.integrations.langchain_messages import without_echo

    asked = {"vendor": vendor, "operation": operation, "model_requested": "m-1"}
    told = {"model_answered": "m-1", "tokens_in": 1}
    assert without_echo(asked, told) == (told if is_told else {"tokens_in": 1})
    assert without_echo(asked, {"model_answered": "m-2"}) == {"model_answered": "m-2"}


def test_what_was_retrieved_is_context_of_the_next_request(events: list[Event]) -> None:
    """The retriever's run is on record with its query; its documents are the request's context, inferred and said to
    be; a streamed answer is whole."""
    started, completed, request = _of(events, "rag")
    assert (started.tool_call.side_effect, json.loads(started.tool_call.parameters.text)) == (
        pb.SIDE_EFFECT_READ,
        {"query": "How long?"},
    )
    assert json.loads(completed.tool_call.result.text) == {"documents": ["doc-1", "doc-2"]}
    first, _ = request.request.retrieved
    assert (first.document_id.text, first.text.text, first.score, first.rank) == (
        "doc-1",
        "Orders take two days.",
        0.5,
        1,
    )
    assert list(request.derived_fields) == ["request.retrieved"]
    assert (request.request.output.text, request.request.streamed) == ("two days", True)
    assert request.request.HasField("time_to_first_token_ms")


def test_failures_are_told_and_go_on_unchanged(events: list[Event]) -> None:
    """Of a model and of a tool: class in clear, text as a content."""
    model, started, failed = _of(events, "broken")
    assert model.request.error_class
    assert not model.request.HasField("output")
    assert (started.phase, failed.phase) == (pb.PHASE_STARTED, pb.PHASE_FAILED)
    assert (failed.tool_call.error_class, failed.tool_call.error_text.text) == ("ValueError", "no such order")


def test_tasks_beside_each_other_are_told_apart(events: list[Event]) -> None:
    """Each has its own session and correlation ids, streams and tools included."""
    for session in ("task-a", "task-b"):
        found = _of(events, session)
        (request,) = (event.request for event in found if event.HasField("request"))
        assert (request.output.text, request.streamed) == (f"for {session}", True)
        tools = [event for event in found if event.tool_call.tool == "find_order"]
        assert [event.phase for event in tools] == [pb.PHASE_STARTED, pb.PHASE_COMPLETED]
        assert len({event.story.correlation_id for event in found}) == 2


def test_what_is_around_counts_before_metadata(events: list[Event]) -> None:
    """User, session, agent of the block around the run; a batch is a request each."""
    found = _of(events, "around")
    assert [event.request.operation for event in found] == [pb.AI_OPERATION_COMPLETION] * 3
    assert sorted(event.request.output.text for event in found) == ["a", "b", "done"]
    assert {(event.actor.user.identifier, event.actor.agent) for event in found} == {("ana", "helper")}
    assert not _of(events, "other")
    assert len({event.event_id for event in events}) == len(events)


def test_what_ran_is_reconstructed(tmp_path: Path) -> None:
    """Through a real gateway into a sealed ledger and back, for this user."""
    need("langchain_core")
    cli = Cli(tmp_path / "home")
    cli.make(TENANT)
    with cli.up() as up:
        run(PROGRAM, up.gateway, home=tmp_path)
        sealed(cli, up)
        shown = cli.good("reconstruct", "--tenant", TENANT, "--user", "mia", "--to", up.gateway).out
    for part in ("fake-2024-08-06", "Where is order 1001?", "find_order", "arrives on Friday", "Orders take two days."):
        assert part in shown
