"""The receipt: fixed entries behind a short head, one encoding, nothing that shifts."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.canonical import Malformed
from ledger.receipt import ENTRY, RECEIPT, Receipt, ReceiptEntry, join

entries = st.builds(
    ReceiptEntry,
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**64 - 1),
)
names = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
receipts = st.builds(
    Receipt,
    names,
    names,
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**64 - 1),
    st.lists(entries, max_size=5).map(join),
)


def an_entry(number: int) -> ReceiptEntry:
    """An entry that shows its number in every field."""
    byte = bytes([number])
    return ReceiptEntry(byte * 16, byte * 32, byte * 32, byte * 32, number)


@given(receipts)
def test_every_receipt_comes_back(receipt: Receipt) -> None:
    """Decoding gives the receipt, and encoding that gives the bytes."""
    data = RECEIPT.encode(receipt)
    assert RECEIPT.decode(data) == receipt
    assert RECEIPT.encode(RECEIPT.decode(data)) == data


@given(st.lists(entries, max_size=5))
def test_entries_come_back_as_values_and_as_an_array(given_entries: list[ReceiptEntry]) -> None:
    """`entry` and `table` read the same entries, trailing zero bytes included, in order."""
    receipt = Receipt("g", "o", bytes(16), 1, join(given_entries))
    assert len(receipt) == len(given_entries) == len(receipt.table())
    assert [receipt.entry(i) for i in range(len(receipt))] == given_entries
    assert receipt.table()["received_at_us"].tolist() == [each.received_at_us for each in given_entries]


def test_layout_is_the_documented_one() -> None:
    """The bytes are those that the module writes down, laid out here by hand."""

    def sized(value: bytes) -> bytes:
        return struct.pack(">Q", len(value)) + value

    entry = an_entry(3)
    expected = b"".join(
        (
            sized(b"audit-ledger/receipt/v1"),
            sized(b"gateway-1"),
            sized(b"audit.example.org/log/00"),
            bytes(range(16)),
            struct.pack(">Q", 86_400_000),
            struct.pack(">Q", 1),
            b"\x03" * 16 + b"\x03" * 32 + b"\x03" * 32 + b"\x03" * 32 + struct.pack(">Q", 3),
        )
    )
    receipt = Receipt("gateway-1", "audit.example.org/log/00", bytes(range(16)), 86_400_000, entry.encode())
    assert RECEIPT.encode(receipt) == expected
    assert ENTRY.itemsize == 120 == len(entry.encode())


@given(receipts, st.data())
def test_truncations_and_extensions_are_refused(receipt: Receipt, data: st.DataObject) -> None:
    """Neither a beginning nor a longer text of a receipt is a receipt."""
    encoded = RECEIPT.encode(receipt)
    with pytest.raises(Malformed):
        RECEIPT.decode(encoded[: data.draw(st.integers(0, len(encoded) - 1))])
    with pytest.raises(Malformed):
        RECEIPT.decode(encoded + data.draw(st.binary(min_size=1, max_size=130)))


@pytest.mark.parametrize("count", [0, 1, 3, 2**32, 2**64 - 1])
def test_a_count_other_than_that_of_the_entries_is_refused(count: int) -> None:
    """The count must be that of the bytes that follow: no bomb, nothing left over."""
    encoded = bytearray(RECEIPT.encode(Receipt("g", "o", bytes(16), 1, join([an_entry(1), an_entry(2)]))))
    encoded[-248:-240] = struct.pack(">Q", count)
    with pytest.raises(Malformed):
        RECEIPT.decode(bytes(encoded))


@pytest.mark.parametrize("field", ["event_id", "submission_digest", "submission_key_id", "leaf_hash"])
@pytest.mark.parametrize("change", [-1, 1])
def test_a_field_of_another_length_is_refused_before_it_shifts_the_others(field: str, change: int) -> None:
    """An entry is 120 bytes by its fields, not by their sum."""
    values = {name: getattr(an_entry(1), name) for name in ReceiptEntry.__slots__}
    values[field] = bytes(len(values[field]) + change)
    with pytest.raises(ValueError, match="receipt entry"):
        ReceiptEntry(**values).encode()


def test_lengths_that_make_up_for_each_other_are_refused() -> None:
    """A byte too few here and one too many there is no entry either."""
    with pytest.raises(ValueError, match="receipt entry"):
        ReceiptEntry(bytes(15), bytes(33), bytes(32), bytes(32), 0).encode()


def test_bytes_that_are_no_whole_entries_are_refused() -> None:
    """A receipt of half an entry cannot be written."""
    with pytest.raises(ValueError, match="120 bytes"):
        RECEIPT.encode(Receipt("g", "o", bytes(16), 1, bytes(119)))
