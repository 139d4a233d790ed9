"""How long a reconstruction takes at 10^5 and 10^6 events: a user's 50 events, each proven, their contents opened.

Measured in one process, as in a server: after the first question (which checks the files' digests and makes the derived
files), for users drawn at random, none asked for twice. Before and after a compaction: rows in the rounds' files lie
scattered, compacted ones side by side. Beside the time on the clock stands the processor time, since machines are
shared.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.large_ledger import EVENTS_A_USER, TENANT, LargeLedger
from query.opening import sources
from query.reading import Reading, Sources
from query.reconstruct import reconstruct
from query.story import Selector, Window

QUESTIONS = 300


def run(smoke: bool) -> Iterator[Figure]:
    """The figures."""
    for size in (5_000,) if smoke else (100_000, 1_000_000):
        with tempfile.TemporaryDirectory() as folder:
            yield from measure(Path(folder), size)


def measure(folder: Path, size: int) -> Iterator[Figure]:
    """One ledger of this size, before and after its compaction."""
    users = max(size // EVENTS_A_USER, 1)
    asked = random.Random(11).sample(range(users), min(QUESTIONS, users))
    ledger = LargeLedger(folder, size, asked)
    try:
        ledger.fill()
        yield from _questions(ledger, "in rounds")
        ledger.compact()
        yield from _questions(ledger, "compacted")
    finally:
        ledger.close()


def _questions(ledger: LargeLedger, how: str) -> Iterator[Figure]:
    """The first question of a process, then all others."""
    began = time.perf_counter()
    found = sources(ledger.config, ledger.keys)
    first, *others = ledger.asked
    _ask(found, first)
    yield Figure(f"first question of a process, {ledger.size:,} events {how}", time.perf_counter() - began, "s")
    wall_ms, processor_ms, steps = [], [], []
    for user in others:
        took_ms, used_ms, told = _measured(lambda: _ask(found, user))  # noqa: B023 - called at once
        if told:
            wall_ms.append(took_ms)
            processor_ms.append(used_ms)
            steps.append(told)
    what = f"reconstruct one user ({statistics.mean(steps):.0f} events) of {ledger.size:,} {how}"
    aim = "≤ 30 ms" if how == "compacted" else ""
    yield Figure(f"{what}: p50", statistics.median(wall_ms), "ms", aim=aim)
    yield Figure(f"{what}: p99", sorted(wall_ms)[int(len(wall_ms) * 0.99)], "ms")
    yield Figure(f"{what}: processor time, p50", statistics.median(processor_ms), "ms")


def _measured(work: Callable[[], int]) -> tuple[float, float, int]:
    began, used = time.perf_counter(), time.process_time()
    told = work()
    return (time.perf_counter() - began) * 1_000, (time.process_time() - used) * 1_000, told


def _ask(found: Sources, user: int) -> int:
    reading = Reading(found, TENANT)
    selector = Selector("user", f"user-{user:06d}")
    story = reconstruct(reading, selector, Window(), timedelta(hours=1), open_contents=True)
    closed = [content for step in story.steps for content in step.events[0].contents if content.data is None]
    if not story.proven or closed:
        raise RuntimeError("an event is not proven, or a content did not open")
    return len(story.steps)
