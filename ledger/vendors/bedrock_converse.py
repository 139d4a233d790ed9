"""AWS Bedrock's Converse.

    POST /model/{modelId}/converse          {"messages", "system", "inferenceConfig", "toolConfig", "guardrailConfig"}
    POST /model/{modelId}/converse-stream   the answer as an event stream: messageStart, contentBlockStart,
                                            contentBlockDelta, contentBlockStop, messageStop, metadata
    answer    {"output": {"message": {"content": [block, ...]}}, "stopReason", "usage", "metrics", "trace"}

Shapes: the service model of botocore. The model asked for stands in the path; which version answered is told only where
a prompt router chose one. `inputTokens` leaves out what was read from and written to a cache: tokens in are the sum.
A block `toolResult` is a tool that the service ran. The id of a call is in the header `x-amzn-requestid`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.vendors.assembling import kept_at
from ledger.vendors.exchange import Answered, Asked, Finish, Guardrail, Outcome, ToolRan, finish_of, newest
from ledger.vendors.json_values import Json, load, number, table, tables, text, total, whole
from ledger.vendors.openai_chat import numbers_of
from ledger.vendors.pieces import Growing, Pieces, Room

FINISHES: dict[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}


def asked(body: Json) -> Asked:
    """What the body of a request says."""
    body = table(body)
    config = table(body.get("inferenceConfig"))
    tools = table(body.get("toolConfig"))
    messages = tables(body.get("messages"))
    return Asked(
        operation="chat",
        system=_system(tables(body.get("system"))),
        input=messages or None,
        variables=body.get("promptVariables"),
        tools=tools.get("tools") or None,
        temperature=number(config.get("temperature")),
        top_p=number(config.get("topP")),
        tokens_max=whole(config.get("maxTokens")),
        parameters=numbers_of(table(body.get("additionalModelRequestFields")), ("top_k", "topK")),
        tier=text(table(body.get("serviceTier")).get("type")),
        tools_ran=tuple(_tools_ran(messages)),
    )


def answered(body: Json) -> Answered:
    """What the body of an answer says."""
    body = table(body)
    blocks = tables(table(table(body.get("output")).get("message")).get("content"))
    usage = table(body.get("usage"))
    raw = text(body.get("stopReason"))
    cached = whole(usage.get("cacheReadInputTokens"))
    trace = table(body.get("trace"))
    return Answered(
        model=text(table(trace.get("promptRouter")).get("invokedModelId")),
        output=_output(blocks),
        reasoning="\n".join(filter(None, (_reasoning(each) for each in blocks))),
        finish_raw=raw,
        finish=finish_of(raw, FINISHES),
        tokens_in=total(whole(usage.get("inputTokens")), whole(usage.get("cacheWriteInputTokens")), cached),
        tokens_out=whole(usage.get("outputTokens")),
        tokens_cached=cached,
        tier=text(table(body.get("serviceTier")).get("type")),
        guardrails=tuple(guardrails(trace, raw == "guardrail_intervened")),
    )


def guardrails(trace: dict[str, Json], intervened: bool) -> Iterator[Guardrail]:
    """The guardrails that a trace names."""
    guardrail = table(trace.get("guardrail"))
    names = {*table(guardrail.get("inputAssessment")), *table(guardrail.get("outputAssessments"))}
    for name in sorted(names):
        yield Guardrail(name, "", "refuse" if intervened else "allow")


def _system(blocks: list[dict[str, Json]]) -> Json:
    if len(blocks) == 1 and set(blocks[0]) == {"text"}:
        return text(blocks[0]["text"])
    return blocks or None


def _output(blocks: list[dict[str, Json]]) -> Json:
    """One text where the answer is nothing else; the blocks where it is more."""
    shown = [each for each in blocks if "reasoningContent" not in each]
    if len(shown) == 1 and set(shown[0]) == {"text"}:
        return text(shown[0]["text"])
    return shown or None


def _reasoning(block: dict[str, Json]) -> str:
    return text(table(table(block.get("reasoningContent")).get("reasoningText")).get("text"))


def _tools_ran(messages: list[dict[str, Json]]) -> Iterator[ToolRan]:
    calls: dict[str, tuple[str, Json]] = {}
    new_from = newest(each.get("role") == "assistant" for each in messages)
    for at, message in enumerate(messages):
        for block in tables(message.get("content")):
            if use := table(block.get("toolUse")):
                calls[text(use.get("toolUseId"))] = (text(use.get("name")), use.get("input"))
            if result := table(block.get("toolResult")):
                call_id = text(result.get("toolUseId"))
                name, arguments = calls.get(call_id, ("", None))
                said: dict[str, Outcome] = {"success": "ok", "error": "error"}
                outcome = said.get(text(result.get("status")))
                yield ToolRan(call_id, name, arguments, result.get("content"), outcome, is_new=at >= new_from)


class _Block:
    def __init__(self, room: Room) -> None:
        self.head: dict[str, Json] = {}
        self.texts: dict[str, Pieces] = {}
        self.citations = Growing(room)
        self.others = Growing(room)


class ConverseAssembler:
    """A streamed answer."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._role: Json = "assistant"
        self._blocks: dict[int, _Block] = {}
        self._end: dict[str, Json] = {}
        self.first_output = False
        self.is_done = False

    def take(self, event: str, value: Json) -> None:
        """One event."""
        data = table(value)
        if event == "messageStart":
            self._role = data.get("role", self._role)
        elif event in ("contentBlockStart", "contentBlockDelta"):
            self._take_block(data)
        elif event == "messageStop":
            self._end |= data
            self.is_done = True
        elif event == "metadata":
            self._end |= data
        elif event.endswith("Exception"):
            self._end["error"] = {"type": event[:1].upper() + event[1:], "message": data.get("message")}

    def _take_block(self, data: dict[str, Json]) -> None:
        block = kept_at(self._blocks, whole(data.get("contentBlockIndex")) or 0, _Block(self._room), self._room)
        if block is None:
            return
        if started := table(data.get("start")):
            block.head = started
            self.first_output = True
        delta = table(data.get("delta"))
        reasoning = table(delta.get("reasoningContent"))
        for key, piece in (
            ("text", delta.get("text")),
            ("input", table(delta.get("toolUse")).get("input")),
            ("reasoning", reasoning.get("text")),
            ("signature", reasoning.get("signature")),
        ):
            if text(piece):
                self.first_output = True
                block.texts.setdefault(key, Pieces(self._room)).add(text(piece))
        if delta.get("citation") is not None:
            block.citations.add([delta["citation"]])
        if others := {key: value for key, value in delta.items() if key not in _DELTAS}:
            self.first_output = True
            block.others.add(others)

    def body(self) -> Json:
        """The answer so far."""
        content = [_block(self._blocks[at]) for at in sorted(self._blocks)]
        return {"output": {"message": {"role": self._role, "content": content}}, **self._end}


_DELTAS = frozenset({"text", "toolUse", "reasoningContent", "citation"})


def _block(block: _Block) -> dict[str, Json]:
    texts = {key: pieces.text() for key, pieces in block.texts.items()}
    if use := table(block.head.get("toolUse")):
        arguments = texts.get("input", "")
        # Arguments that are no JSON yet, since the stream ended, stay the text they are.
        value = load(arguments) if arguments else {}
        return {"toolUse": {**use, "input": arguments if value is None else value}}
    if "reasoning" in texts or "signature" in texts:
        said = {"text": texts.get("reasoning", "")}
        if "signature" in texts:
            said["signature"] = texts["signature"]
        return {"reasoningContent": {"reasoningText": said}}
    if not block.citations.is_empty:
        content = [{"text": texts["text"]}] if "text" in texts else []
        return {"citationsContent": {"content": content, "citations": block.citations.value()}}
    return {"text": texts["text"]} if "text" in texts else {**block.head, **table(block.others.value())}
