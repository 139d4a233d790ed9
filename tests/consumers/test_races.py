"""Several who seal or compact one partition at once: one wins each number, nothing is overwritten or doubled."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.compaction import CompactionLimits, Compactor
from consumers.id_index import IdIndex
from consumers.publication import Fenced
from consumers.sealer import PartitionSealer, RoundOutcome, SealerLimits
from ledger.errors import Unavailable
from tests.consumers.sealed import SealedLedger, sealed_in, unnamed
from tests.ledger.log.conformance import ROOT
from tests.small_ledger import SmallLedger, request

FULL = os.environ.get("LEDGER_CAMPAIGN") == "full"
TURNS = 60 if FULL else 6
TIMEOUT_S = 120
ORPHANS = ("events", "contents", "statements", "placements")


def check(small: SmallLedger, sent: list[bytes]) -> SealedLedger:
    """Every event once and in order; what no round names is orphans; no draft is left."""
    found = sealed_in(small)
    assert found.ids(small.tenant_log("acme").log_id) == sent
    assert {name.split("/")[2] for name in unnamed(small, found)} <= set(ORPHANS)
    assert small.store.leftovers() == []
    return found


async def test_of_two_tasks_one_wins_each_number(small: SmallLedger) -> None:
    """Both lay out the same stretch at the same time; one publishes, the other is fenced, and goes on when reopened."""
    sealers = [small.sealer(), small.sealer()]
    for sealer in sealers:
        await sealer.open()
    sent: list[bytes] = []
    for turn in range(TURNS):
        events = [request(text=f"{turn}-{at}") for at in range(3)]
        sent += [event.event_id for event in events]
        await small.publish("acme", *events)
        before = {name: small.store.read(name) for name in small.store.walk()}
        results = await asyncio.gather(*(sealer.seal_once(wait_s=0) for sealer in sealers), return_exceptions=True)
        won = [each for each in results if isinstance(each, RoundOutcome)]
        lost = [each for each in results if isinstance(each, Fenced)]
        assert (len(won), len(lost)) == (1, 1), results
        assert won[0].number == turn
        assert {name: small.store.read(name) for name in before} == before
        await sealers[results.index(lost[0])].open()
    found = check(small, sent)
    assert len(found.rounds) == TURNS


async def test_a_sealer_that_slept_through_rounds_publishes_nothing(small: SmallLedger) -> None:
    """One that wakes up with a stretch laid out long ago meets the taken number and stops."""
    sleeper = small.sealer()
    await sleeper.open()
    sent = []
    for turn in range(3):
        event = request(text=str(turn))
        sent.append(event.event_id)
        await small.publish("acme", event)
        await small.seal()
    with pytest.raises(Fenced):
        await sleeper.seal_once(wait_s=0)
    with pytest.raises(Fenced):
        await sleeper.seal_once(wait_s=0)
    assert len(check(small, sent).rounds) == 3


async def test_heartbeats_race_as_rounds_do(small: SmallLedger) -> None:
    """Two idle sealers do not both beat under one number."""
    small.limits = SealerLimits(round_age_ms=0, heartbeat_s=0)
    sealers = [small.sealer(), small.sealer()]
    for sealer in sealers:
        await sealer.open()
    results = await asyncio.gather(*(sealer.seal_once(wait_s=0) for sealer in sealers), return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == ["Fenced", "RoundOutcome"]
    assert len(sealed_in(small).rounds) == 1


async def test_indexes_in_one_folder_stay_right(small: SmallLedger) -> None:
    """Two sealers that share the folder of derived files may cost each other time, never an event."""
    events = [request(text=str(number)) for number in range(24)]
    sealers = [small.sealer(), small.sealer()]
    for sealer in sealers:
        await sealer.open()

    async def one_turn(sealer: PartitionSealer) -> None:
        try:
            await sealer.seal_once(wait_s=0)
        except (Fenced, Unavailable):
            await sealer.open()

    for event in events:
        await small.publish("acme", event)
        await small.publish("acme", events[0])
        await asyncio.gather(*map(one_turn, sealers))
    await small.seal()
    found = check(small, [event.event_id for event in events])
    assert len(found.repeats(small.tenant_log("acme").log_id)) == len(events)
    assert IdIndex(small.folder / "derived" / "ids-0000").covered <= len(found.rounds)


class Racer:
    """A process of its own that seals when it is told to."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.consumers.crash_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            bufsize=0,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )

    def prepare(self, action: str, folder: Path) -> None:
        """Makes it ready at the start."""
        self.say(f"{action} {folder}")
        assert self.hear().startswith("READY")

    def say(self, line: str) -> None:
        """A line to it."""
        if self._process.stdin is None:
            raise RuntimeError("no standard input")
        self._process.stdin.write(line.encode() + b"\n")

    def hear(self) -> str:
        """A line from it."""
        if self._process.stdout is None:
            raise RuntimeError("no standard output")
        return self._process.stdout.readline().decode().rstrip("\n")

    def finish(self) -> list[str]:
        """All it says until it ends."""
        said: list[str] = []
        while not (line := self.hear()).startswith("EXIT "):
            assert line, f"the process died; it had said {said}"
            said.append(line)
        assert line == "EXIT 0", said
        return said

    def close(self) -> None:
        """Ends it."""
        self._process.communicate(timeout=TIMEOUT_S)


@pytest.fixture(scope="module")
def racers() -> Iterator[list[Racer]]:
    """Two processes."""
    made = [Racer(), Racer()]
    yield made
    for racer in made:
        racer.close()


async def run(racers: list[Racer], actions: list[str], folder: Path) -> list[list[str]]:
    """Lets them go at the same moment."""
    for racer, action in zip(racers, actions, strict=True):
        await asyncio.to_thread(racer.prepare, action, folder)
    for racer in racers:
        racer.say("go")
    return [await asyncio.to_thread(racer.finish) for racer in racers]


def rounds_of(said: list[str]) -> list[int]:
    """The numbers of the rounds that a process published."""
    return [int(line.split()[1]) for line in said if line.startswith("ROUND")]


async def test_of_two_processes_one_wins_each_number(small: SmallLedger, racers: list[Racer]) -> None:
    """Two sealers on one backlog share its rounds out between them: each number once, each event once."""
    sent: list[bytes] = []
    fenced = 0
    for turn in range(20 if FULL else 2):
        for at in range(8):
            event = request(text=f"{turn}-{at}")
            sent.append(event.event_id)
            await small.publish("acme", event)
        first = len(small.store.names_in("partitions/0000/rounds"))
        said = await run(racers, ["race", "race"], small.folder)
        assert not any(line.startswith(("RAW", "INTEGRITY")) for lines in said for line in lines), said
        published = [rounds_of(lines) for lines in said]
        numbers = sorted(published[0] + published[1])
        assert len(set(numbers)) == len(numbers)
        # A round whose publisher then met a full disk or a rival's derived files is published all the same.
        assert set(numbers) <= set(range(first, first + 8))
        assert len(small.store.names_in("partitions/0000/rounds")) == first + 8
        fenced += sum(lines.count("FENCED") for lines in said)
    check(small, sent)
    assert fenced, "the two never met: nothing was tested"


async def test_a_sealer_and_a_compactor_work_on_one_log(small: SmallLedger, racers: list[Racer]) -> None:
    """While one process compacts, another seals what comes and commits what it finds proposed: no row is lost."""
    early = request(text="early")
    await small.publish("acme", early)
    await small.seal()
    sent = [early.event_id]
    for turn in range(10 if FULL else 2):
        for at in range(8):
            event = request("mia" if at % 2 else "bob", text=f"{turn}-{at}")
            sent.append(event.event_id)
            await small.publish("acme", event)
        said = await run(racers, ["race", "compact"], small.folder)
        assert not any(line.startswith(("RAW", "INTEGRITY")) for lines in said for line in lines), said
    await small.seal()
    found = check(small, sent)
    assert sum(len(sealed.placements) for sealed in found.rounds) >= 2


async def test_compaction_during_rounds_in_one_process(small: SmallLedger) -> None:
    """A compactor that runs all the time beside a sealer changes nothing of what is sealed."""
    sent: list[bytes] = []
    sealer = small.sealer()
    await sealer.open()
    done = False

    async def keep_compacting() -> int:
        proposed = 0
        while not done:
            compactor = Compactor(small.store, 0, small.trust(), CompactionLimits(rows_max=5))
            proposed += len(await asyncio.to_thread(compactor.run))
            await asyncio.sleep(0)
        return proposed

    compacting = asyncio.create_task(keep_compacting())
    for turn in range(TURNS * 2):
        event = request("mia" if turn % 2 else "bob", text=str(turn))
        sent.append(event.event_id)
        await small.publish("acme", event)
        await sealer.seal_once(wait_s=0)
    done = True
    assert await compacting >= 1
    await small.seal()
    check(small, sent)


async def test_two_compactors_propose_and_one_is_taken(small: SmallLedger) -> None:
    """Two compactors with different file sizes at once: a round takes one of their placements, all rows stay."""
    sent = []
    for turn in range(4):
        event = request(text=str(turn))
        sent.append(event.event_id)
        await small.publish("acme", event)
        await small.seal()
    compactors = [Compactor(small.store, 0, small.trust(), CompactionLimits(rows_max=size)) for size in (2, 3)]
    await asyncio.gather(*(asyncio.to_thread(compactor.run) for compactor in compactors))
    assert [outcome.placements for outcome in await small.seal()] == [1]
    check(small, sent)
