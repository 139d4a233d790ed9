"""`init` and `tenant`."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.tlog.note import VerifierKey
from tests.ledger.cli.running import Cli


def test_init_makes_a_home_and_tells_its_keys(cli: Cli) -> None:
    """`init` prints the public keys that verify what the ledger will sign, and the folder is nobody else's."""
    made = cli.good("init", "--name", "audit.test", "--json").json
    assert made["home"] == str(cli.home)
    keys = {each["role"]: VerifierKey.parse(each["key"]).name for each in made["verifier_keys"]}
    assert keys == {"gateway": "audit.test/gateway/gw-1", "ledger": "audit.test/ledger"}
    assert cli.home.stat().st_mode & 0o777 == 0o700


def test_init_never_overwrites(cli: Cli) -> None:
    """A second `init` refuses, and the first ledger stays as it is."""
    cli.make()
    before = (cli.home / "trust.json").read_bytes()
    done = cli.run("init", "--name", "other.test")
    assert (done.code, (cli.home / "trust.json").read_bytes()) == (2, before)
    assert "is a ledger already" in done.err


@pytest.mark.parametrize("name", ["", "my ledger", "https://audit.example.org", "audit.example.org/", "a+b", "x" * 500])
def test_a_name_that_is_none_is_told_with_an_example(cli: Cli, name: str) -> None:
    """`init` says what a ledger's name looks like, what it got, and makes nothing."""
    done = cli.run("init", "--name", name)
    assert done.code == 2
    assert done.err.startswith("error: ledger name: expected a name such as audit.example.org: ")
    assert f"got {name[:64]!r}" in done.err
    assert len(done.err) < 400
    assert not cli.home.exists()


def test_a_tenant_tells_its_logs_and_their_keys(cli: Cli) -> None:
    """`tenant add` and `tenant show` give every shard's origin and the verifier key named after it."""
    cli.make()
    added = cli.good("tenant", "add", "acme", "--shards", "2", "--json").json
    assert cli.good("tenant", "show", "acme", "--json").json == added
    assert [log["shard"] for log in added["logs"]] == [0, 1]
    for log in added["logs"]:
        assert log["origin"] == f"audit.test/log/{log['log_id']}"
        assert [VerifierKey.parse(key).name for key in log["verifier_keys"]] == [log["origin"]]


def test_tenants_are_listed_with_the_reserved_ones(cli: Cli) -> None:
    """`tenant list` shows tenants and the ledger's own two."""
    cli.make("acme")
    assert {each["tenant"] for each in cli.good("tenant", "list", "--json").json} == {"acme", "_org", "_system"}
    assert "acme" in cli.good("tenant", "list").out


def test_wrong_tenants_are_two(cli: Cli) -> None:
    """A tenant twice, a name that is none and a tenant that is not there are wrong usage."""
    cli.make("acme")
    for arguments in (("add", "acme"), ("add", "Not A Name"), ("show", "nobody")):
        assert cli.run("tenant", *arguments).code == 2


def test_the_home_option_goes_before_the_environment(cli: Cli, tmp_path: Path) -> None:
    """`--home` wins over AUDIT_LEDGER_HOME."""
    cli.good("init", "--home", str(tmp_path / "other"))
    assert (tmp_path / "other" / "config.toml").exists()
    assert not cli.home.exists()
