"""Placements that a compactor proposes, until a round commits them.

A proposal is an empty object `partitions/<pppp>/proposals/<digest>` beside the placement it names. The sealer takes a
proposal only after it has checked it as `ledger.segments.placement` demands: descent, size, and that its new files hold
exactly the rows and contents of the files they replace. At most one placement of a log goes into a round. A deletion is
proposed in the same way; the ledger's signature under its final statement is the order to delete.

A proposal that was committed or can never be (another one was faster) is settled: its marker is removed. One that fails
the check is left for fsck to name, and never taken.
"""

from __future__ import annotations

import re

from consumers.placement_check import check_placement
from ledger.errors import IntegrityError
from ledger.segments import names
from ledger.segments.history import History
from ledger.segments.holdings import Holdings
from ledger.segments.objects import FileStore
from ledger.segments.placement import Placement
from ledger.segments.state import PartitionState
from ledger.trust import TrustedKeys

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Proposals:
    """The open proposals of one partition."""

    def __init__(self, store: FileStore, partition: int) -> None:
        self._store = store
        self._partition = partition
        self._refused: set[bytes] = set()

    def propose(self, digest: bytes) -> None:
        """Marks a placement that is already written as proposed."""
        self._store.put(names.proposal_name(self._partition, digest), b"")

    def pending(self) -> list[bytes]:
        """The digests proposed, sorted; what is no digest is passed over."""
        found = self._store.names_in(names.partition_folder(self._partition, "proposals"))
        markers = (_DIGEST.fullmatch(name.rsplit("/", 1)[1]) for name in found)
        return [bytes.fromhex(marker[0]) for marker in markers if marker is not None]

    def acceptable(self, state: PartitionState, keys: TrustedKeys) -> tuple[tuple[bytes, Placement], ...]:
        """Those that may stand in the next round."""
        pending = [digest for digest in self.pending() if digest not in self._refused]
        if not pending:
            return ()
        history = History(self._store, self._partition, keys)
        holdings = Holdings(history)
        holdings.refresh()
        accepted: dict[bytes, tuple[bytes, Placement]] = {}
        for digest in pending:
            try:
                placement = history.placement(digest)
            except IntegrityError:
                self._refused.add(digest)
                continue
            head = state.head(placement.log_id)
            if placement.sequence_number <= head.placement_number:
                self._store.remove(names.proposal_name(self._partition, digest))
                continue
            if placement.log_id in accepted:
                continue
            try:
                state.copy().apply_placement(placement, digest)
                if not placement.is_deletion:
                    check_placement(self._store, holdings.logs[placement.log_id], placement)
            except (IntegrityError, KeyError):
                self._refused.add(digest)
                continue
            accepted[placement.log_id] = (digest, placement)
        return tuple(accepted.values())

    def settle(self, committed: tuple[tuple[bytes, Placement], ...]) -> None:
        """Removes the markers of what a round just committed."""
        for digest, _ in committed:
            self._store.remove(names.proposal_name(self._partition, digest))
