"""Removing files that no current placement or round needs any more.

A placement that drops erased contents leaves the files it replaces where they are, and the ciphertexts in them. They go
when nobody reads them any more: a file is superseded when all its rows stand in other files, or nowhere, and was so at
every round sealed before a grace period. Whoever began to read before then has had that long; a reader that comes too
late is told that the file is gone and looks again.

What is removed is named by rounds and placements for ever. `verify` takes such a file as optional: if it is there, it
must be what was named; if not, its rows stand elsewhere, where they are verified, or are those of a deleted log. So
nothing that is proven is lost.

Events files stay, for they hold no content; but for those that hold rows of a deleted log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from ledger.segments.history import History
from ledger.segments.holdings import Holdings
from ledger.segments.objects import FileStore
from ledger.segments.round import CONTENTS, EVENTS
from ledger.trust import TrustedKeys


def superseded(store: FileStore, partition: int, keys: TrustedKeys, before_us: int) -> list[str]:
    """Files of a partition that are there, may go, and that no round sealed at or after `before_us` needs; sorted."""
    history = History(store, partition, keys)
    holdings = Holdings(history)
    contents: set[str] = set()
    placed_events: defaultdict[bytes, set[str]] = defaultdict(set)
    needed: set[str] = set()
    deleted: list[bytes] | None = None
    for sealed in history.follow(holdings.state):
        if deleted is None and sealed.round.sealed_at_us > before_us:
            deleted, needed = _deleted(holdings), _needed(holdings)
        holdings.take(sealed)
        if deleted is None:
            contents |= {file.name for file in sealed.round.files if file.role == CONTENTS}
            for _, placement in sealed.placements:
                contents |= {file.name for file in placement.files if file.role == CONTENTS}
                placed_events[placement.log_id] |= {file.name for file in placement.files if file.role == EVENTS}
    history.check_contiguous()
    events: set[str] = set()
    for log_id in _deleted(holdings) if deleted is None else deleted:
        events |= placed_events[log_id] | {each.name for each in holdings.logs[log_id].sealed if each.role == EVENTS}
    return sorted(name for name in (contents | events) - needed - _needed(holdings) if store.exists(name))


def remove_superseded(
    store: FileStore,
    partition: int,
    keys: TrustedKeys,
    before_us: int,
    on_file: Callable[[str], None] = lambda name: None,
) -> list[str]:
    """Removes them; returns their names. Can be cut off anywhere and done again."""
    found = superseded(store, partition, keys, before_us)
    for name in found:
        store.remove(name)
        on_file(name)
    return found


def _needed(holdings: Holdings) -> set[str]:
    return {file.name for log in holdings.logs.values() for file in log.files()}


def _deleted(holdings: Holdings) -> list[bytes]:
    return [log_id for log_id, log in holdings.logs.items() if log.is_deleted]
