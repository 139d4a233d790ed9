"""`demo`: all of it, in one command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ledger.cli.running import Cli

DEMO_S = 600


@pytest.mark.timeout(DEMO_S)
def test_the_demo_shows_what_it_promises(cli: Cli, tmp_path: Path) -> None:
    """It ends with 0 after a readable, proven story, a verification that passed and two tampers that are named."""
    done = cli.good("demo", "--home", str(tmp_path / "demo"), within_s=DEMO_S)
    assert "every event is proven" in done.out
    assert "! rolled back: " in done.out
    assert "policy refund-limits 3: refuse by over-200-eur-needs-a-person" in " ".join(done.out.split())
    assert "Started and never ended" in done.out
    assert "verify --full: passed" in done.out
    assert done.out.count("FINDING ") == 2
    assert "one bit of partitions/0000/events/" in done.out
    assert "kept elsewhere says" in done.out
    summary = done.out.partition("In short")[2].splitlines()
    assert sum(each.startswith("  ✓ ") for each in summary) == 8
    assert not (tmp_path / "demo" / "tampered").exists()


def test_the_demo_does_not_touch_a_ledger(cli: Cli) -> None:
    """A home that exists is refused, not shown on."""
    cli.make()
    before = (cli.home / "trust.json").read_bytes()
    done = cli.run("demo", "--home", str(cli.home))
    assert done.code != 0
    assert (cli.home / "trust.json").read_bytes() == before
