"""What a mapping takes and gives: its options, the events, what was refused."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.v1 import event_pb2 as pb

KIB = 1024


@dataclass(frozen=True, slots=True)
class MappingOptions:
    """Limits and choices of a mapping. The same request under the same options becomes the same events.

    - `content_bytes_max`: a larger content is cut there, at a character's boundary, and its media type says so
      (`;truncated=` and the bytes it had). Give it the gateway's limit where that refuses larger contents; where it
      truncates them itself, a limit above that leaves it to the gateway.
    - `event_bytes_max`: of one event as serialized; contents are cut until it fits.
    - `attributes_max`: attributes of one record that are read; the others are named as dropped.
    - `depth_max`: of a structured value. What is deeper is declared absent.
    - `keep_context`: spans that are not themselves a request or a tool call are kept as amendments of the nearest
      ancestor in the same export that is one; and attributes that have no field here are kept as a content.
    - `capture_path`: what events say of how they came here.
    - `declared_sampling`: of producers that do not declare theirs; None: unknown.
    """

    content_bytes_max: int = 256 * KIB
    event_bytes_max: int = 4 * KIB * KIB
    attributes_max: int = 1_024
    depth_max: int = 64
    keep_context: bool = False
    capture_path: pb.CapturePath = pb.CAPTURE_PATH_OTLP
    declared_sampling: float | None = None


@dataclass(frozen=True, slots=True)
class MappedEvent:
    """One event. `ordinal` is the position of its span or log record in the request: resources, scopes, records in
    order, from 0. Several log records of one span become one event: it has the ordinal of the first, `others` are the
    ordinals of the rest. An evaluation that a span carries is an event of its own under the span's ordinal."""

    ordinal: int
    event: pb.Event
    others: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that is malformed and became no event. `reason` holds nothing of its content."""

    ordinal: int
    reason: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """What became of a request. `ignored`: records that are not about generative AI, or only context of it."""

    events: tuple[MappedEvent, ...]
    refused: tuple[Refused, ...]
    ignored: int
