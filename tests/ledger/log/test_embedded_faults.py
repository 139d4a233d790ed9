"""Killing and failing the embedded event log at every system call of an append.

`strace` is attached to the writer's thread, so that only its calls are counted, and makes the N-th call of a kind fail
with EIO or ENOSPC, or kills the process instead of making it. Afterwards the log is opened anew: what was acknowledged
is there where it was said to be; what was surely not appended is absent; all else is whole or absent; offsets have no
gap; the file is sound. After a failed call the same process goes on appending.

The ordinary suite walks a sample of the points; `LEDGER_CAMPAIGN=full` walks them all.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.log.embedded import EmbeddedLog
from tests.ledger.log.append_worker import RECORDS, ROUNDS
from tests.ledger.log.conformance import ROOT, batch, check_whole, read_all

pytestmark = pytest.mark.campaign

FULL = os.environ.get("LEDGER_CAMPAIGN") == "full"
SAMPLES_A_KIND = 5
TIMEOUT_S = 60

WRITING = ("pwrite64", "ftruncate", "openat", "fdatasync", "fsync")
"""Calls that a full or broken disk can refuse."""

WALKED = (*WRITING, "pread64", "unlink", "mmap", "fcntl", "close", "newfstatat", "fchown", "rename", "lseek")
"""Every call of the writer that touches a file."""

FAULTS = {"killed": "signal=KILL", "EIO": "error=EIO", "ENOSPC": "error=ENOSPC"}


@dataclass(frozen=True)
class Outcome:
    """What the worker said and what strace saw."""

    lines: tuple[str, ...]
    trace: str
    killed: bool

    @property
    def ended(self) -> bool:
        """Whether the worker came to its end."""
        return "END" in self.lines

    @property
    def injected(self) -> bool:
        """Whether the call to fail was reached."""
        return self.killed or "(INJECTED)" in self.trace

    def labels(self, word: str) -> dict[str, list[str]]:
        """The labels that got this outcome, with the rest of the line."""
        told = (line.split() for line in self.lines)
        return {parts[1]: parts[2:] for parts in told if parts[0] == word}


@pytest.fixture(scope="module")
def strace() -> str:
    """Where strace is, once it has shown that it may attach to a process here."""
    found = shutil.which("strace")
    problem = "strace is not installed" if found is None else _cannot_attach(found)
    if found is None or problem:
        if os.environ.get("CI"):
            pytest.fail(f"{problem}, and CI must not skip this")
        pytest.skip(f"{problem}: system calls cannot be made to fail")
    return found


def _cannot_attach(strace: str) -> str:
    sleeper = subprocess.Popen(["sleep", "30"])
    try:
        tried = subprocess.Popen([strace, "-p", str(sleeper.pid)], stderr=subprocess.PIPE, text=True)
        if tried.stderr is None:
            raise RuntimeError("no standard error")
        said = tried.stderr.readline()
        tried.kill()
        tried.communicate()
        return "" if "attached" in said else f"strace may not attach: {said.strip()}"
    finally:
        sleeper.kill()
        sleeper.wait()


def run_worker(strace: str, path: Path, inject: str | None) -> Outcome:
    """Let a worker append to the log at `path`, with one injected fault, or none."""
    command = [sys.executable, "-m", "tests.ledger.log.append_worker", str(path)]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True)
    if worker.stdin is None or worker.stdout is None:
        raise RuntimeError("no pipes")
    ready = worker.stdout.readline()
    trace = path.with_name("trace")
    attach = [strace, "-p", ready.split()[1], "-o", str(trace), "-e", f"trace={','.join(WALKED)}"]
    tracer = subprocess.Popen(
        attach + (["-e", f"inject={inject}"] if inject else []), stderr=subprocess.PIPE, text=True
    )
    if tracer.stderr is None:
        raise RuntimeError("no standard error")
    attached = tracer.stderr.readline()
    assert "attached" in attached, attached
    said, _ = worker.communicate("go\n", timeout=TIMEOUT_S)
    tracer.communicate(timeout=TIMEOUT_S)
    return Outcome(tuple(said.splitlines()), trace.read_text(), worker.returncode == -signal.SIGKILL)


async def check(path: Path, outcome: Outcome) -> None:
    """Hold the log against what the worker said."""
    log = EmbeddedLog(path)
    await log.start()
    found = {partition: await read_all(log, partition) for partition in (0, 1)}
    ends = {partition: (await log.bounds(partition)).end for partition in (0, 1)}
    # The log can be appended to, exactly at its end.
    for partition, end in ends.items():
        assert await log.append(partition, batch("after", 1), 20) == end
    await log.close()
    firsts: dict[str, tuple[int, int]] = {}
    for partition, records in found.items():
        assert [each.offset for each in records] == list(range(ends[partition]))
        for label, first in check_whole(records).items():
            assert label not in firsts
            firsts[label] = partition, first
        assert len(records) % RECORDS == 0
    for label, (where, said) in outcome.labels("ACK").items():
        assert firsts.get(label) == (int(where), int(said)), f"{label} was acknowledged at {said}"
    assert not set(outcome.labels("NOT")) & set(firsts)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def calls_of_an_undisturbed_run(strace: str, folder: Path) -> Counter[str]:
    """How often the writer makes each call."""
    path = folder / "log.sqlite"
    EmbeddedLog.create(path, 2)
    outcome = run_worker(strace, path, None)
    assert outcome.ended
    assert len(outcome.labels("ACK")) == 4 * ROUNDS
    asyncio.run(check(path, outcome))
    return Counter(re.findall(r"^(\w+)\(", outcome.trace, re.MULTILINE))


@pytest.fixture(scope="module")
def calls(strace: str, tmp_path_factory: pytest.TempPathFactory) -> Counter[str]:
    """How often the writer makes each call in a run that nothing disturbs."""
    return calls_of_an_undisturbed_run(strace, tmp_path_factory.mktemp("undisturbed"))


def points(calls: Counter[str], fault: str) -> list[tuple[str, int]]:
    """The calls to disturb, by name and number: all of them, or a sample spread over them."""
    names = [name for name in (WALKED if fault == "killed" else WRITING) if calls[name]]
    every = [(name, number) for name in names for number in range(1, calls[name] + 1)]
    return every if FULL else every[:: max(1, len(every) // SAMPLES_A_KIND)][:SAMPLES_A_KIND]


def test_a_run_reaches_a_sync_a_checkpoint_and_the_end(calls: Counter[str]) -> None:
    """The scenario goes through what is to be disturbed: opening, writing, syncing, a checkpoint, closing."""
    assert calls["openat"] >= 3
    assert calls["pwrite64"] > 4 * ROUNDS * RECORDS
    # One sync a commit, and those of checkpoints.
    assert calls["fdatasync"] > 2 * ROUNDS
    assert calls["unlink"] >= 1


@pytest.mark.timeout(3600 if FULL else 120)
@pytest.mark.parametrize("fault", list(FAULTS))
async def test_an_append_is_whole_or_absent(fault: str, strace: str, calls: Counter[str], tmp_path: Path) -> None:
    """Wherever the writer is killed or a call of it fails, acknowledged batches are whole and nothing is half there."""
    reached = 0
    for name, number in points(calls, fault):
        path = tmp_path / f"{name}-{number}" / "log.sqlite"
        path.parent.mkdir()
        EmbeddedLog.create(path, 2)
        inject = f"{name}:{FAULTS[fault]}:when={number}"
        outcome = await asyncio.to_thread(run_worker, strace, path, inject)
        try:
            if fault != "killed":
                assert outcome.ended
                told = sum(len(outcome.labels(word)) for word in ("ACK", "NOT", "UNKNOWN"))
                assert told == 4 * ROUNDS
                assert len(outcome.labels("ACK")) >= 4 * ROUNDS - 3, "the writer did not recover"
            await check(path, outcome)
        except AssertionError as error:
            raise AssertionError(f"{fault} at {name} {number}: {error}; the worker said {outcome.lines}") from error
        reached += outcome.injected
        shutil.rmtree(path.parent)
    # Fewer calls than in the undisturbed run are made when more appends share a commit.
    assert reached >= len(points(calls, fault)) * 0.6
