"""Conversations in OpenAI chat format to requests and tool calls.

A file is JSON Lines, one conversation a line, gzipped or not:

    {"conversation_id": ..., "user_id": ..., "vendor": ..., "model": ..., "messages": [{"role": ..., ...}, ...]}

- Each `assistant` message is one AiRequest: its input are the messages since the assistant spoke last, its output is
  the message itself (text, or the tool calls it asks for). The system message becomes the request's system
  instructions. Which prompt and revision it was rendered from is not in the format, so no prompt is named; nor is its
  digest kept in clear, since a rendered text may hold a person's data.
- Each `tool` message is one ToolCall with the arguments of the call that it answers, found by its id; the request that
  asked for it is named. Why the agent called it is not in the format: no intent.
- What the user said after the assistant's last message is input of no request: nobody answered it. It becomes no event,
  and is counted as left out. (Once the conversation goes on in a longer file, it is the input of the next request.)
- A message without text that asks for no tool (a refusal, sound, a call in the format before tools) is kept whole.
- `model` is what was asked for; which version answered is not in the format.
- `user_id` acts; session and correlation id are the conversation id.

Event ids are UUIDv8: a time in front (`occurred_at`, else `UNKNOWN_TIME_MS`), then what `derived_event_id` makes of the
conversation id and the message's position. Without `occurred_at` the time of an event is unknown, and says so. Sequence
numbers are dealt a conversation, under a boot id made from its id, so a file can grow without changing what stands in
it.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from ledger.client.builders import content
from ledger.client.ids import derived_event_id
from ledger.errors import Rejected
from ledger.importers.records import Record, text_of
from ledger.importers.run import Importer, LeftOut, Source
from ledger.v1 import event_pb2 as pb

UNKNOWN_TIME_MS = 0
SERVICE = "import-openai-chat"
UNANSWERED = "unanswered_messages"
_FINISH = {"tool_calls": pb.FINISH_REASON_TOOL_CALLS, "stop": pb.FINISH_REASON_STOP}


def openai_chat(occurred_at: datetime | None = None) -> Source:
    """The kind of file that this module reads; `occurred_at`: when the conversations took place, where known."""
    return Source("conversations", _importer(occurred_at))


def _importer(occurred_at: datetime | None) -> Importer:
    return lambda record: _conversation(record, occurred_at)


def _conversation(record: Record, occurred_at: datetime | None) -> list[pb.Event | LeftOut]:
    value = record.value
    conversation_id = text_of(value, "conversation_id")
    messages = value.get("messages")
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        raise Rejected("messages", "expected a list of objects")
    translation = _Translation(
        conversation_id=conversation_id,
        user_id=text_of(value, "user_id"),
        vendor=text_of(value, "vendor"),
        model=text_of(value, "model"),
        occurred_at=occurred_at,
    )
    for position, message in enumerate(messages):
        translation.take(position, message)
    left = translation.unanswered
    return [*translation.events, *([LeftOut(UNANSWERED, left)] if left else [])]


class _Translation:
    """One conversation on its way to events."""

    def __init__(
        self, *, conversation_id: str, user_id: str, vendor: str, model: str, occurred_at: datetime | None
    ) -> None:
        self.events: list[pb.Event] = []
        self._conversation_id = conversation_id
        self._user_id = user_id
        self._vendor = vendor
        self._model = model
        self._occurred_at = occurred_at
        self._boot_id = derived_event_id(UNKNOWN_TIME_MS, SERVICE, conversation_id, "boot")
        self._system = ""
        self._since: list[dict[str, Any]] = []
        self._asked: dict[str, tuple[bytes, str, str]] = {}

    @property
    def unanswered(self) -> int:
        """How many messages, other than of tools, came after the assistant's last."""
        return sum(message["role"] != "tool" for message in self._since)

    def take(self, position: int, message: dict[str, Any]) -> None:
        """Takes in the next message."""
        where = f"messages[{position}]"
        role = message.get("role")
        if role == "system":
            self._system = _content_text(message, where)
        elif role in ("user", "developer"):
            self._since.append(message)
        elif role == "assistant":
            self._request(position, message, where)
        elif role == "tool":
            self._tool_call(position, message, where)
            self._since.append(message)
        else:
            raise Rejected(f"{where}: role", "expected system, developer, user, assistant or tool")

    def _event(self, position: int) -> pb.Event:
        event = pb.Event(event_id=self._event_id(position), phase=pb.PHASE_SINGLE)
        if self._occurred_at is not None:
            event.occurred_at.FromDatetime(self._occurred_at)
        event.producer.service = SERVICE
        event.producer.capture_path = pb.CAPTURE_PATH_IMPORTER
        event.producer.boot_id = self._boot_id
        event.producer.instance = "import"
        event.producer.sequence = len(self.events) + 1
        event.actor.user.identifier = self._user_id
        event.actor.identity_source = pb.IDENTITY_SOURCE_CLAIMED
        event.actor.identity_attribute = "user_id"
        event.story.session_id = self._conversation_id
        event.story.correlation_id = self._conversation_id
        event.story.session_ordinal = len(self.events) + 1
        event.classification = pb.CLASSIFICATION_CONFIDENTIAL
        return event

    def _event_id(self, position: int) -> bytes:
        at_ms = UNKNOWN_TIME_MS if self._occurred_at is None else int(self._occurred_at.timestamp() * 1000)
        return derived_event_id(at_ms, SERVICE, self._conversation_id, str(position))

    def _request(self, position: int, message: dict[str, Any], where: str) -> None:
        event = self._event(position)
        body = event.request
        body.operation = pb.AI_OPERATION_CHAT
        body.vendor = self._vendor
        body.model_requested = self._model
        if self._system:
            body.system_instructions.CopyFrom(content(self._system))
        if self._since:
            body.input.CopyFrom(_json_content(self._since))
        calls = message.get("tool_calls") or []
        if not isinstance(calls, list):
            raise Rejected(f"{where}: tool_calls", "expected a list")
        if calls or _says_otherwise(message):
            body.output.CopyFrom(_json_content(message))
        else:
            body.output.CopyFrom(content(_content_text(message, where)))
        body.finish_reason = _FINISH["tool_calls" if calls or message.get("function_call") else "stop"]
        event.derived_fields.append("request.finish_reason")
        for at, call in enumerate(calls):
            self._asked.update([_asked(call, event.event_id, f"{where}: tool_calls[{at}]")])
        self._since = []
        self.events.append(event)

    def _tool_call(self, position: int, message: dict[str, Any], where: str) -> None:
        call_id = text_of(message, "tool_call_id", f"{where}: ")
        event = self._event(position)
        body = event.tool_call
        body.call_id = call_id
        asked = self._asked.get(call_id)
        if asked is not None:
            body.requested_by_event_id, body.tool, arguments = asked
            event.story.parent_event_id = asked[0]
            body.parameters.CopyFrom(_json_content(arguments))
        else:
            body.tool = text_of(message, "name", f"{where}: ")
        body.provider = "internal"
        body.result.CopyFrom(content(_content_text(message, where)))
        self.events.append(event)


def _says_otherwise(message: dict[str, Any]) -> bool:
    """Whether what a message without text says stands in other fields."""
    others = message.keys() - {"role", "content", "name", "tool_calls"}
    return not message.get("content") and any(message[each] is not None for each in others)


def _asked(call: Any, event_id: bytes, where: str) -> tuple[str, tuple[bytes, str, str]]:
    """A call's id, and who asked for which tool with which arguments."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        raise Rejected(where, "expected an object with a function")
    arguments = function.get("arguments")
    text = arguments if isinstance(arguments, str) else _json(arguments)
    return text_of(call, "id", f"{where}: "), (event_id, text_of(function, "name", f"{where}: "), text)


def _content_text(message: dict[str, Any], where: str) -> str:
    """The message's text; a list of parts, or none, as JSON."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if content is None or isinstance(content, list):
        return "" if content is None else _json(content)
    raise Rejected(f"{where}: content", "expected a text, a list of parts or null")


def _json_content(value: Any) -> pb.Content:
    """A content of JSON: a value, or a text that the source says is JSON."""
    made = content(value if isinstance(value, str) else _json(value))
    if made.HasField("text"):
        made.media_type = "application/json"
    return made


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
