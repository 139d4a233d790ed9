"""Rows of sealed events and their ciphertexts, by log and index, from the files that hold them now.

Only the row groups that hold a wanted row are read, and of them only the columns needed. Each row is compared with the
place it was asked for: its log id (files of a round are shared by tenants: no other's row ever leaves this module), its
index. A row in the wrong place is an `IntegrityError`; whether its payload is the leaf that was sealed there is left to
the proof to show.

Payloads and ciphertexts are read by the page (`query.pages`). A payload that is not its row's leaf is read once more by
pyarrow, so that only the file, and no reader of ours, can make a proof fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ledger.errors import IntegrityError
from ledger.tlog.merkle import HASH_BYTES, leaf_hash
from query.files import OpenFile, SegmentFile, VouchedFiles
from query.log_view import LogView, Stretch
from query.row_maps import RowMaps
from query.view import Snapshot

_EVENT_COLUMNS = ("log_id", "index", "leaf_hash")
_PLACE_COLUMNS = ("log_id", "index")
_CONTENT_COLUMNS = ("log_id", "index", "slot")


@dataclass(frozen=True, slots=True)
class SealedRow:
    """One leaf of one log. `leaf_hash` is computed from the payload, `stored_leaf_hash` is the column."""

    log: LogView
    index: int
    payload: bytes
    leaf_hash: bytes
    stored_leaf_hash: bytes
    round: int
    sealed_at_us: int


class RowReader:
    """Reads rows of one store."""

    def __init__(self, files: VouchedFiles, maps: RowMaps) -> None:
        self._files = files
        self._maps = maps

    def events(self, snapshot: Snapshot, log: LogView, indexes: Iterable[int]) -> list[SealedRow]:
        """The rows of these indexes, in their order, each once."""
        wanted = sorted(set(indexes))
        found: dict[int, tuple[bytes, bytes]] = {}
        for file, rows in self._event_places(log, wanted).items():
            found.update(self._read_events(file, log, rows))
        missing = [index for index in wanted if index not in found]
        if missing:
            raise IntegrityError(f"log {log.log_id.hex()}: no file of its placement holds index {missing[0]}")
        return [
            SealedRow(
                log,
                index,
                payload,
                leaf_hash(payload),
                stored,
                log.round_of(index),
                snapshot.sealed_at_us(log, index),
            )
            for index in wanted
            for payload, stored in (found[index],)
        ]

    def ciphertexts(self, log: LogView, indexes: Iterable[int]) -> dict[tuple[int, str], bytes]:
        """The stored ciphertexts of these events, by index and slot. What is gone is absent."""
        wanted = sorted(set(indexes))
        placed = [index for index in wanted if index < log.placed.size]
        found: dict[tuple[int, str], bytes] = {}
        for each in log.placed.contents:
            inside = [index for index in placed if each.first_index <= index < each.end_index]
            if inside:
                rows = self._maps.rows(each.file, log.log_id, inside)
                found.update(self._read_contents(each.file, log, {row: index for index, row in rows}))
        by_stretch: dict[Stretch, list[int]] = {}
        for index in wanted[len(placed) :]:
            by_stretch.setdefault(log.stretch_of(index), []).append(index)
        for stretch, inside in by_stretch.items():
            if stretch.contents is not None:
                found.update(self._search_contents(stretch.contents, log, inside))
        return found

    def leaf_hashes(self, log: LogView, first: int, end: int) -> list[bytes]:
        """The stored leaf hashes of the rows [first, end), in order; for rebuilding what is derived from them."""
        found = np.zeros((end - first, HASH_BYTES), np.uint8)
        seen = np.zeros(end - first, bool)
        for file, low, high in log.events_files(first, end):
            opened = self._files.open(file)
            for group in range(len(opened.ends)):
                table = opened.read(group, (*_PLACE_COLUMNS, "leaf_hash"))
                indexes = table.column("index").to_numpy()
                own = (indexes >= low) & (indexes < high) & _equals(table.column("log_id"), log.log_id)
                at = np.flatnonzero(own)
                hashes = table.column("leaf_hash").take(pa.array(at)).to_pylist()
                if any(len(each) != HASH_BYTES for each in hashes):
                    raise IntegrityError(f"{file.name}: a leaf hash has not {HASH_BYTES} bytes")
                found[indexes[at] - first] = np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, HASH_BYTES)
                seen[indexes[at] - first] = True
        if not seen.all():
            missing = first + int(np.flatnonzero(~seen)[0])
            raise IntegrityError(f"log {log.log_id.hex()}: no file of its placement holds index {missing}")
        raw = found.tobytes()
        return [raw[at : at + HASH_BYTES] for at in range(0, len(raw), HASH_BYTES)]

    def _event_places(self, log: LogView, wanted: Sequence[int]) -> dict[SegmentFile, dict[int, int]]:
        """For each file the rows to read, with the index each must have."""
        places: dict[SegmentFile, dict[int, int]] = {}
        placed = [index for index in wanted if index < log.placed.size]
        for each in log.placed.events:
            inside = [index for index in placed if each.first_index <= index < each.end_index]
            if inside:
                rows = self._maps.rows(each.file, log.log_id, inside)
                places.setdefault(each.file, {}).update((row, index) for index, row in rows)
        for index in wanted[len(placed) :]:
            stretch = log.stretch_of(index)
            row = stretch.base_row + index - stretch.first_index
            places.setdefault(stretch.events, {})[row] = index
        return places

    def _read_events(self, file: SegmentFile, log: LogView, rows: Mapping[int, int]) -> dict[int, tuple[bytes, bytes]]:
        opened = self._files.open(file)
        found: dict[int, tuple[bytes, bytes]] = {}
        for group, places in _by_group(opened, rows).items():
            at = sorted(places)
            table = _take(self._files.kept(opened, group, _EVENT_COLUMNS), at)
            _check_places(table, log, [places[each] for each in at], file)
            leaves = table.column("leaf_hash").to_pylist()
            payloads = opened.values(group, "payload", at)
            if [leaf_hash(each) for each in payloads] != leaves:
                payloads = opened.values_by_group(group, "payload", at)
            for row, payload, stored in zip(at, payloads, leaves, strict=True):
                found[places[row]] = (payload, stored)
        return found

    def _read_contents(self, file: SegmentFile, log: LogView, rows: Mapping[int, int]) -> dict[tuple[int, str], bytes]:
        """Contents at known rows of a compacted file."""
        opened = self._files.open(file)
        found: dict[tuple[int, str], bytes] = {}
        for group, places in _by_group(opened, rows).items():
            at = sorted(places)
            table = _take(self._files.kept(opened, group, _CONTENT_COLUMNS), at)
            _check_places(table, log, [places[each] for each in at], file)
            _collect(table, opened.values(group, "ciphertext", at), found)
        return found

    def _search_contents(self, file: SegmentFile, log: LogView, wanted: Sequence[int]) -> dict[tuple[int, str], bytes]:
        """Contents in a round's file, which is sorted by log id, then index: its row groups' ranges narrow it down."""
        opened = self._files.open(file)
        found: dict[tuple[int, str], bytes] = {}
        for group in _candidates(opened, log.log_id, wanted[0], wanted[-1]):
            rows = self._files.kept(opened, group, _CONTENT_COLUMNS)
            own = np.isin(rows.column("index").to_numpy(), wanted) & _equals(rows.column("log_id"), log.log_id)
            at = np.flatnonzero(own).tolist()
            _collect(_take(rows, at), opened.values(group, "ciphertext", at), found)
        return found


def _by_group(opened: OpenFile, rows: Mapping[int, int]) -> dict[int, dict[int, int]]:
    """Rows of a file with their indexes, as places in row groups."""
    groups: dict[int, dict[int, int]] = {}
    for row, index in rows.items():
        group, place = opened.group_of(row)
        groups.setdefault(group, {})[place] = index
    return groups


def _candidates(opened: OpenFile, log_id: bytes, low: int, high: int) -> list[int]:
    """The row groups whose ranges do not exclude these indexes of this log."""
    logs, indexes = opened.ranges("log_id"), opened.ranges("index")
    found = []
    for group, (of_log, of_index) in enumerate(zip(logs, indexes, strict=True)):
        if of_log is not None and not bytes(of_log.low) <= log_id <= bytes(of_log.high):
            continue
        # The range of indexes tells something only where the row group holds one log.
        one_log = of_log is not None and of_log.low == of_log.high
        if one_log and of_index is not None and (high < of_index.low or of_index.high < low):
            continue
        found.append(group)
    return found


def _take(table: pa.Table, places: Sequence[int]) -> pa.Table:
    return table.take(pa.array(places, pa.int64()))


def _equals(column: Any, value: bytes) -> Any:
    return pc.equal(column, pa.scalar(value, column.type)).to_numpy()


def _check_places(table: pa.Table, log: LogView, expected: Sequence[int], file: SegmentFile) -> None:
    for log_id, index, wanted in zip(
        table.column("log_id").to_pylist(), table.column("index").to_pylist(), expected, strict=True
    ):
        if (log_id, index) != (log.log_id, wanted):
            raise IntegrityError(
                f"{file.name}: expected index {wanted} of log {log.log_id.hex()}, found another log or index {index}"
            )


def _collect(table: pa.Table, ciphertexts: Sequence[bytes], found: dict[tuple[int, str], bytes]) -> None:
    for index, slot, ciphertext in zip(
        table.column("index").to_pylist(), table.column("slot").to_pylist(), ciphertexts, strict=True
    ):
        found[index, slot] = ciphertext
