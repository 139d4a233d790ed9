"""Depth `full`, row by row: the payload decoded, and every column beside it compared with what it says.

A batch is decoded in columns; where that fails, or where a column differs, the rows are decoded one by one, strictly,
to name the one that is wrong. What is compared later, on the table in index order, is put into the table here.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ledger.errors import IntegrityError
from ledger.record.columns import NotColumnar, decode_columns
from ledger.record.payload import decode_payload
from ledger.record.schemas import HEADER_BYTES, PAYLOADS, Schema
from ledger.segments.rows import LEDGER_COLUMNS
from ledger.trust import TrustedKeys
from ledger.verify.columns import fixed_bytes, integers
from ledger.verify.contents import ContentSums, Described, described
from ledger.verify.report import Collector, Place
from ledger.verify.scan import Rows, Target

SCHEMAS: tuple[Schema, ...] = tuple(PAYLOADS.values())
"""Every schema this build knows; a row's `schema` is its place here, plus 1."""

MARKS = {None: 0, "conflict": 1, "undetermined": 2}
OTHER_MARK = 255

_LEDGER_NAMES = frozenset(name for name, _ in LEDGER_COLUMNS)
_IDENTITY = (("event_id", 16), ("submission_digest", 32), ("submission_key_id", 32))


class TypedRows:
    """Implements `ledger.verify.scan.RowCheck`.

    `allowing[log id]` are the event ids of the Erasure and Expiry events met, by which contents may be removed, each
    with the key scopes that it says were destroyed; `unknown` the logs whose tenant could not be checked, since the
    verifier was not told of them.
    """

    def __init__(self, collector: Collector, trust: TrustedKeys, sums: ContentSums) -> None:
        self._collector = collector
        self._trust = trust
        self._sums = sums
        self.allowing: defaultdict[bytes, dict[bytes, frozenset[bytes]]] = defaultdict(dict)
        self.unknown: set[bytes] = set()

    def check(self, rows: Rows, target: Target, place: Place, name: str) -> None:
        """Compares one batch and fills its rows of the table."""
        self._fill_ledger_columns(rows, target, place, name)
        by_header: defaultdict[bytes, list[int]] = defaultdict(list)
        for at, payload in enumerate(rows.payloads):
            by_header[payload[:HEADER_BYTES]].append(at)
        for header, places in by_header.items():
            schema = PAYLOADS.get(header)
            if schema is None:
                where = _row(rows, places[0])
                message = f"{where}: its schema, fingerprint {header[2:].hex()}, is unknown to this build"
                self._collector.add(place, name, "schema", f"{message}{_more(len(places))}")
                continue
            part = rows if len(by_header) == 1 else _part(rows, places)
            self._check_schema(part, schema, target, place, name)

    def _check_schema(self, rows: Rows, schema: Schema, target: Target, place: Place, name: str) -> None:
        """`rows` whose payloads all carry this schema's header."""
        try:
            decoded = decode_columns(schema, rows.payloads)
        except NotColumnar:
            good = self._report_undecodable(rows, place, name)
            if len(good) == len(rows.payloads):
                message = f"{_row(rows, 0)} and those behind it decode one by one, but not together"
                self._collector.add(place, name, "payload", message)
            elif good:
                self._check_schema(_part(rows, good), schema, target, place, name)
            return
        target.table["schema"][rows.places] = 1 + SCHEMAS.index(schema)
        self._compare(rows, decoded, place, name)
        self._check_logs(rows, decoded, target, place, name)
        self._fill(rows, decoded, target)

    def _report_undecodable(self, rows: Rows, place: Place, name: str) -> list[int]:
        good = []
        for at, payload in enumerate(rows.payloads):
            try:
                decode_payload(payload)
                good.append(at)
            except IntegrityError as error:
                self._collector.add(place, name, "payload", f"{_row(rows, at)}: {error}")
        return good

    def _compare(self, rows: Rows, decoded: pa.Table, place: Place, name: str) -> None:
        stored = rows.columns
        for column in decoded.column_names:
            if column not in stored.schema.names:
                self._collector.add(place, name, "column", f"has no column {column}")
                continue
            wrong = _differing(stored[column], decoded[column].combine_chunks())
            if wrong is not None:
                message = f"{_row(rows, int(wrong[0]))}: column {column} is not what the payload says"
                self._collector.add(place, name, "column", f"{message}{_more(len(wrong))}")
        for column in stored.schema.names:
            if column in _LEDGER_NAMES or column in decoded.column_names:
                continue
            known = any(column in (field["name"] for field in schema.definition["fields"]) for schema in SCHEMAS)
            if not known or stored[column].null_count != len(stored[column]):
                self._collector.add(place, name, "column", f"holds column {column}, which the payloads do not")

    def _check_logs(self, rows: Rows, decoded: pa.Table, target: Target, place: Place, name: str) -> None:
        """Tenant and shard of the payload must be those of its log, where that is known; subject its first person."""
        subjects = first_persons(decoded)
        wrong = _differing(rows.columns["subject"], subjects)
        if wrong is not None:
            message = f"{_row(rows, int(wrong[0]))}: column subject is not the first person of the payload"
            self._collector.add(place, name, "column", f"{message}{_more(len(wrong))}")
        for span in np.unique(rows.spans):
            log_id = target.spans[span].log_id
            log = self._trust.log(log_id)
            if log is None:
                self.unknown.add(log_id)
                continue
            of_log = pa.array(rows.spans == span)
            tenant = pc.equal(decoded["tenant"].combine_chunks().filter(of_log), log.tenant)
            shard = pc.equal(decoded["shard"].combine_chunks().filter(of_log), log.shard)
            wrong_rows = np.flatnonzero(~np.asarray(pc.and_(tenant, shard)))
            if len(wrong_rows):
                row = int(np.flatnonzero(np.asarray(of_log))[wrong_rows[0]])
                message = f"{_row(rows, row)}: its payload is of another tenant or shard than its log, {log.tenant}"
                self._collector.add(place, name, "payload", f"{message}, {log.shard}{_more(len(wrong_rows))}")

    def _fill(self, rows: Rows, decoded: pa.Table, target: Target) -> None:
        table, places = target.table, rows.places
        for column, width in _IDENTITY:
            values = fixed_bytes(decoded[column].combine_chunks(), width)
            if values is None:
                raise IntegrityError(f"column {column}: the decoder gave values of another size than {width}")
            table[column][places] = np.ascontiguousarray(values).view(f"V{width}").ravel()
        table["received_at"][places] = integers(decoded["received_at"].combine_chunks())
        table["decoded"][places] = 1
        kinds = decoded["kind"].combine_chunks()
        allowing = np.flatnonzero(np.asarray(pc.is_in(kinds, value_set=pa.array(["erasure", "expiry"], kinds.type))))
        for at in allowing:
            log_id = target.spans[rows.spans[at]].log_id
            event_id = decoded["event_id"][int(at)].as_py()
            self.allowing[log_id][event_id] = _destroyed(decoded, int(at))
        self._sums.expect(rows, described(decoded), first_persons(decoded), target)

    def _fill_ledger_columns(self, rows: Rows, target: Target, place: Place, name: str) -> None:
        for column in ("round", "sealed_at", "partition", "offset"):
            values = integers(rows.columns[column])
            if values is None:
                self._collector.add(place, name, "column", f"column {column} is not a number in every row")
                values = np.full(len(rows.places), -1)
            target.table[column][rows.places] = values
        marks = [MARKS.get(mark, OTHER_MARK) for mark in rows.columns["mark"].to_pylist()]
        target.table["mark"][rows.places] = marks


def _destroyed(decoded: pa.Table, at: int) -> frozenset[bytes]:
    """The key scopes that an Erasure or Expiry says were destroyed."""
    erasure, expiry = decoded["erasure"][at].as_py(), decoded["expiry"][at].as_py()
    return frozenset(erasure["scope_ids"] if erasure is not None else expiry["key_ids_destroyed"])


def first_persons(decoded: pa.Table) -> pa.Array:
    """Each event's first person as large binary: the acting user, else the first subject, else null."""
    subjects = decoded["subjects"].combine_chunks()
    # `list_element` wants an element in every list, so the lists without one are masked by an index of -1.
    starts = np.asarray(subjects.offsets)[:-1]
    lengths = pc.list_value_length(subjects).fill_null(0).to_numpy(zero_copy_only=False)
    first = pa.array(np.where(lengths > 0, starts, -1), mask=lengths == 0)
    pseudonyms = subjects.values.field("pseudonym").take(first)
    return pc.coalesce(decoded["actor_user"].combine_chunks(), pseudonyms).cast(pa.large_binary())


def _differing(stored: pa.Array, decoded: pa.Array) -> np.ndarray | None:
    """The rows in which two columns differ, None where they are equal. Types may differ, values may not."""
    try:
        if stored.cast(decoded.type).equals(decoded):
            return None
    except pa.ArrowException:
        return np.arange(len(stored))
    left, right = stored.cast(decoded.type), decoded
    wrong = [at for at in range(len(right)) if not left[at].equals(right[at])]
    # Equal one by one, unequal together: a NaN, which the gateway never takes, or an encoding of nulls.
    return np.array(wrong) if wrong else _unequal_values(left, right)


def _unequal_values(left: pa.Array, right: pa.Array) -> np.ndarray | None:
    pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
    wrong = [at for at, (one, other) in enumerate(pairs) if repr(one) != repr(other)]
    return np.array(wrong) if wrong else None


def _part(rows: Rows, places: list[int]) -> Rows:
    chosen = np.array(places)
    payloads = [rows.payloads[at] for at in places]
    return Rows(rows.columns.take(pa.array(chosen)), payloads, rows.places[chosen], rows.spans[chosen])


def _row(rows: Rows, at: int) -> str:
    log_id: Any = rows.columns["log_id"][at].as_py()
    return f"log {log_id.hex()}, index {rows.columns['index'][at].as_py()}"


def _more(count: int) -> str:
    return f" (and {count - 1} more rows of this batch)" if count > 1 else ""


__all__ = ["MARKS", "OTHER_MARK", "SCHEMAS", "Described", "TypedRows", "first_persons"]
