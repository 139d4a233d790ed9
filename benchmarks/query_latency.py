"""How long a reconstruction takes at 10^5 and 10^6 events: a user's 50 events, each proven, their contents opened.

One tenant's ledger grows; users have sessions of ten requests, many sessions at a time, so that a user's events lie
apart in it. Measured in one process, as in a server: after the first question (which checks the files' digests and
makes the derived files), for users drawn at random, none asked for twice. Before and after a compaction: rows in the
rounds' files lie scattered, compacted ones side by side.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from benchmarks.corpus import requests
from benchmarks.figures import Figure
from benchmarks.ledger_at_hand import LedgerAtHand
from consumers.compaction import CompactionLimits, Compactor
from ledger.segments.objects import FileStore
from ledger.v1 import event_pb2 as pb
from query.opening import sources
from query.reading import Reading, Sources
from query.reconstruct import reconstruct
from query.story import Selector, Window

TENANT = "acme"
EVENTS_A_USER, EVENTS_A_SESSION, SESSIONS_AT_A_TIME = 50, 10, 200
CHUNK = 20_000
QUESTIONS, QUESTIONS_SCATTERED = 300, 40


def run(smoke: bool) -> Iterator[Figure]:
    """The figures."""
    sizes = (2_000,) if smoke else (100_000, 1_000_000)
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            yield from asyncio.run(_measure(Path(folder), size))


async def _measure(folder: Path, size: int) -> list[Figure]:
    ledger = LedgerAtHand(folder, [TENANT])
    await ledger.start()
    events = _events(size)
    try:
        for at in range(0, size, CHUNK):
            await ledger.append(TENANT, [next(events) for _ in range(min(CHUNK, size - at))])
            ledger.payloads.clear()
        await ledger.seal()
        figures = _questions(ledger, size, "in rounds", QUESTIONS_SCATTERED)
        Compactor(FileStore(ledger.segments), 0, ledger.trust(), CompactionLimits()).run()
        await ledger.seal()
        return figures + _questions(ledger, size, "compacted", QUESTIONS)
    finally:
        await ledger.close()


def _events(count: int) -> Iterator[pb.Event]:
    """Requests of users in sessions that run side by side."""
    dice = random.Random(5)
    users = max(count // EVENTS_A_USER, 1)
    sessions = [[f"user-{dice.randrange(users):06d}", at, 0] for at in range(SESSIONS_AT_A_TIME)]
    begun = SESSIONS_AT_A_TIME
    while True:
        for event in requests(CHUNK, seed=dice.randrange(1 << 30)):
            place = dice.randrange(len(sessions))
            user, session, told = sessions[place]
            event.actor.user.identifier = user
            event.story.session_id, event.story.correlation_id = f"session-{session}", f"case-{session}"
            sessions[place][2] = told + 1
            if told + 1 == EVENTS_A_SESSION:
                sessions[place] = [f"user-{dice.randrange(users):06d}", begun, 0]
                begun += 1
            yield event


def _questions(ledger: LedgerAtHand, size: int, how: str, count: int) -> list[Figure]:
    """Cold start, then the latency of questions."""
    began = time.perf_counter()
    found = sources(ledger._config, ledger._keys)
    _ask(found, "user-000000")
    cold_s = time.perf_counter() - began
    users = max(size // EVENTS_A_USER, 1)
    dice = random.Random(11)
    took, told = [], []
    for user in dice.sample(range(1, max(users, count + 1)), min(count, max(users - 1, 1))):
        began = time.perf_counter()
        steps = _ask(found, f"user-{user:06d}")
        if steps:
            took.append((time.perf_counter() - began) * 1_000)
            told.append(steps)
    took.sort()
    what = f"reconstruct a user of {size:,} events, {how} (about {statistics.mean(told):.0f} steps)"
    aim = "≤ 30 ms" if how == "compacted" and size >= 1_000_000 else ""
    return [
        Figure(f"{what}: p50", statistics.median(took), "ms", aim=aim),
        Figure(f"{what}: p99", took[min(len(took) - 1, int(len(took) * 0.99))], "ms"),
        Figure(f"first question of a process at {size:,} events, {how}", cold_s, "s"),
    ]


def _ask(found: Sources, user: str) -> int:
    reading = Reading(found, TENANT)
    story = reconstruct(reading, Selector("user", user), Window(), timedelta(hours=1), open_contents=True)
    if not story.proven:
        raise RuntimeError("an event is not proven")
    return len(story.steps)
