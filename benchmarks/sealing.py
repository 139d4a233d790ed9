"""Sealing and verifying: events a second for one process, bytes an event, and what many tenants cost.

The floor of sealing is what no sealer can avoid: reading the same records from the event log, one SHA-256 over their
bytes, and writing those bytes once with fsync. The floor of verifying leaves is one SHA-256 a payload.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from hashlib import sha256
from pathlib import Path

from benchmarks.corpus import requests
from benchmarks.figures import Figure
from benchmarks.ledger_at_hand import LedgerAtHand
from ledger.segments.objects import FileStore
from ledger.verify import verify


def run(smoke: bool) -> list[Figure]:
    """Seal, then verify what was sealed; then rounds of one and of many tenants."""
    figures = asyncio.run(_seal_and_verify(2_000 if smoke else 50_000))
    many = 50 if smoke else 1_000
    one = asyncio.run(_round_of(1, 1_000))
    of_many = asyncio.run(_round_of(many, 1_000))
    return [
        *figures,
        Figure("a round of 1,000 events, 1 tenant", one[0] * 1_000, "ms"),
        Figure(f"a round of 1,000 events, {many:,} tenants", of_many[0] * 1_000, "ms", one[0] * 1_000, "1 tenant"),
        Figure(f"objects of that round, {many:,} tenants", of_many[1], "objects", one[1], "1 tenant", "1"),
    ]


async def _seal_and_verify(count: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        ledger = LedgerAtHand(Path(folder), tenants=["acme"])
        await ledger.start()
        try:
            await ledger.append("acme", requests(count))
            floor = await _floor(ledger, Path(folder) / "floor")
            began = time.perf_counter()
            outcomes = await ledger.seal()
            rate = count / (time.perf_counter() - began)
            written = sum(outcome.bytes for outcome in outcomes)
            figures = [
                Figure("seal, embedded log", rate, "events/s", floor, "read + SHA-256 + write", "≥ 50,000 events/s"),
                Figure("bytes an event in segments", written / count, "bytes"),
            ]
            hashing = _hashing(ledger.payloads)
            trust = ledger.trust()
            for depth in ("files", "leaves", "full"):
                began = time.perf_counter()
                report = verify(FileStore(ledger.segments), trust, depth=depth)  # type: ignore[arg-type]
                seconds = time.perf_counter() - began
                if not report.passed:
                    raise RuntimeError(f"verify --{depth} found: {report.findings[0]}")
                aim = "≥ 300,000 leaves/s" if depth == "leaves" else ""
                figures.append(
                    Figure(f"verify --{depth}", count / seconds, "events/s", hashing, "SHA-256 a payload", aim)
                )
            return figures
        finally:
            await ledger.close()


async def _floor(ledger: LedgerAtHand, target: Path) -> float:
    store = FileStore(target)
    began = time.perf_counter()
    at = total = 0
    end = (await ledger.log.bounds(0)).end
    while at < end:
        records = await ledger.log.read(0, at, records_max=50_000, bytes_max=64 << 20, wait_s=0)
        data = b"".join([each.record.value for each in records])
        sha256(data)
        store.put(f"floor/{at}", data)
        at = records[-1].offset + 1
        total += len(records)
    return total / (time.perf_counter() - began)


def _hashing(payloads: list[bytes]) -> float:
    began = time.perf_counter()
    for payload in payloads:
        sha256(b"\x00" + payload).digest()
    return len(payloads) / (time.perf_counter() - began)


async def _round_of(tenants: int, count: int) -> tuple[float, int]:
    """Seconds and objects of one round of `count` events over that many tenants."""
    names = [f"tenant-{at}" for at in range(tenants)]
    with tempfile.TemporaryDirectory() as folder:
        ledger = LedgerAtHand(Path(folder), tenants=names)
        await ledger.start()
        try:
            events = requests(count)
            for at, name in enumerate(names):
                await ledger.append(name, events[at::tenants])
            before = len(FileStore(ledger.segments).walk())
            began = time.perf_counter()
            outcomes = await ledger.seal()
            seconds = time.perf_counter() - began
            objects = len(FileStore(ledger.segments).walk()) - before
            return seconds / len(outcomes), objects // len(outcomes)
        finally:
            await ledger.close()
