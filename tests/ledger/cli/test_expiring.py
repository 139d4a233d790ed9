"""`expire` and `erase --resume` in one process, through a gateway of their own, without the wait for caches."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from ledger.cli.erasing import erase, expire, hold
from ledger.cli.status import status
from ledger.erasure import opening, proceeding
from ledger.errors import Unavailable
from ledger.home import Home
from ledger.keys.destruction import Request
from ledger.keys.erasure import Destructions
from ledger.keys.provider import HolderRef, ScopeRef
from tests.ledger.erasure.erasing import Killed
from tests.policies import FULL, put_in_force

LONG_AGO, TENANT = "2001-02", "acme"
MIA, JON = HolderRef("person", "mia"), HolderRef("person", "jon")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A ledger in which two persons have scopes of a month long ago and of one to come."""
    monkeypatch.setattr(opening, "LEASE_S", 0.0)
    made = Home.create(tmp_path / "home", name="audit.test")
    config = made.config(environment={})
    with made.keys(config) as keys:
        keys.tenants.add(TENANT)
        made.write_trust(config, keys)
        put_in_force(made, keys)
        refs = [ScopeRef(each, "standard", month) for each in (MIA, JON) for month in (LONG_AGO, "2099-01")]
        keys.store.acquire(TENANT, [], [*refs, ScopeRef(MIA, "unheard-of", LONG_AGO)], [])
    return made


def run(home: Home, command: click.Command, *arguments: str) -> Any:
    """What a command printed as JSON; it must end well."""
    done = CliRunner().invoke(command, ["--home", str(home.path), *arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_what_is_past_its_time_expires_and_nothing_else(home: Home) -> None:
    """The month long ago is told, destroyed and certified; a class that the policy does not name is left alone."""
    due = [{"tenant": TENANT, "class": "standard", "month": LONG_AGO, "scopes": 2}]
    assert run(home, expire, "--dry-run") == due == run(home, expire, "--dry-run")
    [done] = run(home, expire, "--legal-ground", "schedule")
    assert (done["kind"], done["retention_class"], done["month"]) == ("expiry", "standard", LONG_AGO)
    assert done["scopes_destroyed"] == 2
    assert f"month {LONG_AGO}" in done["certificate"]
    assert run(home, expire) == []
    with home.keys(home.config(environment={})) as keys, keys.database.read() as rows:
        left = rows.execute("SELECT retention_class, month FROM scopes WHERE tenant = ? ORDER BY 1, 2", (TENANT,))
        kept = [("standard", "2099-01"), ("standard", "2099-01"), ("unheard-of", LONG_AGO)]
        assert [each for each in left if each[1] != _this_month()] == kept


def test_a_policy_that_no_gateway_took_destroys_nothing(home: Home) -> None:
    """By what was kept for ever when it was in force, nothing expires because somebody changed the file since."""
    for_ever = FULL.replace('version = "1"', 'version = "2"').replace("standard = 24", "standard = 0")
    with home.keys(home.config(environment={})) as keys:
        put_in_force(home, keys, for_ever)
    assert run(home, expire, "--dry-run") == []
    file = home.config(environment={}).ledger.capture_policy
    for changed in (for_ever.replace("standard = 0", "standard = 24"), FULL.replace('"1"', '"3"')):
        file.write_text(changed)
        for more in (("--dry-run",), ()):
            done = CliRunner().invoke(expire, ["--home", str(home.path), "--json", *more])
            assert (done.exit_code, done.stdout.strip()) == (0, "[]")
            assert "everything/2, which is, decides" in done.stderr
    with home.keys(home.config(environment={})) as keys, keys.database.read() as rows:
        assert rows.execute("SELECT count(*) FROM scopes WHERE month = ?", (LONG_AGO,)).fetchone() == (3,)


def test_before_a_policy_is_in_force_nothing_is_due(tmp_path: Path) -> None:
    """A ledger to which no event ever came has nothing to expire, whatever its file says."""
    assert run(Home.create(tmp_path / "home", name="audit.test"), expire) == []


def test_a_hold_keeps_the_month(home: Home) -> None:
    """`expire` ends with 1 and names the hold; nothing of that month is destroyed."""
    person = ("--tenant", TENANT, "--subject", "jon")
    held = CliRunner().invoke(hold, ["add", "CASE-9", "--home", str(home.path), *person])
    assert held.exit_code == 0, held.output
    refused = CliRunner().invoke(expire, ["--home", str(home.path)])
    assert (refused.exit_code, "CASE-9" in refused.stderr) == (1, True)
    assert len(run(home, expire, "--dry-run")) == 1


@pytest.mark.parametrize("step", ["destroy", "wipe", "counted", "published", "finish"])
def test_what_was_interrupted_is_finished_by_the_next_command(
    home: Home, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Cut off before any step, `status` tells it and the next command finishes it, with one certificate."""
    order = ("--home", str(home.path), "--tenant", TENANT, "--subject", "mia")

    def die(*given: object) -> None:
        raise Killed

    with monkeypatch.context() as broken:
        broken.setattr(Destructions, step, die)
        with pytest.raises(Killed):
            CliRunner().invoke(erase, order)
    [left] = run(home, status)["unfinished"]
    assert (left["kind"], left["tenant"]) == ("erasure", TENANT)
    told = CliRunner().invoke(status, ["--home", str(home.path)])
    assert "erase --resume" in told.stdout.replace("\n", " ")
    [done] = run(home, erase, "--resume")
    assert run(home, status)["unfinished"] == []
    assert (done["kind"], done["tenant"], done["scopes_destroyed"]) == ("erasure", TENANT, 3)
    assert run(home, erase, "--resume") == []
    with home.keys(home.config(environment={})) as keys:
        assert keys.store.pseudonym(TENANT, "mia") is None
        assert keys.store.pseudonym(TENANT, "jon") is not None


def test_a_reader_in_the_way_is_waited_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody reads the key store its log can't be cut: it is tried again, and the erasure ends."""
    monkeypatch.setattr(proceeding, "WIPE_PAUSE_S", 0.0)
    config = home.config(environment={})
    with home.keys(config) as keys:
        work = Destructions(keys.database, keys.master, lease_s=0.0)
        work.mark_persons(TENANT, ["mia"], Request("olga", (), "", ""))
    real, calls = Destructions.wipe, list[bytes]()

    def busy(self: Destructions, destruction_id: bytes) -> None:
        calls.append(destruction_id)
        if len(calls) < 3:
            raise Unavailable("somebody is reading")
        real(self, destruction_id)

    monkeypatch.setattr(Destructions, "wipe", busy)
    assert len(run(home, erase, "--resume")) == 1
    assert len(calls) == 3


def _this_month() -> str:
    return datetime.now(UTC).strftime("%Y-%m")
