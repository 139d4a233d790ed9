"""Going on after the event log lost or changed what was sealed, on an operator's order.

A sealer halts when the event log no longer holds the last sealed record. What was sealed is safe; what was acknowledged
and not sealed may be gone. Nobody but a person can decide to go on, and the decision itself is evidence: a signed round
that says why. It is of kind *gap* in the rounds' own incarnation, a *new epoch* when the configuration names another.

The next round begins at the first record the event log has now: nothing in it is skipped, and what was sealed before is
recognized by its id and dropped. Receipts whose events never come are found by `verify --receipts`.
"""

from __future__ import annotations

import asyncio

from consumers.publication import Publication, Published, Stretch
from consumers.reader import StretchReader
from consumers.sealer import SealerParts, check_signer
from ledger.errors import IntegrityError, Misconfigured
from ledger.newest_rounds import NewestRound
from ledger.segments.history import History
from ledger.segments.round import GAP, NEW_EPOCH, NO_RECORD
from ledger.segments.state import PartitionState

REASON_CHARACTERS_MAX = 1_000


async def go_on(parts: SealerParts, reason: str) -> Published:
    """Publishes the round that goes on. `Misconfigured` when the sealer can go on by itself, or without a reason."""
    if not reason.strip() or len(reason) > REASON_CHARACTERS_MAX:
        raise Misconfigured(f"a reason of 1 to {REASON_CHARACTERS_MAX} characters is needed; it is signed and kept")
    partition = parts.logs.partition
    state = await asyncio.to_thread(_follow, parts)
    if not state.next_number:
        raise Misconfigured(f"partition {partition}: has no rounds yet, there is nothing to go on from")
    kind = GAP if state.incarnation == parts.incarnation else NEW_EPOCH
    if kind == GAP and await _anchored(parts, state):
        raise Misconfigured(f"partition {partition}: the event log holds the last sealed record; just seal")
    start = (await parts.log.bounds(partition)).start
    at_us = max(parts.clock_us(), state.sealed_at_us)
    check_signer(parts, at_us)
    stretch = Stretch(kind, at_us, parts.incarnation, start, start, NO_RECORD, reason.strip())
    publication = Publication(parts.store, parts.signer, row_group_rows=1)
    published = await asyncio.to_thread(publication.publish, state, None, stretch, ())
    newest = NewestRound(published.round.number, published.state.previous)
    await asyncio.to_thread(parts.newest.advance, partition, newest)
    publication.sign_checkpoints(published, parts.logs.rounds_origin, {})
    return published


def _follow(parts: SealerParts) -> PartitionState:
    partition = parts.logs.partition
    remembered = parts.newest.get(partition)
    history = History(parts.store, partition, parts.trust())
    published = history.check_contiguous()
    if remembered is not None:
        remembered.check_there(partition, published)
    state = PartitionState(partition)
    for sealed in history.follow(state):
        if remembered is not None:
            remembered.check_same(partition, sealed.round.number, state.previous)
    return state


async def _anchored(parts: SealerParts, state: PartitionState) -> bool:
    try:
        await StretchReader(parts.log, parts.logs.partition).check_anchor(state)
    except IntegrityError:
        return False
    return True
