"""Statement, bundle, round, placement and checkpoints as bytes: one encoding each, nothing else taken for them."""

from __future__ import annotations

import struct
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.canonical import Codec, Malformed
from ledger.errors import IntegrityError
from ledger.receipt import RECEIPT
from ledger.segments.checkpoints import CHECKPOINTS, Checkpoints
from ledger.segments.placement import PLACEMENT, PlacedFile, Placement, Removal
from ledger.segments.round import ROUND, Entry, File, Round, round_digest
from ledger.segments.statement import (
    BUNDLE,
    STATEMENT,
    Bundle,
    BundleEntry,
    Mark,
    Repeat,
    Statement,
    receipts_digest,
)
from ledger.signed import SIGNED

u64s = st.integers(0, 2**64 - 1)
digests = st.binary(min_size=32, max_size=32)
ids = st.binary(min_size=16, max_size=16)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=10)


def tuples(items: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Short tuples."""
    return st.lists(items, max_size=3).map(tuple)


marks = tuples(st.builds(Mark, u64s, u64s))
statements = st.builds(
    Statement,
    digests, u64s, u64s, u64s, u64s, digests, digests, u64s, digests, tuples(digests), tuples(digests),
    tuples(st.builds(Repeat, u64s, digests, u64s)), marks, marks, u64s, digests, digests, u64s,
)  # fmt: skip
bundles = st.builds(Bundle, tuples(st.builds(BundleEntry, st.binary(max_size=30), tuples(st.binary(max_size=30)))))
rounds = st.builds(
    Round,
    u64s, u64s, u64s, u64s, ids, u64s, u64s, digests, tuples(st.builds(File, texts, texts, digests, u64s, u64s)),
    tuples(st.builds(Entry, digests, digests)), tuples(digests), digests, u64s, tuples(digests), texts,
)  # fmt: skip
placements = st.builds(
    Placement,
    digests, u64s, digests, u64s, tuples(st.builds(PlacedFile, texts, texts, digests, u64s, u64s, u64s, u64s)),
    tuples(st.builds(Removal, u64s, texts, ids)),
)  # fmt: skip
checkpoints = st.builds(Checkpoints, tuples(texts))

FORMATS: dict[str, tuple[Codec[Any], st.SearchStrategy[Any]]] = {
    "audit-ledger/statement/v1": (STATEMENT, statements),
    "audit-ledger/bundle/v1": (BUNDLE, bundles),
    "audit-ledger/round/v1": (ROUND, rounds),
    "audit-ledger/placement/v1": (PLACEMENT, placements),
    "audit-ledger/checkpoints/v1": (CHECKPOINTS, checkpoints),
}
EACH = pytest.mark.parametrize("tag", FORMATS)


@EACH
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_value_comes_back_and_has_its_tag(tag: str, data: st.DataObject) -> None:
    """Decoding gives the value, encoding that the bytes; in front stands the structure's own tag."""
    codec, values = FORMATS[tag]
    value = data.draw(values)
    encoded = codec.encode(value)
    assert codec.decode(encoded) == value
    assert codec.encode(codec.decode(encoded)) == encoded
    assert encoded.startswith(struct.pack(">Q", len(tag)) + tag.encode())


@EACH
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_truncated_and_extended_encodings_are_refused(tag: str, data: st.DataObject) -> None:
    """Neither a beginning nor a longer text of a structure is one."""
    codec, values = FORMATS[tag]
    encoded = codec.encode(data.draw(values))
    with pytest.raises(Malformed):
        codec.decode(encoded[: data.draw(st.integers(0, len(encoded) - 1))])
    with pytest.raises(Malformed):
        codec.decode(encoded + data.draw(st.binary(min_size=1, max_size=70)))


@EACH
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_no_structure_passes_for_another(tag: str, data: st.DataObject) -> None:
    """A foreign tag is refused by every other decoder, receipts and signed files included."""
    codec, values = FORMATS[tag]
    encoded = codec.encode(data.draw(values))
    for other in (*(each for each, _ in FORMATS.values()), RECEIPT, SIGNED):
        if other is not codec:
            with pytest.raises(Malformed):
                other.decode(encoded)


@EACH
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_count_bomb_costs_nothing(tag: str, data: st.DataObject) -> None:
    """Any eight bytes replaced by a huge number: refused, or another value; never memory without end."""
    codec, values = FORMATS[tag]
    encoded = codec.encode(data.draw(values))
    at = data.draw(st.integers(0, len(encoded) - 8))
    bomb = data.draw(st.sampled_from([2**20, 2**40, 2**63, 2**64 - 1]))
    bent = encoded[:at] + struct.pack(">Q", bomb) + encoded[at + 8 :]
    try:
        value = codec.decode(bent)
    except Malformed:
        return
    assert codec.encode(value) == bent


def test_the_receipts_digest_is_over_each_receipt_in_order() -> None:
    """Count, order and bytes of the receipts count, and none moves into its neighbour."""
    tag = b"audit-ledger/receipts/v1"
    head = struct.pack(">Q", len(tag)) + tag
    inner = b"".join(sha256(each).digest() for each in (b"one", b"two"))
    assert receipts_digest([b"one", b"two"]) == sha256(head + struct.pack(">Q", 2) + inner).digest()
    assert receipts_digest([]) == sha256(head + struct.pack(">Q", 0)).digest()
    different = [[], [b""], [b"", b""], [b"one"], [b"one", b"two"], [b"two", b"one"], [b"onetwo"]]
    assert len({receipts_digest(each) for each in different}) == len(different)


@given(rounds)
def test_a_round_is_named_by_the_hash_of_its_body(given_round: Round) -> None:
    """The next round names the plain SHA-256 of the body, which begins with its tag."""
    body = ROUND.encode(given_round)
    assert round_digest(body) == sha256(body).digest()


def test_a_statement_whose_edge_gives_another_root_is_refused() -> None:
    """The compact range is checked against the root and the size wherever it is used."""
    empty = dict.fromkeys(Statement.__slots__, 0)
    empty.update(
        dict.fromkeys(["log_id", "chain_before", "chain_after", "root", "receipts_digest", "previous"], bytes(32))
    )
    empty.update(dict.fromkeys(["range_hashes", "schemas", "repeats", "conflicts", "undetermined"], ()))
    with pytest.raises(IntegrityError, match="does not give its root"):
        Statement(**empty).compact_range()
    with pytest.raises(IntegrityError, match="expected 2 hashes, got 1"):
        Statement(**{**empty, "tree_size": 3, "range_hashes": (bytes(32),)}).compact_range()
