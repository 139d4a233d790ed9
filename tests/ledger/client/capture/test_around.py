"""Who acts, in which story, below what: through blocks, tasks, threads and generators."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType, SimpleNamespace

import pytest

from ledger.client import Ledger
from ledger.v1.event_pb2 import Event
from tests.ledger.client.capture.conftest import Recorded


def _sessions(events: list[Event]) -> list[str]:
    return [event.story.session_id for event in events]


def _say(ledger: Ledger, what: str = "look") -> None:
    with ledger.tool(what, started=False):
        pass


def test_everything_inside_knows_who_acts_and_why(ledger: Ledger, recorded: Recorded) -> None:
    """Session, user, role, agent, grant, purpose and subjects of all blocks around stand in each event; after them
    nothing does."""
    with (
        ledger.within(ai_system_id="desk", purpose="support", correlation_id="case-7"),
        ledger.session("s1"),
        ledger.acting_for(user="mia", role="customer", subjects=[("bob", "mentioned")]),
        ledger.agent("helper", version="3", grant="g1", actor_grant_scope="refunds"),
        ledger.acting_for(subjects=["eve"]),
    ):
        _say(ledger)
    _say(ledger)
    event, after = recorded()
    assert (event.story.session_id, event.story.correlation_id) == ("s1", "case-7")
    assert (event.actor.user.identifier, event.actor.role) == ("mia", "customer")
    assert (event.actor.agent, event.actor.agent_version, event.actor.grant_id) == ("helper", "3", "g1")
    assert event.actor.grant_scope == "refunds"
    assert [each.identifier for each in event.subjects] == ["bob", "eve"]
    assert (event.purpose.ai_system_id, event.purpose.purpose) == ("desk", "support")
    assert not after.HasField("actor")
    assert after.story.correlation_id not in ("", "case-7")


def test_nested_work_has_its_parent_and_one_correlation_id(ledger: Ledger, recorded: Recorded) -> None:
    """What a tool does inside has the tool's first event as its parent, and the outermost's correlation id."""

    @ledger.tool
    def outer() -> None:
        with ledger.request(vendor="openai", model="gpt-4o"):
            _say(ledger, "inner")

    outer()
    outer()
    first = recorded()[:4]
    by_name = {event.tool_call.tool or "request": event for event in first[:3]}
    started, inner, request = by_name["outer"], by_name["inner"], by_name["request"]
    assert request.story.parent_event_id == started.event_id
    assert inner.story.parent_event_id == request.event_id
    assert not started.story.parent_event_id
    assert len({event.story.correlation_id for event in first}) == 1
    assert len({event.story.correlation_id for event in recorded()}) == 2


def test_an_agent_decorates_what_it_does(ledger: Ledger, recorded: Recorded) -> None:
    """A function, a coroutine and a generator of an agent: what runs in them is the agent's."""

    @ledger.agent("planner", version="1")
    def plan() -> None:
        _say(ledger)

    @ledger.agent("planner")
    async def plan_later() -> None:
        _say(ledger)

    @ledger.agent("planner")
    def steps() -> Iterator[int]:
        _say(ledger)
        yield 1
        _say(ledger)

    plan()
    asyncio.run(plan_later())
    for _ in steps():
        _say(ledger, "consumer")
    names = [(event.tool_call.tool, event.actor.agent) for event in recorded()]
    assert names == [("look", "planner")] * 3 + [("consumer", ""), ("look", "planner")]


async def test_tasks_take_it_along(ledger: Ledger, recorded: Recorded) -> None:
    """A task belongs to the block it was made in, also when it outlives it; tasks beside each other don't mix."""
    go_on = asyncio.Event()

    async def work() -> None:
        _say(ledger, "early")
        await go_on.wait()
        _say(ledger, "late")

    tasks = []
    for name in ("a", "b"):
        async with ledger.session(name):
            tasks.append(asyncio.create_task(work()))
            await asyncio.to_thread(_say, ledger, "thread")
    go_on.set()
    await asyncio.gather(*tasks)
    found = sorted((event.tool_call.tool, event.story.session_id) for event in recorded())
    assert found == sorted((what, name) for what in ("early", "late", "thread") for name in "ab")


def test_threads_take_it_along_with_copy_context(ledger: Ledger, recorded: Recorded) -> None:
    """A thread begins with nothing around, as Python has it; `copy_context().run` takes it along."""
    with ledger.session("s1"), ThreadPoolExecutor(1) as pool:
        pool.submit(_say, ledger).result()
        pool.submit(contextvars.copy_context().run, _say, ledger).result()
        thread = threading.Thread(target=_say, args=(ledger,))
        thread.start()
        thread.join()
    assert _sessions(recorded()) == ["", "s1", ""]


def test_a_decorated_generator_keeps_its_surroundings_to_itself(ledger: Ledger, recorded: Recorded) -> None:
    """Between two steps the consumer has its own, whatever blocks the generator is in; they are back at the next."""

    @ledger.tool("walk", started=False)
    def walk() -> Iterator[int]:
        with ledger.session("inside"):
            yield 1
            _say(ledger, "inner")
            yield 2

    with ledger.session("outside"):
        for _ in walk():
            _say(ledger, "consumer")
    found = [(event.tool_call.tool, event.story.session_id) for event in recorded()]
    assert found == [("consumer", "outside"), ("inner", "inside"), ("consumer", "outside"), ("walk", "outside")]
    assert not recorded()[0].story.parent_event_id


def test_blocks_that_end_in_another_order_leave_nothing_behind(ledger: Ledger, recorded: Recorded) -> None:
    """A `with` in a plain generator ends when the generator does: what comes after belongs to no ended block."""

    def stream(name: str) -> Iterator[int]:
        with ledger.session(name):
            yield 1

    first, second = stream("a"), stream("b")
    next(first), next(second)
    assert list(first) == list(second) == []
    _say(ledger)
    third = stream("c")
    next(third)
    with ledger.session("d"):
        assert list(third) == []
        _say(ledger)
    _say(ledger)
    assert _sessions(recorded()) == ["", "d", ""]


async def test_an_async_generator_closed_in_another_task_harms_nobody(ledger: Ledger, recorded: Recorded) -> None:
    """Its blocks are left in a context they were not entered in; nothing is raised there or lost."""

    @ledger.tool("walk", started=False)
    async def walk() -> AsyncIterator[int]:
        async with ledger.session("inside"):
            yield 1

    steps = walk()
    assert await anext(steps) == 1
    await asyncio.create_task(steps.aclose())  # type: ignore[attr-defined]
    _say(ledger)
    assert sorted((event.tool_call.tool, event.story.session_id) for event in recorded()) == [
        ("look", ""),
        ("walk", ""),
    ]


def test_the_same_plan_serves_nested_calls(ledger: Ledger, recorded: Recorded) -> None:
    """A recursive tool's runs are below each other."""

    @ledger.tool
    def count(left: int) -> int:
        return left and count(left - 1)

    assert count(2) == 0
    starts = [event for event in recorded() if event.operation_id == event.event_id]
    assert [each.story.parent_event_id for each in starts] == [b"", starts[0].event_id, starts[1].event_id]


def test_the_current_span_of_opentelemetry_is_named(
    ledger: Ledger, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the application has it loaded; nothing is imported for it, and its faults are none of ours."""
    span = SimpleNamespace(is_valid=True, trace_id=1, span_id=2)
    trace = ModuleType("opentelemetry.trace")
    trace.get_current_span = lambda: SimpleNamespace(get_span_context=lambda: span)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", trace)
    _say(ledger)
    span.is_valid = False
    _say(ledger)
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", ModuleType("opentelemetry.trace"))
    _say(ledger)
    stories = [event.story for event in recorded()]
    assert (stories[0].trace_id, stories[0].span_id) == ((1).to_bytes(16, "big"), (2).to_bytes(8, "big"))
    assert not stories[1].trace_id
    assert not stories[2].trace_id
