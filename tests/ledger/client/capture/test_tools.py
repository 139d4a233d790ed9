"""Runs of tools, decorated and in blocks."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest

from ledger.client import Ledger
from ledger.errors import Rejected
from ledger.v1 import event_pb2 as pb
from ledger.v1.event_pb2 import Event
from tests.ledger.client.capture.conftest import Recorded
from tests.ledger.client.gateway import ScriptedGateway, fails


class Refused(Exception):
    """The application's own."""


def _phases(events: list[Event]) -> list[str]:
    return [pb.Phase.Name(event.phase).removeprefix("PHASE_").lower() for event in events]


def _parameters(event: Event) -> Any:
    return json.loads(event.tool_call.parameters.text)


def test_a_decorated_function_is_on_record_with_what_it_got_and_gave(ledger: Ledger, recorded: Recorded) -> None:
    """Start with the arguments as the signature binds them, end with the result, joined; the function is as it was."""

    @ledger.tool(side_effect="write", version="2", intent="as asked")
    def book(flight: str, /, seats: int = 1, *others: str, window: bool = False, **more: Any) -> dict[str, Any]:
        """Books."""
        return {"booked": flight, "seats": seats}

    assert book("X1", 2, "a", window=True, meal="veg") == {"booked": "X1", "seats": 2}
    assert (book.__name__, book.__doc__) == ("book", "Books.")
    assert list(inspect.signature(book).parameters) == ["flight", "seats", "others", "window", "more"]
    started, completed = recorded()
    assert _phases([started, completed]) == ["started", "completed"]
    assert started.operation_id == completed.operation_id == started.event_id
    assert (started.tool_call.tool, started.tool_call.version, started.tool_call.provider) == ("book", "2", "internal")
    assert started.tool_call.side_effect == pb.SIDE_EFFECT_WRITE
    assert started.tool_call.intent.text == "as asked"
    assert _parameters(started) == {"flight": "X1", "seats": 2, "others": ["a"], "window": True, "meal": "veg"}
    assert completed.tool_call.outcome == pb.TOOL_OUTCOME_OK
    assert json.loads(completed.tool_call.result.text) == {"booked": "X1", "seats": 2}
    assert completed.tool_call.HasField("latency_ms")
    assert started.classification == pb.CLASSIFICATION_CONFIDENTIAL


def test_bare_methods_static_and_class_methods(ledger: Ledger, recorded: Recorded) -> None:
    """Without brackets too; `self` and `cls` are no parameters."""

    class Desk:
        @ledger.tool
        def note(self, text: str) -> str:
            return text

        @ledger.tool()
        @classmethod
        def kind(cls, text: str) -> str:
            return text

        @ledger.tool
        @classmethod
        def bare(cls, text: str) -> str:
            return text

        @staticmethod
        @ledger.tool()
        def plain(text: str) -> str:
            return text

    assert (Desk().note("a"), Desk.kind("b"), Desk.plain("c"), Desk().kind("d")) == ("a", "b", "c", "d")
    assert Desk.bare("e") == "e"
    assert [_parameters(event) for event in recorded()[::2]] == [{"text": each} for each in "abcde"]


def test_an_exception_goes_on_unchanged_and_fails_the_run(ledger: Ledger, recorded: Recorded) -> None:
    """The very exception is raised, without another as its context; its class is in clear, its text a content."""
    error = Refused("card of mia declined")

    @ledger.tool(side_effect="money")
    def pay() -> None:
        raise error

    with pytest.raises(Refused) as raised:
        pay()
    assert raised.value is error
    assert error.__context__ is None
    _, failed = recorded()
    assert _phases([failed]) == ["failed"]
    assert failed.tool_call.outcome == pb.TOOL_OUTCOME_ERROR
    assert failed.tool_call.error_class == f"{__name__}.Refused"
    assert failed.tool_call.error_text.text == "card of mia declined"


async def test_coroutines_time_outs_and_cancelled_tasks(ledger: Ledger, recorded: Recorded) -> None:
    """A coroutine function stays one; a time-out is an outcome of its own; a cancelled task ends as cancelled."""
    entered = asyncio.Event()

    @ledger.tool()
    async def fetch(how: str) -> str:
        if how == "late":
            raise TimeoutError
        if how == "stuck":
            entered.set()
            await asyncio.Event().wait()
        return how

    assert inspect.iscoroutinefunction(fetch)
    assert await fetch("now") == "now"
    with pytest.raises(TimeoutError):
        await fetch("late")
    task = asyncio.create_task(fetch("stuck"))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    events = recorded()
    assert _phases(events[1::2]) == ["completed", "failed", "cancelled"]
    assert events[3].tool_call.outcome == pb.TOOL_OUTCOME_TIMED_OUT
    assert events[5].tool_call.outcome == pb.TOOL_OUTCOME_UNSPECIFIED
    assert events[5].tool_call.error_class == "asyncio.exceptions.CancelledError"


def test_generators_stay_generators(ledger: Ledger, recorded: Recorded) -> None:
    """What is sent, thrown, yielded and returned passes unchanged; the run ends with the last step."""

    @ledger.tool()
    def lines(first: str) -> Iterator[Any]:
        try:
            got = yield first
        except KeyError:
            got = "caught"
        yield got
        return "done"

    assert inspect.isgeneratorfunction(lines)
    steps: Any = lines("a")
    assert next(steps) == "a"
    assert len(recorded()) == 1
    assert steps.send("b") == "b"
    with pytest.raises(StopIteration) as stop:
        next(steps)
    assert stop.value.value == "done"
    thrown: Any = lines("c")
    next(thrown)
    assert thrown.throw(KeyError("x")) == "caught"
    thrown.close()
    assert list(lines("d")) == ["d", None]
    completed, closed, exhausted = recorded()[1::2]
    assert json.loads(completed.tool_call.result.text) == {"yielded": ["a", "b"], "returned": "done"}
    assert (_phases([closed]), closed.tool_call.result.text) == (["cancelled"], "ccaught")
    assert json.loads(exhausted.tool_call.result.text) == {"yielded": ["d", None], "returned": "done"}


async def test_async_generators_stay_async_generators(ledger: Ledger, recorded: Recorded) -> None:
    """The same for `async for`: sent, thrown, closed."""
    seen = []

    @ledger.tool()
    async def chunks(count: int) -> AsyncIterator[Any]:
        try:
            for at in range(count):
                try:
                    seen.append((yield f"chunk {at} "))
                except KeyError:
                    yield "caught"
        finally:
            seen.append("closed")

    assert inspect.isasyncgenfunction(chunks)
    assert [each async for each in chunks(2)] == ["chunk 0 ", "chunk 1 "]
    early: Any = chunks(3)
    assert await anext(early) == "chunk 0 "
    assert await early.asend("sent") == "chunk 1 "
    assert await early.athrow(KeyError("x")) == "caught"
    await early.aclose()
    assert seen == [None, None, "closed", "sent", "closed"]
    completed, closed = recorded()[1::2]
    assert completed.tool_call.result.text == "chunk 0 chunk 1 "
    assert _phases([completed, closed]) == ["completed", "cancelled"]


def test_a_block_says_what_came_of_it(ledger: Ledger, recorded: Recorded) -> None:
    """`with ledger.tool(name)`: parameters, result, the outside world's id, a denial."""
    with ledger.tool("refund", side_effect="money", parameters={"order": 7}, grant_id="g1") as run:
        run.took_effect("re_123")
        run.returned({"refunded": True})
    with ledger.tool("delete") as run:
        run.denied("four-eyes")
    with ledger.tool("search") as run:
        run.failed(TimeoutError("slow"))
    refund, done, _, denied, _, failed = recorded()
    assert _parameters(refund) == {"order": 7}
    assert refund.tool_call.grant_id == "g1"
    assert done.tool_call.external_effect_id.text == "re_123"
    assert denied.tool_call.outcome == pb.TOOL_OUTCOME_DENIED
    assert (denied.tool_call.error_class, _phases([denied, failed])) == ("four-eyes", ["failed", "failed"])
    assert failed.tool_call.outcome == pb.TOOL_OUTCOME_TIMED_OUT


def test_one_event_instead_of_two(ledger: Ledger, recorded: Recorded) -> None:
    """`started=False`: a single event at the end has everything."""

    @ledger.tool(started=False, side_effect="read")
    def look(key: str) -> int:
        return 5

    assert look("k") == 5
    (event,) = recorded()
    assert (_phases([event]), _parameters(event), event.tool_call.result.text) == (["single"], {"key": "k"}, "5")
    assert not event.operation_id


def test_arguments_are_left_out_or_shown_as_told(ledger: Ledger, recorded: Recorded) -> None:
    """`leave_out` hides by name, `show_arguments` and `show_result` make the content."""

    @ledger.tool(leave_out=["password"])
    def login(user: str, password: str) -> None: ...

    @ledger.tool(show_arguments=lambda given: {"only": given["a"]}, show_result=lambda value: f"{value} rows")
    def query(a: int, b: int) -> int:
        return 12

    login("mia", "secret")
    query(1, 2)
    events = recorded()
    assert _parameters(events[0]) == {"user": "mia", "password": {"type": "str", "left_out": True}}
    assert "result" not in {field.name for field, _ in events[1].tool_call.ListFields()}
    assert (_parameters(events[2]), events[3].tool_call.result.text) == ({"only": 1}, "12 rows")


def test_off_the_record_it_does_not_run(gateway: ScriptedGateway, ledger: Ledger, recorded: Recorded) -> None:
    """With `durable_start_s` the tool runs when its start is durable; when that does not come it is not run, and a
    cancelled phase says so."""
    ran = []

    @ledger.tool(side_effect="money", durable_start_s=10)
    def pay(amount: int) -> None:
        assert [event.tool_call.tool for event in gateway.accepted] == ["pay"]
        ran.append(amount)

    pay(1)
    assert _phases(recorded()) == ["started", "completed"]
    gateway.script.append(fails(grpc.StatusCode.NOT_FOUND, "tenant"))
    with pytest.raises(Rejected):
        pay(2)
    assert ran == [1]
    assert _phases(recorded())[-1] == "cancelled"


async def test_a_coroutine_waits_for_its_record_without_holding_up_the_loop(
    gateway: ScriptedGateway, ledger: Ledger, recorded: Recorded
) -> None:
    """The same for `async def` and `async with`."""

    @ledger.tool(durable_start_s=10)
    async def pay() -> int:
        return len(gateway.accepted)

    assert await pay() == 1
    async with ledger.tool("refund", durable_start_s=10) as run:
        run.returned(len(gateway.accepted))
    assert sorted(event.tool_call.tool for event in recorded()) == ["pay", "pay", "refund", "refund"]


def test_a_name_that_does_not_exist_is_a_type_error_when_decorating() -> None:
    """A typo is told where it stands, when the module is imported, not when the tool runs."""
    ledger = Ledger.__new__(Ledger)
    with pytest.raises(TypeError, match="sidefect"):
        ledger.tool(sidefect="write")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="expected a function"):
        ledger.tool()(5)  # type: ignore[type-var]
    with pytest.raises(TypeError, match="expected a function"):
        ledger.tool(int)


def test_partials_and_callable_objects(ledger: Ledger, recorded: Recorded) -> None:
    """What can be called can be decorated."""

    class Search:
        def __call__(self, text: str) -> str:
            return text

    def add(a: int, b: int) -> int:
        return a + b

    assert ledger.tool("search")(Search())("x") == "x"
    assert ledger.tool()(functools.partial(add, 1))(2) == 3
    assert [event.tool_call.tool for event in recorded()[::2]] == ["search", "add"]
