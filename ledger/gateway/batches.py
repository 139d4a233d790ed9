"""Cutting the events of one log into atomic batches, each under one signed receipt.

A batch is a receipt and the events it covers, appended together (`ledger.log.framing`). It must fit what the event log
takes in one append, and has at most `ENTRIES_MAX` events, more than which no sealer takes. Sizes depend on lengths
alone, so a batch is cut before its receipt is signed:

    receipt's record = its record with no entry + 120 bytes an entry
    batch            = overhead + receipt's record + the events' records
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ledger.log.framing import frame
from ledger.log.interface import BATCH_OVERHEAD_BYTES, Record, record_bytes
from ledger.receipt import ENTRIES_MAX, ENTRY, RECEIPT, Receipt, ReceiptEntry, join
from ledger.record.assemble import AssembledEvent
from ledger.record.payload import encode_event_record
from ledger.signed import SIGNED, Signed, sign
from ledger.tenants import TenantLog
from ledger.tlog.note import KEY_ID_BYTES
from ledger.trust.current_signer import Signers

_NO_SIGNATURE = bytes(64)


@dataclass(frozen=True, slots=True)
class ReadyEvent:
    """An event in its canonical form, ready for a batch. `index`: its place in the call."""

    index: int
    event: AssembledEvent
    received_at_us: int

    def entry(self) -> ReceiptEntry:
        """What the receipt says of it."""
        event = self.event
        return ReceiptEntry(
            event.event_id, event.submission_digest, event.submission_key_id, event.leaf_hash, self.received_at_us
        )

    def value(self) -> bytes:
        """The value of its record."""
        return encode_event_record(self.event.payload, self.event.contents)


@dataclass(frozen=True, slots=True)
class Batch:
    """One append: the records, and what is to be remembered once they are durable."""

    log: TenantLog
    events: tuple[ReadyEvent, ...]
    receipt: bytes
    entries: bytes
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class TooLarge:
    """An event that no batch can hold."""

    index: int
    size_bytes: int
    room_bytes: int


@dataclass(frozen=True, slots=True)
class BatchCutter:
    """Cuts and signs for one gateway and one event log."""

    signer: Signers
    key_name: str
    gateway_id: str
    incarnation: bytes
    sealing_delay_ms: int
    batch_bytes_max: int

    def cut(self, log: TenantLog, events: Iterable[ReadyEvent]) -> Iterator[Batch | TooLarge]:
        """Batches in the order of the events, each as full as it can be; and the events that fit none."""
        receipt_record, event_record = self._empty_records(log)
        room = self.batch_bytes_max - BATCH_OVERHEAD_BYTES - record_bytes(receipt_record)
        an_event = ENTRY.itemsize + record_bytes(event_record)
        taken: list[tuple[ReadyEvent, bytes]] = []
        size = 0
        for event in events:
            value = event.value()
            needed = an_event + len(value)
            if needed > room:
                yield TooLarge(event.index, needed, room)
                continue
            if size + needed > room or len(taken) == ENTRIES_MAX:
                yield self._sign(log, taken)
                taken, size = [], 0
            taken.append((event, value))
            size += needed
        if taken:
            yield self._sign(log, taken)

    def _empty_records(self, log: TenantLog) -> tuple[Record, Record]:
        """A receipt's record without entries and an event's without value, as they would be framed."""
        body = RECEIPT.encode(self._receipt(log, b""))
        unsigned = SIGNED.encode(Signed(body, self.key_name, bytes(KEY_ID_BYTES), _NO_SIGNATURE))
        receipt, event = frame(log.log_id, self.incarnation, unsigned, [b""])
        return receipt, event

    def _receipt(self, log: TenantLog, entries: bytes) -> Receipt:
        return Receipt(self.gateway_id, log.origin, self.incarnation, self.sealing_delay_ms, entries)

    def _sign(self, log: TenantLog, taken: Sequence[tuple[ReadyEvent, bytes]]) -> Batch:
        entries = join([event.entry() for event, _ in taken])
        # The time that verifiers hold against the key's range.
        signer = self.signer(max(event.received_at_us for event, _ in taken))
        receipt = sign(RECEIPT.encode(self._receipt(log, entries)), signer)
        records = frame(log.log_id, self.incarnation, receipt, [value for _, value in taken])
        return Batch(log, tuple(event for event, _ in taken), receipt, entries, tuple(records))
