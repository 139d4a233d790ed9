"""The receipt: a gateway's signed word that it took these events, and by when they must be sealed.

    body = text("audit-ledger/receipt/v1")
        || text(gateway id) || text(log origin) || incarnation of the event log (16 bytes)
        || u64 sealing delay in milliseconds
        || u64 count || count entries
    entry (120 bytes) = event id (16) || submission digest (32) || submission key id (32) || leaf hash (32)
        || u64 received, Unix microseconds

In the event log a receipt stands in front of exactly the events it covers, in one atomic batch, in the same order. The
sealer takes no event that the receipt before it does not cover, and seals the receipt beside them. After
`received + sealing delay` a holder may call an event missing. Entries are fixed in size, so that thousands are compared
as one array.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ledger.canonical import Codec, Malformed, fixed, structure, text, u64

ENTRY = np.dtype(
    [
        ("event_id", "V16"),
        ("submission_digest", "V32"),
        ("submission_key_id", "V32"),
        ("leaf_hash", "V32"),
        ("received_at_us", ">u8"),
    ]
)
"""One entry as numpy sees it; `ENTRY.itemsize` is 120."""


ENTRIES_MAX = 10_000
"""A receipt covers at most so many events: a count above it is taken for a stranger's, and nothing behind it sealed."""


@dataclass(frozen=True, slots=True)
class ReceiptEntry:
    """What the gateway says about one event."""

    event_id: bytes
    submission_digest: bytes
    submission_key_id: bytes
    leaf_hash: bytes
    received_at_us: int

    def encode(self) -> bytes:
        """The entry's 120 bytes; `ValueError` for a field of another length, which would shift those behind it."""
        lengths = (
            len(self.event_id),
            len(self.submission_digest),
            len(self.submission_key_id),
            len(self.leaf_hash),
        )
        if lengths != (16, 32, 32, 32):
            raise ValueError(f"receipt entry: expected fields of 16, 32, 32 and 32 bytes, got {lengths}")
        return b"".join(
            (
                self.event_id,
                self.submission_digest,
                self.submission_key_id,
                self.leaf_hash,
                self.received_at_us.to_bytes(8, "big"),
            )
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt's body. `entries` are the entries' bytes, back to back; `table()` gives them as an array."""

    gateway_id: str
    log_origin: str
    incarnation: bytes
    sealing_delay_ms: int
    entries: bytes

    def __len__(self) -> int:
        return len(self.entries) // ENTRY.itemsize

    def table(self) -> np.ndarray:
        """The entries as a structured array of dtype `ENTRY`."""
        return np.frombuffer(self.entries, dtype=ENTRY)

    def entry(self, index: int) -> ReceiptEntry:
        """One entry as values."""
        row = self.table()[index]
        return ReceiptEntry(
            bytes(row["event_id"]),
            bytes(row["submission_digest"]),
            bytes(row["submission_key_id"]),
            bytes(row["leaf_hash"]),
            int(row["received_at_us"]),
        )


def join(entries: Sequence[ReceiptEntry]) -> bytes:
    """The bytes of several entries."""
    return b"".join([entry.encode() for entry in entries])


def _write_entries(value: bytes, out: bytearray) -> None:
    count, rest = divmod(len(value), ENTRY.itemsize)
    if rest:
        raise ValueError(f"entries of {ENTRY.itemsize} bytes, got {len(value)} bytes")
    u64.write(count, out)
    out += value


def _read_entries(data: bytes, at: int) -> tuple[bytes, int]:
    count, at = u64.read(data, at)
    end = at + count * ENTRY.itemsize
    if end > len(data):
        raise Malformed(f"{count} entries need {count * ENTRY.itemsize} bytes at position {at}, got {len(data) - at}")
    return data[at:end], end


RECEIPT: Codec[Receipt] = structure(
    Receipt,
    tag="audit-ledger/receipt/v1",
    gateway_id=text,
    log_origin=text,
    incarnation=fixed(16),
    sealing_delay_ms=u64,
    entries=Codec(_write_entries, _read_entries, 8),
)
