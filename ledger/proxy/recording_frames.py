"""What the proxy says to its recorder, and the other way round.

    frame = u32 length, big-endian || the message, pickled

Both ends are one program, of one build, on the two ends of a socket pair that nobody else can open: that is what makes
pickling right here, and only here. A call is told whole, with what came of its answer, in one frame where it is short
(`Ended`); a longer answer comes in pieces before that.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

from ledger.config import ProxyConfig
from ledger.proxy.admitting import Secret
from ledger.proxy.calls import Call, End

LENGTH = struct.Struct(">I")
State = Literal["yes", "spooled", "no"]
STATES: tuple[State, ...] = ("yes", "spooled", "no")
Pieces = list[tuple[bytes, float]]
"""Bytes of an answer, and when they came, by the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The first message: what a recorder needs to know."""

    config: ProxyConfig
    secret: Secret = field(repr=False)


@dataclass(frozen=True, slots=True)
class Begun:
    """A call begins. `is_durable`: its beginning is to be acknowledged."""

    call: Call
    is_durable: bool


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Nobody waits any more for the acknowledgement of this call's beginning."""

    event_id: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """An answer begins: of this call, with this status and these header fields, their names in small letters."""

    call: Call
    status: int
    headers: Mapping[str, str]

    def __reduce__(self) -> tuple[Any, ...]:
        """Flat, as a call."""
        return Head, (self.call, self.status, self.headers)


@dataclass(frozen=True, slots=True)
class More:
    """The next bytes of an answer; `head` where they are its first."""

    event_id: bytes
    head: Head | None
    pieces: Pieces

    def __reduce__(self) -> tuple[Any, ...]:
        """Flat, as a call."""
        return More, (self.event_id, self.head, self.pieces)


@dataclass(frozen=True, slots=True)
class Ended:
    """A call ended. `head`: of its answer, where none was told yet and there is one. `whole`: all of it came."""

    call: Call
    end: End
    head: Head | None = None
    pieces: Pieces = field(default_factory=list)
    whole: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Flat, as a call."""
        return Ended, (self.call, self.end, self.head, self.pieces, self.whole)


@dataclass(frozen=True, slots=True)
class Closing:
    """The last message: everything was told."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What became of a beginning. `failure`: "" where the ledger has it."""

    event_id: bytes
    failure: Literal["", "unavailable", "rejected"] = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How records fare: by tenant, and in numbers since the start."""

    states: Mapping[str, State]
    counts: Mapping[str, float]


ToRecorder = Settings | Begun | GivenUp | More | Ended | Closing
ToProxy = Acknowledged | Standing


def framed(message: ToRecorder | ToProxy) -> bytes:
    """A message as it is sent."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(data)) + data


def read_frame(stream: BinaryIO) -> ToRecorder | None:
    """The next message of the proxy; None where the proxy is gone."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack(head)
    data = stream.read(size)
    if len(data) < size:
        return None
    found: ToRecorder = pickle.loads(data)
    return found
