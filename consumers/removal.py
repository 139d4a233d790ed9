"""Which contents of a log are to be removed: those that an Erasure or Expiry of the same log made unreadable.

An Erasure says which key scopes were destroyed (`scope_ids`), an Expiry likewise (`key_ids_destroyed`). A content that
stands under any of them can never be opened again; a placement may drop it, and names the event that allows it: the
first of the log that destroyed one of its scopes. No key is needed to tell, only the log itself, so whoever checks the
placement comes to the same list.

What was sealed after its Erasure, because it was on its way when the keys died, is found by the next compaction.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from consumers.placement_check import REMOVING_KINDS, read_rows
from ledger.segments.holdings import HeldFile, LogHoldings
from ledger.segments.objects import FileStore
from ledger.segments.placement import Removal
from ledger.segments.round import EVENTS
from ledger.segments.scoped_contents import COLUMNS, contents_under

_EVENT_COLUMNS = ["log_id", "index", "event_id", "kind", "erasure", "expiry"]


def removals(store: FileStore, log_id: bytes, log: LogHoldings) -> tuple[Removal, ...]:
    """All that is removed already and all that is to be, ascending by index and slot."""
    events = [file for file in log.files() if file.role == EVENTS]
    destroyed = _destroyed(store, log_id, log, events)
    before = {(each.index, each.slot): each for each in log.removed()}
    if destroyed:
        for file in events:
            rows = read_rows(store, [file], (0, log.size), log_id, list(COLUMNS))
            for content in contents_under(rows, destroyed):
                by = min(destroyed[scope_id] for scope_id in content.scope_ids)
                before.setdefault((content.index, content.slot), Removal(content.index, content.slot, by[1]))
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
