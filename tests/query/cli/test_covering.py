"""The command `coverage`, at home and from elsewhere, as real processes."""

from __future__ import annotations

import json
from pathlib import Path

from ledger.identity.errors import NOT_ALLOWED
from tests.ledger.cli.events import event, line
from tests.ledger.cli.running import TENANT, Cli
from tests.query.cli.test_asking import Asker, asker  # noqa: F401


def test_coverage_of_a_home(tmp_path: Path) -> None:
    """What was sent and what it lacks, as a table and as JSON; `--fail-under` decides the exit code."""
    cli = Cli(tmp_path / "home")
    cli.make(TENANT)
    with cli.up("--without-query") as up:
        cli.good("publish", "-", "--tenant", TENANT, "--to", up.gateway, "--wait", stdin=line(event()))
    page = cli.good("coverage", "--tenant", TENANT).out
    assert "pinned model version that answered *" in page
    told = cli.good("coverage", "--tenant", TENANT, "--json").json
    (service,) = told["services"]
    assert service["events"] == 1
    percent = service["answered_percent"]
    assert cli.run("coverage", "--tenant", TENANT, "--fail-under", str(percent)).code == 0
    failed = cli.run("coverage", "--tenant", TENANT, "--fail-under", str(percent + 0.1), "--json")
    assert failed.code == 1
    assert json.loads(failed.out)["services"] == [service]
    assert f"{percent:g}% is answered, below" in failed.err
    silent = cli.run("coverage", "--tenant", TENANT, "--since", "2999-01-01", "--fail-under", "1")
    assert (silent.code, "no event: nothing is answered" in silent.err) == (1, True)


async def test_coverage_from_another_machine(asker: Asker) -> None:  # noqa: F811
    """An auditor and an operator see it with a token alone; an investigator does not need it, and is denied."""
    for role in ("auditor", "operator"):
        told = await asker.ask(role, "coverage", "--json")
        assert told.code == 0, told.err
        assert told.json["events"] == 2
        page = await asker.ask(role, "coverage")
        assert "2 events" in page.out
    under = await asker.ask("auditor", "coverage", "--fail-under", "100")
    assert under.code == 1
    denied = await asker.ask("investigator", "coverage")
    assert denied.code == 2
    assert NOT_ALLOWED.split(",", maxsplit=1)[0] in denied.err
