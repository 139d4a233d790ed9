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

from ledger.otlp.clearing import clear, clear_media_types
from ledger.otlp.completing import ABSENT, PROMPT
from ledger.otlp.contents import content_of, cut_all
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
from ledger.otlp.names import fits, is_identifier
from ledger.otlp.placing import put
from ledger.otlp.record import Found
from ledger.otlp.values import Value
from ledger.record.names import LIST_ITEMS_MAX
from ledger.v1 import event_pb2 as pb

UNKNOWN_TOOL = "unknown"
DERIVED_MAX = LIST_ITEMS_MAX
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
    body = getattr(event, found.kind)
    body.SetInParent()
    left_over: dict[str, Value] = dict(found.misfits)

    def leave(path: str, value: Value) -> None:
        key = found.sources.get(path, path)
        while key in left_over:
            key += "'"
        left_over[key] = value

    _put_user(event, found, leave)
    prompt: dict[str, Value] = {}
    for path, value in found.values.items():
        if path.startswith(PROMPT):
            prompt[path[len(PROMPT) :]] = value
        elif path != "user":
            for where, rest in _put(event, found, path, value):
                leave(where, rest)
    if prompt and not event.request.prompts:
        for where, rest in put_prompts(event, [prompt]):
            leave(found.sources.get(PROMPT + where.rpartition(".")[2], where), rest)
    if found.kind == "tool_call" and not event.tool_call.tool:
        event.tool_call.tool = UNKNOWN_TOOL
        found.derived.add("tool_call.tool")
    derived = {_field_of(path) for path in found.derived}
    event.derived_fields.extend(sorted(path for path in derived if _is_set(event, path))[:DERIVED_MAX])
    for where, rest in clear(event):
        leave(where, rest)
    if event.HasField("tool_call") and not event.tool_call.tool:
        event.tool_call.tool = UNKNOWN_TOOL
    if left_over:
        body.attributes.CopyFrom(content_of(left_over))
    contents = list(_contents(event))
    cut_all(contents, options.content_bytes_max, options.event_bytes_max)
    clear_media_types(event, contents)
    return event


def _put_user(event: pb.Event, found: Found, leave: Callable[[str, Value], None]) -> None:
    who = found.values.get("user")
    if who is None:
        return
    if not isinstance(who, str) or not is_identifier(who):
        leave("user", who)
        return
    event.actor.user.identifier = who
    event.actor.identity_source = pb.IDENTITY_SOURCE_CLAIMED
    source = found.sources.get("user", "")
    if fits(source):
        event.actor.identity_attribute = source


def _put(event: pb.Event, found: Found, path: str, value: Value) -> LeftOver:
    if path.startswith(PARAMETER):
        yield from put_parameter(event, path[len(PARAMETER) :], value)
    elif path.startswith(ABSENT):
        put(event, f"{path[len(ABSENT) :]}.absent", True)
    elif path in _LISTS:
        yield from _LISTS[path](event, value)
    elif path.startswith(REFERENCE):
        content = path[len(REFERENCE) :]
        if content in found.values:
            yield path, value
        elif not put(event, f"{content}.reference", value):
            put(event, f"{content}.absent", True)
            yield path, value
    elif not put(event, path, value, partial=path in found.partial):
        yield path, value


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


def _contents(message: Message) -> Iterator[pb.Content]:
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for each in value if field.is_repeated else (value,):
            if isinstance(each, pb.Content):
                yield each
            elif field.message_type.full_name != "google.protobuf.Timestamp":
                yield from _contents(each)
