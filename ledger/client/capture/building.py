"""Events out of what an application gave while it was running.

A value that the record can't take (a negative count, a word that is none of an enum's) must neither raise into the
application nor cost the whole event: that field is left out, and the fault is counted and logged. What no gateway would
take is mended where that changes nothing that matters: a name is cut to 256 characters and 8 words, what can't be
printed in it becomes "?".

A content above `content_bytes_max` is cut, because by default a gateway refuses an event with a larger one. Its media
type then ends with `;truncated=yes`, and is text, for what is cut in the middle is no JSON any more. Of an event above
`EVENT_BYTES_MAX` in all, and of lists above `LIST_ITEMS_MAX`, the same is true: less of it is better than none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message

from ledger.client.builders import request, tool_call
from ledger.client.fields import RequestFields, ToolCallFields
from ledger.v1 import event_pb2 as pb

NAME_CHARACTERS_MAX = 256
NAME_WORDS_MAX = 8
LIST_ITEMS_MAX = 256
EVENT_BYTES_MAX = 3_500_000
"""Below what a gateway takes of one event."""
TRUNCATED = "text/plain;truncated=yes"

Fault = Callable[[str], None]
"""Told what is wrong: the name of a field, never its value."""

_BUILDERS: Mapping[str, Callable[..., pb.Event]] = {"request": request, "tool_call": tool_call}
_KNOWN = {
    "request": frozenset(RequestFields.__annotations__),
    "tool_call": frozenset(ToolCallFields.__annotations__),
}
_PEOPLE = frozenset({"ledger.v1.Person", "ledger.v1.Approval", "ledger.v1.Reviewer"})


def check_names(kind: str, given: Mapping[str, Any]) -> None:
    """TypeError for an argument that the builder of this kind does not have."""
    for name in given:
        if name not in _KNOWN[kind]:
            raise TypeError(f"{kind}() got an unexpected keyword argument {name!r}")


def build(kind: str, given: Mapping[str, Any], content_bytes_max: int, fault: Fault) -> pb.Event:
    """The event; what is wrong in `given` is told to `fault` and left out."""
    builder = _BUILDERS[kind]
    try:
        event = builder(**given)
    except Exception:
        event = builder(**_good(builder, given, fault))
    _mend(event, content_bytes_max, fault, "")
    bytes_max = content_bytes_max
    while event.ByteSize() > EVENT_BYTES_MAX and bytes_max > 1:
        bytes_max //= 2
        _mend(event, bytes_max, fault, "")
    return event


def _good(builder: Callable[..., pb.Event], given: Mapping[str, Any], fault: Fault) -> dict[str, Any]:
    good: dict[str, Any] = {}
    for name, value in given.items():
        try:
            builder(**{name: value})
        except Exception as error:
            fault(f"{name}: {type(error).__name__}")
        else:
            good[name] = value
    return good


def _mend(message: Message, content_bytes_max: int, fault: Fault, path: str) -> None:
    for field, value in message.ListFields():
        here = f"{path}{field.name}"
        if field.is_repeated and len(value) > LIST_ITEMS_MAX:
            fault(f"{here}: has {len(value)} items, and was shortened")
            del value[LIST_ITEMS_MAX:]
        if field.message_type is not None:
            for each in value if field.is_repeated else (value,):
                if each.DESCRIPTOR.full_name == "ledger.v1.Content":
                    _cut(each, content_bytes_max)
                elif each.DESCRIPTOR.full_name not in _PEOPLE:
                    _mend(each, content_bytes_max, fault, f"{here}.")
        elif field.type == field.TYPE_STRING and not field.is_repeated:
            name = _name(value)
            if name != value:
                fault(f"{here}: was no name, and was shortened")
                setattr(message, field.name, name)


def _name(value: str) -> str:
    if len(value) <= NAME_CHARACTERS_MAX and " " not in value and value.isprintable():
        return value
    # No more of a long text is looked at than can stand in a name.
    seen = "".join(
        each if each.isprintable() else " " if each.isspace() else "?" for each in value[: 4 * NAME_CHARACTERS_MAX]
    )
    return " ".join(seen.split()[:NAME_WORDS_MAX])[:NAME_CHARACTERS_MAX].rstrip()


def _cut(content: pb.Content, bytes_max: int) -> None:
    if content.WhichOneof("body") == "text":
        if len(content.text) * 4 > bytes_max and len(raw := content.text.encode("utf-8")) > bytes_max:
            content.text = raw[:bytes_max].decode("utf-8", "ignore")
            content.media_type = TRUNCATED
    elif len(content.data) > bytes_max:
        content.data = content.data[:bytes_max]
        content.media_type = f"{content.media_type or 'application/octet-stream'};truncated=yes"
