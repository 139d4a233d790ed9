"""The signed checkpoints of the logs that an answer stands on.

The sealer signs them from published rounds, one file a round (`ledger.segments.checkpoints`): a log's newest stands
with the round that last added to it. The file is derived: it can be missing for a moment, or damaged. So a few rounds
back are looked at too, each note is verified with the ledger's keys, and its size compared with what the rounds say;
one that does not hold is left out. An answer's proofs do not rest on it: they are checked against the signed rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ledger.errors import IntegrityError
from ledger.segments.checkpoints import read_checkpoints
from ledger.segments.objects import ObjectStore
from ledger.tenants import TenantLog
from ledger.tlog.checkpoint import Checkpoint, open_checkpoint
from ledger.trust import TrustedKeys
from query.evidence import moment
from query.log_view import LogView
from query.story import SignedCheckpoint
from query.view import Snapshot

ROUNDS_BACK_MAX = 32


class CheckpointReader:
    """Reads signed checkpoints of one store."""

    def __init__(self, store: ObjectStore, trust: Callable[[], TrustedKeys]) -> None:
        self._store = store
        self._trust = trust

    def newest(self, snapshot: Snapshot, log: TenantLog, least_size: int = 0) -> tuple[Checkpoint, str] | None:
        """A log's newest checkpoint of at least `least_size` leaves, with its note; None when there is none."""
        view = snapshot.log(log.log_id, log.partition)
        for number in view.rounds_back(ROUNDS_BACK_MAX):
            size = view.first_index_of_round(number + 1)
            if size < least_size:
                return None
            found = self._open(view, number, log.origin, snapshot.sealed_at_us_of_round(view.partition, number))
            if found is not None and found[0].size == size and (size != view.size or found[0].root == view.root):
                return found
        return None

    def of(self, snapshot: Snapshot, logs: Iterable[TenantLog]) -> tuple[SignedCheckpoint, ...]:
        """The newest checkpoint of each log that holds something; as the rounds state it where no note is found."""
        found = []
        for log in sorted(set(logs), key=lambda each: each.origin):
            view = snapshot.log(log.log_id, log.partition)
            signed = self.newest(snapshot, log)
            if signed is not None:
                found.append(SignedCheckpoint(log.origin, signed[0].size, signed[0].root, signed[1]))
            elif view.size:
                found.append(SignedCheckpoint(log.origin, view.size, view.root, None))
        return tuple(found)

    def _open(self, view: LogView, number: int, origin: str, sealed_at_us: int) -> tuple[Checkpoint, str] | None:
        try:
            note = read_checkpoints(self._store, view.partition, number).get(origin)
            keys = self._trust().verifiers("ledger", origin, moment(sealed_at_us)) if note is not None else ()
        except IntegrityError:
            return None
        for key in keys:
            try:
                return open_checkpoint(note or "", key), note or ""
            except IntegrityError:
                continue
        return None
