"""Groups whose commands are imported when they are asked for."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from ledger.cli.lazy import LazyGroup
from tests.ledger.cli.running import ROOT

_IMPORTED = """
import sys
from ledger.cli.main import cli
try:
    cli.main(sys.argv[1:], standalone_mode=False)
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""


def _imported(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTED, *arguments], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return set(done.stderr.split())


def test_a_command_is_imported_when_it_is_called() -> None:
    """A group imports the command that is called and no other, and runs it."""
    group = LazyGroup("both", places={"there": "ledger.cli.status:status", "missing": "no_such_module:command"})
    done = CliRunner().invoke(group, ["there", "--help"])
    assert done.exit_code == 0
    assert "Usage: both there" in done.output


def test_own_and_other_commands_stand_together() -> None:
    """A group lists the commands added to it beside those it has to import, in order; an unknown one is wrong usage."""
    group = LazyGroup("both", places={"status": "ledger.cli.status:status"})
    group.add_command(click.Command("alone"))
    assert group.list_commands(click.Context(group)) == ["alone", "status"]
    assert CliRunner().invoke(group, ["nonsense"]).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "foreign"),
    [
        (("status", "--help"), {"duckdb", "polars", "aiohttp", "aiokafka", "ledger.gateway.server"}),
        (("check-disclosure", "--help"), {"duckdb", "polars", "aiohttp", "aiokafka", "ledger.gateway.server"}),
        (("seal", "--help"), {"duckdb", "aiohttp", "aiokafka", "ledger.gateway.server"}),
        (("sql", "--help"), {"polars", "aiohttp", "aiokafka"}),
        (("serve", "--help"), {"duckdb", "polars", "aiohttp", "aiokafka"}),
    ],
    ids=lambda each: each[0] if isinstance(each, tuple) else "",
)
def test_a_command_imports_what_it_needs(arguments: tuple[str, ...], foreign: set[str]) -> None:
    """Commands start without the libraries of other commands, and without those of parts that are not configured."""
    assert not foreign & _imported(*arguments)
