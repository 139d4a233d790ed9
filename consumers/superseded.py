"""Removing contents files that no current placement or round needs any more.

A placement that drops erased contents leaves the files it replaces where they are, and the ciphertexts in them. They go
when nobody reads them any more: a file is superseded when all its rows stand in other files, and was so at every round
sealed before a grace period. Whoever began to read before then has had that long; a reader that comes too late is told
that the file is gone and looks again.

What is removed is named by rounds and placements for ever. `verify` takes such a file as optional: if it is there, it
must be what was named; if not, its rows stand elsewhere, where they are verified. So nothing that is proven is lost.

Events files stay: they hold no content, and a sealer's id index is made from them.
"""

from __future__ import annotations

from collections.abc import Callable

from ledger.segments.history import History
from ledger.segments.holdings import Holdings
from ledger.segments.objects import FileStore
from ledger.segments.round import CONTENTS
from ledger.trust import TrustedKeys


def superseded(store: FileStore, partition: int, keys: TrustedKeys, before_us: int) -> list[str]:
    """Contents files of a partition that are there, and that no round sealed at or after `before_us` needs, sorted."""
    history = History(store, partition, keys)
    holdings = Holdings(history)
    named: set[str] = set()
    needed: set[str] = set()
    settled = False
    for sealed in history.follow(holdings.state):
        if not settled and sealed.round.sealed_at_us > before_us:
            settled, needed = True, _needed(holdings)
        holdings.take(sealed)
        if not settled:
            named |= {file.name for file in sealed.round.files if file.role == CONTENTS}
            for _, placement in sealed.placements:
                named |= {file.name for file in placement.files if file.role == CONTENTS}
    history.check_contiguous()
    return sorted(name for name in named - needed - _needed(holdings) if store.exists(name))


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
