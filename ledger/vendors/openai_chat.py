"""OpenAI's chat completions, as many servers speak them: Azure OpenAI, vLLM, Ollama, DeepSeek, Mistral and others.

    POST .../chat/completions     {"model", "messages", "tools", "stream", ...}
    answer                        {"id", "model", "choices": [{"message", "finish_reason"}], "usage"}
    streamed answer               data: {"id", "model", "choices": [{"delta", ...}], "usage"}   ... data: [DONE]

Shapes: the types of OpenAI's own client. Reasoning stands in `reasoning_content` or `reasoning` where a server tells
it. Tokens in hold the cached ones, tokens out the reasoning ones, as OpenAI counts.

Calls in a stream are told from each other by their number. Some servers give all of them the same, or none: there a
piece that brings another id and a name begins another call.

Messages of the roles system and developer that stand before all others are the system instructions. A message of role
`tool` (or, before tools, `function`) is a tool that ran; the arguments are those of the assistant's message that asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.vendors.assembling import kept_at
from ledger.vendors.exchange import Answered, Asked, Finish, ToolRan, finish_of, newest
from ledger.vendors.json_values import Json, flag, number, signed, table, tables, text, whole
from ledger.vendors.pieces import Growing, Pieces, Room

FINISHES: dict[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_INSTRUCTING = ("system", "developer")
_NUMBERS = ("frequency_penalty", "presence_penalty", "n", "top_logprobs", "top_k", "min_p", "repetition_penalty")


def asked(body: Json) -> Asked:
    """What the body of a request says."""
    body = table(body)
    messages = tables(body.get("messages"))
    leading = next((at for at, each in enumerate(messages) if each.get("role") not in _INSTRUCTING), len(messages))
    return Asked(
        operation="chat",
        model=text(body.get("model")),
        streamed=flag(body.get("stream")) or False,
        system=_system(messages[:leading]),
        input=messages[leading:] or None,
        tools=body.get("tools") or body.get("functions"),
        temperature=number(body.get("temperature")),
        top_p=number(body.get("top_p")),
        tokens_max=whole(body.get("max_completion_tokens")) or whole(body.get("max_tokens")),
        seed=signed(body.get("seed")),
        parameters=numbers_of(body, _NUMBERS),
        store=flag(body.get("store")),
        **user_of(body),
        tier=text(body.get("service_tier")),
        tools_ran=tuple(_tools_ran(messages)),
    )


def user_of(body: dict[str, Json]) -> dict[str, Any]:
    """Whom an OpenAI request names, and by which parameter."""
    for attribute in ("user", "safety_identifier"):
        if named := text(body.get(attribute)):
            return {"user": named, "user_attribute": attribute}
    return {}


def numbers_of(body: dict[str, Json], names: tuple[str, ...]) -> dict[str, float]:
    """The parameters of these names that are numbers."""
    found = {name: number(body.get(name)) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def answered(body: Json) -> Answered:
    """What the body of an answer says. Of several choices the finish reason is the first one's."""
    body = table(body)
    choices = tables(body.get("choices"))
    messages = [table(each.get("message")) for each in choices]
    usage = table(body.get("usage"))
    finish = next((text(each.get("finish_reason")) for each in choices), "")
    return Answered(
        model=text(body.get("model")),
        response_id=text(body.get("id")),
        output=_output(messages),
        reasoning="\n".join(filter(None, (_reasoning(each) for each in messages))),
        finish_raw=finish,
        finish=finish_of(finish, FINISHES),
        **tokens_of(usage),
        tier=text(body.get("service_tier")),
    )


def tokens_of(usage: dict[str, Json]) -> dict[str, Any]:
    """Tokens as OpenAI counts them in chat and completions."""
    return {
        "tokens_in": whole(usage.get("prompt_tokens")),
        "tokens_out": whole(usage.get("completion_tokens")),
        "tokens_cached": whole(table(usage.get("prompt_tokens_details")).get("cached_tokens")),
        "tokens_reasoning": whole(table(usage.get("completion_tokens_details")).get("reasoning_tokens")),
    }


def _system(messages: list[dict[str, Json]]) -> Json:
    if len(messages) == 1 and isinstance(messages[0].get("content"), str):
        return messages[0]["content"]
    return messages or None


def _output(messages: list[dict[str, Json]]) -> Json:
    """One text where the answer is nothing else; the messages where it is more."""
    if len(messages) == 1:
        (message,) = messages
        others = {key for key, value in message.items() if value} - {"role", "content", *_REASONING}
        if not others and isinstance(message.get("content"), str):
            return message["content"]
        return message or None
    return messages or None


_REASONING = ("reasoning_content", "reasoning")


def _reasoning(message: dict[str, Json]) -> str:
    return next((text(message[key]) for key in _REASONING if text(message.get(key))), "")


def _tools_ran(messages: list[dict[str, Json]]) -> Iterator[ToolRan]:
    calls: dict[str, tuple[str, Json]] = {}
    new_from = newest(each.get("role") == "assistant" for each in messages)
    for at, message in enumerate(messages):
        for call in tables(message.get("tool_calls")):
            function = table(call.get("function")) or table(call.get("custom"))
            arguments = function.get("arguments", function.get("input"))
            calls[text(call.get("id"))] = (text(function.get("name")), arguments)
        if function := table(message.get("function_call")):
            calls[f"function:{text(function.get('name'))}"] = (text(function.get("name")), function.get("arguments"))
        role = message.get("role")
        if role == "tool":
            call_id = text(message.get("tool_call_id"))
            name, arguments = calls.get(call_id, (text(message.get("name")), None))
            yield ToolRan(call_id, name, arguments, message.get("content"), is_new=at >= new_from)
        elif role == "function":
            name = text(message.get("name"))
            arguments = calls.get(f"function:{name}", ("", None))[1]
            yield ToolRan("", name, arguments, message.get("content"), is_new=at >= new_from)


class _Choice:
    def __init__(self, room: Room) -> None:
        self.room = room
        self.texts: dict[str, Pieces] = {}
        self.others = Growing(room)
        self.calls: dict[int, _Call] = {}
        self.places: dict[int, int] = {}
        self.finish: Json = None


class _Call:
    def __init__(self, room: Room) -> None:
        self.head: dict[str, Json] = {}
        self.name = ""
        self.arguments = Pieces(room)
        self.is_custom = False


class ChatAssembler:
    """A streamed chat completion."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._head: dict[str, Json] = {}
        self._choices: dict[int, _Choice] = {}
        self.first_output = False
        self.is_done = False

    def take(self, event: str, value: Json) -> None:
        """One chunk."""
        chunk = table(value)
        for key in ("id", "model", "service_tier", "system_fingerprint", "usage", "error"):
            if chunk.get(key) not in (None, ""):
                self._head[key] = chunk[key]
        for given in tables(chunk.get("choices")):
            choice = kept_at(self._choices, whole(given.get("index")) or 0, _Choice(self._room), self._room)
            if choice is not None:
                self._take_choice(choice, given)

    def _take_choice(self, choice: _Choice, given: dict[str, Json]) -> None:
        delta = table(given.get("delta"))
        for key in ("content", "refusal", *_REASONING):
            if piece := text(delta.get(key)):
                self.first_output = True
                choice.texts.setdefault(key, Pieces(self._room)).add(piece)
        others = {key: value for key, value in delta.items() if value is not None and not _is_known(key, value)}
        if others:
            self.first_output = True
            choice.others.add(others)
        for part in tables(delta.get("tool_calls")):
            self.first_output = True
            call = kept_at(choice.calls, _place(choice, part), _Call(self._room), self._room)
            if call is not None:
                _take_call(call, part)
        if function := table(delta.get("function_call")):
            self.first_output = True
            call = kept_at(choice.calls, -1, _Call(self._room), self._room)
            if call is not None:
                _take_call(call, {"function": function})
        if given.get("finish_reason") is not None:
            choice.finish = given["finish_reason"]
            self.is_done = True

    def body(self) -> Json:
        """The completion so far."""
        choices = [{"index": at, **_choice(self._choices[at])} for at in sorted(self._choices)]
        return {**self._head, "choices": choices}


def _place(choice: _Choice, part: dict[str, Json]) -> int:
    """Where the call of a piece is kept."""
    number = whole(part.get("index")) or 0
    place = choice.places.get(number, number)
    there = choice.calls.get(place)
    given, named = text(part.get("id")), text(_called(part).get("name"))
    if there is not None and given and named and text(there.head.get("id")) not in ("", given):
        place = choice.places[number] = max(choice.calls) + 1
    return place


def _take_call(call: _Call, part: dict[str, Json]) -> None:
    for key in ("id", "type"):
        if text(part.get(key)):
            call.head[key] = part[key]
    function = _called(part)
    call.is_custom = call.is_custom or "custom" in part
    # A name comes whole; some servers repeat it with every piece.
    call.name = call.name or text(function.get("name"))
    call.arguments.add(text(function.get("arguments")) or text(function.get("input")))


def _called(part: dict[str, Json]) -> dict[str, Json]:
    """What a call is of: a function, or a tool of the caller's own that takes free text."""
    return table(part.get("function")) or table(part.get("custom"))


_KNOWN = frozenset({"role", "refusal", *_REASONING, "tool_calls", "function_call"})


def _is_known(key: str, value: Json) -> bool:
    """Whether a field of a delta is read by name; contents in parts are not."""
    return key in _KNOWN or (key == "content" and isinstance(value, str))


def _choice(choice: _Choice) -> dict[str, Json]:
    message: dict[str, Json] = {"role": "assistant", "content": None}
    message.update({key: pieces.text() for key, pieces in choice.texts.items()})
    others = table(choice.others.value())
    parts = others.pop("content", None)
    message.update(others)
    if isinstance(parts, list):
        said = message["content"]
        message["content"] = [*parts, {"type": "text", "text": said}] if said else parts
    calls = [_whole_call(choice.calls[at]) for at in sorted(choice.calls) if at >= 0]
    if calls:
        message["tool_calls"] = calls
    if -1 in choice.calls:
        message["function_call"] = _function(choice.calls[-1])
    return {"message": message, "finish_reason": choice.finish}


def _whole_call(call: _Call) -> dict[str, Json]:
    if call.is_custom:
        return {**call.head, "custom": {"name": call.name, "input": call.arguments.text()}}
    return {**call.head, "function": _function(call)}


def _function(call: _Call) -> dict[str, Json]:
    return {"name": call.name, "arguments": call.arguments.text()}
