"""LiteLLM: every call of a model through its library or its proxy is on record.

    import litellm
    from ledger.client import Client, Ledger
    from ledger.integrations.litellm import LedgerLogger

    ledger = Ledger(Client("127.0.0.1:7443", tenant="acme", service="support-bot"))
    litellm.callbacks = [LedgerLogger(ledger)]

For the proxy the last two lines stand in a module of one's own, and `litellm_settings: callbacks: my_module.logger` in
its configuration.

A call is one event when LiteLLM says that it is over: success or failure, sync or async, a stream at its end. It is
made of LiteLLM's own `standard_logging_object`. What was around where the call was made (`ledger.session`,
`.acting_for`, `.agent`, a tool that runs) is around its event, also where LiteLLM calls back from a thread of its own.
Without that, user and session are what the call names: `user=`, `litellm_session_id=`; correlation is LiteLLM's trace
id.

Results of tools that a call carries to the model are tool calls on record, as far as nobody else recorded them
(`@ledger.tool` under `ledger.answering(call_id)`); when they ran is not known. `tool_results=False` leaves them out.

What it can't know: which version answered in a stream, and of providers whose answers name none, since LiteLLM puts the
model asked for in its place; a stream that nobody reads to its end ends nowhere, so there is no event; with
`turn_off_message_logging` contents are LiteLLM's placeholder.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from litellm.integrations.custom_logger import CustomLogger

from ledger.client import Ledger, derived_event_id
from ledger.client.capture.around import Around
from ledger.client.capture.asked import AskedCall, Book
from ledger.client.capture.finish import calls_of
from ledger.client.capture.lifecycle import event_in
from ledger.importers.litellm_calls import OPERATIONS, VENDORS, format_of, without_additions, without_echo
from ledger.v1 import event_pb2 as pb
from ledger.vendors import FORMATS, answered_fields, asked_fields, results_seen, runs_at_vendor
from ledger.vendors.exchange import Answered, Asked
from ledger.vendors.fields import name_of
from ledger.vendors.json_values import Json, number, table, tables, text, whole

CALLS_MAX = 10_000
"""Calls under way, and calls that were recorded, remembered; the oldest are forgotten first."""
MCP_CALL = "call_mcp_tool"
_ID = "litellm-callback/v1"
_VERDICTS = {"success": "allow", "guardrail_flagged": "allow", "guardrail_intervened": "refuse", "blocked": "refuse"}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a call was made."""

    around: Around | None = None
    book: Book | None = None


@dataclass(slots=True)
class _Recent:
    """The newest entries by key."""

    entries: OrderedDict[Any, Any] = field(default_factory=OrderedDict)

    def put(self, key: Any, value: Any) -> None:
        self.entries[key] = value
        while len(self.entries) > CALLS_MAX:
            self.entries.popitem(last=False)


class LedgerLogger(CustomLogger):  # type: ignore[misc]  # litellm is not followed by the type checker
    """See the module."""

    def __init__(self, ledger: Ledger, *, tool_results: bool = True) -> None:
        super().__init__()
        self._ledger = ledger
        self._tool_results = tool_results
        self._lock = threading.Lock()
        self._places = _Recent()
        self._recorded = _Recent()

    # --- what LiteLLM calls -----------------------------------------------------------------------------------------

    def log_pre_api_call(self, model: str, messages: Any, kwargs: dict[str, Any]) -> None:
        """In the caller's context, before each try."""
        self._ledger.guard(lambda: self._begins(kwargs))

    def log_success_event(self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any) -> None:
        """From a thread of LiteLLM's."""
        self._ledger.guard(lambda: self._ends(kwargs))

    def log_failure_event(self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any) -> None:
        """When the last try failed."""
        self._ledger.guard(lambda: self._ends(kwargs))

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """On the event loop."""
        self._ledger.guard(lambda: self._ends(kwargs))

    async def async_log_failure_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """On the event loop."""
        self._ledger.guard(lambda: self._ends(kwargs))

    # --- inside -----------------------------------------------------------------------------------------------------

    def _begins(self, kwargs: Mapping[str, Any]) -> None:
        ambience = self._ledger.ambience
        around = ambience.now()
        book = around.book if around is not None else None
        if book is None:
            # The answer comes on another thread: the calls it asks for go into a book that this context has already.
            book = (ambience.book(None) or Book()).with_([])
            ambience.leave_calls(book)
        with self._lock:
            self._places.put(text(kwargs.get("litellm_call_id")), _Place(around, book))

    def _ends(self, kwargs: Mapping[str, Any]) -> None:
        log = table(kwargs.get("standard_logging_object"))
        call_id = text(log.get("litellm_call_id")) or text(kwargs.get("litellm_call_id"))
        if not log or not call_id:
            raise ValueError("no standard_logging_object")
        key = (call_id, text(log.get("status")), number(log.get("startTime")))
        with self._lock:
            if key in self._recorded.entries:
                return
            self._recorded.put(key, None)
            place = self._places.entries.get(call_id) or _Place(self._ledger.ambience.now())
        params = table(kwargs.get("litellm_params"))
        for event in self._events(log, params, call_id, place):
            self._ledger.emit(event)

    def _events(
        self, log: Mapping[str, Json], params: Mapping[str, Json], call_id: str, place: _Place
    ) -> Iterator[pb.Event]:
        started = number(log.get("startTime")) or datetime.now(UTC).timestamp()
        identity = derived_event_id(max(0, int(started * 1_000)), _ID, call_id, text(log.get("status")), str(started))
        around = place.around
        own = {
            "event_id": identity,
            "occurred_at": datetime.fromtimestamp(started, UTC),
            "latency_ms": _ms(log.get("response_time")),
            **_story(log, params, around),
        }
        metadata = table(log.get("metadata"))
        if text(log.get("call_type")) == MCP_CALL:
            yield event_in(self._ledger, "tool_call", around, {**own, **_mcp_call(log, metadata)})
            return
        asked, answered = _read(log)
        echoes = [text(log.get(each)) for each in ("model", "model_group")]
        provider, streamed = text(log.get("custom_llm_provider")), log.get("stream") is True
        answered = without_echo(answered, provider, echoes, streamed=streamed)
        said = {**asked_fields(asked), **answered_fields(answered), **_observed(log, metadata)}
        event = event_in(self._ledger, "request", around, {**said, **own})
        self._note_calls(answered, identity, place.book)
        story = {name: getattr(event.story, name) or None for name in ("session_id", "correlation_id")}
        vendor = text(said.get("vendor"))
        if self._tool_results:
            new = [each for each in asked.tools_ran if not _is_recorded(each.call_id, place.book)]
            yield from results_seen(new, vendor, story, identity)
        yield event
        yield from runs_at_vendor(answered.tools_ran, vendor, story, event)

    def _note_calls(self, answered: Answered, identity: bytes, book: Book | None) -> None:
        output = answered.output
        if book is None or not isinstance(output, dict):
            return
        said = text(output.get("content")) or None
        for call in calls_of(output.get("tool_calls")):
            book.note(AskedCall(identity, call.call_id, call.tool, said))


def _is_recorded(call_id: str, book: Book | None) -> bool:
    """Whether a run of this call is on record by itself."""
    call = book.by_id(call_id) if book is not None and call_id else None
    return call is not None and call.taken


def _read(log: Mapping[str, Json]) -> tuple[Asked, Answered]:
    """What the bodies say, put back into the shape in which the call was made."""
    call_type, response = text(log.get("call_type")), log.get("response")
    name = format_of(call_type, response)
    given, parameters = log.get("messages"), table(log.get("model_parameters"))
    slot = {"openai.embeddings": "input", "openai.responses": "input", "openai.completions": "prompt"}
    body = {**parameters, "model": log.get("model"), slot.get(name, "messages"): given}
    shape = FORMATS[name]
    asked = shape.asked(body, "") if name != "json" else Asked("other", input=given)
    if asked.input is None and given:
        asked = Asked(asked.operation, input=given)
    if isinstance(response, dict):
        return asked, shape.answered(without_additions(response), "")
    return asked, Answered(output=response)


def _observed(log: Mapping[str, Json], metadata: Mapping[str, Json]) -> dict[str, Any]:
    """What LiteLLM itself knows of the call."""
    hidden, cost = table(log.get("hidden_params")), number(log.get("response_cost"))
    streamed = log.get("stream") is True
    first, started = number(log.get("completionStartTime")), number(log.get("startTime"))
    provider = text(log.get("custom_llm_provider"))
    group, model = name_of(text(log.get("model_group"))), name_of(text(log.get("model")))
    region = name_of(text(table(hidden.get("additional_headers")).get("llm_provider-x-ms-region")))
    prompt = table(metadata.get("prompt_management_metadata"))
    call_type = text(log.get("call_type"))
    return _known(
        operation=OPERATIONS.get(call_type, "other"),
        vendor=VENDORS.get(provider) or name_of(provider),
        model_requested=model,
        deployment=group if group != model else None,
        region=region,
        region_source="response-header" if region else None,
        streamed=streamed,
        time_to_first_token_ms=_ms(first - started) if streamed and first and started else None,
        tokens_in=whole(log.get("prompt_tokens")) or None,
        tokens_out=whole(log.get("completion_tokens")) or None,
        cost_nanos=round(cost * 1e9) if cost else None,
        currency="USD" if cost else None,
        parameters={"cache_hit": 1.0} if log.get("cache_hit") is True else None,
        prompts=[{"prompt_id": prompt["prompt_id"]}] if name_of(text(prompt.get("prompt_id"))) else None,
        variables=prompt.get("prompt_variables") or None,
        guardrails=[_guardrail(each) for each in tables(log.get("guardrail_information"))],
        retrieved=list(_retrieved(metadata)),
        **_error(log),
    )


def _error(log: Mapping[str, Json]) -> dict[str, Any]:
    if text(log.get("status")) != "failure":
        return {}
    error = table(log.get("error_information"))
    said = text(error.get("error_message")) or text(log.get("error_str"))
    return _known(error_class=name_of(text(error.get("error_class"))) or "error", error_text=said or None)


def _story(log: Mapping[str, Json], params: Mapping[str, Json], around: Around | None) -> dict[str, Any]:
    """What the call itself names, where nothing around says it."""
    known = around.fields if around is not None else {}
    given = table(params.get("metadata"))
    found: dict[str, Any] = {}
    if "session_id" not in known:
        found["session_id"] = text(params.get("litellm_session_id")) or text(given.get("session_id")) or None
    if "correlation_id" not in known:
        trace_id = text(params.get("litellm_trace_id")) or text(given.get("trace_id")) or text(log.get("trace_id"))
        found["correlation_id"] = trace_id or None
    if "user" not in known:
        parameters, metadata = table(log.get("model_parameters")), table(log.get("metadata"))
        names = {
            "end_user": text(log.get("end_user")),
            "user": text(parameters.get("user")),
            "user_api_key_user_id": text(metadata.get("user_api_key_user_id")),
        }
        attribute, user = next(((name, value) for name, value in names.items() if value), ("", ""))
        if user:
            found |= {"user": user, "identity_source": "claimed", "identity_attribute": attribute}
    return found


def _guardrail(given: Mapping[str, Json]) -> dict[str, Any]:
    return _known(
        name=name_of(text(given.get("guardrail_name"))) or "unnamed",
        verdict=_VERDICTS.get(text(given.get("guardrail_status"))),
    )


def _retrieved(metadata: Mapping[str, Json]) -> Iterator[dict[str, Any]]:
    for search in tables(metadata.get("vector_store_request_metadata")):
        found = tables(table(search.get("vector_store_search_response")).get("data"))
        for rank, each in enumerate(found, start=1):
            texts = [text(part.get("text")) for part in tables(each.get("content"))]
            yield _known(
                index_id=name_of(text(search.get("vector_store_id"))),
                rank=rank,
                score=number(each.get("score")),
                document_id=text(each.get("file_id")) or text(each.get("filename")) or None,
                text="\n".join(filter(None, texts)) or None,
            )


def _mcp_call(log: Mapping[str, Json], metadata: Mapping[str, Json]) -> dict[str, Any]:
    mcp = table(metadata.get("mcp_tool_call_metadata"))
    failed = text(log.get("status")) == "failure"
    return _known(
        tool=name_of(text(mcp.get("name"))) or name_of(text(log.get("model"))) or "unknown",
        destination=name_of(text(mcp.get("mcp_server_name"))),
        outcome="error" if failed else "ok",
        parameters=mcp.get("arguments"),
        result=mcp.get("result") or log.get("response"),
        **_error(log),
    )


def _ms(seconds: Json) -> int | None:
    value = number(seconds)
    return round(value * 1_000) if value is not None and value >= 0 else None


def _known(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}
