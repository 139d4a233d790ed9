"""The stage of the demo: it runs this program's own commands as processes, and shows each with its output.

Nothing is shown that was not run: what stands behind a `$` is what a person would type, with AUDIT_LEDGER_HOME set.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import click

from ledger.cli.gateways import READY
from ledger.errors import Unavailable

COMMAND_S = 300.0
READY_S = 180.0
STOP_S = 60.0
_POLL_S = 0.05
_ANY_PORT = "127.0.0.1:0"


class Stage:
    """Runs commands against one home; prints headings, commands and output."""

    def __init__(self, home: Path) -> None:
        self._width = min(shutil.get_terminal_size((100, 24)).columns, 100)
        self._environment = {
            **os.environ,
            "AUDIT_LEDGER_HOME": str(home),
            "AUDIT_LEDGER_GATEWAY_METRICS_LISTEN": _ANY_PORT,
            "AUDIT_LEDGER_SEALER_METRICS_LISTEN": _ANY_PORT,
            "AUDIT_LEDGER_QUERY_LISTEN": _ANY_PORT,
            "COLUMNS": str(self._width),
        }
        self._acts = 0
        self._said: Callable[[], str] = str

    def title(self, text: str) -> None:
        """A line that begins an act."""
        self._acts += 1
        head = f"── {self._acts}. {text} "
        click.secho(f"\n{head}{'─' * max(0, self._width - len(head))}", bold=True)

    def say(self, text: str) -> None:
        """A few words between commands."""
        click.echo(click.wrap_text(text, width=self._width))

    def run(
        self, *arguments: str, show: bool = True, expected: tuple[int, ...] = (0,)
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command and shows it; `Unavailable` when its exit code is not an expected one."""
        if show:
            click.secho(f"$ audit-ledger {_typed(arguments, self._width)}", fg="cyan")
        done = subprocess.run(
            _program(*arguments), env=self._environment, capture_output=True, text=True, timeout=COMMAND_S, check=False
        )
        if show or done.returncode not in expected:
            click.echo(done.stdout, nl=False)
            click.echo(done.stderr, nl=False, err=True)
        if done.returncode not in expected:
            raise Unavailable(f"audit-ledger {arguments[0]} ended with exit code {done.returncode}")
        return done

    def json(self, *arguments: str, expected: tuple[int, ...] = (0,)) -> Any:
        """What a command prints with --json, not shown."""
        return json.loads(self.run(*arguments, "--json", show=False, expected=expected).stdout)

    def await_sealed(self) -> Mapping[str, Any]:
        """The ledger's status once nothing is left to seal."""
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            status: Mapping[str, Any] = self.json("status")
            if all(part["unsealed_records"] == 0 for part in status["partitions"]):
                return status
            time.sleep(_POLL_S)
        raise Unavailable(f"the sealer did not seal what was published; audit-ledger up said:\n{self._said()}")

    def up(self, *more: str) -> Up:
        """Starts `audit-ledger up`."""
        arguments = ["up", "--listen", "127.0.0.1:0", *more]
        click.secho(f"$ audit-ledger {_typed(arguments, self._width)} &", fg="cyan")
        up = Up(arguments, self._environment)
        self._said = up.said
        return up


class Up:
    """A running `audit-ledger up`; `address` is its gateway's. Ends with the `with` block."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str]) -> None:
        self._arguments = arguments
        self._environment = environment
        self.address = ""

    def __enter__(self) -> Self:
        self._said = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            _program(*self._arguments), env=self._environment, stdout=subprocess.PIPE, stderr=self._said, text=True
        )
        for line in self._process.stdout or ():
            if line.startswith(READY):
                self.address = line.removeprefix(READY).strip()
                click.echo(line.rstrip("\n"))
                return self
        self._process.wait()
        raise Unavailable(f"audit-ledger up did not start:\n{self.said()}")

    def said(self) -> str:
        """What it said on standard error so far."""
        # The file's position is the process's too: it must not be moved.
        handle = self._said.fileno()
        return os.pread(handle, os.fstat(handle).st_size, 0).decode("utf-8", "replace")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        try:
            self._process.communicate(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._said.close()


def _program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ledger.cli.main", *arguments]


def _typed(arguments: Sequence[str], width: int) -> str:
    """As a person would type it, long lines continued."""
    words: list[str] = []
    for each in arguments:
        typed = f'"{each}"' if any(sign in each for sign in " *'") else each
        if words and words[-1].startswith("-") and " " not in words[-1] and not typed.startswith("-"):
            words[-1] += f" {typed}"
        else:
            words.append(typed)
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) > width - len("$ audit-ledger  \\"):
            lines.append(word)
        else:
            lines[-1] += f" {word}"
    return " \\\n    ".join(lines)
