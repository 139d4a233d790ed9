"""The canonical codec: one structure has one encoding, and a decoder takes no other."""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.canonical import (
    U64_MAX,
    Codec,
    Malformed,
    blob,
    digest,
    fixed,
    optional,
    sequence,
    structure,
    text,
    u64,
)


@dataclass(frozen=True, slots=True)
class Part:
    """A nested structure."""

    name: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Whole:
    """A structure with one field of each kind."""

    count: int
    key: bytes
    label: str
    body: bytes
    note: str | None
    parts: tuple[Part, ...]


PART: Codec[Part] = structure(Part, name=text, size=optional(u64))
WHOLE: Codec[Whole] = structure(
    Whole,
    tag="test/whole/v1",
    count=u64,
    key=fixed(4),
    label=text,
    body=blob,
    note=optional(text),
    parts=sequence(PART),
)

integers = st.integers(0, U64_MAX)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
parts = st.builds(Part, texts, st.none() | integers)
wholes = st.builds(
    Whole,
    integers,
    st.binary(min_size=4, max_size=4),
    texts,
    st.binary(max_size=20),
    st.none() | texts,
    st.lists(parts, max_size=4).map(tuple),
)


@given(wholes)
def test_every_value_comes_back(value: Whole) -> None:
    """Decoding what was encoded gives the value, and encoding that gives the bytes."""
    data = WHOLE.encode(value)
    assert WHOLE.decode(data) == value
    assert WHOLE.encode(WHOLE.decode(data)) == data


@given(wholes, st.data())
def test_every_truncation_is_refused(value: Whole, data: st.DataObject) -> None:
    """No beginning of an encoding is an encoding."""
    encoded = WHOLE.encode(value)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(Malformed):
        WHOLE.decode(encoded[:cut])


@given(wholes, st.binary(min_size=1, max_size=40))
def test_every_extension_is_refused(value: Whole, more: bytes) -> None:
    """Bytes behind the end are refused, whatever they are."""
    with pytest.raises(Malformed, match="after the end"):
        WHOLE.decode(WHOLE.encode(value) + more)


@given(wholes, wholes)
def test_different_values_have_different_bytes(one: Whole, other: Whole) -> None:
    """Two values share their bytes only when they are one."""
    assert (WHOLE.encode(one) == WHOLE.encode(other)) == (one == other)


@given(st.binary(max_size=120))
def test_whatever_decodes_encodes_to_the_same_bytes(data: bytes) -> None:
    """A decoder accepts no second spelling of a value."""
    prefix = text.encode("test/whole/v1")
    try:
        value = WHOLE.decode(prefix + data)
    except Malformed:
        return
    assert WHOLE.encode(value) == prefix + data


@given(wholes, st.data())
def test_a_flipped_bit_never_gives_the_same_value(value: Whole, data: st.DataObject) -> None:
    """Every bit of an encoding counts."""
    encoded = bytearray(WHOLE.encode(value))
    at = data.draw(st.integers(0, len(encoded) * 8 - 1))
    encoded[at // 8] ^= 1 << at % 8
    with suppress(Malformed):
        assert WHOLE.decode(bytes(encoded)) != value


def test_layout_is_the_documented_one() -> None:
    """The bytes are those that the module writes down, laid out here by hand."""
    value = Whole(7, b"abcd", "é", b"\x00\xff", None, (Part("p", 1), Part("", None)))

    def long(number: int) -> bytes:
        return struct.pack(">Q", number)

    assert WHOLE.encode(value) == b"".join(
        (
            long(13) + b"test/whole/v1",
            long(7),
            b"abcd",
            long(2) + "é".encode(),
            long(2) + b"\x00\xff",
            long(0),
            long(2),
            long(1) + b"p" + long(1) + long(1),
            long(0) + long(0),
        )
    )


def test_a_foreign_tag_is_refused() -> None:
    """A structure of another tag is not taken for this one, however alike the rest is."""
    foreign = structure(Part, tag="test/other/v1", name=text, size=optional(u64))
    own = structure(Part, tag="test/owner/v1", name=text, size=optional(u64))
    with pytest.raises(Malformed, match="expected the tag 'test/owner/v1'"):
        own.decode(foreign.encode(Part("a", 1)))


@pytest.mark.parametrize("count", [3, 2**32, U64_MAX])
def test_a_count_that_cannot_fit_is_refused_at_once(count: int) -> None:
    """A list claiming more items than the bytes behind it can hold costs nothing."""
    with pytest.raises(Malformed, match=f"claims {count} items"):
        sequence(digest).decode(struct.pack(">Q", count) + bytes(64))


@pytest.mark.parametrize("length", [1, 2**40, U64_MAX])
def test_a_length_beyond_the_end_is_refused(length: int) -> None:
    """A blob claiming more bytes than there are is refused, and nothing of that size is made."""
    with pytest.raises(Malformed, match=f"needs {length} bytes"):
        blob.decode(struct.pack(">Q", length))


def test_items_of_no_bytes_are_no_list() -> None:
    """A list whose items take no bytes could claim any count: such a codec cannot be built."""
    with pytest.raises(ValueError, match="no bytes"):
        sequence(fixed(0))


@pytest.mark.parametrize("presence", [2, 256, U64_MAX])
def test_presence_is_0_or_1(presence: int) -> None:
    """Any other presence would be a second spelling of the first two."""
    with pytest.raises(Malformed, match=f"is {presence}, expected 0 or 1"):
        optional(u64).decode(struct.pack(">QQ", presence, 5))


@pytest.mark.parametrize("raw", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3"])
def test_text_that_is_not_utf8_is_refused(raw: bytes) -> None:
    """Overlong forms, surrogates and cut characters are no text."""
    with pytest.raises(Malformed, match="not UTF-8"):
        text.decode(blob.encode(raw))


@pytest.mark.parametrize(
    ("codec", "value", "message"),
    [
        (u64, -1, "not a u64"),
        (u64, U64_MAX + 1, "not a u64"),
        (digest, b"short", "expected 32 bytes, got 5"),
        (text, "\ud800secret", "lone surrogate"),
    ],
)
def test_what_has_no_encoding_is_a_value_error(codec: Codec[object], value: object, message: str) -> None:
    """A value outside the format is the caller's mistake, told without showing texts."""
    with pytest.raises(ValueError, match=message) as caught:
        codec.encode(value)
    assert "secret" not in str(caught.value)


def test_errors_name_the_field() -> None:
    """Both directions say which field is wrong, down through nested structures."""
    with pytest.raises(ValueError, match=r"^parts: size: integer -1"):
        WHOLE.encode(Whole(1, b"abcd", "", b"", None, (Part("", -1),)))
    encoded = WHOLE.encode(Whole(1, b"abcd", "", b"", None, (Part("", 9),)))
    with pytest.raises(Malformed, match=r"^parts: size: needs 8 bytes"):
        WHOLE.decode(encoded[:-1])
