"""How receipts and events stand in the event log: keys, headers, values.

| part            | receipt                         | event                                      |
| --------------- | ------------------------------- | ------------------------------------------ |
| key             | log id (32 bytes)               | log id (32 bytes)                          |
| header `kind`   | `receipt`                       | `event`                                    |
| header `epoch`  | incarnation (16 bytes)          | incarnation (16 bytes)                     |
| value           | signed receipt (`ledger.signed`) | EventRecord, Avro single-object encoding  |

One event is one record, so that any other consumer can read the log with the Avro schema alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.log.interface import Record

KIND = "kind"
EPOCH = "epoch"
RECEIPT_KIND = b"receipt"
EVENT_KIND = b"event"


def frame(log_id: bytes, incarnation: bytes, signed_receipt: bytes, events: Sequence[bytes]) -> list[Record]:
    """One atomic batch: the receipt, then the events it covers."""
    event_headers = ((KIND, EVENT_KIND), (EPOCH, incarnation))
    receipt = Record(log_id, ((KIND, RECEIPT_KIND), (EPOCH, incarnation)), signed_receipt)
    return [receipt, *(Record(log_id, event_headers, value) for value in events)]


def kind_of(record: Record) -> bytes:
    """`receipt`, `event`, or empty for a record that is neither."""
    return _header(record, KIND)


def _header(record: Record, name: str) -> bytes:
    found = [value for key, value in record.headers if key == name]
    return found[0] if len(found) == 1 else b""
