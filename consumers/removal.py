"""Which contents of a log are to be removed: those that an Erasure or Expiry of the same log made unreadable.

An Erasure says which key scopes were destroyed (`scope_ids`), an Expiry likewise (`key_ids_destroyed`). A content that
stands under any of them can never be opened again; a placement may drop it, and names the event that allows it: the
first of the log that destroyed one of its scopes. No key is needed to tell, only the log itself, so whoever checks the
placement comes to the same list.

What was sealed after its Erasure, because it was on its way when the keys died, is found by the next compaction.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from consumers.placement_check import REMOVING_KINDS, read_rows
from ledger.segments.holdings import HeldFile, LogHoldings
from ledger.segments.objects import FileStore
from ledger.segments.placement import Removal
from ledger.segments.round import EVENTS

_EVENT_COLUMNS = ["log_id", "index", "event_id", "kind", "erasure", "expiry"]
_CONTENT_COLUMNS = ["log_id", "index", "contents"]


def removals(store: FileStore, log_id: bytes, log: LogHoldings) -> tuple[Removal, ...]:
    """All that is removed already and all that is to be, ascending by index and slot."""
    events = [file for file in log.files() if file.role == EVENTS]
    destroyed = _destroyed(store, log_id, log, events)
    before = {(each.index, each.slot): each for each in log.removed()}
    if destroyed:
        scopes = pa.array(sorted(destroyed), pa.binary())
        for file in events:
            table = read_rows(store, [file], (0, log.size), log_id, _CONTENT_COLUMNS)
            for removal in _under(table, scopes, destroyed):
                before.setdefault((removal.index, removal.slot), removal)
    return tuple(before[place] for place in sorted(before))


def _destroyed(
    store: FileStore, log_id: bytes, log: LogHoldings, files: list[HeldFile]
) -> dict[bytes, tuple[int, bytes]]:
    """By destroyed scope, index and id of the first event that says so."""
    found: dict[bytes, tuple[int, bytes]] = {}
    for file in files:
        rows = read_rows(store, [file], (0, log.size), log_id, _EVENT_COLUMNS)
        rows = rows.filter(pc.is_in(rows["kind"], pa.array(REMOVING_KINDS)))
        for row in rows.to_pylist():
            body = row["erasure"]["scope_ids"] if row["erasure"] else row["expiry"]["key_ids_destroyed"]
            by = (row["index"], row["event_id"])
            for scope_id in body:
                found[scope_id] = min(found.get(scope_id, by), by)
    return found


def _under(table: pa.Table, scopes: pa.Array, destroyed: dict[bytes, tuple[int, bytes]]) -> list[Removal]:
    """The stored contents of these rows that stand under one of these scopes."""
    if not table.num_rows:
        return []
    lists = table["contents"].combine_chunks()
    lists = lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists
    rows, contents = pc.list_parent_indices(lists), lists.flatten()
    of_content = pc.struct_field(contents, "scope_ids")
    owners, ids = pc.list_parent_indices(of_content), of_content.flatten()
    hit = pc.is_in(ids.cast(pa.binary()), value_set=scopes)
    by: dict[int, tuple[int, bytes]] = {}
    for owner, scope_id in zip(owners.filter(hit).to_pylist(), ids.filter(hit).to_pylist(), strict=True):
        by[owner] = min(by.get(owner, destroyed[scope_id]), destroyed[scope_id])
    if not by:
        return []
    places = pa.array(sorted(by), pa.int64())
    stored = pc.struct_field(contents, "ciphertext_sha256").take(places).is_valid().to_pylist()
    slots = pc.struct_field(contents, "slot").take(places).to_pylist()
    indexes = np.asarray(table["index"])[np.asarray(rows.take(places))].tolist()
    return [
        Removal(index, slot, by[place][1])
        for place, is_stored, slot, index in zip(places.to_pylist(), stored, slots, indexes, strict=True)
        if is_stored
    ]
