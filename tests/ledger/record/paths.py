"""Every field of a submitted event, by reflection: an event that sets it, and the path that a refusal must name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor as F

from ledger.v1 import event_pb2 as pb
from tests.ledger.record.events import REQUIRED

Path = tuple[Any, ...]
"""Field descriptors from the event down to one field."""

EVENT_ID = bytes.fromhex("018f0000000070008000000000000001")
TIMESTAMP = "google.protobuf.Timestamp"


def fields(*types: int) -> list[Path]:
    """The paths to all fields of these types; a timestamp counts as a message."""
    return [path for path in _walk(pb.Event.DESCRIPTOR, ()) if path[-1].type in types]


def timestamps() -> list[Path]:
    """The paths to all times."""
    return [path for path in fields(F.TYPE_MESSAGE) if path[-1].message_type.full_name == TIMESTAMP]


def _walk(descriptor: Any, above: Path) -> Iterator[Path]:
    for field in descriptor.fields:
        path = (*above, field)
        yield path
        if field.type == F.TYPE_MESSAGE and field.message_type.full_name != TIMESTAMP:
            yield from _walk(field.message_type, path)


def text_of(path: Path) -> str:
    """The path as a refusal writes it: `request.guardrails[0].verdict`."""
    return ".".join(f"{field.name}[0]" if field.is_repeated else field.name for field in path)


def event_with(path: Path, value: Any) -> pb.Event:
    """A smallest event that is taken, but for `value` at `path`."""
    event = pb.Event(event_id=EVENT_ID, operation_id=bytes(16))
    kinds = {field.name for field in pb.Event.DESCRIPTOR.oneofs_by_name["body"].fields}
    if path[0].name not in kinds:
        event.operation.action = pb.OPERATION_ACTION_EXPORT
    message: Any = event
    for field in path[:-1]:
        message = _step(message, field)
    field = path[-1]
    if field.is_repeated:
        if field.type == F.TYPE_MESSAGE:
            fill(getattr(message, field.name).add())
        else:
            getattr(message, field.name).append(value)
    elif field.type == F.TYPE_MESSAGE:
        getattr(message, field.name).CopyFrom(value)
    else:
        setattr(message, field.name, value)
    return event


def _step(message: Any, field: Any) -> Any:
    inner = getattr(message, field.name).add() if field.is_repeated else getattr(message, field.name)
    inner.SetInParent()
    fill(inner)
    return inner


def fill(message: Any) -> None:
    """Sets what must be there."""
    for field in message.DESCRIPTOR.fields:
        if field.name not in REQUIRED:
            continue
        if field.type == F.TYPE_ENUM:
            setattr(message, field.name, 1)
        elif field.name == "identifier":
            message.identifier = "ЖЖЖЖ"
        else:
            setattr(message, field.name, "2026-11" if field.name == "month" else "named")
    if message.DESCRIPTOR.full_name == "ledger.v1.Content":
        message.text = "text"
