"""Which events are admitted: those that a valid receipt in front of them covers, and nothing else.

A receipt is valid when a trusted gateway key, good at the receipt's time, signed it; when it is of this event log's
incarnation; and when its log exists and lives in this partition. An event is covered when it stands at its entry's
place behind a valid receipt, its value is an EventRecord, its payload hashes to the entry's leaf, says what the entry
says (event id, submission digest and key id, received time) and names the receipt's tenant and shard, and when its
stored contents are exactly those whose digests the payload holds.

Everything else goes to quarantine with a reason, and is never skipped. Of a tenant that is deleted nothing is taken any
more: its batches go there as one each, and their bytes are not kept. Two cases halt the partition instead:
`UnknownSchema` (a newer gateway's events are not garbage), and an I/O error.

The work is done in columns; records are looked at one by one only where a column check fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from consumers.stretch import Batch, Stretch
from ledger.errors import IntegrityError
from ledger.log.interface import StoredRecord
from ledger.receipt import ENTRY
from ledger.record.columns import NotColumnar, decode_columns
from ledger.record.payload import UnknownSchema, decode_event_record, decode_payload, schema_of
from ledger.record.schemas import EVENT_RECORDS, HEADER_BYTES, PAYLOADS, Schema
from ledger.signed import verify
from ledger.tenants import TenantLog
from ledger.tlog.merkle import leaf_hashes
from ledger.trust import TrustedKeys

DECODE_ROWS = 4_096
DECODE_THREADS = 2

FindLog = Callable[[str], TenantLog | None]
"""A log by its origin; None when there is none."""

HasEnded = Callable[[TenantLog], bool]
"""Whether a log takes nothing any more, because its tenant is deleted."""

TENANT_DELETED = "tenant-deleted"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that was not admitted, and why (a name, no content).

    `events`: how many records behind it share its fate and have no finding of their own.
    """

    stored: StoredRecord
    reason: str
    events: int = 0


@dataclass(frozen=True, slots=True)
class SealedReceipt:
    """A valid receipt and its log."""

    log: TenantLog
    signed: bytes


@dataclass(frozen=True, slots=True)
class Admitted:
    """The events of a stretch that are covered, in offset order, as columns of equal length.

    `logs[i]` is the place of event i's log in `log_table`. `contents` holds one row a stored content with `row`, the
    event's place, `slot` and `ciphertext`. `payload_columns` are the payload's fields. `schemas[i]` is
    the SHA-256 of the schema of payload i.
    """

    log_table: tuple[TenantLog, ...]
    logs: np.ndarray
    offsets: np.ndarray
    payloads: list[bytes]
    leaves: list[bytes]
    schemas: list[bytes]
    payload_columns: pa.Table | None
    contents: pa.Table
    receipts: tuple[SealedReceipt, ...]
    quarantined: tuple[Quarantined, ...]

    def __len__(self) -> int:
        return len(self.payloads)


@dataclass(slots=True)
class _Candidates:
    """Events behind valid receipts, each with its log's place and its entry; what fails is dropped."""

    stored: list[StoredRecord]
    logs: np.ndarray
    entries: np.ndarray

    def drop(self, rows: Iterable[int]) -> None:
        """Takes some out."""
        keep = np.ones(len(self.stored), dtype=bool)
        keep[list(rows)] = False
        self.stored = [each for each, kept in zip(self.stored, keep, strict=True) if kept]
        self.logs = self.logs[keep]
        self.entries = self.entries[keep]


class Admission:
    """Admits the events of one partition."""

    def __init__(
        self,
        partition: int,
        incarnation: bytes,
        trust: Callable[[], TrustedKeys],
        find_log: FindLog,
        has_ended: HasEnded = lambda log: False,
    ) -> None:
        self._partition = partition
        self._incarnation = incarnation
        self._trust = trust
        self._find_log = find_log
        self._has_ended = has_ended

    def admit(self, stretch: Stretch) -> Admitted:
        """Checks a stretch. `UnknownSchema` halts; nothing else about a record's bytes does."""
        quarantined = [Quarantined(stored, "no-receipt") for stored in stretch.strays]
        table: dict[bytes, int] = {}
        logs: list[TenantLog] = []
        receipts: list[SealedReceipt] = []
        stored: list[StoredRecord] = []
        places: list[int] = []
        entries: list[np.ndarray] = [np.empty(0, ENTRY)]
        for batch in stretch.batches:
            log, reason = self._check_receipt(batch)
            if reason == TENANT_DELETED:
                quarantined.append(Quarantined(batch.record, reason, len(batch.events)))
                continue
            if log is None:
                quarantined.append(Quarantined(batch.record, reason))
                quarantined += [Quarantined(stored, reason) for stored in batch.events]
                continue
            if log.log_id not in table:
                table[log.log_id] = len(logs)
                logs.append(log)
            receipts.append(SealedReceipt(log, batch.record.record.value))
            stored += batch.events
            places += [table[log.log_id]] * len(batch.events)
            entries.append(batch.receipt.table()[: len(batch.events)])
        candidates = _Candidates(stored, np.array(places, np.int64), np.concatenate(entries))
        view = _admit_all(candidates, tuple(logs), quarantined)
        return Admitted(
            log_table=tuple(logs),
            logs=candidates.logs,
            offsets=np.array([each.offset for each in candidates.stored], np.int64),
            payloads=view.payloads if view else [],
            leaves=view.leaves if view else [],
            schemas=view.schemas if view else [],
            payload_columns=view.columns if view else None,
            contents=view.contents if view else _no_contents(),
            receipts=tuple(receipts),
            quarantined=tuple(quarantined),
        )

    def _check_receipt(self, batch: Batch) -> tuple[TenantLog | None, str]:
        receipt, signed = batch.receipt, batch.signed
        times = receipt.table()["received_at_us"]
        try:
            at = datetime.fromtimestamp(int(times.max()) / 1e6 if len(times) else 0, UTC)
            verify(signed, self._trust().key("gateway", signed.key_id, at), "receipt")
        except (IntegrityError, ValueError, OverflowError, OSError):
            return None, "receipt-signature"
        if receipt.incarnation != self._incarnation:
            return None, "other-incarnation"
        log = self._find_log(receipt.log_origin)
        if log is None:
            return None, "unknown-log"
        if log.partition != self._partition:
            return None, "wrong-partition"
        if self._has_ended(log):
            return None, TENANT_DELETED
        return log, ""


@dataclass(frozen=True, slots=True)
class _View:
    """Candidates that all passed: their payloads, leaves, decoded columns and contents."""

    payloads: list[bytes]
    leaves: list[bytes]
    schemas: list[bytes]
    columns: pa.Table
    contents: pa.Table


def _admit_all(candidates: _Candidates, logs: tuple[TenantLog, ...], quarantined: list[Quarantined]) -> _View | None:
    """Takes out what fails, until all that is left passes; None when nothing is left."""
    while candidates.stored:
        reasons: dict[int, str] = {}
        view = _look_into(candidates, logs, reasons)
        if view is not None and not reasons:
            return view
        quarantined += [Quarantined(candidates.stored[row], reason) for row, reason in sorted(reasons.items())]
        candidates.drop(reasons)
    return None


def _look_into(candidates: _Candidates, logs: tuple[TenantLog, ...], reasons: dict[int, str]) -> _View | None:
    """One pass of all checks. Whoever fails gets a reason; with any, the view is not to be used."""
    opened = _open_records([each.record.value for each in candidates.stored], reasons)
    if opened is None:
        return None
    payloads, contents = opened
    leaves = leaf_hashes(payloads)
    _mark(reasons, _differs(leaves, candidates.entries["leaf_hash"]), "not-covered")
    if reasons:
        return None
    decoded = _decode(PAYLOADS, payloads, decode_payload, reasons)
    if decoded is None:
        return None
    _check_payloads(decoded.columns, candidates, logs, reasons)
    _check_contents(decoded.columns, contents, reasons)
    return _View(payloads, leaves, decoded.schemas, decoded.columns, contents)


def _no_contents() -> pa.Table:
    return pa.table(
        {
            "row": pa.array([], pa.int64()),
            "slot": pa.array([], pa.large_string()),
            "ciphertext": pa.array([], pa.large_binary()),
        }
    )


@dataclass(frozen=True, slots=True)
class _Decoded:
    """Datums as columns, in their order. `schemas[i]` is the SHA-256 of the schema of datum i."""

    schemas: list[bytes]
    columns: pa.Table


def _decode(
    known: dict[bytes, Schema], data: list[bytes], decode: Callable[[bytes], object], reasons: dict[int, str]
) -> _Decoded | None:
    """All datums as columns; None when one is undecodable. Several schemas may stand side by side, as in an upgrade.

    A well-formed header that is not `known` raises `UnknownSchema`.
    """
    headers = [item[:HEADER_BYTES] for item in data]
    rows_of: dict[bytes, list[int]] = {}
    for row, header in enumerate(headers):
        rows_of.setdefault(header, []).append(row)
    tables = []
    for header, rows in rows_of.items():
        schema = known.get(header)
        if schema is None:
            _find_undecodable([data[row] for row in rows], rows, lambda item: schema_of(known, item, "event"), reasons)
            continue
        try:
            tables.append(_decode_in_parts(schema, data if len(rows) == len(data) else [data[row] for row in rows]))
        except NotColumnar:
            _find_undecodable([data[row] for row in rows], rows, decode, reasons)
    if reasons:
        return None
    schemas = [known[header].sha256 for header in headers]
    if len(tables) == 1:
        return _Decoded(schemas, tables[0])
    order = np.argsort(np.concatenate([np.array(rows) for rows in rows_of.values()]), kind="stable")
    return _Decoded(schemas, pa.concat_tables(tables, promote_options="default").take(pa.array(order)))


def _decode_in_parts(schema: Schema, data: list[bytes]) -> pa.Table:
    """`decode_columns` on parts that fit a processor's cache, two at a time: decoding leaves the interpreter free."""
    parts = [data[at : at + DECODE_ROWS] for at in range(0, len(data), DECODE_ROWS)]
    if len(parts) == 1:
        return decode_columns(schema, data)
    with ThreadPoolExecutor(DECODE_THREADS) as pool:
        return pa.concat_tables(list(pool.map(lambda part: decode_columns(schema, part), parts)))


def _open_records(values: list[bytes], reasons: dict[int, str]) -> tuple[list[bytes], pa.Table] | None:
    """The payloads of event records, and their contents as one table; None when one is undecodable."""
    decoded = _decode(EVENT_RECORDS, values, decode_event_record, reasons)
    if decoded is None:
        return None
    lists = decoded.columns["contents"].combine_chunks()
    flat = lists.flatten()
    parents = pc.list_parent_indices(lists).cast(pa.int64())
    contents = pa.table({"row": parents, "slot": flat.field("slot"), "ciphertext": flat.field("ciphertext")})
    return decoded.columns["payload"].to_pylist(), contents


def _find_undecodable(
    data: list[bytes], rows: list[int], decode: Callable[[bytes], object], reasons: dict[int, str]
) -> None:
    """One by one, strictly. `UnknownSchema` passes; raises too when none of them is to blame for the batch."""
    for row, item in zip(rows, data, strict=True):
        try:
            decode(item)
        except UnknownSchema:
            raise
        except IntegrityError:
            reasons[row] = "undecodable"
    if not any(row in reasons for row in rows):
        raise IntegrityError(f"{len(data)} datums decode one by one, but not together")


def fixed_column(column: pa.ChunkedArray, width: int) -> np.ndarray:
    """A binary column whose values all have `width` bytes, as rows of bytes."""
    data = b"".join(column.to_pylist())
    if len(data) != width * len(column):
        raise IntegrityError(f"a column of {width}-byte values holds others")
    return np.frombuffer(data, np.uint8).reshape(len(column), width)


def as_bytes(values: np.ndarray) -> np.ndarray:
    """Void values as rows of bytes, so that they compare byte by byte, trailing zeros included."""
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)


def _differs(left: Sequence[bytes], right: np.ndarray) -> np.ndarray:
    different: np.ndarray = np.frombuffer(b"".join(left), np.uint8).reshape(len(left), -1) != as_bytes(right)
    return np.asarray(different.any(axis=1))


def _mark(reasons: dict[int, str], wrong: np.ndarray, reason: str) -> None:
    for row in np.flatnonzero(wrong):
        reasons.setdefault(int(row), reason)


def _check_payloads(
    columns: pa.Table, candidates: _Candidates, logs: tuple[TenantLog, ...], reasons: dict[int, str]
) -> None:
    """The payload must say what its receipt's entry says, and be of the receipt's tenant and shard."""
    entries, log_of = candidates.entries, candidates.logs
    for name, width in (("event_id", 16), ("submission_digest", 32), ("submission_key_id", 32)):
        wrong = (fixed_column(columns[name], width) != as_bytes(entries[name])).any(axis=1)
        _mark(reasons, wrong, "receipt-disagrees")
    received = columns["received_at"].cast(pa.int64()).to_numpy()
    _mark(reasons, received != entries["received_at_us"].astype(np.int64), "receipt-disagrees")
    tenants = pa.array([log.tenant for log in logs], pa.large_string()).take(pa.array(log_of))
    shards = np.array([log.shard for log in logs], np.int64)[log_of]
    same = pc.equal(columns["tenant"].combine_chunks(), tenants).to_numpy(zero_copy_only=False)
    _mark(reasons, ~same | (columns["shard"].to_numpy() != shards), "wrong-log")


def _check_contents(columns: pa.Table, contents: pa.Table, reasons: dict[int, str]) -> None:
    """The stored contents must be exactly those whose ciphertext digest the payload holds, in its order."""
    lists = columns["contents"].combine_chunks()
    flat = lists.flatten()
    digests = flat.field("ciphertext_sha256")
    stored = digests.is_valid()
    expected = pa.table(
        {
            "row": pc.list_parent_indices(lists).cast(pa.int64()).filter(stored),
            "slot": flat.field("slot").filter(stored),
            "digest": digests.filter(stored),
        }
    )
    hashed = pa.array([sha256(each).digest() for each in contents["ciphertext"].to_pylist()], pa.large_binary())
    found = contents.drop_columns("ciphertext").append_column("digest", hashed)
    if expected.equals(found):
        return
    wanted, have = _by_row(expected), _by_row(found)
    for row in wanted.keys() | have.keys():
        if wanted.get(row) != have.get(row):
            reasons.setdefault(row, "contents-differ")


def _by_row(table: pa.Table) -> dict[int, list[tuple[str, bytes]]]:
    found: dict[int, list[tuple[str, bytes]]] = {}
    for row, slot, digest in zip(*(table[name].to_pylist() for name in ("row", "slot", "digest")), strict=True):
        found.setdefault(row, []).append((slot, digest))
    return found
