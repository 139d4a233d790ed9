"""What is not one's own is answered like what does not exist: the same status, text and, over 10,000 calls, time."""

from __future__ import annotations

import os
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from ledger.v1 import query_pb2
from tests.query.alike import TOLD, compare
from tests.query.served_roles import NOWHERE, OTHER, OWN, Served, bearer, event, publishing, served
from tests.query.test_roles import outcome

FULL = os.environ.get("LEDGER_CAMPAIGN") == "full"
CALLS = 10_000
SAMPLED_S = 12.0
"""How long each comparison may take where not the whole campaign is asked for."""

Question = Callable[[bool], tuple[str, object, UUID]]
"""Whether it is about somebody else's (or nobody's): the call, its message, and the id that the answer may name."""


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Served]:
    """With a hundred events of somebody else's."""
    async with served(tmp_path) as made:
        for each in THEIRS:
            await made.ingest("Publish", publishing(OTHER, event(each)), channel=made.setup)
        await made.seal()
        yield made


def _ids(count: int, seed: int) -> list[UUID]:
    """Event ids of one moment."""
    drawn = random.Random(seed)
    return [UUID(int=(0x01990C6E5A3C7000 << 64) | (1 << 63) | drawn.getrandbits(62)) for _ in range(count)]


THEIRS, NOBODYS = _ids(100, 1), _ids(100, 2)


def ids_by_prove(theirs: bool) -> tuple[str, object, UUID]:
    """An id in one's own tenant, of an event of another one or of none."""
    which = random.choice(THEIRS if theirs else NOBODYS)
    return "Prove", query_pb2.ProveRequest(tenant=OWN, event_id=which.bytes), which


def ids_by_reconstruct(theirs: bool) -> tuple[str, object, UUID]:
    """The same by another call."""
    which = random.choice(THEIRS if theirs else NOBODYS)
    selector = query_pb2.Selector(event_id=which.bytes)
    return "Reconstruct", query_pb2.ReconstructRequest(tenant=OWN, selector=selector, metadata_only=True), which


def tenants_by_find(theirs: bool) -> tuple[str, object, UUID]:
    """A tenant of somebody else, or none."""
    message = query_pb2.FindRequest(tenant=OTHER if theirs else NOWHERE, kinds=["request"])
    return "Find", message, UUID(int=0)


def turns(rounds: int) -> Iterator[tuple[bool, bool]]:
    """Both kinds, now one first, now the other."""
    for turn in range(rounds):
        yield (True, False) if turn % 2 else (False, True)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("ask", [ids_by_prove, ids_by_reconstruct, tenants_by_find])
async def test_anothers_is_answered_as_nobodys(ledger: Served, ask: Question) -> None:
    """Over TLS, interleaved: one status, one text but for the id that was asked for, and no median that differs."""
    investigator = bearer(ledger.key.token("investigator"))
    times: dict[bool, list[float]] = {True: [], False: []}
    said: dict[bool, set[tuple[object, str]]] = {True: set(), False: set()}

    async def call(theirs: bool) -> None:
        name, message, which = ask(theirs)
        began = time.perf_counter()
        code, text, _ = await outcome(ledger.ask(name, message, investigator))
        times[theirs].append(time.perf_counter() - began)
        said[theirs].add((code, text.replace(str(which), "ID")))

    for _ in range(200):
        await call(True)
        await call(False)
    for kept in times.values():
        kept.clear()  # the first calls open connections and fill caches
    until = time.monotonic() + (float("inf") if FULL else SAMPLED_S)
    for first, second in turns(CALLS // 2):
        await call(first)
        await call(second)
        if time.monotonic() > until:
            break
    assert said[True] == said[False]
    assert len(said[True]) == 1
    found = compare(times[True], times[False])
    print(f"{ask.__name__}: {2 * len(times[True])} calls, {found}")  # type: ignore[attr-defined]
    assert not found.differs, found
    slower = compare([each * 1.05 for each in times[True]], times[False])
    if found.is_sharp:
        assert slower.differs, "a difference of one in twenty would be seen"
    else:
        print(f"the machine is too busy to see one in twenty in {2 * len(times[True])} calls: {found}")


def test_a_systematic_difference_is_seen_and_noise_is_not() -> None:
    """The comparison itself: heavy noise, outliers, drift; alike stays alike, one in twenty is told."""
    drawn = random.Random(5)

    def noisy(count: int, factor: float = 1.0) -> list[float]:
        return [
            factor * 0.002 * drawn.lognormvariate(0, 0.4) * (50 if drawn.random() < 0.01 else 1) for _ in range(count)
        ]

    for _ in range(50):
        assert not compare(noisy(2_000), noisy(2_000)).differs
    seen = compare(noisy(5_000, 1.05), noisy(5_000))
    assert seen.differs
    assert compare(noisy(5_000), noisy(5_000)).is_sharp
    assert abs(seen.median - TOLD) < TOLD / 2
    assert not compare(noisy(5_000, 1.01), noisy(5_000)).differs


def test_ids_are_unlike() -> None:
    """Nobody's ids are nobody's."""
    assert not set(THEIRS) & set(NOBODYS)
    assert uuid4() not in THEIRS
