"""Anthropic's messages, at Anthropic, on Vertex AI (`:rawPredict`) and on Bedrock (`/invoke`).

    POST .../v1/messages    {"model", "system", "messages", "tools", "max_tokens", "stream", "metadata": {"user_id"}}
    answer                  {"id", "model", "content": [block, ...], "stop_reason", "usage"}
    streamed answer         event: message_start, content_block_start, content_block_delta, content_block_stop, ...,
                            message_delta, message_stop; ping and error in between

Shapes: the types of Anthropic's own client. `input_tokens` leaves out what was read from and written to a cache: tokens
in are the sum. On Vertex and Bedrock the model stands in the path, not in the body.

A block `tool_result` of a user's message is a tool that the service ran; the arguments are those of the block
`tool_use` that asked. What the vendor ran itself (`server_tool_use`, `mcp_tool_use` and their results) stands in the
answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.vendors.assembling import kept_at
from ledger.vendors.exchange import Answered, Asked, Finish, Outcome, ToolRan, finish_of, newest
from ledger.vendors.json_values import Json, flag, load, number, table, tables, text, total, whole
from ledger.vendors.openai_chat import numbers_of
from ledger.vendors.pieces import Growing, Pieces, Room

FINISHES: dict[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause_turn": "other",
}
_RUNS_AT_VENDOR = ("server_tool_use", "mcp_tool_use")
_THOUGHTS = ("thinking", "redacted_thinking")


def asked(body: Json) -> Asked:
    """What the body of a request says."""
    body = table(body)
    user = text(table(body.get("metadata")).get("user_id"))
    parameters = numbers_of(body, ("top_k",))
    budget = number(table(body.get("thinking")).get("budget_tokens"))
    if budget is not None:
        parameters["thinking_budget_tokens"] = budget
    messages = tables(body.get("messages"))
    return Asked(
        operation="chat",
        model=text(body.get("model")),
        streamed=flag(body.get("stream")) or False,
        system=body.get("system") or None,
        input=messages or None,
        tools=body.get("tools") or None,
        temperature=number(body.get("temperature")),
        top_p=number(body.get("top_p")),
        tokens_max=whole(body.get("max_tokens")),
        parameters=parameters,
        user=user,
        user_attribute="metadata.user_id" if user else "",
        tier=text(body.get("service_tier")),
        tools_ran=tuple(_tools_ran(messages)),
    )


def answered(body: Json) -> Answered:
    """What the body of an answer says."""
    body = table(body)
    blocks = tables(body.get("content"))
    usage = table(body.get("usage"))
    raw = text(body.get("stop_reason"))
    cached = whole(usage.get("cache_read_input_tokens"))
    return Answered(
        model=text(body.get("model")),
        response_id=text(body.get("id")),
        output=_output(blocks),
        reasoning="\n".join(filter(None, (text(each.get("thinking")) for each in blocks))),
        finish_raw=raw,
        finish=finish_of(raw, FINISHES),
        tokens_in=total(whole(usage.get("input_tokens")), whole(usage.get("cache_creation_input_tokens")), cached),
        tokens_out=whole(usage.get("output_tokens")),
        tokens_cached=cached,
        tokens_reasoning=whole(table(usage.get("output_tokens_details")).get("thinking_tokens")),
        tier=text(usage.get("service_tier")),
        region=text(usage.get("inference_geo")),
        region_source="response" if text(usage.get("inference_geo")) else "",
        tools_ran=tuple(_at_vendor(blocks)),
    )


def _output(blocks: list[dict[str, Json]]) -> Json:
    """One text where the answer is nothing else; the blocks where it is more."""
    shown = [each for each in blocks if each.get("type") not in _THOUGHTS]
    if len(shown) == 1 and shown[0].get("type") == "text" and not shown[0].get("citations"):
        return text(shown[0].get("text"))
    return shown or None


def _tools_ran(messages: list[dict[str, Json]]) -> Iterator[ToolRan]:
    calls: dict[str, tuple[str, Json]] = {}
    new_from = newest(each.get("role") == "assistant" for each in messages)
    for at, message in enumerate(messages):
        for block in tables(message.get("content")):
            if block.get("type") == "tool_use":
                calls[text(block.get("id"))] = (text(block.get("name")), block.get("input"))
            elif block.get("type") == "tool_result":
                call_id = text(block.get("tool_use_id"))
                name, arguments = calls.get(call_id, ("", None))
                outcome: Outcome | None = "error" if block.get("is_error") is True else None
                yield ToolRan(call_id, name, arguments, block.get("content"), outcome, is_new=at >= new_from)


def _at_vendor(blocks: list[dict[str, Json]]) -> Iterator[ToolRan]:
    results = {text(each.get("tool_use_id")): each for each in blocks if text(each.get("type")).endswith("tool_result")}
    for block in blocks:
        if block.get("type") not in _RUNS_AT_VENDOR:
            continue
        call_id = text(block.get("id"))
        result = results.get(call_id, {})
        content = result.get("content")
        failed = result.get("is_error") is True or text(table(content).get("type")).endswith("_error")
        outcome: Outcome | None = "error" if failed else "ok" if result else None
        yield ToolRan(
            call_id,
            text(block.get("name")),
            block.get("input"),
            content,
            outcome,
            text(table(content).get("error_code")),
            True,
            text(block.get("server_name")),
        )


class _Block:
    def __init__(self, room: Room) -> None:
        self.head: dict[str, Json] = {}
        self.texts: dict[str, Pieces] = {}
        self.citations = Growing(room)


_DELTAS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("partial_json", "input"),
}


class MessageAssembler:
    """A streamed message."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._message: dict[str, Json] = {}
        self._blocks: dict[int, _Block] = {}
        self._usage: dict[str, Any] = {}
        self.first_output = False
        self.is_done = False

    def take(self, event: str, value: Json) -> None:
        """One event; its type stands in the data as well."""
        data = table(value)
        kind = text(data.get("type")) or event
        if kind == "message_start":
            self._message = table(data.get("message"))
            self._usage |= table(self._message.get("usage"))
        elif kind in ("content_block_start", "content_block_delta"):
            self._take_block(data)
        elif kind == "message_delta":
            delta = table(data.get("delta"))
            self._message |= {key: each for key, each in delta.items() if each is not None}
            self._usage |= {key: each for key, each in table(data.get("usage")).items() if each is not None}
        elif kind == "message_stop":
            self.is_done = True
        elif kind == "error":
            self._message["error"] = table(data.get("error"))

    def _take_block(self, data: dict[str, Json]) -> None:
        at = whole(data.get("index"))
        block = None if at is None else kept_at(self._blocks, at, _Block(self._room), self._room)
        if block is None:
            return
        if started := table(data.get("content_block")):
            block.head = started
            for key in ("text", "thinking"):
                if text(started.get(key)):
                    block.texts.setdefault(key, Pieces(self._room)).add(text(started[key]))
            self.first_output = self.first_output or started.get("type") not in ("text", "thinking")
        delta = table(data.get("delta"))
        place = _DELTAS.get(text(delta.get("type")))
        if place is not None:
            self.first_output = True
            block.texts.setdefault(place[1], Pieces(self._room)).add(text(delta.get(place[0])))
        elif delta.get("type") == "citations_delta":
            block.citations.add([delta.get("citation")])

    def body(self) -> Json:
        """The message so far."""
        content = [_block(self._blocks[at]) for at in sorted(self._blocks)]
        return {**self._message, "content": content, "usage": self._usage}


def _block(block: _Block) -> dict[str, Json]:
    found = dict(block.head)
    for key, pieces in block.texts.items():
        # Arguments that are no JSON yet, since the stream ended, stay the text they are.
        whole_text = pieces.text()
        value = load(whole_text) if key == "input" else whole_text
        found[key] = whole_text if value is None else value
    if not block.citations.is_empty:
        found["citations"] = block.citations.value()
    return found
