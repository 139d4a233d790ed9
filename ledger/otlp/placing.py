"""Where values go in an event: each path names a field, and the field's type says what it takes.

A path is that of the event's field: `request.vendor`, `story.session_id`, `tool_call.approval.approver`. What does not
fit its field is not put there, and the caller is told.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple

from google.protobuf.descriptor import FieldDescriptor as F
from google.protobuf.timestamp_pb2 import Timestamp

from ledger.otlp.contents import content_of
from ledger.otlp.names import fits
from ledger.otlp.values import Value
from ledger.v1 import event_pb2 as pb

_INT64_MAX = 2**63 - 1


class Place(NamedTuple):
    """A field: the messages on the way to it, its name, its type; for a message its kind."""

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


@cache
def place_of(path: str) -> Place:
    """The field of a path; `KeyError` where there is none."""
    *groups, name = path.split(".")
    descriptor: Any = pb.Event.DESCRIPTOR
    for group in groups:
        descriptor = descriptor.fields_by_name[group].message_type
    field = descriptor.fields_by_name[name]
    return Place(tuple(groups), name, field.type, field.message_type.name if field.message_type else "")


def is_name(path: str) -> bool:
    """Whether the field holds a name, which stands in clear."""
    return place_of(path).type == F.TYPE_STRING


def is_content(path: str) -> bool:
    """Whether the field holds a content."""
    return place_of(path).kind == "Content"


def put(event: pb.Event, path: str, value: Value, *, partial: bool = False) -> bool:
    """Puts a value into its field. False when the field does not take it."""
    place = place_of(path)
    if place.kind == "Content":
        getattr(place.message_in(event), place.name).CopyFrom(content_of(value, partial=partial))
        return True
    if place.kind == "Timestamp" and isinstance(value, Timestamp):
        getattr(place.message_in(event), place.name).CopyFrom(value)
        return True
    if not _takes(place.type, value):
        return False
    setattr(place.message_in(event), place.name, value)
    return True


def take_out(event: pb.Event, path: str) -> None:
    """Unsets a field."""
    place = place_of(path)
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
