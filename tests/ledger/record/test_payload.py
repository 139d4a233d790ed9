"""The payload: every kind comes back, and bytes that are not the one encoding of a payload are refused."""

from __future__ import annotations

import hashlib
import io
import struct
from datetime import UTC, datetime
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import IntegrityError
from ledger.record.payload import (
    BODY_FIELDS,
    KINDS,
    UnknownSchema,
    decode_event_record,
    decode_payload,
    encode_event_record,
    encode_payload,
)
from ledger.record.schemas import EVENT_RECORD, HEADER_BYTES, PAYLOAD
from tests.ledger.record.payloads import ANY_PAYLOAD, PAYLOADS_OF


def sample(**changes: Any) -> dict[str, Any]:
    """A payload with nothing in it that need not be, but for `changes`."""
    values: dict[str, Any] = {}
    for field in PAYLOAD.definition["fields"]:
        kind = field["type"]
        if isinstance(kind, list):
            values[field["name"]] = None
        elif isinstance(kind, str):
            values[field["name"]] = {"fixed16": bytes(16), "fixed32": bytes(32), "string": "", "long": 0}.get(
                kind, False if kind == "boolean" else "unspecified"
            )
        else:
            values[field["name"]] = {
                "fixed": lambda kind: bytes(kind["size"]),
                "enum": lambda kind: kind["symbols"][0],
                "array": lambda _: [],
                "long": lambda _: 0,
            }[kind["type"]](kind)
    return {**values, **changes}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_kind_comes_back(kind: str, data: st.DataObject) -> None:
    """Encoding and decoding gives the values; so does fastavro, which knows nothing of our encoder."""
    values = data.draw(PAYLOADS_OF[kind])
    encoded = encode_payload(values)
    assert decode_payload(encoded) == values
    assert fastavro.schemaless_reader(io.BytesIO(encoded[HEADER_BYTES:]), PAYLOAD.parsed, PAYLOAD.parsed) == values


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_the_encoder_writes_what_fastavro_writes(kind: str, data: st.DataObject) -> None:
    """Our compiled encoder and fastavro's give the same bytes."""
    values = data.draw(PAYLOADS_OF[kind])
    out = io.BytesIO()
    fastavro.schemaless_writer(out, PAYLOAD.parsed, values, strict=True)
    assert encode_payload(values) == PAYLOAD.header + out.getvalue()


def test_every_kind_has_its_body_field() -> None:
    """The schema's kinds, the body fields and the protobuf bodies are the same ten."""
    fields = {each["name"]: each["type"] for each in PAYLOAD.definition["fields"]}
    assert tuple(fields["kind"]["symbols"]) == KINDS
    assert all(fields[field][0] == "null" for field in BODY_FIELDS.values())


@settings(max_examples=60, deadline=None)
@given(ANY_PAYLOAD, st.data())
def test_truncated_and_extended_payloads_are_refused(values: dict[str, Any], data: st.DataObject) -> None:
    """A payload has one length."""
    encoded = encode_payload(values)
    with pytest.raises(IntegrityError):
        decode_payload(encoded[: data.draw(st.integers(0, len(encoded) - 1))])
    with pytest.raises(IntegrityError, match="bytes after its end"):
        decode_payload(encoded + data.draw(st.binary(min_size=1, max_size=20)))


@settings(max_examples=200, deadline=None)
@given(ANY_PAYLOAD, st.data())
def test_what_decodes_encodes_to_the_same_bytes(values: dict[str, Any], data: st.DataObject) -> None:
    """Bent bytes are refused, or are the one encoding of what they are decoded to: no payload reads in two ways."""
    bent = bytearray(encode_payload(values))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(HEADER_BYTES, len(bent) - 1))
        bent[at : at + 1] = data.draw(
            st.sampled_from([b"", b"\x00", b"\x02", b"\x7f", b"\x80\x00", b"\xff" * 9 + b"\x01"])
        )
        if len(bent) <= HEADER_BYTES:
            return
    try:
        decoded = decode_payload(bytes(bent))
    except IntegrityError:
        return
    assert encode_payload(decoded) == bytes(bent)


def _replaced(values: dict[str, Any], old: bytes, new: bytes) -> bytes:
    encoded = encode_payload(values)
    assert encoded.count(old) == 1
    return encoded.replace(old, new)


@pytest.mark.parametrize(
    ("values", "old", "new"),
    [
        pytest.param(
            sample(tenant="tenant"), b"\x0ctenant", b"\x8c\x00tenant", id="a length of more bytes than needed"
        ),
        pytest.param(sample(tenant="t", shard=77), b"\x02t\x9a\x01", b"\x02t\x9a\x81\x00", id="a number likewise"),
        pytest.param(
            sample(derived_fields=["abc", "def"]),
            b"\x04\x06abc\x06def\x00",
            b"\x02\x06abc\x02\x06def\x00",
            id="an array in two blocks",
        ),
        pytest.param(
            sample(derived_fields=["abc", "def"]),
            b"\x04\x06abc\x06def\x00",
            b"\x03\x10\x06abc\x06def\x00",
            id="an array with a byte count",
        ),
        pytest.param(
            sample(producer_sequence=-(2**63)),
            b"\x02" + b"\xff" * 9 + b"\x01",
            b"\x02" + b"\xff" * 9 + b"\x7f",
            id="a ten-byte number with spare bits",
        ),
        pytest.param(
            sample(producer_sequence=2**63 - 1),
            b"\xfe" + b"\xff" * 8 + b"\x01",
            b"\xfe" + b"\xff" * 8 + b"\x81\x00",
            id="a number of eleven bytes",
        ),
    ],
)
def test_a_second_spelling_is_refused(values: dict[str, Any], old: bytes, new: bytes) -> None:
    """What Avro allows besides the shortest form is not a payload, though its values would be the same."""
    bent = _replaced(values, old, new)
    with pytest.raises(IntegrityError, match=r"one encoding|not a datum"):
        decode_payload(bent)


def test_an_enum_index_outside_its_symbols_is_refused() -> None:
    """A negative index, which Python would count from the end, and one too large name no symbol."""
    encoded = encode_payload(sample(tenant="abc"))
    at = encoded.index(b"\x06abc\x00") + 5
    assert decode_payload(encoded)["kind"] == "request"
    for index in (b"\x01", b"\x13", b"\x14", b"\xfe\x01"):
        with pytest.raises(IntegrityError):
            decode_payload(encoded[:at] + index + encoded[at + 1 :])


def test_a_boolean_is_0_or_1() -> None:
    """Readers differ in what 2 means, so it means nothing."""
    encoded = encode_payload(sample(tenant="abc", received_at=64))
    at = encoded.index(b"\x80\x01\x00") + 2
    assert decode_payload(encoded[:at] + b"\x01" + encoded[at + 1 :])["clock_skewed"] is True
    with pytest.raises(IntegrityError, match="one encoding"):
        decode_payload(encoded[:at] + b"\x02" + encoded[at + 1 :])


@pytest.mark.parametrize("count", [2**20, 2**40, 2**62, -(2**40), -(2**63)])
def test_count_bombs_cost_nothing(count: int) -> None:
    """An array claiming more items than there are bytes is refused without being made."""
    zigzag = (count << 1) ^ (count >> 63)
    bomb = bytearray()
    while zigzag > 0x7F:
        bomb.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    bomb.append(zigzag)
    bent = _replaced(sample(derived_fields=["abcdef"]), b"\x02\x0cabcdef\x00", bytes(bomb) + b"\x0cabcdef\x00")
    with pytest.raises(IntegrityError):
        decode_payload(bent)


@pytest.mark.parametrize("micros", [253_402_300_800_000_000, -62_135_596_800_000_001, 2**63 - 1])
def test_a_time_outside_the_years_1_to_9999_is_refused(micros: int) -> None:
    """A time that no calendar has is not a time."""
    with pytest.raises(IntegrityError):
        decode_payload(encode_payload(sample(received_at=micros)))


@pytest.mark.parametrize("at", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)])
def test_the_first_and_last_microsecond_come_back(at: datetime) -> None:
    """The edges of the calendar are inside it, to the microsecond."""
    assert decode_payload(encode_payload(sample(received_at=at)))["received_at"] == at


def test_headers_are_told_apart() -> None:
    """Another fingerprint is a newer build's event; no header at all is no event."""
    encoded = encode_payload(sample())
    with pytest.raises(UnknownSchema, match=encoded[2:9].hex() + "00"):
        decode_payload(encoded[:9] + b"\x00" + encoded[10:])
    for broken in (b"", b"\xc3", b"\xc3\x01" + bytes(7), b"\xc3\x02" + encoded[2:], b"\x00" * 40):
        with pytest.raises(IntegrityError, match="single-object header") as caught:
            decode_payload(broken)
        assert not isinstance(caught.value, UnknownSchema)


def test_a_payload_is_not_an_event_record() -> None:
    """The two schemas do not pass for each other."""
    with pytest.raises(UnknownSchema):
        decode_event_record(encode_payload(sample()))
    with pytest.raises(UnknownSchema):
        decode_payload(encode_event_record(b"", []))


@given(st.binary(max_size=50), st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=50)), max_size=4))
def test_event_records_come_back(payload: bytes, contents: list[tuple[str, bytes]]) -> None:
    """An event record holds its payload and contents, and one of its spellings only."""
    encoded = encode_event_record(payload, contents)
    assert decode_event_record(encoded) == (payload, contents)
    with pytest.raises(IntegrityError):
        decode_event_record(encoded + b"\x00")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event_id": bytes(15)}, "event_id: has 15 bytes, expected 16"),
        ({"shard": 2**63}, "shard: is not a 64-bit"),
        ({"kind": "confidential-kind"}, "kind: KeyError"),
        ({"clock_skewed": 1}, "clock_skewed: is not a boolean"),
        ({"tenant": 5}, "tenant: AttributeError"),
        ({"tenant": "confidential \ud800"}, "tenant: UnicodeEncodeError"),
        ({"contents": [{}]}, "contents: .*differs in"),
        ({"more": 1}, "differs in"),
    ],
)
def test_values_that_do_not_fit_are_named_without_being_shown(change: dict[str, Any], message: str) -> None:
    """What cannot be encoded is a `ValueError` with the field's name; its value stays out of the message."""
    with pytest.raises(ValueError, match=message) as caught:
        encode_payload(sample(**change))
    assert "confidential" not in str(caught.value)


def test_headers_and_digests_are_those_of_the_canonical_form() -> None:
    """Header and pinned digest come from the parsing canonical form, computed here by hand for the small schema."""
    canonical = (
        '{"name":"ledger.v1.EventRecord","type":"record","fields":[{"name":"payload","type":"bytes"},'
        '{"name":"contents","type":{"type":"array","items":{"name":"ledger.v1.SealedContent","type":"record","fields":'
        '[{"name":"slot","type":"string"},{"name":"ciphertext","type":"bytes"}]}}}]}'
    )
    assert EVENT_RECORD.sha256 == hashlib.sha256(canonical.encode()).digest()
    crc = empty = 0xC15D213AA4D7A795
    for byte in canonical.encode():
        crc = (crc >> 8) ^ _table(empty)[(crc ^ byte) & 0xFF]
    assert EVENT_RECORD.header == b"\xc3\x01" + struct.pack("<Q", crc)


def _table(empty: int) -> list[int]:
    table = []
    for number in range(256):
        value = number
        for _ in range(8):
            value = (value >> 1) ^ (empty & -(value & 1) & 0xFFFFFFFFFFFFFFFF)
        table.append(value)
    return table
