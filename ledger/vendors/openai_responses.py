"""OpenAI's responses.

    POST .../responses     {"model", "instructions", "input", "tools", "previous_response_id", "store", "stream", ...}
    answer                 {"id", "model", "status", "output": [item, ...], "usage", "error", "incomplete_details"}
    streamed answer        event: response.output_text.delta ... event: response.completed  data: {"response": {...}}

Shapes: the types of OpenAI's own client. The last event holds the whole response; a stream that ends before is put
together from its pieces. The vendor keeps a response unless told not to: `store` is what the request says, or unset.

Tools of the service ran where the input holds an item `function_call_output` (or of another call); tools that the
vendor runs itself (search, code, MCP) stand in the output with their result.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.vendors.assembling import kept_at
from ledger.vendors.exchange import Answered, Asked, Finish, Outcome, PromptSent, ToolRan, newest
from ledger.vendors.json_values import Json, flag, number, table, tables, text, whole
from ledger.vendors.openai_chat import numbers_of, user_of
from ledger.vendors.pieces import Pieces, Room

_NUMBERS = ("max_tool_calls", "top_logprobs", "frequency_penalty", "presence_penalty")
_OUTPUT_OF = {
    "function_call_output": "function_call",
    "custom_tool_call_output": "custom_tool_call",
    "local_shell_call_output": "local_shell_call",
    "shell_call_output": "shell_call",
    "apply_patch_call_output": "apply_patch_call",
    "computer_call_output": "computer_call",
}
"""Items that hold what a tool of the service gave back, and the items that asked for it."""

_AT_VENDOR = ("web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "mcp_call")
_ARGUMENTS = ("arguments", "input", "action", "operation", "code", "queries")


def asked(body: Json) -> Asked:
    """What the body of a request says."""
    body = table(body)
    prompt = table(body.get("prompt"))
    given = body.get("input")
    conversation = body.get("conversation")
    return Asked(
        operation="chat",
        model=text(body.get("model")),
        streamed=flag(body.get("stream")) or False,
        system=body.get("instructions"),
        input=given,
        variables=prompt.get("variables"),
        tools=body.get("tools") or None,
        prompts=(PromptSent(text(prompt["id"]), text(prompt.get("version"))),) if text(prompt.get("id")) else (),
        temperature=number(body.get("temperature")),
        top_p=number(body.get("top_p")),
        tokens_max=whole(body.get("max_output_tokens")),
        parameters=numbers_of(body, _NUMBERS),
        store=flag(body.get("store")),
        **user_of(body),
        conversation=text(conversation) or text(table(conversation).get("id")),
        tier=text(body.get("service_tier")),
        tools_ran=tuple(_tools_ran(tables(given))),
    )


def answered(body: Json) -> Answered:
    """What the body of an answer says."""
    body = table(body)
    output = tables(body.get("output"))
    usage = table(body.get("usage"))
    error = table(body.get("error"))
    raw, finish = _finish(body, output)
    return Answered(
        model=text(body.get("model")),
        response_id=text(body.get("id")),
        output=_output(output),
        reasoning="\n".join(_reasoning(output)),
        finish_raw=raw,
        finish=finish,
        tokens_in=whole(usage.get("input_tokens")),
        tokens_out=whole(usage.get("output_tokens")),
        tokens_cached=whole(table(usage.get("input_tokens_details")).get("cached_tokens")),
        tokens_reasoning=whole(table(usage.get("output_tokens_details")).get("reasoning_tokens")),
        tier=text(body.get("service_tier")),
        error_class=text(error.get("code")) or text(error.get("type")),
        error_text=text(error.get("message")),
        tools_ran=tuple(_at_vendor(output)),
        conversation=text(table(body.get("conversation")).get("id")),
    )


def _finish(body: dict[str, Json], output: list[dict[str, Json]]) -> tuple[str, Finish | None]:
    """The status stands for a finish reason; where it is incomplete, the reason for that."""
    status = text(body.get("status"))
    reason = text(table(body.get("incomplete_details")).get("reason"))
    if status == "completed":
        calls = any(text(each.get("type")) in _OUTPUT_OF.values() for each in output)
        return status, "tool_calls" if calls else "stop"
    if status == "incomplete":
        known: dict[str, Finish] = {"max_output_tokens": "length", "content_filter": "content_filter"}
        return reason or status, known.get(reason, "other")
    return status, "error" if status == "failed" else "other" if status else None


def _output(output: list[dict[str, Json]]) -> Json:
    """One text where the answer is nothing else; the items where it is more."""
    shown = [each for each in output if each.get("type") != "reasoning"]
    if len(shown) == 1 and shown[0].get("type") == "message":
        parts = tables(shown[0].get("content"))
        if len(parts) == 1 and parts[0].get("type") == "output_text" and not parts[0].get("annotations"):
            return text(parts[0].get("text"))
    return shown or None


def _reasoning(output: list[dict[str, Json]]) -> Iterator[str]:
    for item in output:
        if item.get("type") == "reasoning":
            for part in (*tables(item.get("summary")), *tables(item.get("content"))):
                if said := text(part.get("text")):
                    yield said


def _call_of(item: dict[str, Json]) -> tuple[str, Json]:
    """A call's tool and arguments. A call that names no tool is one of its type."""
    name = text(item.get("name")) or text(item.get("type")).removesuffix("_call")
    return name, next((item[key] for key in _ARGUMENTS if item.get(key) is not None), None)


def _tools_ran(items: list[dict[str, Json]]) -> Iterator[ToolRan]:
    calls: dict[str, tuple[str, Json]] = {}
    new_from = newest(_is_models(each) for each in items)
    for at, item in enumerate(items):
        kind = text(item.get("type"))
        call_id = text(item.get("call_id"))
        if kind in _OUTPUT_OF.values():
            calls[call_id] = _call_of(item)
        elif kind in _OUTPUT_OF:
            unnamed = "" if kind == "function_call_output" else _OUTPUT_OF[kind].removesuffix("_call")
            name, arguments = calls.get(call_id, (unnamed, None))
            yield ToolRan(call_id, name, arguments, item.get("output"), is_new=at >= new_from)


def _is_models(item: dict[str, Json]) -> bool:
    """Whether the model made this item of a history."""
    return item.get("role") == "assistant" or item.get("type") == "reasoning" or item.get("type") in _OUTPUT_OF.values()


def _at_vendor(output: list[dict[str, Json]]) -> Iterator[ToolRan]:
    for item in output:
        kind = text(item.get("type"))
        if kind not in _AT_VENDOR:
            continue
        name, arguments = _call_of(item)
        outcome: Outcome | None = None
        error = item.get("error")
        if error or item.get("status") == "failed":
            outcome = "error"
        elif item.get("status") == "completed":
            outcome = "ok"
        result = next((item[key] for key in ("output", "outputs", "results") if item.get(key) is not None), None)
        error_text = text(error) or text(table(error).get("message"))
        yield ToolRan(
            text(item.get("id")), name, arguments, result, outcome, error_text, True, text(item.get("server_label"))
        )


_ENDS = ("response.completed", "response.failed", "response.incomplete", "response.cancelled")
_TEXTS = {
    "response.output_text.delta": ("content", "output_text"),
    "response.refusal.delta": ("content", "refusal"),
    "response.reasoning_text.delta": ("content", "reasoning_text"),
    "response.reasoning_summary_text.delta": ("summary", "summary_text"),
}
_CALL_PIECES = {
    "response.function_call_arguments.delta": "arguments",
    "response.mcp_call_arguments.delta": "arguments",
    "response.custom_tool_call_input.delta": "input",
    "response.code_interpreter_call_code.delta": "code",
}


class _Item:
    def __init__(self) -> None:
        self.whole: dict[str, Json] = {}
        self.is_done = False
        self.texts: dict[tuple[str, str], Pieces] = {}


class ResponseAssembler:
    """A streamed response."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._head: dict[str, Json] = {}
        self._items: dict[int, _Item] = {}
        self._end: dict[str, Json] | None = None
        self._error: dict[str, Json] = {}
        self.first_output = False
        self.is_done = False

    def take(self, event: str, value: Json) -> None:
        """One event; its type stands in the data as well."""
        data = table(value)
        kind = text(data.get("type")) or event
        if kind in _ENDS:
            self._end = table(data.get("response"))
            self.is_done = True
        elif kind == "error":
            self._error = table(data.get("error")) or data
        elif kind in ("response.created", "response.in_progress", "response.queued"):
            self._head = table(data.get("response"))
        else:
            self._take_piece(kind, data)

    def _take_piece(self, kind: str, data: dict[str, Json]) -> None:
        at = whole(data.get("output_index"))
        if at is None:
            return
        item = kept_at(self._items, at, _Item(), self._room)
        if item is None:
            return
        place: tuple[str, str] | None = _TEXTS.get(kind)
        if kind in _CALL_PIECES:
            place = (_CALL_PIECES[kind], "")
        if place is not None:
            self.first_output = True
            item.texts.setdefault(place, Pieces(self._room)).add(text(data.get("delta")))
        elif kind == "response.output_item.added":
            item.whole = table(data.get("item"))
        elif kind == "response.output_item.done":
            item.whole, item.is_done = table(data.get("item")), True
            item.texts.clear()

    def body(self) -> Json:
        """The response: as its last event gives it, else what of it came."""
        if self._end is not None:
            return self._end
        output = [_item(self._items[at]) for at in sorted(self._items)]
        body: dict[str, Any] = {**self._head, "output": output, "status": ""}
        if self._error:
            body |= {"error": self._error, "status": "failed"}
        return body


def _item(item: _Item) -> dict[str, Json]:
    if item.is_done:
        return item.whole
    found = dict(item.whole)
    for (place, kind), pieces in item.texts.items():
        if kind:
            key = "refusal" if kind == "refusal" else "text"
            found[place] = [*tables(found.get(place)), {"type": kind, key: pieces.text()}]
        else:
            found[place] = pieces.text()
    return found
