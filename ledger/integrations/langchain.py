"""LangChain and LangGraph: chat models, language models, tools and retrievers are on record.

    from ledger.client import Client, Ledger
    from ledger.integrations.langchain import LedgerCallbackHandler

    ledger = Ledger(Client("127.0.0.1:7443", tenant="acme", service="support-bot"))
    handler = LedgerCallbackHandler(ledger)
    agent.invoke(question, config={"callbacks": [handler], "metadata": {"user_id": "mia", "session_id": "chat-17"}})

| run of                | becomes                                                                               |
| --------------------- | ------------------------------------------------------------------------------------- |
| a chat or other model | a request, when it ends; streamed, with the time to the first token                   |
| a tool                | a tool call of two phases; the request whose answer asked for it is named             |
| a retriever           | a tool call that reads, and the context retrieved of the next request below the same  |
|                       | run (which request took it is inferred, and said to be)                               |
| a chain or a graph    | nothing by itself: its outermost run's id is the correlation of all below, and whose  |
|                       | parent is whose follows the runs                                                      |

Ids of events and operations are derived from LangChain's run ids. What is around where the outermost run began
(`ledger.session`, `.acting_for`, `.agent`) is around all of it. Where that says nothing, the `metadata` of the run
does: `user_id`, `session_id` or LangGraph's `thread_id`, `role`; a user named there is a claim. Inside a tool its run
is around: what the tool does with the same `Ledger` is below it.

What it can't know: why a tool was called, but for the text that the model said beside the call; which version answered,
unless the model's class tells it (some, Bedrock's among them, put the one asked for there, which is no answer).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from ledger.client import Ledger, derived_event_id
from ledger.client.capture.around import Addition, Around
from ledger.client.capture.asked import AskedCall, Book
from ledger.client.capture.describe import describe
from ledger.client.capture.lifecycle import CANCELLED, TIMED_OUT, error_fields, event_in
from ledger.integrations import langchain_messages as shapes

RUNS_MAX = 50_000
"""Runs under way; the oldest are forgotten first."""
_ID = "langchain-run/v1"
_SESSION = ("session_id", "thread_id", "conversation_id")
_USER = ("user_id", "user", "end_user")


@dataclass(slots=True, eq=False)
class _Trace:
    """What all runs below one outermost run share."""

    around: Around | None
    fields: dict[str, Any]
    book: Book
    retrieved: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Run:
    """A run under way. `event_id`: of its own event, else of the event around it."""

    run_id: UUID
    trace: _Trace
    event_id: bytes | None
    given: dict[str, Any] = field(default_factory=dict)
    began_at: float = field(default_factory=time.monotonic)
    occurred_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    parent_event_id: bytes | None = None
    inside: Around | None = None
    index: str | None = None


class LedgerCallbackHandler(BaseCallbackHandler):  # type: ignore[misc]  # not followed by the type checker
    """See the module. One handler may serve any number of runs at once."""

    raise_error = False
    run_inline = True
    """On the event loop itself: it never blocks, and what is around must be found in the caller's own context."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._runs: OrderedDict[UUID, _Run] = OrderedDict()

    # --- chains -----------------------------------------------------------------------------------------------------

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        """A chain, a graph or one of its nodes."""
        self._ledger.guard(lambda: self._begin(kwargs))

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """It ended."""
        self._ledger.guard(lambda: self._take(run_id))

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """It failed."""
        self._ledger.guard(lambda: self._take(run_id))

    # --- models -----------------------------------------------------------------------------------------------------

    def on_chat_model_start(self, serialized: Any, messages: Sequence[Sequence[Any]], **kwargs: Any) -> None:
        """A chat model is asked."""
        asked = [message for one in messages for message in one]
        self._ledger.guard(lambda: self._model_begins(kwargs, {"operation": "chat", **shapes.asked(asked)}))

    def on_llm_start(self, serialized: Any, prompts: Sequence[str], **kwargs: Any) -> None:
        """A language model without chat is asked."""
        asked = prompts[0] if len(prompts) == 1 else list(prompts)
        self._ledger.guard(lambda: self._model_begins(kwargs, {"operation": "completion", "input": asked}))

    def on_llm_new_token(self, token: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A piece of a streamed answer."""
        self._ledger.guard(lambda: self._first_token(run_id))

    def on_stream_event(self, event: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A piece of a streamed answer, in the newer protocol."""
        self._ledger.guard(lambda: self._first_token(run_id))

    def on_llm_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """The model answered."""
        self._ledger.guard(lambda: self._model_ends(run_id, response, None))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """The call failed, perhaps in the middle of a stream."""
        self._ledger.guard(lambda: self._model_ends(run_id, kwargs.get("response"), error))

    # --- tools ------------------------------------------------------------------------------------------------------

    def on_tool_start(self, serialized: Any, input_str: str, **kwargs: Any) -> None:
        """A tool begins."""
        self._ledger.guard(lambda: self._tool_begins(serialized, input_str, kwargs))

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool ended; a tool message may tell that it failed."""
        failed = getattr(output, "status", None) == "error"
        result = {"outcome": "error" if failed else "ok"}

        def end() -> None:
            shown = shapes.result(output)
            self._tool_ends(run_id, "failed" if failed else "completed", {**result, "result": shown})

        self._ledger.guard(end)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool raised."""
        if isinstance(error, CANCELLED):
            self._ledger.guard(lambda: self._tool_ends(run_id, "cancelled", error_fields(error)))
        else:
            outcome = "timed_out" if isinstance(error, TIMED_OUT) else "error"
            self._ledger.guard(lambda: self._tool_ends(run_id, "failed", {"outcome": outcome, **error_fields(error)}))

    # --- retrievers -------------------------------------------------------------------------------------------------

    def on_retriever_start(self, serialized: Any, query: str, **kwargs: Any) -> None:
        """A retriever is asked."""
        self._ledger.guard(lambda: self._retriever_begins(query, kwargs))

    def on_retriever_end(self, documents: Sequence[Any], *, run_id: UUID, **kwargs: Any) -> None:
        """It found these."""
        self._ledger.guard(lambda: self._retriever_ends(run_id, documents))

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """It failed."""
        self._ledger.guard(lambda: self._tool_ends(run_id, "failed", {"outcome": "error", **error_fields(error)}))

    # --- inside -----------------------------------------------------------------------------------------------------

    def _begin(self, kwargs: Mapping[str, Any], *, own_event: bool = False) -> _Run:
        run_id: UUID = kwargs["run_id"]
        with self._lock:
            parent = self._runs.get(kwargs.get("parent_run_id") or run_id)
        if parent is not None:
            trace, outer = parent.trace, parent.event_id
        else:
            trace = self._trace(run_id, kwargs.get("metadata") or {})
            outer = trace.around.event_id if trace.around is not None else None
        run = _Run(run_id, trace, outer, parent_event_id=outer)
        if own_event:
            run.event_id = self._identity(run, "start")
        with self._lock:
            self._runs[run_id] = run
            while len(self._runs) > RUNS_MAX:
                self._runs.popitem(last=False)
        return run

    def _trace(self, run_id: UUID, metadata: Mapping[str, Any]) -> _Trace:
        around = self._ledger.ambience.now()
        known = around.fields if around is not None else {}
        fields: dict[str, Any] = {}
        if "correlation_id" not in known:
            fields["correlation_id"] = str(run_id)
        if "session_id" not in known:
            fields["session_id"] = next((str(metadata[name]) for name in _SESSION if metadata.get(name)), None)
        if "user" not in known:
            attribute = next((name for name in _USER if isinstance(metadata.get(name), str) and metadata[name]), None)
            if attribute is not None:
                fields |= {
                    "user": metadata[attribute],
                    "identity_source": "claimed",
                    "identity_attribute": f"metadata.{attribute}",
                }
        if "role" not in known and isinstance(metadata.get("role"), str):
            fields["role"] = metadata["role"]
        book = around.book if around is not None and around.book is not None else Book()
        return _Trace(around, {name: value for name, value in fields.items() if value}, book)

    def _identity(self, run: _Run, part: str) -> bytes:
        at_ms = int(run.occurred_at.timestamp() * 1_000)
        return derived_event_id(at_ms, _ID, run.run_id.bytes, part)

    def _take(self, run_id: UUID) -> _Run | None:
        with self._lock:
            return self._runs.pop(run_id, None)

    def _emit(self, kind: str, run: _Run, given: Mapping[str, Any]) -> None:
        fields = {**run.trace.fields, **given}
        if run.parent_event_id is not None:
            fields["parent_event_id"] = run.parent_event_id
        self._ledger.emit(event_in(self._ledger, kind, run.trace.around, fields))

    # --- models, inside ---------------------------------------------------------------------------------------------

    def _model_begins(self, kwargs: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
        run = self._begin(kwargs, own_event=True)
        invocation = kwargs.get("invocation_params")
        metadata = kwargs.get("metadata") or {}
        run.given = {**asked, **shapes.parameters(metadata, invocation if isinstance(invocation, Mapping) else {})}
        retrieved, run.trace.retrieved = run.trace.retrieved, []
        if retrieved:
            run.given |= {"retrieved": retrieved, "derived_fields": ["request.retrieved"]}

    def _first_token(self, run_id: UUID) -> None:
        run = self._runs.get(run_id)
        if run is not None and "streamed" not in run.given:
            waited_ms = round((time.monotonic() - run.began_at) * 1_000)
            run.given |= {"streamed": True, "time_to_first_token_ms": waited_ms}

    def _model_ends(self, run_id: UUID, response: Any, error: BaseException | None) -> None:
        run = self._take(run_id)
        if run is None or run.event_id is None:
            raise LookupError("a run that was not begun")
        fields, calls, said = shapes.answer(response) if response is not None else ({}, (), None)
        fields = shapes.without_echo(run.given, fields)
        for call in calls:
            run.trace.book.note(AskedCall(run.event_id, call.call_id, call.tool, said))
        failed = error_fields(error) if error is not None else {}
        latency_ms = round((time.monotonic() - run.began_at) * 1_000)
        own = {"event_id": run.event_id, "occurred_at": run.occurred_at, "latency_ms": latency_ms}
        self._emit("request", run, {"streamed": False, **run.given, **fields, **failed, **own})

    # --- tools, inside ----------------------------------------------------------------------------------------------

    def _tool_begins(self, serialized: Any, input_str: str, kwargs: Mapping[str, Any]) -> None:
        name = (serialized or {}).get("name") or kwargs.get("name") or "unknown"
        inputs = kwargs.get("inputs")
        given = {"tool": name, "provider": "internal", "parameters": input_str if inputs is None else describe(inputs)}
        run = self._operation_begins(kwargs, given, kwargs.get("tool_call_id"))
        # What the tool does with the same ledger stands below it.
        addition = Addition(run.trace.fields, event_id=run.event_id)
        run.inside = self._ledger.ambience.inside(addition)
        self._ledger.ambience.enter(run.inside)

    def _operation_begins(self, kwargs: Mapping[str, Any], given: dict[str, Any], call_id: Any) -> _Run:
        run = self._begin(kwargs, own_event=True)
        asked = run.trace.book.by_id(call_id) if call_id else None
        if call_id:
            given["call_id"] = str(call_id)
        if asked is not None:
            asked.taken = True
            given["requested_by_event_id"] = asked.event_id
            if asked.said:
                given |= {"intent": asked.said, "derived_fields": ["tool_call.intent"]}
        run.given = given
        own = {"event_id": run.event_id, "operation_id": run.event_id, "phase": "started"}
        self._emit("tool_call", run, {**given, **own, "occurred_at": run.occurred_at})
        return run

    def _tool_ends(self, run_id: UUID, phase: str, fields: Mapping[str, Any]) -> _Run:
        run = self._take(run_id)
        if run is None or run.event_id is None:
            raise LookupError("a run that was not begun")
        if run.inside is not None:
            self._ledger.ambience.leave(run.inside)
        own = {"event_id": self._identity(run, "end"), "operation_id": run.event_id, "phase": phase}
        latency_ms = round((time.monotonic() - run.began_at) * 1_000)
        self._emit("tool_call", run, {"tool": run.given["tool"], "latency_ms": latency_ms, **fields, **own})
        return run

    # --- retrievers, inside -----------------------------------------------------------------------------------------

    def _retriever_begins(self, query: str, kwargs: Mapping[str, Any]) -> None:
        metadata = kwargs.get("metadata") or {}
        name = kwargs.get("name") or metadata.get("ls_retriever_name") or "retriever"
        given = {"tool": name, "provider": "internal", "side_effect": "read", "parameters": {"query": query}}
        run = self._operation_begins(kwargs, given, None)
        run.index = metadata.get("ls_vector_store_provider") or metadata.get("ls_retriever_name") or name

    def _retriever_ends(self, run_id: UUID, documents: Sequence[Any]) -> None:
        run = self._runs.get(run_id)
        index = run.index if run is not None else None
        found = [shapes.document(each, index, rank) for rank, each in enumerate(documents, start=1)]
        ids = [each.get("document_id") for each in found]
        ended = self._tool_ends(run_id, "completed", {"outcome": "ok", "result": {"documents": ids}})
        ended.trace.retrieved.extend(found)
