"""From the published rounds to a sealer's state: the partition's state, and the id index brought up to it.

The index is derived; the rounds it does not cover are read again from their events files, whose digests are checked.
Where such a file is gone, because it held rows of a deleted log, the rows of the other logs are read from the files of
their placements (`consumers.moved_rows`). What a deleted log held is not remembered.

Rounds that were lost must not have their numbers signed a second time. What the key store remembers of the newest
round halts the partition, and so does an index that covers rounds which are not there: it is written after they were
published.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from consumers.admission import fixed_column
from consumers.id_index import SEEN, IdIndex, SeenRows
from consumers.moved_rows import MovedRows
from ledger.errors import IntegrityError
from ledger.newest_rounds import NewestRound
from ledger.segments.history import History, SealedRound
from ledger.segments.holdings import Holdings
from ledger.segments.objects import FileStore
from ledger.segments.round import EVENTS
from ledger.segments.rows import check_bytes, from_parquet
from ledger.segments.state import PartitionState

COLUMNS = ["log_id", "index", "leaf_hash", "event_id", "submission_digest", "submission_key_id"]


def catch_up(
    history: History, state: PartitionState, store: FileStore, index: IdIndex, remembered: NewestRound | None
) -> SealedRound | None:
    """Applies every published round to `state` and brings `index` up to the newest, which is returned."""
    newest = None
    published = history.check_contiguous()
    if remembered is not None:
        remembered.check_there(history.partition, published)
    if index.covered > published:
        raise IntegrityError(
            f"partition {history.partition}: {published} rounds are there, but the id index was written after round "
            f"{index.covered - 1} was published: the newest rounds were lost. Put them back; no number is signed twice"
        )
    holdings = Holdings(history, state)
    owed: list[SealedRound] = []
    for sealed in history.follow(state):
        newest = sealed
        if remembered is not None:
            remembered.check_same(history.partition, sealed.round.number, state.previous)
        holdings.take(sealed)
        if sealed.round.number < index.covered:
            continue
        file = sealed.round.file(EVENTS)
        if owed or (file is not None and not store.exists(file.name)):
            owed.append(sealed)  # where the rows stand now is known when all rounds were seen
        else:
            index.add(sealed.round.number, _identities(sealed, store))
    moved = MovedRows(store, holdings, COLUMNS)
    for sealed in owed:
        file = sealed.round.file(EVENTS)
        whole = file is None or store.exists(file.name)
        rows = _identities(sealed, store) if whole else seen_in(moved.of_round(sealed))
        index.add(sealed.round.number, rows)
    return newest


def _identities(sealed: SealedRound, store: FileStore) -> SeenRows:
    file = sealed.round.file(EVENTS)
    if file is None:
        return no_identities()
    data = store.read(file.name)
    check_bytes(data, file.sha256, file.name)
    return seen_in(from_parquet(data, file.name, COLUMNS))


def seen_in(table: pa.Table | None) -> SeenRows:
    """What the id index keeps of some rows."""
    if table is None or not table.num_rows:
        return no_identities()
    seen = np.zeros(table.num_rows, SEEN)
    seen["log"] = np.ascontiguousarray(fixed_column(table["log_id"], 32)[:, :16]).view("V16").ravel()
    seen["index"] = table["index"].to_numpy()
    for name, column in (("leaf", "leaf_hash"), ("digest", "submission_digest"), ("key_id", "submission_key_id")):
        seen[name] = fixed_column(table[column], 32).view("V32").ravel()
    return SeenRows(fixed_column(table["event_id"], 16), seen)


def no_identities() -> SeenRows:
    """What a round without events adds."""
    return SeenRows(np.empty((0, 16), np.uint8), np.empty(0, SEEN))
