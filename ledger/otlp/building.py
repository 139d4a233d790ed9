"""What was found, put into an event that the gateway takes.

Nothing of a record is lost because a part of it can't stand where it belongs: what is no name, is out of range, or
holds in clear what must not (see `ledger.otlp.names`) goes into the content `attributes`, under the attribute that
brought it. That content also tells what the exporter dropped (`otel.dropped_attributes_count`) and what was nested too
deep to be read (`otel.unread`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.message import Message

from ledger.otlp.clearing import clear, clear_media_types, persons_of
from ledger.otlp.completing import ABSENT, PROMPT
from ledger.otlp.contents import cut_all, write
from ledger.otlp.conventions.gen_ai import REFERENCE
from ledger.otlp.listed import (
    LeftOver,
    put_classes,
    put_guardrails,
    put_parameter,
    put_prompts,
    put_retrieved,
    put_subjects,
)
from ledger.otlp.mapped import MappingOptions
from ledger.otlp.names import fits, is_identifier, may_not_stand
from ledger.otlp.placing import put
from ledger.otlp.record import Found
from ledger.otlp.values import Value
from ledger.record.names import LIST_ITEMS_MAX
from ledger.v1 import event_pb2 as pb

UNKNOWN_TOOL = "unknown"
PARAMETER = "request.parameters:"

_LISTS: dict[str, Callable[[pb.Event, Any], LeftOver]] = {
    "request.prompts": put_prompts,
    "request.retrieved": put_retrieved,
    "request.guardrails": put_guardrails,
    "subjects": put_subjects,
    "tool_call.data_classes_sent": put_classes,
}


def fill(event: pb.Event, found: Found, options: MappingOptions) -> pb.Event:
    """Puts what was found into an event. `found.kind` decides its body: a request or a tool call."""
    _Filling(event, found).fill(options)
    return event


class _Filling:
    """An event that is being filled. `_names` are its names so far, unless some stand in lists (`_has_lists`)."""

    __slots__ = ("_body", "_contents", "_event", "_found", "_has_lists", "_left_over", "_names")

    def __init__(self, event: pb.Event, found: Found) -> None:
        self._event = event
        self._found = found
        self._body = getattr(event, found.kind)
        self._body.SetInParent()
        self._left_over: dict[str, Value] = dict(found.misfits)
        producer = event.producer
        self._names = [producer.service, producer.version, producer.environment, producer.instance]
        self._contents: list[pb.Content] = []
        self._has_lists = False

    def fill(self, options: MappingOptions) -> None:
        self._put_user()
        prompt: dict[str, Value] = {}
        for path, value in self._found.values.items():
            if path.startswith(PROMPT):
                prompt[path[len(PROMPT) :]] = value
            elif path != "user" and not put(
                self._event, path, value, self._names, self._contents, partial=path in self._found.partial
            ):
                self._put_otherwise(path, value)
        if prompt and not self._event.request.prompts:
            self._leave_all(put_prompts(self._event, [prompt]))
            self._has_lists = True
        self._name_the_tool()
        self._mark_derived()
        if self._has_lists or may_not_stand(self._names, persons_of(self._event)):
            self._leave_all(clear(self._event))
            self._name_the_tool()
        if self._left_over:
            write(self._body.attributes, self._left_over)
            self._contents.append(self._body.attributes)
        contents = list(_contents_in(self._event)) if self._has_lists else self._contents
        cut_all(contents, options.content_bytes_max, options.event_bytes_max)
        clear_media_types(self._event, contents)

    def _put_otherwise(self, path: str, value: Value) -> None:
        """Puts what is no plain field; what doesn't fit its field is left over."""
        event = self._event
        if path.startswith(PARAMETER):
            self._has_lists = True
            self._leave_all(put_parameter(event, path[len(PARAMETER) :], value))
        elif path.startswith(ABSENT):
            put(event, f"{path[len(ABSENT) :]}.absent", True, self._names, self._contents)
        elif path in _LISTS:
            self._has_lists = True
            self._leave_all(_LISTS[path](event, value))
        elif path.startswith(REFERENCE):
            content = path[len(REFERENCE) :]
            if content in self._found.values:
                self._leave(path, value)
            elif not put(event, f"{content}.reference", value, self._names, self._contents):
                put(event, f"{content}.absent", True, self._names, self._contents)
                self._leave(path, value)
        else:
            self._leave(path, value)

    def _put_user(self) -> None:
        who = self._found.values.get("user")
        if who is None:
            return
        if not isinstance(who, str) or not is_identifier(who):
            self._leave("user", who)
            return
        actor = self._event.actor
        actor.user.identifier = who
        actor.identity_source = pb.IDENTITY_SOURCE_CLAIMED
        source = self._found.sources.get("user", "")
        if fits(source):
            actor.identity_attribute = source
            self._names.append(source)

    def _name_the_tool(self) -> None:
        if self._found.kind == "tool_call" and not self._body.tool:
            self._body.tool = UNKNOWN_TOOL
            self._found.derived.add("tool_call.tool")

    def _mark_derived(self) -> None:
        derived = {_field_of(path) for path in self._found.derived}
        marked = sorted(path for path in derived if _is_set(self._event, path))[:LIST_ITEMS_MAX]
        self._event.derived_fields.extend(marked)
        self._names += marked

    def _leave(self, path: str, value: Value) -> None:
        key = self._found.sources.get(path, path)
        while key in self._left_over:
            key += "'"
        self._left_over[key] = value

    def _leave_all(self, left_over: LeftOver) -> None:
        for path, value in left_over:
            self._leave(path, value)


def _field_of(path: str) -> str:
    """The event's field for a path of ours."""
    if path == "user":
        return "actor.user"
    return "request.prompts" if path.startswith(PROMPT) else path.partition(":")[0]


def _is_set(event: pb.Event, path: str) -> bool:
    """Whether something stands at a path, so that it can be marked as derived."""
    message: Any = event
    for part in path.split("."):
        field = message.DESCRIPTOR.fields_by_name.get(part)
        if field is None:
            return False
        if field.is_repeated:
            return len(getattr(message, part)) > 0
        if field.message_type is not None:
            if not message.HasField(part):
                return False
            message = getattr(message, part)
        else:
            return message.HasField(part) if field.has_presence else bool(getattr(message, part))
    return True


def _contents_in(message: Message) -> Iterator[pb.Content]:
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for each in value if field.is_repeated else (value,):
            if isinstance(each, pb.Content):
                yield each
            elif field.message_type.full_name != "google.protobuf.Timestamp":
                yield from _contents_in(each)
