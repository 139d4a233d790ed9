"""What one verification works with, in all its parts."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

from ledger.newest_rounds import NewestRound
from ledger.segments.objects import FileStore
from ledger.trust import TrustedKeys
from ledger.verify.awaited import Awaited
from ledger.verify.files import Files
from ledger.verify.report import Collector, Depth, Progress, ProgressCallback
from ledger.verify.scratch import Scratch
from ledger.verify.since import Since


@dataclass(frozen=True, slots=True)
class Job:
    """`tenant_logs`: look at these logs' rows only. `now_us`: Unix microseconds, what sealing delays are held against.

    `remembered`: what the ledger remembers of its newest rounds. `begun`: any partition has rounds.

    `pool` has threads for what lets go of the interpreter (hashing files, signatures), `reader` one to read ahead.
    """

    store: FileStore
    trust: TrustedKeys
    depth: Depth
    collector: Collector
    files: Files
    scratch: Scratch
    awaited: Awaited
    since: Since | None
    remembered: Mapping[int, NewestRound]
    begun: bool
    tenant_logs: frozenset[bytes] | None
    now_us: int
    progress: ProgressCallback | None
    rounds_total: int
    pool: Executor
    reader: Executor

    def concerns(self, log_id: bytes) -> bool:
        """Whether this log's rows are to be looked at."""
        return self.tenant_logs is None or log_id in self.tenant_logs

    def report_progress(self) -> None:
        """Tells the caller how far it is."""
        if self.progress is not None:
            counted = self.collector.counted
            self.progress(Progress(counted("rounds"), self.rounds_total, counted("events"), counted("bytes")))
