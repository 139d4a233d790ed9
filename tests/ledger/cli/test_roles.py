"""The command `roles`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ledger.cli.roles import roles
from ledger.errors import Misconfigured
from tests.certificates import TokenKey, key_set
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
