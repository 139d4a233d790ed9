"""The command `roles`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ledger.cli.roles import roles
from ledger.errors import Misconfigured
from ledger.identity.errors import NOT_ALLOWED
from tests.certificates import TokenKey, key_set
from tests.ledger.cli.running import TENANT, Cli
from tests.ledger.identity.test_authority import ROLES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a roles file that names nobody's revocation."""
    (tmp_path / "roles.toml").write_text(ROLES)
    (tmp_path / "revoked.txt").write_text("")
    return tmp_path


def check(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and output."""
    result = CliRunner().invoke(roles, ["check", *map(str, arguments)], catch_exceptions=False, standalone_mode=True)
    return result.exit_code, result.output


def test_a_file_is_explained(folder: Path) -> None:
    """In words for people, as a list for programs."""
    code, said = check(folder / "roles.toml")
    assert code == 0
    assert "company: subject mia@example.org: investigator of acme: reads contents of a stated case" in said
    code, said = check(folder / "roles.toml", "--json")
    assert [each["role"] for each in json.loads(said)["grants"]] == ["producer", "producer", "investigator", "auditor"]


def test_a_token_is_explained(folder: Path) -> None:
    """Whose it is and what he may do with it; or, here on the machine, why it does not hold."""
    key = TokenKey.new("k1")
    (folder / "jwks.json").write_bytes(key_set(key))
    (folder / "token").write_text(key.token())
    code, said = check(folder / "roles.toml", "--token-file", folder / "token")
    assert code == 0
    assert "company:mia@example.org" in said
    assert "as investigator of acme: Reconstruct (case), Replay (case), Find (metadata)" in said
    (folder / "token").write_text(key.token(aud="another"))
    assert check(folder / "roles.toml", "--token-file", folder / "token") == (
        1,
        "the token does not hold: a token for another audience\n",
    )


def test_a_wrong_file_names_its_place(folder: Path) -> None:
    """Exit code 2 by the error that every command ends with."""
    (folder / "roles.toml").write_text(ROLES + "\n[grantz]\n")
    with pytest.raises(Misconfigured, match="grantz: is unknown"):
        check(folder / "roles.toml")


def test_erasures_and_holds_are_ordered_by_token(cli: Cli, folder: Path) -> None:
    """With roles they need a privacy officer's token, whose name is recorded; without roles nobody is asked."""
    cli.make(TENANT)
    key, order = TokenKey.new("k1"), ("hold", "add", "CASE-1", "--tenant", TENANT, "--subject", "mia")
    (folder / "jwks.json").write_bytes(key_set(key))
    (folder / "token").write_text(key.token("olga"))
    granted = ROLES.replace('role = "investigator"', 'role = "privacy_officer"').replace("mia@example.org", "olga")
    (folder / "roles.toml").write_text(granted.replace('"acme"', f'"{TENANT}"'))
    strict = Cli(cli.home, {"AUDIT_LEDGER_LEDGER_ROLES": str(folder / "roles.toml")})
    assert "needs a token" in strict.run(*order).err
    by_olga = ("--token-file", str(folder / "token"))
    assert "the token is that of company:olga" in strict.run(*order, *by_olga, "--requester", "paul").err
    assert NOT_ALLOWED in strict.run(*order[:4], "another", *order[5:], *by_olga).err
    # Whoever may is told of what is wrong with the order itself.
    assert "person" in strict.run(*order, *by_olga).err
    (folder / "token").write_text(key.token("sam"))
    assert NOT_ALLOWED in strict.run("erase", *order[3:], *by_olga).err
