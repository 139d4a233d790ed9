"""`policy`: a policy file checked and explained."""

from __future__ import annotations

from pathlib import Path

from tests.ledger.cli.events import line
from tests.ledger.cli.running import TENANT, Cli
from tests.policies import FULL
from tests.small_ledger import request

CLINIC = FULL + '[[rules]]\nname = "records"\ntenants = ["clinic"]\nmode = "metadata"\nvendors = []\n'


def test_the_policy_of_a_new_ledger_is_explained(cli: Cli) -> None:
    """Without a file the home's own policy is told in words, and there is nothing to warn of."""
    cli.make(TENANT)
    told = cli.good("policy", "check").out
    assert told.startswith("policy default/1, SHA-256 ")
    assert "Otherwise what patterns find is taken out" in told
    assert "warning" not in told


def test_a_file_is_checked_anywhere(cli: Cli, tmp_path: Path) -> None:
    """A file can be checked where there is no ledger; with one, tenants that are not there are told."""
    file = tmp_path / "policy.toml"
    file.write_text(CLINIC)
    assert cli.good("policy", "check", str(file), "--json").json["warnings"] == []
    cli.make(TENANT)
    told = cli.good("policy", "check", str(file), "--json").json
    assert told["policy"] == "everything/1"
    assert told["warnings"] == ["rule records: there is no tenant clinic"]
    assert len(told["sentences"]) == 3


def test_what_becomes_of_a_tenants_data_is_tabled(cli: Cli, tmp_path: Path) -> None:
    """For one tenant the decision for every kind and class is shown, with the rule that made it."""
    file = tmp_path / "policy.toml"
    file.write_text(CLINIC)
    rows = cli.good("policy", "check", str(file), "--tenant", "clinic", "--json").json["decisions"]
    assert len(rows) == 10 * 5
    assert {(row["mode"], row["rule"], row["vendors"]) for row in rows} == {("metadata", "records", "none")}
    assert "metadata" in cli.good("policy", "check", str(file), "--tenant", "clinic").out


def test_a_policy_is_tried_on_sample_events(cli: Cli, tmp_path: Path) -> None:
    """For each content of a sample event it shows what would be kept, and sends nothing."""
    file = tmp_path / "policy.toml"
    file.write_text(FULL.replace('mode = "full"', 'mode = "redacted"'))
    event = request(text="write to mia@example.org")
    told = cli.good("policy", "check", str(file), "--event", "-", "--json", stdin=line(event)).json
    (tried,) = told["events"]
    contents = {each["slot"]: each for each in tried["contents"]}
    assert contents["input"]["detections"] == {"email": 1}
    assert contents["input"]["kept"].startswith("write to ⟨email:")
    shown = cli.good("policy", "check", str(file), "--event", "-", stdin=line(event)).out
    assert "input: redacted, standard, 1 email" in shown
    done = cli.run("policy", "check", str(file), "--event", "-", stdin=line(event) + '{"nothing": 1}\n')
    assert done.code == 2
    assert "line 2" in done.err


def test_a_wrong_file_is_named(cli: Cli, tmp_path: Path) -> None:
    """A file that is no policy is wrong usage, with the place, what was expected and what was found."""
    file = tmp_path / "policy.toml"
    file.write_text(CLINIC.replace('mode = "metadata"', 'mode = "nothing"'))
    done = cli.run("policy", "check", str(file))
    assert done.code == 2
    assert "rules[0].mode: expected one of full, redacted, metadata, got 'nothing'" in done.err
