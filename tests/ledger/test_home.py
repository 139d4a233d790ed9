"""A ledger's home: made whole or not at all, private, and never overwritten."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ledger import home as home_module
from ledger.errors import IntegrityError, Misconfigured
from ledger.home import Home, gateway_key_name, ledger_key_name
from ledger.log.embedded import EmbeddedLog
from ledger.tenants import ORG, SYSTEM
from ledger.trust import TrustedKeys

NAME = "audit.example.org"


def test_a_new_home_has_all_that_init_makes(tmp_path: Path) -> None:
    """Configuration, master key, key store, signing keys, reserved tenants, event log and trust file."""
    home = Home.create(tmp_path / "home", name=NAME, partitions=3)
    config = Home.open(home.path).config(environment={})
    with home.keys(config) as keys:
        names = {key.name for key in keys.store.signing_keys()}
        assert names == {gateway_key_name(NAME, "gw-1"), ledger_key_name(NAME)}
        assert [tenant.name for tenant in keys.tenants.all()] == [ORG, SYSTEM]
        assert keys.tenants.partitions() == 3
    trusted = TrustedKeys.load(config.ledger.trust)
    assert {key.role for key in trusted.keys} == {"gateway", "ledger"}
    assert len(trusted.logs) == 4
    assert all(key.good_at(datetime.now(UTC)) for key in trusted.keys)


async def test_the_incarnation_is_the_embedded_logs_own(tmp_path: Path) -> None:
    """Configuration and log file agree on the incarnation; a log made anew in its place is refused."""
    home = await asyncio.to_thread(Home.create, tmp_path / "home", name=NAME)
    config = home.config(environment={})
    log = home.event_log(config)
    assert isinstance(log, EmbeddedLog)
    await log.start()
    assert log.incarnation == config.ledger.incarnation_bytes
    await log.close()
    (home.path / "log" / "events.sqlite").unlink()
    EmbeddedLog.create(home.path / "log" / "events.sqlite", 1)
    with pytest.raises(IntegrityError, match="made anew"):
        await home.event_log(config).start()


async def test_create_works_inside_an_event_loop(tmp_path: Path) -> None:
    """A program that has a loop running can make a home as well."""
    Home.create(tmp_path / "home", name=NAME)
    assert Home.open(tmp_path / "home").config(environment={}).ledger.name == NAME


def test_only_the_owner_can_look_into_it(tmp_path: Path) -> None:
    """Folders are 0700 and files 0600, but for the public keys; a home open to others is refused."""
    home = Home.create(tmp_path / "home", name=NAME)
    for path in [home.path, *home.path.rglob("*")]:
        expected = 0o700 if path.is_dir() else 0o644 if path.name == "trust.json" else 0o600
        assert path.stat().st_mode & 0o777 == expected, path
    home.path.chmod(0o755)
    with pytest.raises(Misconfigured, match="expected mode 0700"):
        Home.open(home.path)


def test_an_empty_folder_can_become_a_home(tmp_path: Path) -> None:
    """A mounted volume is a folder that is there already."""
    (tmp_path / "home").mkdir(mode=0o755)
    home = Home.create(tmp_path / "home", name=NAME)
    assert home.path.stat().st_mode & 0o777 == 0o700


def test_a_home_is_never_overwritten(tmp_path: Path) -> None:
    """A second init refuses, and changes nothing."""
    home = Home.create(tmp_path / "home", name=NAME)
    before = {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file()}
    with pytest.raises(Misconfigured, match="is a ledger already"):
        Home.create(home.path, name=NAME)
    assert {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file()} == before


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    """Init does not mix with what is there."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(Misconfigured, match="found files in it"):
        Home.create(tmp_path, name=NAME)
    (tmp_path / "file").write_text("x")
    with pytest.raises(Misconfigured, match=r"expected a folder|cannot make"):
        Home.create(tmp_path / "file", name=NAME)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_opening_nothing_says_so(tmp_path: Path) -> None:
    """Where there is no ledger, the message says what makes one."""
    with pytest.raises(Misconfigured, match="`init` makes one"):
        Home.open(tmp_path)


def _broken(*_: Any, **__: Any) -> None:
    raise Misconfigured("the topic exists already")


@pytest.mark.parametrize("step", ["_create_log", "commented_file"])
@pytest.mark.parametrize("folder_there", [True, False])
def test_what_fails_on_the_way_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, folder_there: bool
) -> None:
    """After a failed init the place is as it was, and init can run again."""
    path = tmp_path / "home"
    if folder_there:
        path.mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(home_module, step, _broken)
        with pytest.raises(Misconfigured, match="topic exists"):
            Home.create(path, name=NAME)
    assert path.exists() is folder_there
    assert not folder_there or not any(path.iterdir())
    Home.create(path, name=NAME)


KILLED = """
import os, signal, sys
from pathlib import Path
from ledger import home
def killed(*a, **k): os.kill(os.getpid(), signal.SIGKILL)
setattr(home, sys.argv[2], killed)
home.Home.create(Path(sys.argv[1]), name="audit.example.org")
"""


@pytest.mark.parametrize("step", ["_create_log", "commented_file", "TrustedKeys"])
def test_a_crash_on_the_way_is_named(tmp_path: Path, step: str) -> None:
    """After kill -9 in the middle nothing opens the half-made home, and a second init says what to do."""
    path = tmp_path / "home"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path), step], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    with pytest.raises(Misconfigured, match=r"was interrupted; if none runs.*delete the folder"):
        Home.open(path)
    with pytest.raises(Misconfigured, match="was interrupted"):
        Home.create(path, name=NAME)


@pytest.mark.parametrize(
    ("url", "partitions", "message"),
    [
        ("sqlite:log/events.sqlite?partitions=2", 3, "says partitions='2', expected 3"),
        ("sqlite:log/events.sqlite?partitions=x", None, "expected a number"),
        ("mysql:x", None, "scheme"),
        ("sqlite:log/events.sqlite", 0, "partitions"),
    ],
)
def test_wrong_partitions_and_urls_are_refused(tmp_path: Path, url: str, partitions: int | None, message: str) -> None:
    """What the event log cannot be is refused, and nothing is left behind."""
    with pytest.raises(Misconfigured, match=message):
        Home.create(tmp_path / "home", name=NAME, event_log=url, partitions=partitions)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", ["", "a b", "https://x", "a+b", "/x"])
def test_a_wrong_name_is_refused_before_anything_is_made(tmp_path: Path, name: str) -> None:
    """The ledger's name must be able to begin origins and key names."""
    with pytest.raises(Misconfigured):
        Home.create(tmp_path / "home", name=name)
    assert not (tmp_path / "home").exists()


def test_the_trust_file_follows_the_tenants(tmp_path: Path) -> None:
    """Written anew it lists the logs there are now, and keeps the ranges that were set for keys."""
    home = Home.create(tmp_path / "home", name=NAME)
    config = home.config(environment={})
    before = TrustedKeys.load(config.ledger.trust)
    with home.keys(config) as keys:
        keys.tenants.add("acme", shards=2)
        after = home.write_trust(config, keys)
    assert after == TrustedKeys.load(config.ledger.trust)
    assert after.keys == before.keys
    assert [log.tenant for log in after.logs].count("acme") == 2


def test_another_gateway_gets_a_key(tmp_path: Path) -> None:
    """A second gateway id gets a signing key of its own, which verifiers are told of."""
    home = Home.create(tmp_path / "home", name=NAME)
    config = home.config(environment={})
    with home.keys(config) as keys:
        home.add_gateway(config, keys, "gw-2")
        keys.store.signing_key("gateway", gateway_key_name(NAME, "gw-2"))
        with pytest.raises(Misconfigured):
            home.add_gateway(config, keys, "gw-2")
    assert gateway_key_name(NAME, "gw-2") in {key.name for key in TrustedKeys.load(config.ledger.trust).keys}


def test_a_gateways_key_that_nobody_was_told_of_is_told(tmp_path: Path) -> None:
    """Killed after the key was made and before the trust file was written, adding the gateway again goes on."""
    home = Home.create(tmp_path / "home", name=NAME)
    config = home.config(environment={})
    with home.keys(config) as keys:
        made = keys.store.create_signing_key("gateway", gateway_key_name(NAME, "gw-2"))
        home.add_gateway(config, keys, "gw-2")
    assert made.public_key in {key.public_key for key in TrustedKeys.load(config.ledger.trust).keys}


def test_the_environment_of_the_process_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without another mapping the process's own environment is read."""
    home = Home.create(tmp_path / "home", name=NAME)
    monkeypatch.setitem(os.environ, "AUDIT_LEDGER_GATEWAY_DRAIN_MS", "123")
    assert home.config().gateway.drain_ms == 123
