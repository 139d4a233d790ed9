"""Processes that seal or compact a small ledger while a test kills them or makes their system calls fail.

    python -m tests.consumers.crash_worker

The process reads lines `seal FOLDER`, `race FOLDER` and `compact FOLDER` and forks a child for each, which spares every
child the imports. (The threads that those begin are allocators' and wait for nothing; pools that work are made in the
child.) A child does all its blocking work on one thread, says `READY <id of that thread>`, waits for a line, works, and
says how it went: `ROUND <number>` or `PROPOSED <count>` for what was done, `UNAVAILABLE`, `INTEGRITY ...` or
`RAW <type>` for what went wrong, `END` last. What is unavailable it tries again from the beginning, as the service
does. A racer seals small rounds, and when another was faster (`FENCED`) goes on behind it. The parent then says
`EXIT <wait status>`.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy.ma
import pyarrow.dataset

from consumers import publication
from consumers.compaction import CompactionLimits, Compactor
from consumers.publication import Fenced
from consumers.sealer import SealerLimits
from ledger.errors import LedgerError, Unavailable
from tests.small_ledger import SmallLedger

T = TypeVar("T")

PRELOADED = (numpy.ma, pyarrow.dataset)
"""Imported late by what the sealer uses; a child should open no files but the ledger's."""

ATTEMPTS = 6
LIMITS = SealerLimits(round_age_ms=0)


class Inline(Executor):
    """Does the work of a pool at once, on the thread that asks: so every system call of a round is on one thread."""

    def __init__(self, max_workers: int | None = None) -> None:
        super().__init__()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Done when it returns."""
        made: Future[T] = Future()
        try:
            made.set_result(fn(*args, **kwargs))
        except Exception as error:
            made.set_exception(error)
        return made

    def map(
        self, fn: Callable[..., T], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Iterator[T]:
        """In order."""
        return iter([fn(*each) for each in zip(*iterables, strict=True)])


def say(line: str) -> None:
    """One line, out at once: nothing of it may be lost with the process."""
    os.write(1, line.encode() + b"\n")


def hear() -> str:
    """One line of standard input, not a byte more: parent and child read the same pipe."""
    line = bytearray()
    while (byte := os.read(0, 1)) not in (b"", b"\n"):
        line += byte
    return line.decode()


async def work(action: str, folder: Path) -> None:
    """A child's life."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    setattr(publication, "ThreadPoolExecutor", Inline)  # noqa: B010 - a name that the module only imports
    small = SmallLedger(folder, limits=LIMITS)
    await small.start()
    say(f"READY {await asyncio.to_thread(threading.get_native_id)}")
    await asyncio.get_running_loop().run_in_executor(ThreadPoolExecutor(1), hear)
    for _ in range(ATTEMPTS):
        try:
            await ACTIONS[action](small)
        except Unavailable:
            say("UNAVAILABLE")
        except LedgerError as error:
            say(f"INTEGRITY {type(error).__name__}: {error}")
            break
        except Exception as error:
            say(f"RAW {type(error).__name__}: {error}")
            break
        else:
            say("END")
            break
    await small.close()


async def seal(small: SmallLedger) -> None:
    """Seals all there is."""
    sealer = await asyncio.to_thread(small.sealer)
    await sealer.open()
    while (outcome := await sealer.seal_once(wait_s=0, fill=False)) is not None:
        say(f"ROUND {outcome.number}")


async def race(small: SmallLedger) -> None:
    """Seals all there is in small rounds, beside others who do the same."""
    small.limits = replace(LIMITS, round_rows_max=3)
    sealer = await asyncio.to_thread(small.sealer)
    await sealer.open()
    while True:
        try:
            outcome = await sealer.seal_once(wait_s=0, fill=False)
        except Fenced:
            say("FENCED")
            await sealer.open()
            continue
        if outcome is None:
            return
        say(f"ROUND {outcome.number}")


async def compact(small: SmallLedger) -> None:
    """Compacts every log."""
    compactor = Compactor(small.store, 0, small.trust(), CompactionLimits(rows_max=4))
    say(f"PROPOSED {len(await asyncio.to_thread(compactor.run))}")


ACTIONS: dict[str, Callable[[SmallLedger], Awaitable[None]]] = {"seal": seal, "race": race, "compact": compact}


def main() -> None:
    """Forks a child for each line."""
    while line := hear():
        action, folder = line.split(" ", 1)
        child = os.fork()
        if child == 0:
            asyncio.run(work(action, Path(folder)))
            os._exit(0)
        say(f"EXIT {os.waitpid(child, 0)[1]}")


if __name__ == "__main__":
    main()
