"""docs/POLICY.md shows a policy that is one, and commands that work."""

from __future__ import annotations

import re
from pathlib import Path

from ledger.policy import parse_policy
from ledger.policy.plain import warnings
from tests.docs.test_readme import ROOT, commands
from tests.ledger.cli.events import event, line
from tests.ledger.cli.running import TENANT, Cli

DOCUMENT = ROOT / "docs" / "POLICY.md"
TOML = re.compile(r"```toml\n(.*?)```", re.S)


def test_the_policy_shown_is_one() -> None:
    """Who copies the policy gets one, without a warning but for the tenant that he lacks."""
    (shown,) = TOML.findall(DOCUMENT.read_text("utf-8"))
    assert list(warnings(parse_policy(shown.encode()))) == []


def test_the_commands_shown_work(tmp_path: Path) -> None:
    """Each command of the document does what it says on a ledger with an event in it."""
    cli = Cli(tmp_path / "home")
    cli.make(TENANT)
    with cli.up() as up:
        cli.good("publish", "-", "--tenant", TENANT, "--to", up.gateway, "--wait", stdin=line(event()))
        for shown in commands(DOCUMENT):
            words = [each.replace('"', "") for each in re.findall(r'"[^"]*"|\S+', shown)]
            assert words[0] == "audit-ledger"
            cli.good(*words[1:])
