"""Exports with one bad span among good ones."""

from __future__ import annotations

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tests.ledger.gateway.otlp.sending import chat_span

SECRET = "do-not-tell-anybody"
MIB = 2**20
GOOD = 3
WRONG = ("INVALID_ARGUMENT", 400)


def field(number: int, data: bytes) -> bytes:
    """A length-delimited field of protobuf's wire format."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    """An unsigned number of the wire format."""
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*made, value))


def among_good(bad: bytes) -> bytes:
    """An export with the bytes of a bad span between good ones."""
    spans = [chat_span(number).SerializeToString() for number in range(GOOD)]
    return field(1, field(2, b"".join(field(2, each) for each in (spans[0], bad, *spans[1:]))))


def with_attribute(value: AnyValue) -> bytes:
    """A model's call whose input is this value."""
    span = chat_span(GOOD)
    span.attributes.add(key="gen_ai.input.messages").value.CopyFrom(value)
    return span.SerializeToString()
