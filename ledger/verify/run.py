"""The whole of a verification: see `ledger.verify`."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from ledger.errors import IntegrityError, Misconfigured
from ledger.newest_rounds import NewestRound
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
    remembered: Mapping[int, NewestRound] | None = None,
    tenant_logs: Collection[bytes] | None = None,
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
    - `remembered`: what the ledger's key store remembers of the newest round of each partition.
    - `tenant_logs`: the ids of the only logs to look into. All rounds of their partitions are followed all the same.
    - `now_us`: the time sealing delays are held against, Unix microseconds; None: this machine's clock.

    What is wrong is in the report. Raises `Misconfigured` for arguments that mean nothing.
    """
    _check_arguments(depth, partitions)
    if receipts is not None and depth == "files":
        depth = "leaves"
    collector = Collector(findings_max)
    opened = _open_since(since, trust, collector)
    known = _known(store, trust, partitions)
    published = {each: len(History(store, each, trust).published()) for each in known}
    chosen = None if tenant_logs is None else frozenset(tenant_logs)
    numbers = _chosen(known, trust, chosen, opened)
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(min(THREADS_MAX, os.cpu_count() or 1)))
        job = Job(
            store=store,
            trust=trust,
            depth=depth,
            collector=collector,
            files=Files(store, collector, pool),
            scratch=stack.enter_context(Scratch(scratch_folder, scratch_memory_bytes_max)),
            awaited=Awaited(),
            since=opened,
            remembered=remembered or {},
            begun=any(published.values()),
            tenant_logs=chosen,
            now_us=now_us if now_us is not None else time.time_ns() // 1_000,
            progress=progress,
            rounds_total=sum(published.get(each, 0) for each in numbers),
            pool=pool,
            reader=stack.enter_context(ThreadPoolExecutor(1)),
        )
        return _run(job, numbers, receipts)


def _run(job: Job, numbers: list[int], receipts: bytes | None) -> Report:
    collector = job.collector
    if receipts is not None:
        expect_receipts(job, receipts)
    states = [PartitionPass(job, number).run() for number in numbers]
    job.awaited.finish(collector, job.now_us, lambda log_id, indexes: first_rows(job, numbers, log_id, indexes))
    if job.since is not None:
        job.since.finish(collector)
    collector.count(partitions=len(numbers))
    job.report_progress()
    return collector.report(job.depth, _heads(job.trust, states, job.tenant_logs))


def _check_arguments(depth: str, partitions: int | None) -> None:
    if depth not in DEPTHS:
        raise Misconfigured(f"depth: expected one of {', '.join(DEPTHS)}, got {depth!r}")
    if partitions is not None and not 1 <= partitions <= PARTITIONS_MAX:
        raise Misconfigured(f"partitions: expected 1 to {PARTITIONS_MAX}, got {partitions}")


def _open_since(text: str | None, trust: TrustedKeys, collector: Collector) -> Since | None:
    if text is None:
        return None
    try:
        return Since.open(text, trust)
    except IntegrityError as error:
        collector.add(BEFORE, "checkpoint kept elsewhere", "since", str(error))
        return None


def _known(store: FileStore, trust: TrustedKeys, count: int | None) -> set[int]:
    """The partitions there should be, and those there are."""
    there = {
        int(tail)
        for name in store.names_in("partitions")
        if (tail := name.removeprefix("partitions/")).isascii()
        and tail.isdigit()
        and name == partition_folder(int(tail), "").rstrip("/")
    }
    return {log.partition for log in trust.logs} | there | set(range(count or 0))


def _chosen(
    known: set[int], trust: TrustedKeys, tenant_logs: frozenset[bytes] | None, since: Since | None
) -> list[int]:
    """The partitions to verify, sorted."""
    logs = [trust.log(log_id) for log_id in tenant_logs or ()]
    placed = {log.partition for log in logs if log is not None}
    if logs and None not in logs and (since is None or since.partition is not None):
        known = placed
    if since is not None and since.partition is not None:
        known = known | {since.partition}
    return sorted(known)


def _heads(trust: TrustedKeys, states: list[PartitionState], tenant_logs: frozenset[bytes] | None) -> tuple[Head, ...]:
    heads = []
    for state in states:
        heads.append(Head(rounds_origin(trust.ledger, state.partition), state.edge.size, state.edge.root()))
        for log_id, head in state.logs.items():
            if tenant_logs is None or log_id in tenant_logs:
                heads.append(Head(log_origin(trust.ledger, log_id), head.size, head.edge.root()))
    return tuple(sorted(heads, key=lambda head: head.origin))
