"""Contents of an event: from a value to what the gateway takes, within its limits, and saying what is not whole.

A text stays a text; what has a structure is written in its canonical form (`ledger.otlp.values`) as application/json.
What is not whole says so in its media type, which becomes part of the signed payload:

- `;partial=dropped`: parts may be missing, for its exporter dropped attributes (SDKs keep 128 of a span by default);
- `;truncated=<bytes>`: cut here at the limit; this many bytes there were.
"""

from __future__ import annotations

from ledger.client.builders import WTF8_MEDIA_TYPE
from ledger.otlp.values import Value, canonical
from ledger.v1 import event_pb2 as pb

JSON, TEXT = "application/json", "text/plain"
PARTIAL = ";partial=dropped"
TRUNCATED = ";truncated="
_ENVELOPE_BYTES = 64 * 1024
"""Room in an event for what is not a content: names are bounded."""


def content_of(value: Value) -> pb.Content:
    """The content that holds a value."""
    content = pb.Content()
    write(content, value)
    return content


def write(content: pb.Content, value: Value, *, partial: bool = False) -> None:
    """Makes a content hold a value."""
    if isinstance(value, str):
        try:
            content.text = value
        except UnicodeEncodeError:
            content.data, content.media_type = value.encode("utf-8", "surrogatepass"), WTF8_MEDIA_TYPE
    elif isinstance(value, bytes):
        content.data, content.media_type = value, "application/octet-stream"
    else:
        content.text, content.media_type = canonical(value), JSON
    if partial:
        content.media_type = (content.media_type or TEXT) + PARTIAL


def cut(content: pb.Content, bytes_max: int) -> None:
    """Cuts what is longer than that. A text is cut at a character's boundary."""
    if content.HasField("text"):
        text = content.text
        if len(text) * 4 <= bytes_max:
            return
        data = text.encode("utf-8")
        if len(data) > bytes_max:
            content.text = data[:bytes_max].decode("utf-8", "ignore")
            content.media_type = f"{content.media_type or TEXT}{TRUNCATED}{len(data)}"
    elif content.HasField("data") and len(content.data) > bytes_max:
        size = len(content.data)
        content.data = content.data[:bytes_max]
        content.media_type = f"{content.media_type}{TRUNCATED}{size}"


def cut_all(contents: list[pb.Content], content_bytes_max: int, event_bytes_max: int) -> None:
    """Cuts each at its limit, then the largest ones until the event has room for all of them."""
    for content in contents:
        cut(content, content_bytes_max)
    room = max(event_bytes_max - _ENVELOPE_BYTES, 0)
    if len(contents) * (content_bytes_max + _ENVELOPE_BYTES) <= event_bytes_max:
        return
    sizes = sorted(content.ByteSize() for content in contents)
    if sum(sizes) <= room:
        return
    for content in contents:
        cut(content, _share(sizes, room))


def _share(sizes: list[int], room: int) -> int:
    """The most that each may have so that all fit: small ones stay whole, large ones get the same. `sizes` ascend."""
    left = room
    for at, size in enumerate(sizes):
        if size * (len(sizes) - at) > left:
            return left // (len(sizes) - at)
        left -= size
    return room
