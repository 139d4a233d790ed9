"""Wire bytes put together without building messages: a numbered event, a request of many.

An event is serialized once, when it is emitted; what the queue, the retries and the spool hold and the gateway gets are
those bytes. The producer's group is put in at its place, so that the event's fields stand in ascending order and the
bytes are those that protobuf's own deterministic serialization of the whole event would write (the gateway's encoding
`pb1`; it spares the gateway a second parse). Field numbers are read from the descriptors.

    event   = fields 1 to 5 || producer (field 6) || the other fields
    request = tenant || each event: tag, length, bytes
"""

from __future__ import annotations

from collections.abc import Iterable

from ledger.v1.event_pb2 import Event, Producer
from ledger.v1.ingest_pb2 import PublishRequest

VARINT, LENGTH_DELIMITED = 0, 2


def varint(value: int) -> bytes:
    """`value` >= 0 as a base-128 varint."""
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _tag(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


_PRODUCER_NUMBER = Event.DESCRIPTOR.fields_by_name["producer"].number
_PRODUCER = _tag(_PRODUCER_NUMBER, LENGTH_DELIMITED)
_SEQUENCE = _tag(Producer.DESCRIPTOR.fields_by_name["sequence"].number, VARINT)
_DROPPED = _tag(Producer.DESCRIPTOR.fields_by_name["dropped_count"].number, VARINT)
_TENANT = _tag(PublishRequest.DESCRIPTOR.fields_by_name["tenant"].number, LENGTH_DELIMITED)
_EVENTS = _tag(PublishRequest.DESCRIPTOR.fields_by_name["events"].number, LENGTH_DELIMITED)


class Stamp:
    """Writes one boot's producer group. The group around sequence and dropped count never changes: it is made once."""

    __slots__ = ("_before", "_between", "_between_zero", "bytes_max")

    def __init__(self, producer: Producer) -> None:
        """`producer` says everything but sequence, dropped count and sampling."""
        head = Producer()
        head.CopyFrom(producer)
        for field in ("sequence", "capture_path", "dropped_count", "declared_sampling"):
            head.ClearField(field)
        self._before = head.SerializeToString() + _SEQUENCE
        self._between = Producer(capture_path=producer.capture_path).SerializeToString() + _DROPPED
        self._between_zero = self._between + b"\0"
        self.bytes_max = len(self._before) + len(self._between) + 48
        """What a stamp adds to an event, at most: three varints of at most 10 bytes, a tag, a sampling of 9."""

    def stamp(self, body: bytes, place: int, sequence: int, dropped: int, sampling: bytes = b"") -> bytes:
        """The event `body` (no producer in it) with its number, put in at `place`."""
        between = self._between_zero if dropped == 0 else self._between + varint(dropped)
        group = self._before + varint(sequence) + between + sampling
        return b"".join((body[:place], _PRODUCER, varint(len(group)), group, body[place:]))


class PlainStamp(Stamp):
    """Writes the group of a stream without numbers: who emitted the event, and nothing that tells one sending apart."""

    __slots__ = ("_group",)

    def __init__(self, producer: Producer) -> None:
        super().__init__(producer)
        own = Producer()
        own.CopyFrom(producer)
        for field in ("instance", "boot_id", "sequence", "dropped_count", "declared_sampling"):
            own.ClearField(field)
        self._group = own.SerializeToString()

    def stamp(self, body: bytes, place: int, sequence: int, dropped: int, sampling: bytes = b"") -> bytes:
        """The event `body` (no producer in it), put in at `place`."""
        group = self._group + sampling
        return b"".join((body[:place], _PRODUCER, varint(len(group)), group, body[place:]))


def producer_place(body: bytes) -> int:
    """Where the producer's group belongs in a serialized event that has none."""
    at = 0
    end = len(body)
    while at < end:
        key = body[at]
        # Numbers of 16 and above take two bytes of tag and stand behind; so does all from the producer's number on.
        if key & 0x80 or key >> 3 >= _PRODUCER_NUMBER:
            return at
        next_at = at + 1
        if key & 7 == VARINT:
            while body[next_at] & 0x80:
                next_at += 1
            next_at += 1
        else:
            length, next_at = _read_varint(body, next_at)
            next_at += length
        at = next_at
    return at


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def declared_sampling(fraction: float) -> bytes:
    """The producer's sampling field, to stand behind the others."""
    return Producer(declared_sampling=fraction).SerializeToString()


class RequestWriter:
    """Serializes PublishRequests of one tenant."""

    __slots__ = ("_head",)

    def __init__(self, tenant: str) -> None:
        raw = tenant.encode("utf-8")
        self._head = _TENANT + varint(len(raw)) + raw if raw else b""

    def write(self, events: Iterable[bytes]) -> bytes:
        """The request that holds `events`, serialized events, in their order."""
        parts = [self._head]
        for event in events:
            parts += (_EVENTS, varint(len(event)), event)
        return b"".join(parts)
