"""A descriptor written out of remembered parts is the one that the schema's encoder writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.record.descriptor import Tail, encode_descriptor, encode_scope_ids, encode_stored, nothing_stored
from ledger.record.fields import SYMBOLS

TEXTS = st.text(min_size=1, max_size=20)
SIZES = st.integers(0, 2**26)
DIGESTS = st.binary(min_size=32, max_size=32)
CLASSES = st.sampled_from(SYMBOLS["Classification"])


def tail(declared: str) -> Tail:
    """Of a content of which nothing was found."""
    return "standard", declared, "unspecified", None, ()


@given(
    TEXTS,
    st.sampled_from(["full", "truncated"]),
    st.none() | TEXTS,
    SIZES,
    SIZES,
    DIGESTS,
    DIGESTS,
    st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=3),
    TEXTS,
    CLASSES,
    CLASSES,
    st.none() | TEXTS,
    st.lists(st.tuples(TEXTS, st.integers(1, 1_000)), max_size=3),
)
def test_a_stored_contents_descriptor_is_that_of_the_schema(
    slot: str,
    state: str,
    media_type: str | None,
    size: int,
    original_size: int,
    sha256: bytes,
    commitment: bytes,
    scope_ids: list[bytes],
    retention: str,
    declared: str,
    detected: str,
    rule_pack: str | None,
    detections: list[tuple[str, int]],
) -> None:
    """Whatever a stored content is, the short way and the encoder of the whole record give the same bytes."""
    values = nothing_stored(slot, None, media_type, retention, declared)
    values |= {"state": state, "size": size, "original_size": original_size, "scope_ids": scope_ids}
    values |= {"ciphertext_sha256": sha256, "commitment": commitment, "detected_class": detected}
    values |= {"rule_pack": rule_pack, "detections": [{"type": kind, "count": count} for kind, count in detections]}
    written = encode_stored(
        (slot, state, media_type),
        size,
        original_size,
        (sha256, commitment),
        encode_scope_ids(scope_ids),
        (retention, declared, detected, rule_pack, tuple(detections)),
    )
    assert written == encode_descriptor(values)


@pytest.mark.parametrize("scope_ids", [[], [b"short"], [bytes(16), bytes(17)]])
def test_scope_ids_of_another_length_are_refused(scope_ids: list[bytes]) -> None:
    """A stored content has scopes, and each id its length: a shorter one would shift what follows."""
    with pytest.raises(ValueError, match="scope_ids"):
        encode_scope_ids(scope_ids)


def test_digests_of_another_length_are_refused() -> None:
    """A digest of another length would shift what follows."""
    for digests in ((bytes(31), bytes(32)), (bytes(32), bytes(33))):
        with pytest.raises(ValueError, match="expected 32 bytes"):
            encode_stored(("input", "full", None), 1, 1, digests, encode_scope_ids([bytes(16)]), tail("internal"))


def test_what_the_schema_does_not_know_is_refused() -> None:
    """States and classes are those of the schema, here too."""
    ids = encode_scope_ids([bytes(16)])
    with pytest.raises(ValueError, match="state"):
        encode_stored(("input", "fine", None), 1, 1, (bytes(32), bytes(32)), ids, tail("internal"))
    with pytest.raises(ValueError, match="declared_class"):
        encode_stored(("input", "full", None), 1, 1, (bytes(32), bytes(32)), ids, tail("secret"))
