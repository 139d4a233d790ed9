"""Reading events files into row tables, batch by batch, in columns.

A file's rows go where `Target` says: `base + index - first_index` of their log's span, whatever their order in the
file; so the files of rounds (sorted by log, then index) and of placements (sorted by subject) are read by the same
code. Here it is checked that every row is of a log and an index that the file may hold, that none stands twice, and
that `leaf_hash` is the hash of the payload. What must hold from row to row is checked afterwards, on the table in
index order (`ledger.verify.leaves`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, wait
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ledger.errors import IntegrityError
from ledger.segments.rows import LEDGER_COLUMNS, open_parquet, record_batches
from ledger.tenants import SYSTEM
from ledger.tlog.merkle import leaf_hashes
from ledger.trust import TrustedKeys
from ledger.verify.columns import differing, fixed_bytes, integers, joined, objects
from ledger.verify.receipts import sealers_own
from ledger.verify.report import Collector, Place
from ledger.verify.statistics import wrong_statistics

LEAF_COLUMNS = ["log_id", "index", "leaf_hash", "chain_hash", "payload"]


@dataclass(frozen=True, slots=True)
class Span:
    """Where a log's rows [first_index, first_index + count) go in a table, from `base` on. `wanted`: look at them."""

    log_id: bytes
    first_index: int
    count: int
    base: int
    wanted: bool = True


@dataclass(slots=True)
class Target:
    """The rows that a file, or several, are to fill. `sorted`: in the order of the table, as a round's file must be."""

    table: np.ndarray
    spans: Sequence[Span]
    sorted: bool
    rows: int = 0
    log_ids: pa.Array = field(init=False)
    first: np.ndarray = field(init=False)
    end: np.ndarray = field(init=False)
    base: np.ndarray = field(init=False)
    wanted: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.log_ids = pa.array([span.log_id for span in self.spans], pa.binary())
        self.first = np.array([span.first_index for span in self.spans], np.int64)
        self.end = self.first + np.array([span.count for span in self.spans], np.int64)
        self.base = np.array([span.base for span in self.spans], np.int64)
        self.wanted = np.array([span.wanted for span in self.spans], bool)

    def place_of(self, log_ids: pa.Array, indexes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each row its span (-1: of no log or index of these) and its place in the table (-1 likewise)."""
        if not self.spans:
            return np.full(len(indexes), -1), np.full(len(indexes), -1)
        span = pc.index_in(log_ids.cast(pa.binary()), value_set=self.log_ids).fill_null(-1).to_numpy()
        fits = (span >= 0) & (indexes >= self.first[span]) & (indexes < self.end[span])
        span = np.where(fits, span, -1)
        return span, np.where(fits, self.base[span] + indexes - self.first[span], -1)


@dataclass(frozen=True, slots=True)
class Rows:
    """The wanted rows of one batch: all their columns, payloads, places in the table, and spans."""

    columns: pa.RecordBatch
    payloads: list[bytes]
    places: np.ndarray
    spans: np.ndarray


class RowCheck(Protocol):
    """What depth `full` adds for each batch of rows."""

    def check(self, rows: Rows, target: Target, place: Place, name: str) -> None:
        """Compares the typed columns with the payloads and fills the rest of the table."""


def ahead(batches: Iterator[pa.RecordBatch], reader: Executor) -> Iterator[pa.RecordBatch]:
    """The same batches; while one is worked on, `reader` reads the next."""
    future = reader.submit(next, batches, None)
    try:
        while (batch := future.result()) is not None:
            future = reader.submit(next, batches, None)
            yield batch
    finally:
        wait([future])


class Scan:
    """Reads events files at depth `leaves`, and with a `RowCheck` at depth `full`."""

    def __init__(self, collector: Collector, trust: TrustedKeys, check: RowCheck | None, reader: Executor) -> None:
        self._collector = collector
        self._reader = reader
        self._trust = trust
        self._check = check

    def read(self, stream: BinaryIO, name: str, place: Place, target: Target) -> bool:
        """Fills the table; False when the file could not be read to its end, which is then a finding."""
        columns = None if self._check else LEAF_COLUMNS
        target.rows = 0
        try:
            file = open_parquet(stream)
            _check_types(file.schema_arrow, columns)
            for batch in ahead(record_batches(file, columns), self._reader):
                if not batch.num_rows:
                    continue
                if not self._batch(batch, name, place, target):
                    return False
                target.rows += batch.num_rows
            if self._check is not None:
                for message in wrong_statistics(file):
                    self._collector.add(place, name, "statistics", message)
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            message = f"is not a Parquet file of events ({type(error).__name__})"
            self._collector.add(place, name, "format", message)
            return False
        except IntegrityError as error:
            self._collector.add(place, name, "format", str(error))
            return False
        return True

    def _batch(self, batch: pa.RecordBatch, name: str, place: Place, target: Target) -> bool:
        indexes = integers(batch["index"])
        if indexes is None or any(batch[column].null_count for column in ("log_id", "payload")):
            self._collector.add(place, name, "format", f"a row from {target.rows} on has no log, index or payload")
            return False
        spans, places = target.place_of(batch["log_id"], indexes)
        self._check_places(batch, indexes, places, name, place, target)
        kept = np.flatnonzero(target.wanted[spans] & (places >= 0))
        if len(kept) < batch.num_rows:
            batch = batch.take(pa.array(kept))
            spans, places = spans[kept], places[kept]
        if len(kept):
            payloads = objects(batch["payload"])
            self._fill(Rows(batch, payloads, places, spans), target, name, place)  # type: ignore[arg-type]
        return True

    def _check_places(
        self, batch: pa.RecordBatch, indexes: np.ndarray, places: np.ndarray, name: str, place: Place, target: Target
    ) -> None:
        foreign = np.flatnonzero(places < 0)
        if len(foreign):
            row = int(foreign[0])
            which = f"row {target.rows + row} is index {indexes[row]} of log {batch['log_id'][row].as_py().hex()}"
            self._collector.add(place, name, "rows", f"{which}, which does not belong here{_more(foreign)}")
        if target.sorted:
            expected = np.arange(target.rows, target.rows + len(places))
            wrong = np.flatnonzero((places != expected) & (places >= 0))
            if len(wrong):
                row = int(wrong[0])
                message = f"row {target.rows + row} is out of order: rows stand by log, then index{_more(wrong)}"
                self._collector.add(place, name, "rows", message)

    def _fill(self, rows: Rows, target: Target, name: str, place: Place) -> None:
        table, places = target.table, rows.places
        indexes = integers(rows.columns["index"])
        twice = np.flatnonzero(table["seen"][places] != 0)
        if not len(twice) and (np.diff(places) <= 0).any():
            _, firsts = np.unique(places, return_index=True)
            twice = np.setdiff1d(np.arange(len(places)), firsts)
        if len(twice) and indexes is not None:
            which = f"index {indexes[twice[0]]} of log {rows.columns['log_id'][int(twice[0])].as_py().hex()}"
            self._collector.add(place, name, "rows", f"{which} stands here a second time{_more(twice)}")
        leaves = joined(leaf_hashes(rows.payloads), 32)
        table["seen"][places] = 1
        table["leaf"][places] = leaves.view("V32").ravel()
        self._compare(rows, leaves, name, place)
        chains = fixed_bytes(rows.columns["chain_hash"], 32)
        if chains is None:
            self._collector.add(place, name, "chain", "chain_hash is not 32 bytes in every row")
        else:
            table["chain"][places] = np.ascontiguousarray(chains).view("V32").ravel()
        self._flag_own(rows, target)
        if self._check is not None:
            self._check.check(rows, target, place, name)

    def _flag_own(self, rows: Rows, target: Target) -> None:
        """The sealer's own findings have no receipt: marks them, in the logs that may hold such (unknown ones too)."""
        for span in np.unique(rows.spans):
            log = self._trust.log(target.spans[span].log_id)
            if log is None or log.tenant == SYSTEM:
                of_log = np.flatnonzero(rows.spans == span)
                flags = sealers_own([rows.payloads[at] for at in of_log])
                target.table["own"][rows.places[of_log]] = flags

    def _compare(self, rows: Rows, leaves: np.ndarray, name: str, place: Place) -> None:
        stored = fixed_bytes(rows.columns["leaf_hash"], 32)
        if stored is None:
            self._collector.add(place, name, "leaf", "leaf_hash is not 32 bytes in every row")
            return
        wrong = differing(stored, leaves)
        if len(wrong):
            row = int(wrong[0])
            log_id, index = rows.columns["log_id"][row].as_py().hex(), rows.columns["index"][row].as_py()
            message = (
                f"log {log_id}, index {index}: leaf_hash is {stored[row].tobytes().hex()}, "
                f"the payload's is {leaves[row].tobytes().hex()}{_more(wrong)}"
            )
            self._collector.add(place, name, "leaf", message)


def _more(rows: np.ndarray) -> str:
    return f" (and {len(rows) - 1} more rows of this batch)" if len(rows) > 1 else ""


def _check_types(schema: pa.Schema, columns: list[str] | None) -> None:
    """The ledger's own columns must be there, once, with their types; so nothing behind this meets other ones."""
    for column, kind in LEDGER_COLUMNS:
        if columns is None or column in columns:
            found = schema.get_all_field_indices(column)
            if len(found) != 1 or schema.field(found[0]).type != kind:
                raise IntegrityError(f"column {column}: expected one of type {kind}")
    if len(set(schema.names)) != len(schema.names):
        raise IntegrityError("two columns have one name")
