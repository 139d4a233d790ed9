"""From the published rounds to a sealer's state: the partition's state, and the id index brought up to it.

The index is derived; the rounds it does not cover are read again from their events files, whose digests are checked.

Rounds that were lost must not have their numbers signed a second time. What the key store remembers of the newest
round halts the partition, and so does an index that covers rounds which are not there: it is written after they were
published.
"""

from __future__ import annotations

import numpy as np

from consumers.admission import fixed_column
from consumers.id_index import SEEN, IdIndex, SeenRows
from ledger.errors import IntegrityError
from ledger.newest_rounds import NewestRound
from ledger.segments.history import History, SealedRound
from ledger.segments.objects import FileStore
from ledger.segments.round import EVENTS
from ledger.segments.rows import check_bytes, from_parquet
from ledger.segments.state import PartitionState

_COLUMNS = ["log_id", "index", "leaf_hash", "event_id", "submission_digest", "submission_key_id"]


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
    for sealed in history.follow(state):
        newest = sealed
        if remembered is not None:
            remembered.check_same(history.partition, sealed.round.number, state.previous)
        if sealed.round.number >= index.covered:
            index.add(sealed.round.number, _identities(sealed, store))
    return newest


def _identities(sealed: SealedRound, store: FileStore) -> SeenRows:
    file = sealed.round.file(EVENTS)
    if file is None:
        return no_identities()
    data = store.read(file.name)
    check_bytes(data, file.sha256, file.name)
    table = from_parquet(data, file.name, _COLUMNS)
    seen = np.zeros(table.num_rows, SEEN)
    seen["log"] = np.ascontiguousarray(fixed_column(table["log_id"], 32)[:, :16]).view("V16").ravel()
    seen["index"] = table["index"].to_numpy()
    for name, column in (("leaf", "leaf_hash"), ("digest", "submission_digest"), ("key_id", "submission_key_id")):
        seen[name] = fixed_column(table[column], 32).view("V32").ravel()
    return SeenRows(fixed_column(table["event_id"], 16), seen)


def no_identities() -> SeenRows:
    """What a round without events adds."""
    return SeenRows(np.empty((0, 16), np.uint8), np.empty(0, SEEN))
