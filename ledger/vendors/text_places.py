"""Where in a request's body stands what people wrote: the places to look at before it leaves.

A body is walked as text, so that all around a place stays as it is, to the byte. Of its strings

- what a vendor's format needs to understand the call (model, roles, types, ids, names of tools, signatures) is left
  alone, and so are keys;
- what is data of another kind (images, sound, files, in base64) can't be looked into: it is counted as `opaque`;
- everything else is text.

What a tool was called with, or gave back, and metadata are free: there every string is text, whatever its key, and a
number of six digits or more is a place too. (`input` is what a tool was called with only where it is an object: a list
of that name is a conversation, whose ids and encrypted reasoning must stay.)

The name in a message is who speaks, and so text; of a tool or a schema it is structure.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from ledger.vendors.json_values import load

FREE = frozenset({"input", "args", "arguments", "response", "json", "metadata", "variables", "promptVariables"})
"""Keys whose objects hold anything."""

SPEAKING = "messages"
"""What messages stand under, whose `name` is a person's."""

OPAQUE = frozenset({"data", "bytes", "file_data", "b64_json", "image", "audio"})
STRUCTURE = frozenset(
    {
        "model",
        "role",
        "type",
        "id",
        "object",
        "name",
        "status",
        "tool_call_id",
        "call_id",
        "tool_use_id",
        "toolUseId",
        "item_id",
        "previous_response_id",
        "conversation",
        "file_id",
        "server_label",
        "tool_choice",
        "service_tier",
        "effort",
        "verbosity",
        "detail",
        "format",
        "encoding_format",
        "media_type",
        "mime_type",
        "mimeType",
        "anthropic_version",
        "anthropic_beta",
        "modelId",
        "guardrailIdentifier",
        "guardrailVersion",
        "encrypted_content",
        "signature",
        "thoughtSignature",
        "thought_signature",
        "redactedContent",
        "required",
        "$schema",
        "$ref",
        "responseMimeType",
        "taskType",
    }
)
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*+)"(\s*:)?|([{}\[\]])|-?[0-9][0-9.eE+-]*+')
DIGITS_LEAST = 6


@dataclass(frozen=True, slots=True)
class Place:
    """The token [start, end) of a body, a string with its quotes or a number, and the text it stands for."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Places:
    """What of a body is text, in order, and how many strings can't be looked into."""

    texts: tuple[Place, ...]
    opaque: int


def text_places(body: str) -> Places | None:
    """The places in a body; None where it is no JSON."""
    if load(body) is None:
        return None
    texts: list[Place] = []
    opaque = 0
    key = ""
    open_: list[tuple[str, bool]] = [("", False)]
    for found in _TOKEN.finditer(body):
        bracket = found[3]
        if bracket in ("{", "["):
            named, free = key or open_[-1][0], open_[-1][1]
            begins = bracket == "{" and named in FREE and (named != "input" or key == "input")
            open_.append((named, free or begins))
            key = ""
        elif bracket is not None:
            open_.pop()
            key = ""
        elif found[2] is not None:
            key = found[1]
        else:
            named, free = key or open_[-1][0], open_[-1][1]
            is_speaker = key == "name" and open_[-1][0] == SPEAKING
            key = ""
            kind = _kind(found, named, free or is_speaker)
            if kind == "opaque":
                opaque += 1
            elif kind == "text":
                is_string = found[1] is not None
                text = json.loads(found.group()) if is_string else found.group()
                texts.append(Place(*found.span(), text))
    return Places(tuple(texts), opaque)


def _kind(found: re.Match[str], key: str, free: bool) -> str:
    if found[1] is None:
        return "text" if free and sum(each.isdigit() for each in found.group()) >= DIGITS_LEAST else "structure"
    if free:
        return "text"
    if key in STRUCTURE:
        return "structure"
    if key in OPAQUE or found[1].startswith("data:"):
        return "opaque"
    return "text"
