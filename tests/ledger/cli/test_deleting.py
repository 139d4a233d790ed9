"""`tenant export` and `tenant delete` as real processes: refused, killed, resumed, with roles."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.home import Home
from ledger.identity.errors import NOT_ALLOWED
from ledger.segments.objects import FileStore
from ledger.segments.rows import from_parquet
from tests.certificates import TokenKey, key_set
from tests.ledger.cli.events import event, line
from tests.ledger.cli.running import ROOT, TENANT, Cli, Done
from tests.ledger.cli.test_roles import ROLES

FULL = os.environ.get("LEDGER_CAMPAIGN") == "full"
STEPS = range(28) if FULL else (7, 13, 19)
"""Where it is killed: in CI before its last event is sealed, behind the destruction of keys, and among its files."""


def left(home: Path) -> int:
    """How many rows of the tenant any file holds."""
    opened = Home.open(home)
    config = opened.config(environment={})
    with opened.keys(config) as keys:
        found = keys.tenants.get(TENANT)
    assert found is not None
    own = {log.log_id for log in found.logs}
    store = FileStore(config.ledger.segments)
    return sum(
        sum(each in own for each in from_parquet(store.read(name), name, ["log_id"])["log_id"].to_pylist())
        for name in store.walk()
        if name.endswith(".parquet")
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger at rest with two tenants, whose rows share files."""
    cli = Cli(tmp_path_factory.mktemp("deleting") / "home")
    cli.make(TENANT, "globex")
    with cli.up("--without-query") as up:
        for tenant in (TENANT, "globex"):
            lines = "".join(line(event("mia", f"{tenant} {number}")) for number in range(5))
            cli.good("publish", "-", "--tenant", tenant, "--to", up.gateway, "--wait", stdin=lines)
    return cli.home


def moved(made: Path, folder: Path) -> Cli:
    """A copy of it."""
    shutil.copytree(made, folder)
    return Cli(folder)


def delete(cli: Cli, step: int, *arguments: str) -> Done:
    """The command, killed at a step."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.ledger.cli.killed_deletion", str(step), "tenant", "delete", TENANT, *arguments],
        cwd=ROOT,
        env=cli.environment(),
        text=True,
        capture_output=True,
        timeout=400,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_it_resumes_to_the_same_end(made: Path, tmp_path: Path, step: int) -> None:
    """SIGKILL leaves nothing that is called done; --resume ends in the same: no row, a statement, others whole."""
    cli = moved(made, tmp_path / "home")
    killed = delete(cli, step, "--reason", "the contract ended", "--without-export")
    if killed.code == 0:
        assert step >= 20, "all steps were passed"
    else:
        assert killed.code == -signal.SIGKILL, killed.err
        assert killed.out == ""
        [unfinished] = cli.good("status", "--json").json["unfinished"]
        assert (unfinished["kind"], unfinished["tenant"]) == ("deletion", TENANT)
        resumed = delete(cli, 10_000, "--resume")
        assert resumed.code == 0, resumed.err
        assert resumed.out.startswith(f"audit.test/final-statement/v1\ntenant {TENANT}\n")
    assert left(cli.home) == 0
    report = cli.good("verify", "--full", "--json").json
    assert (report["passed"], report["counts"]["deleted_logs"]) == (True, 1)
    assert cli.good("verify", "--full", "--tenant", TENANT).code == 0
    assert cli.good("fsck", "--json").json["sound"]
    assert cli.good("status", "--json").json["unfinished"] == []
    assert cli.good("tenant", "statement", TENANT).out
    assert "was deleted" in cli.run("find", "--tenant", TENANT).err


def test_what_stands_in_the_way_is_said_before_anything_is_closed(made: Path, tmp_path: Path) -> None:
    """No export, no reason, his own approver, too few approvers, no such tenant, nothing to resume."""
    cli = moved(made, tmp_path / "home")
    order = ("tenant", "delete", TENANT, "--requester", "olga")
    assert "never exported" in cli.run(*order, "--reason", "why").err
    assert "reason: is required" in cli.run(*order, "--without-export").err
    assert "his own order" in cli.run(*order, "--without-export", "--reason", "why", "--approver", "olga").err
    strict = Cli(cli.home, {"AUDIT_LEDGER_ERASURE_APPROVERS_LEAST": "1"})
    assert "needs 1 approvers" in strict.run(*order, "--without-export", "--reason", "why").err
    assert "there is no tenant" in cli.run("tenant", "delete", "nobody", "--reason", "why", "--without-export").err
    assert "no deletion of tenant" in cli.run("tenant", "delete", TENANT, "--resume").err
    [known] = [each for each in cli.good("tenant", "list", "--json").json if each["tenant"] == TENANT]
    assert known["state"] == "open"
    plan = cli.good("tenant", "delete", TENANT, "--dry-run", "--json").json
    assert plan["logs"][0]["events"] == 5
    assert any("never exported" in each for each in plan["in_the_way"])
    assert plan["keys"]["tenant keys"] == 1


def test_with_roles_each_needs_a_token_of_his_role(made: Path, tmp_path: Path) -> None:
    """An export is a privacy officer's or admin's, a deletion an admin's; the Access says who and in which role."""
    cli = moved(made, tmp_path / "home")
    key = TokenKey.new("k1")
    (tmp_path / "jwks.json").write_bytes(key_set(key))
    (tmp_path / "revoked.txt").write_text("")
    officer = ROLES.replace('role = "investigator"', 'role = "privacy_officer"').replace("mia@example.org", "olga")
    (tmp_path / "roles.toml").write_text(officer)
    token = tmp_path / "token"
    token.write_text(key.token("olga"))
    strict = Cli(cli.home, {"AUDIT_LEDGER_LEDGER_ROLES": str(tmp_path / "roles.toml")})
    by_olga = ("--token-file", str(token))
    target = str(tmp_path / "export")
    assert "needs a token" in strict.run("tenant", "export", TENANT, "-o", target).err
    order = ("tenant", "delete", TENANT, "--reason", "why", "--without-export")
    assert NOT_ALLOWED in strict.run(*order, *by_olga).err
    more = ("--with-contents", "--reason", "returned to the customer", "--case", "C-9", "--json")
    done = strict.good("tenant", "export", TENANT, "-o", target, *by_olga, *more).json
    assert (done["contents"], done["logs"][0]["size"]) == (15, 5)
    cli.good("seal", "--drain")
    asked = "SELECT reader, reader_role, case_id, events_touched, contents_decrypted FROM access"
    told = cli.good("sql", f"{asked} WHERE query_kind = 'export'", "--tenant", TENANT, "--json").json
    assert [list(row.values()) for row in told] == [["company:olga", "privacy_officer", "C-9", 5, 15]]
    assert cli.good("check-export", target, "--trust", str(cli.home / "trust.json")).code == 0
    assert cli.run("check-export", target).code == 2, "whom is it held against?"
