"""The submission: its one encoding, what is refused before it has one, and the digest over it."""

from __future__ import annotations

import hashlib
import hmac
import struct
from contextlib import suppress
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor as F
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import Rejected
from ledger.record.submission import (
    check_event_id,
    event_time_ms,
    parse_event,
    submission_bytes,
    submission_digest,
)
from ledger.v1 import event_pb2 as pb
from tests.ledger.record import wire
from tests.ledger.record.events import EVENT_IDS, events, messages


@settings(max_examples=150, deadline=None)
@given(messages())
def test_pb1_is_what_an_independent_encoder_writes(event: pb.Event) -> None:
    """Any event has exactly the bytes that the documented rules give, written by another encoder."""
    assert submission_bytes(event) == wire.encode(event)


@settings(max_examples=100, deadline=None)
@given(events())
def test_pb1_comes_back(event: pb.Event) -> None:
    """An event parsed from its submission bytes is the event, and has the same submission bytes."""
    again = parse_event(submission_bytes(event))
    assert again == event
    assert submission_bytes(again) == submission_bytes(event)


@settings(max_examples=100, deadline=None)
@given(events(), st.randoms(use_true_random=False))
def test_the_order_on_the_wire_does_not_matter(event: pb.Event, random: Any) -> None:
    """A producer whose library writes the fields in another order submits the same event."""
    parts = [wire._field(event, field) for field in event.DESCRIPTOR.fields]
    random.shuffle(parts)
    assert submission_bytes(parse_event(b"".join(parts))) == submission_bytes(event)


def test_pb1_of_a_known_event() -> None:
    """The encoding of a small event, byte for byte as protobuf's documentation gives them."""
    event = pb.Event(event_id=bytes.fromhex("018f0000000070008000000000000001"), phase=pb.PHASE_SINGLE)
    event.request.model_requested = "m"
    event.request.tokens_in = 300
    expected = "0a10 018f0000000070008000000000000001 1001 a20107 1a016d b001ac02"
    assert submission_bytes(event) == bytes.fromhex(expected)


def test_messages_hold_nothing_that_has_no_one_encoding() -> None:
    """No maps, no floats of 32 bits, no groups, no extensions: their order or bytes would not be one."""
    seen: set[str] = set()

    def walk(descriptor: Any) -> None:
        if descriptor.full_name in seen:
            return
        seen.add(descriptor.full_name)
        assert not descriptor.GetOptions().map_entry
        assert not descriptor.extension_ranges
        for field in descriptor.fields:
            assert field.type not in (F.TYPE_GROUP, F.TYPE_FLOAT), field.full_name
            if field.message_type is not None:
                walk(field.message_type)

    walk(pb.Event.DESCRIPTOR)
    assert "ledger.v1.Content" in seen


@pytest.mark.parametrize("where", ["event", "nested", "deep"])
def test_unknown_fields_are_refused_wherever_they_stand(where: str) -> None:
    """A field of a newer producer is not dropped in silence, at any depth."""
    unknown = wire.varint(900 << 3 | 2) + b"\x01x"
    content = wire.varint(2 << 3 | 2) + b"\x01t"
    nested = {"event": b"", "nested": unknown, "deep": b"\x8a\x03" + wire._sized(content + unknown)}[where]
    data = b"\x0a\x10" + bytes(16) + b"\xa2\x01" + wire._sized(nested) + (unknown if where == "event" else b"")
    with pytest.raises(Rejected, match="does not know"):
        parse_event(data)


@pytest.mark.parametrize("raw", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"abc\xf4\x90\x80\x80"])
def test_text_that_is_not_utf8_is_refused(raw: bytes) -> None:
    """Malformed UTF-8 in a name never gets in, and the message does not show it."""
    event = b"\xa2\x01" + wire._sized(wire.varint(2 << 3 | 2) + wire._sized(raw))
    with pytest.raises(Rejected, match="not a valid Event") as caught:
        parse_event(event)
    assert caught.value.__suppress_context__


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_hostile_bytes_are_refused_or_parsed(data: bytes) -> None:
    """Whatever comes over the wire ends in an event or in `Rejected`."""
    try:
        event = parse_event(data)
    except Rejected:
        return
    assert parse_event(submission_bytes(event)) == event


@pytest.mark.parametrize("depth", [50, 200, 20_000])
def test_deep_nesting_ends_in_a_refusal(depth: int) -> None:
    """Groups or messages inside each other cost neither the stack nor the process."""
    group = wire.varint(901 << 3 | 3) * depth + wire.varint(901 << 3 | 4) * depth
    with pytest.raises(Rejected):
        parse_event(group)
    inner = b""
    for _ in range(min(depth, 500)):
        inner = wire.varint(20 << 3 | 2) + wire._sized(inner)
    with suppress(Rejected):
        parse_event(inner)


def test_every_truncation_of_an_event_is_refused_or_another_event() -> None:
    """A cut event never passes for the whole one."""
    event = pb.Event(event_id=bytes(range(16)), phase=pb.PHASE_SINGLE)
    event.request.input.text = "hello"
    data = submission_bytes(event)
    for cut in range(len(data)):
        with suppress(Rejected):
            assert parse_event(data[:cut]) != event


def test_digest_is_hmac_over_tag_tenant_and_bytes() -> None:
    """The digest is the documented one, computed here with the standard library."""

    def sized(value: bytes) -> bytes:
        return struct.pack(">Q", len(value)) + value

    message = sized(b"audit-ledger/submission/v1") + sized(b"acme") + b"encoded"
    expected = hmac.new(b"k" * 32, message, hashlib.sha256).digest()
    assert submission_digest(b"k" * 32, "acme", b"encoded") == expected


@pytest.mark.parametrize(
    ("key", "tenant", "encoded"),
    [(b"x" * 32, "acme", b"e"), (b"k" * 32, "acm", b"ee"), (b"k" * 32, "acme", b"f"), (b"k" * 32, "acmee", b"")],
)
def test_digests_differ_by_key_tenant_and_event(key: bytes, tenant: str, encoded: bytes) -> None:
    """Nothing moves between tenant and event; another key tells nothing about the first."""
    assert submission_digest(key, tenant, encoded) != submission_digest(b"k" * 32, "acme", b"e")


@given(EVENT_IDS)
def test_ids_of_version_7_and_8_are_taken(event_id: bytes) -> None:
    """Both versions tell their time, in milliseconds."""
    check_event_id(event_id)
    assert event_time_ms(event_id) == int(event_id.hex()[:12], 16)


@pytest.mark.parametrize(
    ("event_id", "message"),
    [
        (b"", "expected 16 bytes, got 0"),
        (bytes(15), "expected 16 bytes, got 15"),
        (bytes(17), "expected 16 bytes, got 17"),
        (bytes(16), "version 7 or 8"),
        (bytes.fromhex("018f0000000040008000000000000001"), "version 7 or 8"),
        (bytes.fromhex("018f0000000070000000000000000001"), "version 7 or 8"),
        (bytes.fromhex("018f000000007000c000000000000001"), "version 7 or 8"),
    ],
)
def test_other_ids_are_refused(event_id: bytes, message: str) -> None:
    """Random UUIDs, other variants and other lengths tell no time and are refused."""
    with pytest.raises(Rejected, match=message) as caught:
        check_event_id(event_id)
    assert caught.value.field == "event_id"
