"""The commands that answer questions."""

from __future__ import annotations

import click


def commands() -> list[click.Command]:
    """What this package adds to `audit-ledger`."""
    return []
