"""Having rounds published by a command that may not import the sealer: by the commands `seal` and `compact`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import click

from ledger.errors import Unavailable

ATTEMPTS = 3


class CommandRounds:
    """Runs `seal --drain` and `compact` on a home; says so on stderr unless `quiet`."""

    def __init__(self, home: Path, *, quiet: bool) -> None:
        self._home = home
        self._quiet = quiet

    async def seal(self) -> None:
        """All that the event log holds, and every proposal that can be taken. Safe beside a sealer that runs."""
        await asyncio.to_thread(self._run, "seal", "--drain")

    async def compact(self) -> None:
        """Everything into files of its own log, and what is superseded then removed at once."""
        for arguments in (("compact",), ("seal", "--drain"), ("compact", "--grace", "0")):
            await asyncio.to_thread(self._run, *arguments)

    def remove_now(self) -> None:
        """Seals what was published last, then as `compact`."""
        for arguments in (("seal", "--drain"), ("compact",), ("seal", "--drain"), ("compact", "--grace", "0")):
            self._run(*arguments)

    def _run(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "ledger.cli.main", *arguments, "--home", str(self._home), "--json"]
        for _ in range(ATTEMPTS):
            if not self._quiet:
                click.echo(" ".join(arguments), err=True)
            # What failed beside the work of others, or for a moment, is tried again.
            if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0:
                return
        raise Unavailable(f"`{' '.join(arguments)}` failed; nothing is lost, and what is left to do can be resumed")
