"""One event a message: how OpenTelemetry's older conventions wrote contents, as log records or on spans.

    gen_ai.system.message, gen_ai.user.message, gen_ai.assistant.message, gen_ai.tool.message    what went in
    gen_ai.choice                                                                               what came out

A message is a map: the body of a log record, the attributes of a span's event. Its role, where it says none, is the one
in the event's name. They stand in the order of their times, those of the same time as they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ledger.otlp.record import SpanEvent
from ledger.otlp.values import Value, structure, text_of

TOOL_MESSAGE = "gen_ai.tool.message"
INPUT_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.developer.message": "developer",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    TOOL_MESSAGE: "tool",
}
CHOICE = "gen_ai.choice"
MESSAGE_EVENTS = frozenset((*INPUT_EVENTS, CHOICE))
CONTENT_EVENTS = frozenset({"gen_ai.content.prompt", "gen_ai.content.completion", "gen_ai.content.completion.chunk"})
"""Events on a span that hold contents in a form older still."""

_NOT_CONTENT = frozenset({"gen_ai.system", "gen_ai.provider.name", "event.name"})
_DEPTH_MAX = 64


class Messages(NamedTuple):
    """What went in and what came out; None where nothing tells. A single choice stands alone, several as a list."""

    input: list[Value] | None
    output: Value
    finish_reason: str | None


def messages_of(events: Iterable[SpanEvent]) -> Messages:
    """The messages that these events bring."""
    given: list[Value] = []
    choices: list[dict[str, Value]] = []
    for event in sorted(events, key=lambda each: each.time_ns):
        if event.name in INPUT_EVENTS:
            message = _message(event)
            if message:
                given.append({"role": INPUT_EVENTS[event.name], **message})
        elif event.name == CHOICE:
            choices.append(_message(event))
    reasons = dict.fromkeys(reason for each in choices if (reason := text_of(each.get("finish_reason"))))
    said = [each for each in choices if each.get("message") or set(each) - {"index", "finish_reason"}]
    output = None if not said else said[0] if len(said) == 1 else said
    return Messages(given or None, output, ",".join(reasons) or None)


def _message(event: SpanEvent) -> dict[str, Value]:
    body = structure(event.body, _DEPTH_MAX)
    if isinstance(body, Mapping):
        found = dict(body)
    elif body is not None:
        found = {"content": body}
    else:
        found = {
            key.removeprefix("gen_ai.event."): structure(value, _DEPTH_MAX)
            for key, value in event.attributes.items()
            if key not in _NOT_CONTENT
        }
        content = found.pop("content", None) if isinstance(found.get("content"), Mapping) else None
        if isinstance(content, Mapping):
            found.update(content)
    return {key: value for key, value in found.items() if value is not None}
