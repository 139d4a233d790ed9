"""Where values go in an event: each path names a field, and the field's type says what it takes.

A path is that of the event's field: `request.vendor`, `story.session_id`, `tool_call.approval.approver`. What does not
fit its field is not put there, and the caller is told.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

from google.protobuf.descriptor import FieldDescriptor as F
from google.protobuf.timestamp_pb2 import Timestamp

from ledger.otlp.contents import write
from ledger.otlp.names import fits
from ledger.otlp.values import Value
from ledger.v1 import event_pb2 as pb

_INT64_MAX = 2**63 - 1


class Place(NamedTuple):
    """A field: the messages on the way to it, its name, its type; for a message its kind. One of no type is none."""

    groups: tuple[str, ...]
    name: str
    type: int
    kind: str

    def message_in(self, event: pb.Event) -> Any:
        """The message that holds the field."""
        message: Any = event
        for group in self.groups:
            message = getattr(message, group)
        return message


@lru_cache(maxsize=1_024)
def place_of(path: str) -> Place:
    """The field of a path. Parameters by name are no fields, and could be any number: hence the bound."""
    *groups, name = path.split(".")
    descriptor: Any = pb.Event.DESCRIPTOR
    for group in groups:
        field = descriptor.fields_by_name.get(group)
        descriptor = None if field is None else field.message_type
        if descriptor is None:
            return Place((), name, 0, "")
    field = descriptor.fields_by_name.get(name)
    if field is None or field.is_repeated:
        return Place((), name, 0, "")
    return Place(tuple(groups), name, field.type, field.message_type.name if field.message_type else "")


def put(
    event: pb.Event, path: str, value: Value, names: list[str], contents: list[pb.Content], *, partial: bool = False
) -> bool:
    """Puts a value into its field. False when there is no such field, or it does not take the value.

    A name that is put is added to `names`, a content to `contents`.
    """
    place = place_of(path)
    if place.kind == "Content":
        content = getattr(place.message_in(event), place.name)
        write(content, value, partial=partial)
        contents.append(content)
        return True
    if place.kind == "Timestamp" and isinstance(value, Timestamp):
        getattr(place.message_in(event), place.name).CopyFrom(value)
        return True
    if not _takes(place.type, value):
        return False
    if place.type == F.TYPE_STRING:
        names.append(value)
    setattr(place.message_in(event), place.name, value)
    return True


def take_out(event: pb.Event, path: str) -> None:
    """Unsets a field, where the path is one."""
    place = place_of(path)
    if place.type:
        place.message_in(event).ClearField(place.name)


def _takes(type_: int, value: Value) -> bool:
    if type_ == F.TYPE_STRING:
        return isinstance(value, str) and fits(value)
    if type_ == F.TYPE_BOOL:
        return isinstance(value, bool)
    if type_ in (F.TYPE_UINT64, F.TYPE_INT64, F.TYPE_ENUM):
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and (-_INT64_MAX - 1 if type_ == F.TYPE_INT64 else 0) <= value <= _INT64_MAX
    if type_ == F.TYPE_DOUBLE:
        return isinstance(value, (int, float)) and math.isfinite(value)
    return type_ == F.TYPE_BYTES and isinstance(value, bytes)
