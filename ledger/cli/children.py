"""Child processes of one command that live and end together: when one ends, the command does, and says which.

It ends with the child's exit code where that says who must act (1: a person, 2: the operator), so that a script sees
the same whether it runs the parts or the whole; and with 3, unavailable, when the child was killed or ended without an
error.

Each is a process group of its own, so that a Ctrl-C at the terminal reaches the command alone, which then tells its
children in the order it wants.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import click

from ledger.errors import LedgerError, Misconfigured, Unavailable

STOP_S = 20.0
_ENDED: dict[int, type[LedgerError]] = {LedgerError.exit_code: LedgerError, Misconfigured.exit_code: Misconfigured}


@dataclass(frozen=True, slots=True)
class Child:
    """One of them. `reading` passes on what it says on standard output; `ending` is done when it has ended."""

    name: str
    process: asyncio.subprocess.Process
    reading: asyncio.Task[None]
    ending: asyncio.Task[int]


class Children:
    """The children of one command, on one event loop."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._stopping = asyncio.create_task(stop.wait())
        self._children: list[Child] = []

    async def start(
        self, name: str, arguments: list[str], on_line: Callable[[str], None] = click.echo, *, tied: bool = False
    ) -> None:
        """Start `audit-ledger` with these arguments. A `tied` child's standard input ends when this process does."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "ledger.cli.main",
            *arguments,
            stdin=asyncio.subprocess.PIPE if tied else None,
            stdout=asyncio.subprocess.PIPE,
            process_group=0,
        )
        reading = asyncio.create_task(_read_lines(process, on_line))
        self._children.append(Child(name, process, reading, asyncio.create_task(process.wait())))

    async def wait(self, *futures: asyncio.Future[Any]) -> None:
        """Return when one of these is done, the command is told to stop, or a child has ended."""
        endings = [child.ending for child in self._children]
        await asyncio.wait([self._stopping, *endings, *futures], return_when=asyncio.FIRST_COMPLETED)

    def check(self) -> None:
        """Raise naming a child that ended although nobody told the command to stop; the module says what."""
        for child in self._children:
            if child.ending.done() and not self._stop.is_set():
                code = child.process.returncode
                kind = _ENDED.get(code or 0, Unavailable)
                raise kind(f"the {child.name} ended with exit code {code}; its message stands above")

    async def stop_in_turn(self) -> None:
        """End them one after the other in the order they were started."""
        for child in self._children:
            await self._stop_each([child], STOP_S)
        await self._finish()

    async def stop_together(self, within_s: float) -> None:
        """Tell all of them to end now."""
        await self._stop_each(self._children, within_s)
        await self._finish()

    async def _stop_each(self, children: Iterable[Child], within_s: float) -> None:
        """Whoever does not end in time is killed."""
        running = [child for child in children if not child.ending.done()]
        for child in running:
            with suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGTERM)
        if not running:
            return
        _, late = await asyncio.wait([child.ending for child in running], timeout=within_s)
        for child in running:
            if child.ending in late:
                with suppress(ProcessLookupError):
                    os.kill(child.process.pid, signal.SIGKILL)
        await asyncio.gather(*(child.ending for child in running))

    async def _finish(self) -> None:
        self._stopping.cancel()
        await asyncio.gather(*(child.reading for child in self._children))


async def _read_lines(process: asyncio.subprocess.Process, on_line: Callable[[str], None]) -> None:
    if process.stdout is None:
        return
    async for data in process.stdout:
        on_line(data.decode("utf-8", "replace").rstrip("\n"))
