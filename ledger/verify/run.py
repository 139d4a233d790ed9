"""The whole of a verification: see `ledger.verify`."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from ledger.errors import IntegrityError, Misconfigured
from ledger.segments.history import History
from ledger.segments.names import partition_folder
from ledger.segments.objects import FileStore
from ledger.segments.state import PartitionState
from ledger.tenants import PARTITIONS_MAX, log_origin, rounds_origin
from ledger.trust import TrustedKeys
from ledger.verify.awaited import Awaited
from ledger.verify.files import Files
from ledger.verify.first_rows import first_rows
from ledger.verify.job import Job
from ledger.verify.outside import BEFORE, expect_receipts
from ledger.verify.partition import PartitionPass
from ledger.verify.report import (
    DEPTHS,
    FINDINGS_MAX,
    Collector,
    Depth,
    Head,
    ProgressCallback,
    Report,
)
from ledger.verify.scratch import MEMORY_BYTES_MAX, Scratch
from ledger.verify.since import Since

THREADS_MAX = 4


def verify(
    store: FileStore,
    trust: TrustedKeys,
    *,
    partitions: int | None = None,
    depth: Depth = "full",
    since: str | None = None,
    receipts: bytes | None = None,
    tenant_log: bytes | None = None,
    now_us: int | None = None,
    progress: ProgressCallback | None = None,
    findings_max: int = FINDINGS_MAX,
    scratch_folder: Path | None = None,
    scratch_memory_bytes_max: int = MEMORY_BYTES_MAX,
) -> Report:
    """Verifies a ledger, and never changes anything.

    - `partitions`: how many the ledger has; None: those the trusted logs name and those there are.
    - `since`: the text of a signed checkpoint kept elsewhere, of a tenant's log or of a partition's rounds.
    - `receipts`: signed receipts kept elsewhere, each behind its length as u64 big-endian. Their events are looked for
      among the leaves, so depth `files` becomes `leaves`.
    - `tenant_log`: the id of the one log to look into. All rounds of its partition are followed all the same.
    - `now_us`: the time sealing delays are held against, Unix microseconds; None: this machine's clock.

    What is wrong is in the report. Raises `Misconfigured` for arguments that mean nothing.
    """
    if depth not in DEPTHS:
        raise Misconfigured(f"depth: expected one of {', '.join(DEPTHS)}, got {depth!r}")
    if partitions is not None and not 1 <= partitions <= PARTITIONS_MAX:
        raise Misconfigured(f"partitions: expected 1 to {PARTITIONS_MAX}, got {partitions}")
    if receipts is not None and depth == "files":
        depth = "leaves"
    collector = Collector(findings_max)
    opened = _open_since(since, trust, collector)
    numbers = _partitions(store, trust, partitions, tenant_log, opened)
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(min(THREADS_MAX, os.cpu_count() or 1)))
        reader = stack.enter_context(ThreadPoolExecutor(1))
        job = Job(
            store=store,
            trust=trust,
            depth=depth,
            collector=collector,
            files=Files(store, collector, pool),
            scratch=stack.enter_context(Scratch(scratch_folder, scratch_memory_bytes_max)),
            awaited=Awaited(),
            since=opened,
            tenant_log=tenant_log,
            now_us=now_us if now_us is not None else time.time_ns() // 1_000,
            progress=progress,
            rounds_total=sum(len(History(store, each, trust).published()) for each in numbers),
            pool=pool,
            reader=reader,
        )
        if receipts is not None:
            expect_receipts(job, receipts)
        states = [PartitionPass(job, number).run() for number in numbers]
        job.awaited.finish(collector, job.now_us, lambda log_id, indexes: first_rows(job, numbers, log_id, indexes))
        if opened is not None:
            opened.finish(collector)
        collector.count(partitions=len(numbers))
        job.report_progress()
    return collector.report(depth, _heads(trust, states, tenant_log))


def _open_since(text: str | None, trust: TrustedKeys, collector: Collector) -> Since | None:
    if text is None:
        return None
    try:
        return Since.open(text, trust)
    except IntegrityError as error:
        collector.add(BEFORE, "checkpoint kept elsewhere", "since", str(error))
        return None


def _partitions(
    store: FileStore, trust: TrustedKeys, count: int | None, tenant_log: bytes | None, since: Since | None
) -> list[int]:
    """The partitions to verify, sorted."""
    there = {
        int(tail)
        for name in store.names_in("partitions")
        if (tail := name.removeprefix("partitions/")).isascii()
        and tail.isdigit()
        and name == partition_folder(int(tail), "").rstrip("/")
    }
    known = {log.partition for log in trust.logs} | there | set(range(count or 0))
    log = trust.log(tenant_log) if tenant_log is not None else None
    if log is not None and (since is None or since.partition is not None):
        known = {log.partition}
    if since is not None and since.partition is not None:
        known.add(since.partition)
    return sorted(known)


def _heads(trust: TrustedKeys, states: list[PartitionState], tenant_log: bytes | None) -> tuple[Head, ...]:
    heads = []
    for state in states:
        heads.append(Head(rounds_origin(trust.ledger, state.partition), state.edge.size, state.edge.root()))
        for log_id, head in state.logs.items():
            if tenant_log is None or log_id == tenant_log:
                heads.append(Head(log_origin(trust.ledger, log_id), head.size, head.edge.root()))
    return tuple(sorted(heads, key=lambda head: head.origin))
