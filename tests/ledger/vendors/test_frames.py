"""Frames of streams: whatever the cuts, the same frames; whatever the bytes, no surprise."""

from __future__ import annotations

import gzip
import json
import zlib
from itertools import pairwise

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from ledger.vendors.decompressing import Broken, decompressor
from ledger.vendors.event_stream import BrokenStream, EventStreamReader
from ledger.vendors.json_array import ArrayReader
from ledger.vendors.sse import SentEvent, SseReader
from tests.ledger.vendors.framing import message_bytes

Cuts = st.lists(st.integers(0, 400), max_size=12)
JsonValues = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def cut_at(data: bytes, cuts: list[int]) -> list[bytes]:
    """The bytes in pieces."""
    places = [0, *sorted(min(each, len(data)) for each in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(places)]


@given(Cuts, st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_events_do_not_depend_on_cuts_or_line_ends(cuts: list[int], end: bytes) -> None:
    """An event stream gives the same events however it is cut, with each of the three line ends."""
    lines = [b":hello", b"event: ping", b"data: {}", b"", b"data: one", b"data:two", b"id: 7", b"", b"", b"data: lost"]
    data = b"\xef\xbb\xbf" + end.join(lines)
    reader = SseReader()
    found = [event for piece in cut_at(data, cuts) for event in reader.feed(piece)]
    assert found == [SentEvent("ping", b"{}"), SentEvent("", b"one\ntwo")]


@given(Cuts)
def test_an_event_that_is_too_long_is_left_out(cuts: list[int]) -> None:
    """An event beyond the bound is left out and counted; the ones around it are not touched."""
    data = b"data: a\n\ndata: " + b"x" * 200 + b"\ndata: y\n\ndata: b\n\n"
    reader = SseReader(bytes_max=64)
    found = [event.data for piece in cut_at(data, cuts) for event in reader.feed(piece)]
    assert found == [b"a", b"b"]
    assert reader.left_out == 1


@given(st.lists(st.tuples(st.text("abc:-", min_size=1, max_size=9), st.binary(max_size=40)), max_size=5), Cuts)
def test_messages_are_those_of_the_vendors_own_reader(messages: list[tuple[str, bytes]], cuts: list[int]) -> None:
    """AWS's event stream is read as botocore reads it, however it is cut."""
    data = b"".join(message_bytes({":event-type": name, ":x": "y"}, payload) for name, payload in messages)
    theirs = EventStreamBuffer()
    theirs.add_data(data)
    reader = EventStreamReader()
    found = [each for piece in cut_at(data, cuts) for each in reader.feed(piece)]
    assert [(each.headers, each.payload) for each in found] == [(each.headers, each.payload) for each in theirs]
    assert [each.payload for each in found] == [payload for _, payload in messages]


@given(st.data())
def test_a_changed_byte_is_found(data: st.DataObject) -> None:
    """No message with a byte changed is taken for a message."""
    whole = message_bytes({":event-type": "chunk"}, b"payload")
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BrokenStream):
        list(EventStreamReader().feed(bytes(changed) + whole))


@given(st.lists(st.dictionaries(st.text(max_size=6), JsonValues, max_size=3), max_size=4), Cuts, st.booleans())
def test_elements_of_an_array(values: list[dict[str, object]], cuts: list[int], escape: bool) -> None:
    """A JSON array gives its elements as they come, whatever stands in their texts."""
    data = json.dumps(values, indent=1, ensure_ascii=escape).encode("utf-8", "replace")
    reader = ArrayReader()
    found = [json.loads(each) for piece in cut_at(data, cuts) for each in reader.feed(piece)]
    assert found == json.loads(data)


@given(Cuts)
def test_an_object_is_no_array(cuts: list[int]) -> None:
    """What is one object, such as an error, has no elements."""
    reader = ArrayReader()
    data = b' {"error": {"code": 400, "details": [{"a": 1}]}}'
    assert [each for piece in cut_at(data, cuts) for each in reader.feed(piece)] == []


@pytest.mark.parametrize(("encoding", "bits"), [("gzip", 31), ("deflate", 15), ("deflate", -15)])
def test_compressed_answers_are_opened_to_a_bound(encoding: str, bits: int) -> None:
    """A small answer that opens to a huge one is opened no further than asked for."""
    packer = zlib.compressobj(wbits=bits)
    data = packer.compress(b"0" * 5_000_000) + packer.flush()
    opened = decompressor(encoding)
    assert opened is not None
    assert opened(data, 1_000) == b"0" * 1_000


def test_gzip_of_several_members_is_read_whole() -> None:
    """Members one behind the other, however they are cut, are one body; what is no member, or one too many, is not."""
    data = gzip.compress(b"first, ") + gzip.compress(b"second") + bytes(3)
    for at in range(len(data)):
        opened = decompressor("gzip")
        assert opened is not None
        assert opened(data[:at], 100) + opened(data[at:], 100) == b"first, second"
        assert opened.is_whole
    for wrong in (gzip.compress(b"a") + b"tail", gzip.compress(b"") * 65):
        opened = decompressor("gzip")
        assert opened is not None
        with pytest.raises(Broken):
            opened(wrong, 100)
    half = decompressor("gzip")
    assert half is not None
    half(data[:15], 100)
    assert not half.is_whole


def test_an_encoding_that_is_not_what_it_says() -> None:
    """Bytes that are not compressed as said are refused; an unknown encoding is not opened at all."""
    opened = decompressor("gzip")
    assert opened is not None
    with pytest.raises(Broken):
        opened(b"not gzip at all", 100)
    assert decompressor("br") is None
