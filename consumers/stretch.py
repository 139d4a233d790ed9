"""Cutting a stretch of the event log into batches: a receipt, and the events that stand behind it.

Gateways append a receipt and exactly the events it covers in one atomic batch. Somebody else may write anything. So:

- a receipt record opens a batch; the event records that follow it, up to the count it claims, are its candidates;
- whatever stands outside (an event behind no receipt, a record of another kind) is *stray*;
- a batch whose count reaches beyond what was read is *open*: the round ends before it, unless the log has nothing more
  to give, then the batch is short for good and closes with what it has.

Counts are claims until the receipt's signature is checked (`consumers.admission`); a claim over `ENTRIES_MAX`, which
no gateway makes, is taken for a stray record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.canonical import Malformed
from ledger.log.framing import EVENT_KIND, RECEIPT_KIND, kind_of
from ledger.log.interface import StoredRecord
from ledger.receipt import ENTRIES_MAX, RECEIPT, Receipt
from ledger.signed import SIGNED, Signed


@dataclass(frozen=True, slots=True)
class Batch:
    """A receipt as it claims to be, and the records behind it."""

    record: StoredRecord
    signed: Signed
    receipt: Receipt
    events: Sequence[StoredRecord]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Whole batches and stray records, in offset order each. `length`: how many records of the read they take."""

    batches: tuple[Batch, ...]
    strays: tuple[StoredRecord, ...]
    length: int


def cut(records: Sequence[StoredRecord], *, at_end: bool) -> Stretch:
    """Cuts what was read. `at_end`: the log held nothing behind these records, so an open batch is a short one."""
    batches: list[Batch] = []
    strays: list[StoredRecord] = []
    at = 0
    while at < len(records):
        opened = _receipt(records[at])
        if opened is None:
            strays.append(records[at])
            at += 1
            continue
        signed, receipt = opened
        end = at + 1
        stop = at + 1 + len(receipt)
        while end < stop and end < len(records) and kind_of(records[end].record) == EVENT_KIND:
            end += 1
        if end == len(records) < stop and not at_end:
            break
        batches.append(Batch(records[at], signed, receipt, records[at + 1 : end]))
        at = end
    return Stretch(tuple(batches), tuple(strays), at)


def _receipt(stored: StoredRecord) -> tuple[Signed, Receipt] | None:
    if kind_of(stored.record) != RECEIPT_KIND:
        return None
    try:
        signed = SIGNED.decode(stored.record.value)
        receipt = RECEIPT.decode(signed.body)
    except Malformed:
        return None
    return (signed, receipt) if len(receipt) <= ENTRIES_MAX else None
