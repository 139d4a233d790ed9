"""Sealed values: they open in their place and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.canonical import blob, sequence, text
from ledger.errors import IntegrityError
from ledger.keys.sealing import ROW_TAG, open_sealed, row_identity, seal

KEY = b"k" * 32


@given(st.binary(max_size=100), st.lists(st.binary(max_size=20), max_size=4))
def test_what_is_sealed_opens(plaintext: bytes, parts: list[bytes]) -> None:
    """The same key and place give the plaintext back, and no two sealings are alike."""
    identity = row_identity("holders", "acme", *parts)
    sealed = seal(KEY, plaintext, identity)
    assert open_sealed(KEY, sealed, identity, "row", len(plaintext)) == plaintext
    assert seal(KEY, plaintext, identity) != sealed


@given(st.data())
def test_every_byte_counts(data: st.DataObject) -> None:
    """A sealed value with any bit changed, or shortened, or longer, does not open."""
    identity = row_identity("holders", "acme", b"row")
    sealed = bytearray(seal(KEY, b"p" * 48, identity))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(IntegrityError):
        open_sealed(KEY, bytes(sealed), identity, "row", 48)


@pytest.mark.parametrize("cut", [0, 1, 40, 88])
def test_a_short_value_is_named(cut: int) -> None:
    """A truncated or empty value is refused with its place, not with a library's error."""
    identity = row_identity("holders", "acme", b"row")
    with pytest.raises(IntegrityError, match="row 7"):
        open_sealed(KEY, seal(KEY, b"p" * 48, identity)[:cut], identity, "row 7", 48)


def test_another_place_or_key_does_not_open() -> None:
    """Another table, tenant, row or key refuses."""
    identity = row_identity("holders", "acme", b"row")
    sealed = seal(KEY, b"p" * 48, identity)
    for other in (
        row_identity("scopes", "acme", b"row"),
        row_identity("holders", "acme2", b"row"),
        row_identity("holders", "acme", b"row2"),
        row_identity("holders", "acme", b"row", b""),
    ):
        with pytest.raises(IntegrityError):
            open_sealed(KEY, sealed, other, "row", 48)
    with pytest.raises(IntegrityError):
        open_sealed(b"l" * 32, sealed, identity, "row", 48)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), min_size=3, max_size=5), st.data())
def test_places_are_unambiguous(parts: list[str], data: st.DataObject) -> None:
    """No two different rows share an identity, wherever the boundaries between their parts lie."""
    other = data.draw(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), min_size=3, max_size=5))

    def identity(of: list[str]) -> bytes:
        return row_identity(of[0], of[1], *(each.encode() for each in of[2:]))

    assert (identity(parts) == identity(other)) == (parts == other)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.just("acme"),
    st.lists(st.binary(max_size=20), max_size=5),
)
def test_a_place_is_its_canonical_encoding(table: str, tenant: str, parts: list[bytes]) -> None:
    """What is joined by hand is what the codecs of the canonical encoding write."""
    canonical = text.encode(ROW_TAG) + text.encode(table) + text.encode(tenant) + sequence(blob).encode(tuple(parts))
    assert row_identity(table, tenant, *parts) == canonical
