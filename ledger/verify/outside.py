"""Receipts that were kept elsewhere: each is checked, and each of its entries waited for in its log.

The file is receipts one after the other, each a u64 big-endian length and that many bytes, as `ledger.client` keeps
them.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.canonical import Malformed, blob
from ledger.errors import IntegrityError
from ledger.receipt import Receipt
from ledger.tenants import log_origin
from ledger.verify.awaited import Expected
from ledger.verify.job import Job
from ledger.verify.receipts import entries_of, open_receipt
from ledger.verify.report import LATER, Place

BEFORE = Place(-1)


def expect_receipts(job: Job, data: bytes) -> None:
    """Opens the receipts in `data` and adds their entries to what the job waits for."""
    for number, signed in enumerate(_split(job, data)):
        where = f"receipts file, receipt {number}"
        try:
            receipt = open_receipt(signed, job.trust)
            log_id = _log_id(job, receipt)
        except IntegrityError as error:
            job.collector.add(BEFORE, where, "receipt", str(error))
            continue
        if not job.concerns(log_id):
            job.collector.note(f"log {log_id.hex()}: receipts for it were not looked up; another log was asked for")
            continue
        entries = entries_of([receipt])
        log = job.trust.log(log_id)
        place = Place(log.partition if log is not None else LATER, LATER)
        job.collector.count(outside_entries=len(entries.table))
        for at in range(len(entries.table)):
            job.awaited.expect(log_id, Expected(place, f"{where}, entry {at}", entries.entry(at), entries.deadline(at)))


def _split(job: Job, data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        try:
            signed, at = blob.read(data, at)
        except Malformed as error:
            job.collector.add(BEFORE, "receipts file", "format", f"ends in the middle of a receipt: {error}")
            return
        yield signed


def _log_id(job: Job, receipt: Receipt) -> bytes:
    tail = receipt.log_origin.rsplit("/", 1)[-1]
    try:
        log_id = bytes.fromhex(tail)
    except ValueError:
        log_id = b""
    if receipt.log_origin != log_origin(job.trust.ledger, log_id):
        raise IntegrityError(f"is of a log that is not one of {job.trust.ledger}")
    return log_id
