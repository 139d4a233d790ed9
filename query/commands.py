"""The commands that answer questions."""

from __future__ import annotations

import click

from query.cli.covering import coverage
from query.cli.disclosing import disclose
from query.cli.evidence import checkpoint, prove
from query.cli.serving import serve_query
from query.cli.stories import find, reconstruct, replay
from query.cli.tables import sql


def commands() -> list[click.Command]:
    """What this package adds to `audit-ledger`."""
    return [reconstruct, replay, find, sql, coverage, prove, disclose, checkpoint, serve_query]
