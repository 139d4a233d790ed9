"""One payload, as bytes and as values.

The payload is the event's canonical form: single-object encoding under a pinned schema. Its bytes are hashed, and kept
for ever beside the typed columns. Values are plain Python: fixed and bytes as `bytes`, enums as their symbol, times as
aware `datetime` (UTC), records as dictionaries by field name, null as None. An event has exactly one body, in the field
that `BODY_FIELDS` gives for its kind.

Decoding is strict: what is read must be the bytes that `encode_payload` would write of the same values. Avro allows
more (longer integers, arrays in several blocks, any byte for true), libraries differ in what they make of it, and
evidence that reads in two ways is none. The schemas hold no recursion and no array of null, so hostile bytes can cost
no more memory than a small multiple of their length.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import fastavro

from ledger.errors import IntegrityError
from ledger.record.encode import compile_encoder, encode_long, encode_text
from ledger.record.schemas import EVENT_RECORD, EVENT_RECORDS, HEADER_BYTES, PAYLOAD, PAYLOADS, Schema

BODY_FIELDS: dict[str, str] = {
    "request": "request",
    "tool_call": "tool_call",
    "change": "change",
    "decision": "decision_made",
    "finding": "finding",
    "access": "access",
    "erasure": "erasure",
    "legal_hold": "legal_hold",
    "expiry": "expiry",
    "operation": "operation",
}
"""Kind to the payload field that holds its body. (`decision` is the envelope's policy decision.)"""

KINDS = tuple(BODY_FIELDS)


class UnknownSchema(IntegrityError):
    """The bytes claim a schema this build does not have; a newer build wrote them."""


_encoders = {
    schema.header: compile_encoder(schema.definition) for schema in (*PAYLOADS.values(), *EVENT_RECORDS.values())
}
_payload = _encoders[PAYLOAD.header]
_payload_of_encoded = compile_encoder(PAYLOAD.definition, encoded=("contents",))
_END_OF_CONTENTS = b"\x00"


def encode_payload(values: dict[str, Any]) -> bytes:
    """The canonical bytes of a payload. `ValueError` when a value does not fit the schema."""
    return PAYLOAD.header + _payload(values)


def encode_payload_with(values: dict[str, Any]) -> bytes:
    """The same, where `contents` holds descriptors that are encoded already (`ledger.record.descriptor`)."""
    return PAYLOAD.header + _payload_of_encoded(values)


def decode_payload(data: bytes) -> dict[str, Any]:
    """The values of a payload; `UnknownSchema` or `IntegrityError` when `data` is not one."""
    return _decode(PAYLOADS, data, "payload")


def encode_event_record(payload: bytes, contents: Sequence[tuple[str, bytes]]) -> bytes:
    """An event's value in the event log: its payload and its sealed contents as (slot, ciphertext).

    Written here and not by the encoder of its schema, so that its thousands of bytes are copied once; what decodes it
    holds it against that encoder.
    """
    parts = [EVENT_RECORD.header, encode_long(len(payload)), payload]
    if contents:
        parts.append(encode_long(len(contents)))
        for slot, ciphertext in contents:
            parts += (encode_text(slot), encode_long(len(ciphertext)), ciphertext)
    parts.append(_END_OF_CONTENTS)
    return b"".join(parts)


def decode_event_record(data: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The payload and the sealed contents of an event's value in the event log."""
    values = _decode(EVENT_RECORDS, data, "event record")
    return values["payload"], [(each["slot"], each["ciphertext"]) for each in values["contents"]]


def _decode(known: dict[bytes, Schema], data: bytes, what: str) -> dict[str, Any]:
    return decode_datum(schema_of(known, data, what), data, what)


def decode_datum(schema: Schema, data: bytes, what: str) -> dict[str, Any]:
    """The values of a single-object encoding whose header is that of `schema`; `IntegrityError` when it is not one."""
    stream = io.BytesIO(data)
    stream.seek(HEADER_BYTES)
    try:
        values = fastavro.schemaless_reader(stream, schema.parsed, schema.parsed)
    except (ValueError, EOFError, IndexError, OverflowError, KeyError, TypeError) as error:
        raise IntegrityError(f"{what}: not a datum of schema {schema.name} ({type(error).__name__})") from None
    if stream.tell() != len(data):
        raise IntegrityError(f"{what}: {len(data) - stream.tell()} bytes after its end, expected none")
    if not isinstance(values, dict):
        raise IntegrityError(f"{what}: expected a record")
    try:
        written = schema.header + _encoders[schema.header](values)
    except ValueError:
        written = b""
    if written != data:
        raise IntegrityError(f"{what}: is not the one encoding of its values")
    return values


def schema_of(known: dict[bytes, Schema], data: bytes, what: str) -> Schema:
    """The schema that the header of `data` names among `known`."""
    header = data[:HEADER_BYTES]
    if len(header) < HEADER_BYTES or header[:2] != b"\xc3\x01":
        raise IntegrityError(f"{what}: does not begin with a single-object header")
    if header not in known:
        raise UnknownSchema(f"{what}: schema fingerprint {header[2:].hex()} is unknown to this build")
    return known[header]
