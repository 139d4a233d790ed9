"""Cutting the event log into batches: `consumers.stretch`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.stretch import Stretch, cut
from ledger.log.framing import EPOCH, EVENT_KIND, KIND, RECEIPT_KIND
from ledger.log.interface import Record, StoredRecord
from ledger.receipt import ENTRIES_MAX, ENTRY, RECEIPT, Receipt
from ledger.signed import SIGNED, Signed

INCARNATION = bytes(16)


def receipt_value(count: int) -> bytes:
    """A well-formed receipt of so many entries under a signature of zeros: cutting looks at no signature."""
    body = RECEIPT.encode(Receipt("g1", "origin", INCARNATION, 1, bytes(count * ENTRY.itemsize)))
    return SIGNED.encode(Signed(body, "key", bytes(4), bytes(64)))


def receipt(count: int) -> Record:
    """A receipt record."""
    return Record(b"", ((KIND, RECEIPT_KIND), (EPOCH, INCARNATION)), receipt_value(count))


def event(value: bytes = b"event") -> Record:
    """An event record."""
    return Record(b"", ((KIND, EVENT_KIND), (EPOCH, INCARNATION)), value)


def other() -> Record:
    """A record that is neither."""
    return Record(b"key", (), b"something else")


def stored(*records: Record, first: int = 0) -> list[StoredRecord]:
    """The records at consecutive offsets."""
    return [StoredRecord(first + at, record) for at, record in enumerate(records)]


def shape(stretch: Stretch) -> tuple[list[tuple[int, list[int]]], list[int], int]:
    """(receipt offset, event offsets) of each batch, the strays' offsets, the length."""
    batches = [(batch.record.offset, [each.offset for each in batch.events]) for batch in stretch.batches]
    return batches, [each.offset for each in stretch.strays], stretch.length


def test_a_batch_is_a_receipt_and_the_events_it_counts() -> None:
    """Each receipt takes exactly the events it counts, and batches stand side by side."""
    records = stored(receipt(2), event(), event(), receipt(1), event())
    assert shape(cut(records, at_end=False)) == ([(0, [1, 2]), (3, [4])], [], 5)


def test_what_stands_outside_a_batch_is_stray() -> None:
    """An event behind no receipt, one beyond the count, and a record of another kind are strays."""
    records = stored(event(), receipt(1), event(), event(), other())
    assert shape(cut(records, at_end=False)) == ([(1, [2])], [0, 3, 4], 5)


def test_another_kind_of_record_closes_a_batch() -> None:
    """A batch ends before a record that is no event, short of its count."""
    records = stored(receipt(3), event(), other(), event(), receipt(2), receipt(0))
    assert shape(cut(records, at_end=False)) == ([(0, [1]), (4, []), (5, [])], [2, 3], 6)


def test_an_open_batch_is_left_for_the_next_stretch() -> None:
    """A batch whose rest was not read yet is not taken in part."""
    records = stored(receipt(1), event(), receipt(3), event(), event())
    assert shape(cut(records, at_end=False)) == ([(0, [1])], [], 2)
    assert shape(cut(stored(receipt(3), event()), at_end=False)) == ([], [], 0)


def test_at_the_end_of_the_log_an_open_batch_is_a_short_one() -> None:
    """Where the log holds nothing more, a batch closes with what it has."""
    assert shape(cut(stored(receipt(3), event()), at_end=True)) == ([(0, [1])], [], 2)
    assert shape(cut(stored(receipt(3)), at_end=True)) == ([(0, [])], [], 1)


def test_a_count_that_no_gateway_may_claim_opens_no_batch() -> None:
    """A receipt over the limit is a stray, and so are the events behind it: they cannot hold the partition up."""
    assert shape(cut(stored(receipt(ENTRIES_MAX + 1), event()), at_end=False)) == ([], [0, 1], 2)
    assert shape(cut(stored(receipt(ENTRIES_MAX), event()), at_end=False)) == ([], [], 0)


@pytest.mark.parametrize(
    "value",
    [b"", b"\0" * 200, receipt_value(1)[:-1], receipt_value(1) + b"\0", receipt_value(2)[:100], b"\xff" * 300],
    ids=["empty", "zeros", "cut short", "longer", "cut in the body", "ones"],
)
def test_a_receipt_that_is_none_is_stray(value: bytes) -> None:
    """Bytes that call themselves a receipt and are not well-formed open no batch."""
    record = Record(b"", ((KIND, RECEIPT_KIND),), value)
    assert shape(cut(stored(record, event()), at_end=False)) == ([], [0, 1], 2)


@pytest.mark.parametrize(
    "headers",
    [(), ((KIND, b"Event"),), ((KIND, EVENT_KIND), (KIND, EVENT_KIND)), ((KIND, EVENT_KIND), (KIND, RECEIPT_KIND))],
    ids=["none", "other case", "twice", "both"],
)
def test_a_record_must_say_once_what_it_is(headers: tuple[tuple[str, bytes], ...]) -> None:
    """A kind that is absent, repeated or misspelt makes a record a stray, not an event."""
    assert shape(cut(stored(receipt(1), Record(b"", headers, b"")), at_end=False)) == ([(0, [])], [1], 2)


kinds = st.lists(st.one_of(st.integers(0, 4).map(receipt), st.builds(event), st.builds(other)), max_size=30)


@given(records=kinds, at_end=st.booleans())
def test_every_record_is_in_one_batch_or_stray(records: list[Record], at_end: bool) -> None:
    """Up to its length a stretch holds each record exactly once, in offset order; at the end it holds all of them."""
    batches, strays, length = shape(cut(stored(*records), at_end=at_end))
    taken = strays + [offset for first, events in batches for offset in (first, *events)]
    assert sorted(taken) == list(range(length))
    assert strays == sorted(strays)
    assert batches == sorted(batches)
    assert all(events == list(range(first + 1, first + 1 + len(events))) for first, events in batches)
    if at_end:
        assert length == len(records)


@given(records=kinds, sizes=st.lists(st.integers(1, 7), min_size=1))
def test_where_a_read_ends_does_not_change_the_cut(records: list[Record], sizes: list[int]) -> None:
    """Read in pieces of any size or at once, the same batches and strays come out."""
    whole = shape(cut(stored(*records), at_end=True))
    batches, strays, at, turn = [], [], 0, 0
    end = 0
    while at < len(records):
        end = min(max(end, at) + sizes[turn % len(sizes)], len(records))
        turn += 1
        piece = cut(stored(*records[at:end], first=at), at_end=end == len(records))
        found = shape(piece)
        batches += found[0]
        strays += found[1]
        at += piece.length
    assert (batches, strays, at) == whole
