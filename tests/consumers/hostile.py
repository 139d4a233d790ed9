"""What somebody who can write to the event log, but holds no gateway key, may put there; and what a gateway gone wrong
may sign. Each is built from events that a small ledger really accepted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from nacl.signing import SigningKey

from ledger.log.framing import EPOCH, EVENT_KIND, KIND, RECEIPT_KIND, frame
from ledger.log.interface import Record
from ledger.receipt import RECEIPT, Receipt, ReceiptEntry, join
from ledger.record.assemble import AssembledEvent
from ledger.record.payload import encode_event_record
from ledger.signed import sign
from ledger.tenants import TenantLog
from ledger.tlog.note import NoteSigner
from tests.small_ledger import SmallLedger, received_at


def signer(name: str = "audit.test/gateway/g1", seed: bytes = bytes(32)) -> NoteSigner:
    """A key that nobody trusts, by default under the name of one that is trusted."""
    key = SigningKey(seed)
    return NoteSigner(name, bytes(key.verify_key), lambda message: key.sign(message).signature)


def entry(event: AssembledEvent) -> ReceiptEntry:
    """The entry that is right for an event."""
    return ReceiptEntry(
        event.event_id, event.submission_digest, event.submission_key_id, event.leaf_hash, received_at(event)
    )


def receipt(
    small: SmallLedger,
    log: TenantLog,
    entries: Iterable[ReceiptEntry],
    *,
    by: NoteSigner | None = None,
    incarnation: bytes | None = None,
    origin: str | None = None,
) -> bytes:
    """A receipt with whatever one wants in it."""
    body = RECEIPT.encode(
        Receipt("g1", origin or log.origin, incarnation or small.log.incarnation, 3_600_000, join(list(entries)))
    )
    return sign(body, by or small.gateway_signer)


def value(event: AssembledEvent) -> bytes:
    """The event's value in the event log."""
    return encode_event_record(event.payload, list(event.contents))


def batch(
    small: SmallLedger, log: TenantLog, events: Sequence[AssembledEvent], signed: bytes | None = None
) -> list[Record]:
    """A batch as a gateway writes it, or behind another receipt."""
    made = signed if signed is not None else receipt(small, log, map(entry, events))
    return frame(log.log_id, small.log.incarnation, made, [value(each) for each in events])


def event_record(data: bytes, small: SmallLedger) -> Record:
    """A record that says it is an event."""
    return Record(b"key", ((KIND, EVENT_KIND), (EPOCH, small.log.incarnation)), data)


def receipt_record(data: bytes, small: SmallLedger) -> Record:
    """A record that says it is a receipt."""
    return Record(b"key", ((KIND, RECEIPT_KIND), (EPOCH, small.log.incarnation)), data)


def with_contents(event: AssembledEvent, contents: Iterable[tuple[str, bytes]]) -> AssembledEvent:
    """The same payload, other ciphertexts."""
    return replace(event, contents=tuple(contents))
