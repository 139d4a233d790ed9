"""Waiting until something is sealed, for whoever may read the published rounds but not sign them.

A position (partition, next offset) is sealed once a published round's `next_offset` has reached it. The answer is the
checkpoint that the sealer signed after the newest round of the log.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from ledger.errors import Rejected
from ledger.gateway.sealed import Position
from ledger.segments.checkpoints import read_checkpoints
from ledger.segments.history import History
from ledger.segments.objects import FileStore
from ledger.segments.state import PartitionState
from ledger.tenants import Tenant
from ledger.trust import TrustedKeys

POLL_S = 0.02


class SealedRounds:
    """Follows the rounds of the partitions it is asked about."""

    def __init__(
        self, store: FileStore, trust: Callable[[], TrustedKeys], find_tenant: Callable[[str], Tenant | None]
    ) -> None:
        self._store = store
        self._trust = trust
        self._find_tenant = find_tenant
        self._states: dict[int, PartitionState] = {}
        self._following = asyncio.Lock()

    async def await_sealed(self, tenant: str, positions: Sequence[Position], deadline_s: float) -> list[str]:
        """See `SealedView.await_sealed`."""
        until = time.monotonic() + deadline_s
        found = self._find_tenant(tenant)
        if found is None:
            raise Rejected("tenant", "is unknown")
        while True:
            partitions = {log.partition for log in found.logs} | {position.partition for position in positions}
            async with self._following:
                for partition in partitions:
                    await asyncio.to_thread(self._follow, partition)
            if all(self._states[each.partition].next_offset >= each.next_offset for each in positions):
                checkpoints = await asyncio.to_thread(self._checkpoints, found)
                if checkpoints is not None:
                    return checkpoints
            if time.monotonic() >= until:
                raise TimeoutError("not sealed yet: is a sealer running?")
            await asyncio.sleep(POLL_S)

    def _follow(self, partition: int) -> None:
        state = self._states.setdefault(partition, PartitionState(partition))
        for _ in History(self._store, partition, self._trust()).follow(state):
            pass

    def _checkpoints(self, tenant: Tenant) -> list[str] | None:
        """None while the sealer has not signed them yet."""
        notes = []
        for log in tenant.logs:
            state = self._states[log.partition]
            if log.log_id not in state.logs:
                continue
            note = read_checkpoints(self._store, log.partition, state.head(log.log_id).round).get(log.origin)
            if note is None:
                return None
            notes.append(note)
        return notes
