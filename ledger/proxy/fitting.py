"""Events made to fit what a gateway takes: one bad field must not cost the evidence of all others.

- A content longer than the limit is cut at a character, and its media type says from how many bytes.
- A session or correlation id that may not stand in clear (an e-mail address in it, or the user's own identifier) is
  replaced by a keyed hash of it, and the event names it among its derived fields: the story stays together.
- Any other name that may not stand in clear is left out. An identifier that can't be one leaves with its person.

What was changed is told, field by field, to be counted. The gateway's own checks decide (`ledger.record.translate`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.message import Message

from ledger.errors import Rejected
from ledger.record.translate import translate
from ledger.v1 import event_pb2 as pb

ROUNDS_MAX = 64
STORY_IDS = ("story.session_id", "story.correlation_id")
_STEP = re.compile(r"([a-z0-9_]+)(?:\[([0-9]+)\])?")


def fit(event: pb.Event, content_bytes_max: int, stand_in: Callable[[str], str]) -> list[str]:
    """Changes the event where it has to be; the fields that were. `Rejected` where nothing helps."""
    changed = [path for path, content in _contents(event) if _cut(content, content_bytes_max)]
    for _ in range(ROUNDS_MAX):
        try:
            translate(event)
        except Rejected as error:
            if not _mend(event, error.field, stand_in):
                raise
            changed.append(error.field)
        else:
            return changed
    raise Rejected("", f"more than {ROUNDS_MAX} fields can't be taken")


def _contents(event: pb.Event) -> Iterator[tuple[str, pb.Content]]:
    kind = event.WhichOneof("body")
    if kind is None:
        return
    for field, value in getattr(event, kind).ListFields():
        if field.message_type is pb.Content.DESCRIPTOR:
            yield f"{kind}.{field.name}", value


def _cut(content: pb.Content, bytes_max: int) -> bool:
    which = content.WhichOneof("body")
    data = content.text.encode("utf-8") if which == "text" else content.data if which == "data" else b""
    if len(data) <= bytes_max:
        return False
    # What is cut is no JSON any more, whatever it was.
    if which == "text":
        content.text = data[:bytes_max].decode("utf-8", "ignore")
        content.media_type = f"text/plain;cut-from-bytes={len(data)}"
    else:
        content.data = data[:bytes_max]
        content.media_type = f"application/octet-stream;cut-from-bytes={len(data)}"
    return True


def _mend(event: pb.Event, path: str, stand_in: Callable[[str], str]) -> bool:
    """Whether the field at this path could be replaced or left out."""
    if path in STORY_IDS:
        name = path.partition(".")[2]
        given = getattr(event.story, name)
        replaced = stand_in(given)
        if given == replaced:
            return False
        setattr(event.story, name, replaced)
        if path not in event.derived_fields:
            event.derived_fields.append(path)
        return True
    steps = [(found[1], found[2]) for found in map(_STEP.fullmatch, path.split(".")) if found is not None]
    if steps and steps[0][0] == "subjects" and steps[0][1] is not None:
        del event.subjects[int(steps[0][1])]
        return True
    if path == "actor.user.identifier":
        event.actor.ClearField("user")
        event.actor.ClearField("identity_source")
        event.actor.ClearField("identity_attribute")
        return True
    return bool(steps) and _leave_out(event, steps)


def _leave_out(message: Message, steps: list[tuple[str, Any]]) -> bool:
    (name, at), rest = steps[0], steps[1:]
    if name not in message.DESCRIPTOR.fields_by_name or name in ("event_id", "operation_id"):
        return False
    value = getattr(message, name)
    if at is not None:
        # Of a list the whole entry goes: half an entry says something else.
        if int(at) >= len(value):
            return False
        del value[int(at)]
        return True
    if rest and isinstance(value, Message):
        return _leave_out(value, rest)
    before = message.ByteSize()
    message.ClearField(name)
    return message.ByteSize() < before
