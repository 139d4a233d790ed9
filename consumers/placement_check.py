"""Whether a placement keeps everything: the same rows at the same indexes, the same contents but for those removed.

Files are read unless the predecessor names exactly the same ones. A new file must hold, for its index range, exactly
the rows of the files it replaces, every column alike, and nothing else. Files are checked by their SHA-256, payloads by
their leaf hash. A content may be gone only under an Erasure or Expiry event that stands in the same log and, where it
names key scopes, names one of the content's; what was removed stays removed, under the same event.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ledger.errors import IntegrityError
from ledger.segments import names
from ledger.segments.holdings import HeldFile, LogHoldings
from ledger.segments.objects import FileStore
from ledger.segments.placement import PlacedFile, Placement, Removal
from ledger.segments.round import CONTENTS, EVENTS
from ledger.segments.rows import CONTENTS_SCHEMA, check_bytes, from_parquet
from ledger.segments.scoped_contents import COLUMNS, contents_under
from ledger.tlog.merkle import leaf_hashes

REMOVING_KINDS = ("erasure", "expiry")
"""The kinds of event under which a content may be removed."""


def check_placement(store: FileStore, holdings: LogHoldings, placement: Placement) -> None:
    """Raises `IntegrityError` naming what the placement would lose or change."""
    where = f"placement {placement.sequence_number} of log {placement.log_id.hex()}"
    if placement.size not in [size for _, size in holdings.sizes]:
        raise IntegrityError(f"{where}: {placement.size} is not a size at which a statement ended")
    _check_files(placement, where)
    before = holdings.files()
    kept = set(holdings.placement.files) if holdings.placement is not None else set()
    removed = _removed_now(store, holdings, placement, where)
    contents_of = {(file.first_index, file.end_index): file for file in placement.files if file.role == CONTENTS}
    for events in (file for file in placement.files if file.role == EVENTS):
        span = (events.first_index, events.end_index)
        contents = contents_of.get(span)
        if events not in kept:
            _check_events(store, events, _sources(before, EVENTS, span), placement.log_id)
        if contents not in kept or any(span[0] <= index < span[1] for index, _ in removed):
            _check_contents(store, contents, span, _sources(before, CONTENTS, span), placement.log_id, removed)


def _check_files(placement: Placement, where: str) -> None:
    """The events files must lie side by side over [0, size); each contents range must be an events range."""
    for file in placement.files:
        if file.role not in (EVENTS, CONTENTS):
            raise IntegrityError(f"{where}: names a file that is neither of events nor of contents")
        if file.name != names.compacted_name(placement.log_id, file.role, file.sha256):
            raise IntegrityError(f"{where}: names its {file.role} file otherwise than its digest says")
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


def _removed_now(store: FileStore, holdings: LogHoldings, placement: Placement, where: str) -> set[tuple[int, str]]:
    """The places (index, slot) that this placement removes and its predecessor did not."""
    if not set(holdings.removed()) <= set(placement.removed):
        raise IntegrityError(f"{where}: brings back contents that were removed, or changes why they were")
    places = {(removal.index, removal.slot) for removal in placement.removed}
    if len(places) != len(placement.removed):
        raise IntegrityError(f"{where}: removes one content twice")
    new = set(placement.removed) - set(holdings.removed())
    allowed = _removing_events(store, holdings, placement.log_id) if new else {}
    for removal in new:
        if removal.event_id not in allowed or not 0 <= removal.index < placement.size:
            slot = f"index {removal.index}, slot {removal.slot}"
            raise IntegrityError(f"{where}: {slot} is removed under no Erasure or Expiry event of this log")
    _check_scopes(store, holdings, placement.log_id, new, allowed, where)
    return {(removal.index, removal.slot) for removal in new}


def _removing_events(store: FileStore, holdings: LogHoldings, log_id: bytes) -> dict[bytes, frozenset[bytes]]:
    """The log's Erasure and Expiry events, each with the scopes that it says were destroyed."""
    found: dict[bytes, frozenset[bytes]] = {}
    span = (0, holdings.size)
    for file in _sources(holdings.files(), EVENTS, span):
        rows = read_rows(store, [file], span, log_id, ["log_id", "index", "event_id", "kind", "erasure", "expiry"])
        for row in rows.filter(pc.is_in(rows["kind"], pa.array(REMOVING_KINDS))).to_pylist():
            named = row["erasure"]["scope_ids"] if row["erasure"] else row["expiry"]["key_ids_destroyed"]
            found[row["event_id"]] = frozenset(named)
    return found


def _check_scopes(
    store: FileStore,
    holdings: LogHoldings,
    log_id: bytes,
    new: set[Removal],
    allowed: dict[bytes, frozenset[bytes]],
    where: str,
) -> None:
    """Each content that is newly removed stood under a scope that its event destroyed."""
    destroyed = {scope_id for removal in new for scope_id in allowed[removal.event_id]}
    if not destroyed:
        return
    span = (0, holdings.size)
    scopes: dict[tuple[int, str], tuple[bytes, ...]] = {}
    for file in _sources(holdings.files(), EVENTS, span):
        for content in contents_under(read_rows(store, [file], span, log_id, list(COLUMNS)), destroyed):
            scopes[content.index, content.slot] = content.scope_ids
    for removal in new:
        named = allowed[removal.event_id]
        if named and named.isdisjoint(scopes.get((removal.index, removal.slot), ())):
            slot = f"index {removal.index}, slot {removal.slot}"
            raise IntegrityError(f"{where}: {slot} is removed under an event that destroyed none of its keys")


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
    found = _whole(store, file)
    if not found.num_rows == file.rows == file.end_index - file.first_index:
        raise IntegrityError(f"{file.name}: does not hold each index of its range once")
    if leaf_hashes(found["payload"].to_pylist()) != found["leaf_hash"].to_pylist():
        raise IntegrityError(f"{file.name}: a payload is not the leaf beside it")
    expected = read_rows(store, sources, (file.first_index, file.end_index), log_id, None)
    if not _same_rows(found, expected, ["index"]):
        raise IntegrityError(f"{file.name}: its rows are not those of the files it replaces")


def _check_contents(
    store: FileStore,
    file: PlacedFile | None,
    span: tuple[int, int],
    sources: list[HeldFile],
    log_id: bytes,
    removed: set[tuple[int, str]],
) -> None:
    name = file.name if file else f"rows {span[0]} to {span[1]}"
    expected = read_rows(store, sources, span, log_id, CONTENTS_SCHEMA.names)
    if removed:
        places = list(zip(expected["index"].to_pylist(), expected["slot"].to_pylist(), strict=True))
        if not {place for place in removed if span[0] <= place[0] < span[1]} <= set(places):
            raise IntegrityError(f"{name}: a content is to be removed that is not there")
        expected = expected.filter(pa.array([place not in removed for place in places], pa.bool_()))
    found = _whole(store, file) if file is not None else CONTENTS_SCHEMA.empty_table()
    rows = file.rows if file is not None else 0
    if not found.num_rows == rows == expected.num_rows or (rows and not _same_rows(found, expected, ["index", "slot"])):
        raise IntegrityError(f"{name}: the contents are not those of the files it replaces")


def _whole(store: FileStore, file: PlacedFile) -> pa.Table:
    """All rows of a new file, of whatever log and index they are."""
    data = store.read(file.name)
    check_bytes(data, file.sha256, file.name)
    if len(data) != file.bytes:
        raise IntegrityError(f"{file.name}: has {len(data)} bytes, the placement says {file.bytes}")
    return from_parquet(data, file.name)


def _same_rows(found: pa.Table, expected: pa.Table, key: list[str]) -> bool:
    """Whether both hold the same columns and, in whatever order, the same rows. Not-a-number equals itself here."""
    if sorted(found.column_names) != sorted(expected.column_names):
        return False
    order = [(name, "ascending") for name in key]
    found = found.sort_by(order)
    expected = expected.select(found.column_names).sort_by(order)
    if found.equals(expected):
        return True
    left, right = pl.from_arrow(found), pl.from_arrow(expected)
    return isinstance(left, pl.DataFrame) and isinstance(right, pl.DataFrame) and left.equals(right)
