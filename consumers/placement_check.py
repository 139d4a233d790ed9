"""Whether a placement keeps everything: the same leaves at the same indexes, the same contents but for those removed.

Only files that the predecessor doesn't have are read; they must hold, for their index range, exactly the rows that the
files they replace hold. Files are checked by their SHA-256, payloads by their leaf hash, contents by their ciphertext.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc

from ledger.errors import IntegrityError
from ledger.merkle import leaf_hashes
from ledger.segments.holdings import HeldFile, LogHoldings
from ledger.segments.objects import FileStore
from ledger.segments.placement import PlacedFile, Placement
from ledger.segments.round import CONTENTS, EVENTS
from ledger.segments.rows import check_bytes, from_parquet


def check_placement(store: FileStore, holdings: LogHoldings, placement: Placement) -> None:
    """Raises `IntegrityError` naming what the placement would lose or change."""
    where = f"placement {placement.sequence_number} of log {placement.log_id.hex()}"
    if placement.size not in [size for _, size in holdings.sizes]:
        raise IntegrityError(f"{where}: {placement.size} is not a size at which a statement ended")
    before = holdings.files()
    kept = {file.name for file in before if not file.shared and file.round < 0}
    _check_ranges(placement, where)
    removed = {(removal.index, removal.slot) for removal in placement.removed}
    gone = {(removal.index, removal.slot) for removal in holdings.removed()}
    if not gone <= removed:
        raise IntegrityError(f"{where}: brings back contents that were removed")
    for events in (file for file in placement.files if file.role == EVENTS):
        span = (events.first_index, events.end_index)
        contents = next(
            (file for file in placement.files if file.role == CONTENTS and (file.first_index, file.end_index) == span),
            None,
        )
        if events.name not in kept:
            _check_events(store, events, _sources(before, EVENTS, span), placement.log_id)
        if contents is None or contents.name not in kept:
            _check_contents(store, contents, span, _sources(before, CONTENTS, span), placement.log_id, removed)


def _check_ranges(placement: Placement, where: str) -> None:
    """The events files must lie side by side over [0, size); each contents range must be an events range."""
    events = sorted((file.first_index, file.end_index) for file in placement.files if file.role == EVENTS)
    contents = [(file.first_index, file.end_index) for file in placement.files if file.role == CONTENTS]
    at = 0
    for first, end in events:
        if first != at or end <= first:
            raise IntegrityError(f"{where}: its events files do not lie side by side at index {at}")
        at = end
    if at != placement.size:
        raise IntegrityError(f"{where}: its events files end at index {at}, expected {placement.size}")
    if len(set(contents)) != len(contents) or not set(contents) <= set(events):
        raise IntegrityError(f"{where}: a contents file does not belong to an events file")


def _sources(held: list[HeldFile], role: str, span: tuple[int, int]) -> list[HeldFile]:
    return [file for file in held if file.role == role and file.first_index < span[1] and span[0] < file.end_index]


def read_rows(
    store: FileStore,
    files: Sequence[HeldFile | PlacedFile],
    span: tuple[int, int],
    log_id: bytes,
    columns: list[str] | None,
) -> pa.Table:
    """The rows of a log with an index in `span`, from files whose digests are checked; unsorted. None: all columns."""
    tables = []
    for file in files:
        data = store.read(file.name)
        check_bytes(data, file.sha256, file.name)
        table = from_parquet(data, file.name, columns)
        inside = pc.and_(pc.greater_equal(table["index"], span[0]), pc.less(table["index"], span[1]))
        tables.append(table.filter(pc.and_(pc.equal(table["log_id"], pa.scalar(log_id, pa.binary())), inside)))
    return (
        pa.concat_tables(tables, promote_options="default")
        if tables
        else pa.table({name: [] for name in columns or ()})
    )


def _check_events(store: FileStore, file: PlacedFile, sources: list[HeldFile], log_id: bytes) -> None:
    span = (file.first_index, file.end_index)
    found = read_rows(store, [file], span, log_id, ["log_id", "index", "leaf_hash", "chain_hash", "payload"])
    if not found.num_rows == file.rows == file.end_index - file.first_index:
        raise IntegrityError(f"{file.name}: does not hold each index of its range once")
    if leaf_hashes(found["payload"].to_pylist()) != found["leaf_hash"].to_pylist():
        raise IntegrityError(f"{file.name}: a payload is not the leaf beside it")
    kept = ["index", "leaf_hash", "chain_hash"]
    expected = read_rows(store, sources, span, log_id, ["log_id", *kept])
    order = [("index", "ascending")]
    if not found.select(kept).sort_by(order).equals(expected.select(kept).sort_by(order)):
        raise IntegrityError(f"{file.name}: its rows are not those of the files it replaces")


def _check_contents(
    store: FileStore,
    file: PlacedFile | None,
    span: tuple[int, int],
    sources: list[HeldFile],
    log_id: bytes,
    removed: set[tuple[int, str]],
) -> None:
    columns = ["log_id", "index", "slot", "ciphertext"]
    found = _digests(read_rows(store, [file] if file else [], span, log_id, columns))
    expected = _digests(read_rows(store, sources, span, log_id, columns))
    lost = [place for place in expected.keys() - found.keys() if place not in removed]
    if lost or any(expected.get(place) != digest for place, digest in found.items()):
        name = file.name if file else f"rows {span[0]} to {span[1]}"
        raise IntegrityError(f"{name}: the contents are not those of the files it replaces")


def _digests(table: pa.Table) -> dict[tuple[int, str], bytes]:
    columns = (table[name].to_pylist() for name in ("index", "slot", "ciphertext"))
    return {(index, slot): sha256(ciphertext).digest() for index, slot, ciphertext in zip(*columns, strict=True)}
