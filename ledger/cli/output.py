"""Tables for people, JSON for programs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table


def print_json(value: Any) -> None:
    """One JSON document, keys in the order given, times and bytes already as text."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """A plain table; columns named in `right` are aligned to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    console().print(table)


def print_wrapped(text: str) -> None:
    """A paragraph, broken between words."""
    click.echo(click.wrap_text(text, width=width()))


def width() -> int:
    """Columns to write in: the terminal's, 100 where there is none."""
    return shutil.get_terminal_size((100, 24)).columns


def console() -> Console:
    """Where people read."""
    return Console(width=width(), highlight=False, soft_wrap=False)
