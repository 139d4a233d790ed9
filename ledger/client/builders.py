"""Events from keyword arguments: `request(...)`, `tool_call(...)`, `change(...)`, `decision(...)`.

`fields` lists the arguments and what may be given for them. What is not given is left unset, never invented, but for
three things: an event id, the phase (single), and the time it occurred (now; `occurred_at=None` says it is not known).
An event of phase "started" without an operation id begins an operation of its own: the operation id is its event id.

A wrong argument is the programmer's mistake and raises TypeError or ValueError here, before anything is emitted. Text
from outside never does: code points that UTF-8 can't hold (lone surrogates) are replaced in names, and kept as bytes in
contents, with the media type saying so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Unpack
from uuid import UUID

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from ledger.client.fields import Body, ChangeFields, DecisionFields, RequestFields, ToolCallFields
from ledger.client.ids import event_id
from ledger.v1 import event_pb2 as pb

Put = Callable[[Message, Any], None]

WTF8_MEDIA_TYPE = "text/plain;charset=wtf-8"
"""UTF-8 that also holds lone surrogates."""

_PLACES = {
    "user": ("actor", "user"),
    "actor_service": ("actor", "service"),
    "agent": ("actor", "agent"),
    "agent_version": ("actor", "agent_version"),
    "role": ("actor", "role"),
    "actor_grant_id": ("actor", "grant_id"),
    "actor_grant_scope": ("actor", "grant_scope"),
    "credential_id": ("actor", "credential_id"),
    "identity_source": ("actor", "identity_source"),
    "identity_attribute": ("actor", "identity_attribute"),
    "session_id": ("story", "session_id"),
    "session_ordinal": ("story", "session_ordinal"),
    "correlation_id": ("story", "correlation_id"),
    "parent_event_id": ("story", "parent_event_id"),
    "trace_id": ("story", "trace_id"),
    "span_id": ("story", "span_id"),
    "ai_system_id": ("purpose", "ai_system_id"),
    "use_case_id": ("purpose", "use_case_id"),
    "purpose": ("purpose", "purpose"),
    "declared_sampling": ("producer", "declared_sampling"),
}
"""Argument to the envelope's group and its field; what is not here is a field of the body, else of the event itself."""


def request(**fields: Unpack[RequestFields]) -> pb.Event:
    """A call of a model. Give `vendor` and `model_requested` at least."""
    return _build("request", fields)


def tool_call(**fields: Unpack[ToolCallFields]) -> pb.Event:
    """A run of a tool. `tool` is required."""
    return _build("tool_call", fields)


def change(**fields: Unpack[ChangeFields]) -> pb.Event:
    """A change of what governs the AI. `artifact_kind`, `artifact_id` and `action` are required."""
    return _build("change", fields)


def decision(**fields: Unpack[DecisionFields]) -> pb.Event:
    """A decision about somebody. `decision_kind` is required."""
    return _build("decision", fields)


def _build(kind: str, fields: Mapping[str, Any]) -> pb.Event:
    event = pb.Event(phase=pb.PHASE_SINGLE)
    if fields.get("event_id") is None:
        event.event_id = event_id()
    body = getattr(event, kind)
    body.SetInParent()
    if "occurred_at" not in fields:
        event.occurred_at.GetCurrentTime()
    body_puts, event_puts = _puts(body.DESCRIPTOR), _puts(pb.Event.DESCRIPTOR)
    for name, value in fields.items():
        if value is None:
            continue
        place = _PLACES.get(name)
        if place is not None:
            group = getattr(event, place[0])
            _puts(group.DESCRIPTOR)[place[1]](group, value)
        elif name in body_puts:
            body_puts[name](body, value)
        elif name in event_puts and name not in ("producer", "actor", "story"):
            event_puts[name](event, value)
        else:
            raise TypeError(f"{kind}() has no argument {name!r}")
    if event.phase == pb.PHASE_STARTED and not event.operation_id:
        event.operation_id = event.event_id
    return event


@cache
def _puts(descriptor: Any) -> dict[str, Put]:
    """For each field of a message, the function that puts a given value into it."""
    return {field.name: _put(field) for field in descriptor.fields}


def _put(field: FieldDescriptor) -> Put:
    name, convert = field.name, _converter(field)
    if field.is_repeated:

        def put_all(message: Message, values: Any) -> None:
            if isinstance(values, str | bytes):
                raise TypeError(f"{name}: expected a list, got {type(values).__name__}")
            if isinstance(values, Mapping) and field.message_type is pb.NamedNumber.DESCRIPTOR:
                values = [{"name": key, "value": value} for key, value in values.items()]
            getattr(message, name).extend([convert(value) for value in values])

        return put_all
    if field.message_type is not None:
        return lambda message, value: getattr(message, name).CopyFrom(convert(value))
    return lambda message, value: setattr(message, name, convert(value))


def _converter(field: FieldDescriptor) -> Callable[[Any], Any]:
    name = field.name
    if field.enum_type is not None:
        return _enum(name, field.enum_type)
    if field.type == FieldDescriptor.TYPE_STRING:
        return lambda value: _text(name, value)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return lambda value: value.bytes if isinstance(value, UUID) else value
    kind = field.message_type
    if kind is None:
        return lambda value: value
    full_name = kind.full_name
    if full_name == "google.protobuf.Timestamp":
        return lambda value: _moment(name, value)
    if full_name == "ledger.v1.Content":
        return lambda value: _content(name, value)
    if full_name == "ledger.v1.Person":
        return lambda value: _person(name, value)
    return lambda value: _message(name, getattr(pb, kind.name), value)


def _enum(name: str, descriptor: EnumDescriptor) -> Callable[[Any], int]:
    prefix = descriptor.values[0].name.removesuffix("UNSPECIFIED")
    known = {value.name.removeprefix(prefix).lower(): value.number for value in descriptor.values}

    def convert(value: Any) -> int:
        if isinstance(value, int):
            return int(value)
        if value in known:
            return known[value]
        raise ValueError(f"{name}: expected one of {', '.join(list(known)[1:])}, got {value!r}")

    return convert


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected text, got {type(value).__name__}")
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _moment(name: str, value: Any) -> Message:
    moment = pb.Event().occurred_at
    if not isinstance(value, datetime):
        if isinstance(value, type(moment)):
            return value
        raise TypeError(f"{name}: expected a datetime, got {type(value).__name__}")
    if value.utcoffset() is None:
        raise ValueError(f"{name}: expected a datetime with a time zone")
    moment.FromDatetime(value)
    return moment


def content(value: Body) -> pb.Content:
    """A content as the builders make it: of text, bytes or JSON."""
    return _content("content", value)


def _content(name: str, value: Any) -> pb.Content:
    if isinstance(value, str):
        try:
            return pb.Content(text=value)
        except UnicodeEncodeError:
            return pb.Content(data=value.encode("utf-8", "surrogatepass"), media_type=WTF8_MEDIA_TYPE)
    if isinstance(value, pb.Content):
        return value
    if isinstance(value, bytes):
        return pb.Content(data=value)
    try:
        # Escaped where UTF-8 could not hold it.
        return pb.Content(text=json.dumps(value, ensure_ascii=False), media_type="application/json")
    except UnicodeEncodeError:
        return pb.Content(text=json.dumps(value), media_type="application/json")
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}: expected text, bytes, a Content or JSON: {error}") from None


def _person(name: str, value: Any) -> pb.Person:
    if isinstance(value, pb.Person):
        return value
    if isinstance(value, str):
        return pb.Person(identifier=_text(name, value))
    if isinstance(value, tuple) and len(value) == 2:
        return pb.Person(identifier=_text(name, value[0]), relation=_text(name, value[1]))
    raise TypeError(f"{name}: expected an identifier, (identifier, relation) or a Person, got {type(value).__name__}")


def _message(name: str, kind: Any, value: Any) -> Message:
    if isinstance(value, kind):
        return value  # type: ignore[no-any-return]
    if not isinstance(value, Mapping):
        raise TypeError(f"{name}: expected a {kind.__name__} or a dict of its fields, got {type(value).__name__}")
    message: Message = kind()
    puts = _puts(message.DESCRIPTOR)
    for field, inner in value.items():
        if field not in puts:
            raise TypeError(f"{name}: {kind.__name__} has no field {field!r}")
        if inner is not None:
            puts[field](message, inner)
    return message
