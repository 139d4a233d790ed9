"""Progress on what takes longer than a second: on stderr, so that output stays clean."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

import click

FIRST_S = 1.0
TERMINAL_EVERY_S, PLAIN_EVERY_S = 0.1, 5.0


class Progress:
    """Counts steps of one piece of work. `total` None: unknown. Silent where `quiet`, and for the first second."""

    def __init__(self, what: str, total: int | None = None, *, quiet: bool = False) -> None:
        self._what = what
        self._total = total
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._began = time.monotonic()
        self._shown_at = self._began
        self._shown = False
        self.done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._shown and self._terminal:
            click.echo("\r\033[K", nl=False, err=True)

    def advance(self, steps: int = 1) -> None:
        """Some more is done."""
        self.set(self.done + steps)

    def set(self, done: int, total: int | None = None) -> None:
        """This much is done, of `total` where it became known."""
        self.done = done
        self._total = total if total is not None else self._total
        now = time.monotonic()
        every = TERMINAL_EVERY_S if self._terminal else PLAIN_EVERY_S
        if self._quiet or now - self._began < FIRST_S or (self._shown and now - self._shown_at < every):
            return
        self._shown, self._shown_at = True, now
        of = f" of {self._total:,}" if self._total else ""
        rate = self.done / (now - self._began)
        line = f"{self._what}: {self.done:,}{of} ({rate:,.0f}/s)"
        click.echo(f"\r\033[K{line}" if self._terminal else line, nl=not self._terminal, err=True)
