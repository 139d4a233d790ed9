"""Takes out of an event the names that must not stand in clear: `ledger.otlp.names` says which.

What stands in a list goes with the item that it names, where the item cannot be without it; what was derived and can't
be marked so goes too: it must never look observed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from google.protobuf.descriptor import FieldDescriptor as F
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from ledger.otlp.names import may_not_stand, stands
from ledger.otlp.placing import take_out
from ledger.otlp.values import Value
from ledger.record.names import may_hold
from ledger.record.translate import TEXT_PLAIN
from ledger.v1 import event_pb2 as pb

_PLAIN = frozenset({"", TEXT_PLAIN, "application/octet-stream"})
_ACCOUNTABLE = frozenset({"approver"})
_REQUIRED = {"PromptUse": "prompt_id", "GuardrailResult": "name", "NamedNumber": "name"}
"""Of items of lists: the name without which there is no item."""


class Named(NamedTuple):
    """A name in an event: its path, its text, the message and field that hold it, its place in a list."""

    path: str
    text: str
    holder: Any
    field: str
    place: int = -1


def clear(event: pb.Event) -> Iterator[tuple[str, Value]]:
    """Takes out what must not stand in clear, and yields it with its path."""
    persons = persons_of(event)
    while True:
        names = list(_names(event, ""))
        if not may_not_stand([each.text for each in names], persons):
            return
        wrong = [each for each in names if not stands(each.text, persons, event.story.trace_id)]
        if not wrong:
            return
        # Of the items of a list, the last one first: the others keep their places.
        for each in sorted(wrong, key=lambda each: -each.place):
            yield from _taken_out(event, each)


def clear_media_types(event: pb.Event, contents: Sequence[pb.Content]) -> None:
    """Takes out media types that hold, by an unlucky chance, the identifier of a person: a text is then plain text."""
    persons = persons_of(event)
    if not persons or not may_hold("\n".join([each.media_type for each in contents]), persons):
        return
    for content in contents:
        if content.media_type not in _PLAIN and not stands(content.media_type, persons):
            content.ClearField("media_type")


def _taken_out(event: pb.Event, each: Named) -> Iterator[tuple[str, Value]]:
    if each.path == "derived_fields":
        del event.derived_fields[each.place]
        take_out(event, each.text)
        return
    if isinstance(each.holder, pb.Content):
        yield each.path, each.text
        if each.field == "reference":
            each.holder.absent = True
        else:
            each.holder.ClearField(each.field)
    elif each.place >= 0:
        items = each.holder
        yield each.path, MessageToDict(items[each.place], preserving_proto_field_name=True)
        del items[each.place]
    else:
        yield each.path, each.text
        each.holder.ClearField(each.field)


def persons_of(event: pb.Event) -> tuple[str, ...]:
    """The identifiers of all persons named."""
    user = (event.actor.user.identifier,) if event.actor.HasField("user") else ()
    if not event.subjects:
        return user
    return tuple(dict.fromkeys([*user, *(each.identifier for each in event.subjects)]))


def _names(message: Message, prefix: str) -> Iterator[Named]:
    for field, value in message.ListFields():
        path = f"{prefix}{field.name}"
        if field.type == F.TYPE_STRING:
            if field.is_repeated:
                for index, text in enumerate(value):
                    yield Named(path, text, value, field.name, index)
            elif field.name not in _ACCOUNTABLE:
                yield Named(path, value, message, field.name)
        elif field.type == F.TYPE_MESSAGE:
            if field.is_repeated:
                for index, item in enumerate(value):
                    yield from _names_of_item(item, path, value, index)
            else:
                yield from _names_inside(value, path)


def _names_inside(message: Message, path: str) -> Iterator[Named]:
    if isinstance(message, pb.Content):
        if message.media_type not in _PLAIN:
            yield Named(f"{path}.media_type", message.media_type, message, "media_type")
        if message.reference:
            yield Named(f"{path}.reference", message.reference, message, "reference")
    elif isinstance(message, pb.Person):
        if message.relation:
            yield Named(f"{path}.relation", message.relation, message, "relation")
    else:
        yield from _names(message, f"{path}.")


def _names_of_item(item: Message, path: str, items: Any, index: int) -> Iterator[Named]:
    required = _REQUIRED.get(item.DESCRIPTOR.name)
    for each in _names_inside(item, path):
        if each.field == required:
            yield Named(path, each.text, items, required, index)
        else:
            yield each
