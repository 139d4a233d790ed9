"""A run of a tool: `@ledger.tool(side_effect="write")`, or `with ledger.tool("refund", side_effect="money") as run:`.

Two events joined by an operation id: the start with arguments and intent, the end with outcome, result and latency. A
run whose end is missing is seen as one that never ended. With `started=False` it is one event, at the end.

What must not happen off the record waits: with `durable_start_s` the tool begins only when its start is durable, and
`Unavailable` (or `Rejected`) is raised instead of running it when that does not come; a cancelled phase says so.

An exception fails the run: outcome error, or timed out for a TimeoutError, with the exception's class; a cancelled task
or a generator closed early ends as cancelled. The exception goes on unchanged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Unpack

from ledger.client.capture.around import Addition
from ledger.client.capture.asked import AskedCall
from ledger.client.capture.building import check_names
from ledger.client.capture.describe import Json, describe
from ledger.client.capture.lifecycle import CANCELLED, TIMED_OUT, EventRun, arguments_of, error_fields
from ledger.client.capture.scope import Plan, Run
from ledger.client.fields import Body, ToolCallFields
from ledger.errors import LedgerError, Unavailable
from ledger.v1 import event_pb2 as pb

YIELDED_MAX = 1_000


class ToolRunHandle:
    """What a tool's block is given to say what came of it."""

    __slots__ = ("_run",)

    def __init__(self, run: ToolRun) -> None:
        self._run = run

    @property
    def operation_id(self) -> bytes:
        """Joins the phases of this run, 16 bytes; also the id of its first event."""
        return self._run.event_id

    def returned(self, result: Any) -> None:
        """The result, as JSON or described."""
        self._run.ledger.guard(lambda: self._run.returned(result))

    def denied(self, why: str = "") -> None:
        """Somebody or something forbade it: it was not run. `why`: a word, such as the name of the rule."""
        fields = {"outcome": "denied", **({"error_class": why} if why else {})}
        self._run.ledger.guard(lambda: self._run.add(fields))

    def failed(self, error: BaseException) -> None:
        """It failed, with an exception that does not leave the block."""
        self._run.ledger.guard(lambda: self._run.add({"outcome": _outcome(error), **error_fields(error)}))

    def took_effect(self, external_id: str) -> None:
        """The outside world's id of what was done: a refund's number, a message's id."""
        self._run.ledger.guard(lambda: self._run.add({"external_effect_id": external_id}))

    def add(self, **fields: Unpack[ToolCallFields]) -> None:
        """Further fields of the event."""
        self._run.ledger.guard(lambda: self._run.add(fields))


class ToolRun(EventRun):
    """One run."""

    kind = "tool_call"
    kept = ("tool",)

    def __init__(self, plan: ToolPlan, function: Callable[..., Any] | None = None, called: Any = None) -> None:
        super().__init__(plan.ledger, plan.fields, plan.phases)
        self._plan = plan
        self._function = function
        self._called = called
        self._yielded: list[Json] = []
        self._yields = 0
        self._returned: Json = None
        self.handle = ToolRunHandle(self)
        if function is not None:
            self.given.setdefault("tool", tool_name(function))

    def addition(self) -> Addition:
        return Addition(event_id=self.event_id, work=True, running=self.handle)

    def started(self) -> None:
        self._prepare()
        event = self._first()
        if event is not None:
            self._durably(event, lambda seconds: self.ledger.emit_durable(event, seconds))

    async def started_async(self) -> None:
        self._prepare()
        event = self._first()
        if event is None:
            return
        seconds = self._plan.durable_start_s or 0.0
        try:
            await self.ledger.emit_durable_async(event, seconds)
        except (LedgerError, asyncio.CancelledError) as error:
            self.cancel(type(error).__name__)
            raise

    def _durably(self, event: pb.Event, wait: Callable[[float], object]) -> None:
        try:
            wait(self._plan.durable_start_s or 0.0)
        except LedgerError as error:
            self.cancel(type(error).__name__)
            raise

    def _first(self) -> pb.Event | None:
        """The start: emitted, or returned where it must be durable."""
        if self._plan.durable_start_s is None:
            super().started()
            return None
        try:
            return self.start_event()
        except Exception as error:
            # Off the record it may not run.
            raise Unavailable(f"the start could not be made: {type(error).__name__}") from None

    def _prepare(self) -> None:
        self.ledger.guard(self._take_arguments)
        self.ledger.guard(self._join)

    def _take_arguments(self) -> None:
        if self._function is not None and "parameters" not in self.given:
            arguments = arguments_of(self._function, self._called, self._plan.leave_out)
            show = self._plan.show_arguments
            self.given["parameters"] = arguments if show is None else show(arguments)
        self._called = None

    def _join(self) -> None:
        """To the request whose answer asked for this run."""
        if "requested_by_event_id" in self.given:
            return
        outer = self.around.outer if self.around is not None else None
        book = self.ledger.ambience.book(outer)
        call_id = self.given.get("call_id") or (outer.call_id if outer is not None else None)
        if call_id:
            self.given["call_id"] = call_id
        if book is None:
            return
        asked = book.by_id(call_id) if call_id else book.by_tool(self.given.get("tool", ""))
        if asked is not None:
            self._take(asked, inferred=not call_id)

    def _take(self, asked: AskedCall, *, inferred: bool) -> None:
        asked.taken = True
        derived = ["tool_call.requested_by_event_id", "tool_call.call_id"] if inferred else []
        self.given["requested_by_event_id"] = asked.event_id
        if asked.call_id:
            self.given.setdefault("call_id", asked.call_id)
        if asked.said and "intent" not in self.given:
            self.given["intent"] = asked.said
            derived.append("tool_call.intent")
        if derived:
            self.given["derived_fields"] = [*self.given.get("derived_fields", ()), *derived]

    def ended(self, error: BaseException | None) -> None:
        if self._yields and "result" not in self.given:
            self.given["result"] = self._streamed()
        if error is not None and not isinstance(error, GeneratorExit):
            self.add(error_fields(error))
        if error is None or not isinstance(error, CANCELLED):
            self.given.setdefault("outcome", "ok" if error is None else _outcome(error))
        self.finish(error)

    def returned(self, value: Any) -> None:
        show = self._plan.show_result
        if self._yields and show is None:
            self._returned = describe(value)
            return
        if "result" not in self.given and value is not None:
            self.given["result"] = (
                (value if isinstance(value, str) else describe(value)) if show is None else show(value)
            )

    def yielded(self, value: Any) -> None:
        self._yields += 1
        if len(self._yielded) < YIELDED_MAX and self.keeps(len(value) if isinstance(value, str) else 100):
            self._yielded.append(describe(value))

    def _streamed(self) -> Json:
        """Texts joined, anything else as a list; what is beyond the bound is counted."""
        more = self._yields - len(self._yielded)
        if not more and self._returned is None and all(isinstance(each, str) for each in self._yielded):
            return "".join(self._yielded)
        returned = {} if self._returned is None else {"returned": self._returned}
        return {"yielded": self._yielded, **({"left_out": more} if more else {}), **returned}


class ToolPlan(Plan[ToolRunHandle]):
    """What `Ledger.tool` returns."""

    def __init__(
        self,
        ledger: Any,
        fields: Mapping[str, Any],
        *,
        started: bool,
        durable_start_s: float | None,
        leave_out: tuple[str, ...] = (),
        show_arguments: Callable[[dict[str, Json]], Body] | None = None,
        show_result: Callable[[Any], Body] | None = None,
    ) -> None:
        super().__init__(ledger)
        check_names("tool_call", fields)
        self.ledger = ledger
        self.fields = fields
        self.phases = started or durable_start_s is not None
        self.durable_start_s = durable_start_s
        self.leave_out = leave_out
        self.show_arguments = show_arguments
        self.show_result = show_result

    def run(self) -> ToolRun:
        return ToolRun(self)

    def handle(self, run: Run) -> ToolRunHandle:
        if not isinstance(run, ToolRun):
            raise TypeError("expected a tool's run")
        return run.handle

    def run_of(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Run:
        return ToolRun(self, function, (args, kwargs))


def tool_name(function: Callable[..., Any]) -> str:
    """By which a model would ask for it."""
    while hasattr(function, "func"):
        function = function.func
    return getattr(function, "__name__", type(function).__name__)


def _outcome(error: BaseException) -> str:
    return "timed_out" if isinstance(error, TIMED_OUT) else "error"
