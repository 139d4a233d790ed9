"""The reading commands on a home that can't be written: a read-only mount, or one whose write bits are off."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.cli.events import event, line
from tests.ledger.cli.running import COMMAND_S, ROOT, Cli, Done

MOUNT_READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
"""In a mount namespace of its own: nobody else sees it, and it is gone with the command."""
IN_A_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", MOUNT_READ_ONLY)
READER = ("--tenant", "acme", "--reader", "auditor.jo")


class ReadOnly(Cli):
    """Commands for whom the home can't be written."""

    def start(self, *arguments: str, **pipes: Any) -> subprocess.Popen[str]:
        """A command, under way."""
        if os.geteuid():
            return super().start(*arguments, **pipes)
        command = (*IN_A_NAMESPACE, str(self.home), sys.executable, "-m", "ledger.cli.main", *arguments)
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.environment(),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


def can_be_mounted(folder: Path) -> bool:
    """Whether root may mount a folder read-only in a namespace of its own."""
    try:
        done = subprocess.run((*IN_A_NAMESPACE, str(folder), "true"), check=False, capture_output=True, timeout=30)
    except FileNotFoundError:
        return False
    return done.returncode == 0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed ledger; no server runs."""
    cli = Cli(tmp_path_factory.mktemp("still") / "home")
    cli.make("acme")
    with cli.up("--without-query") as up:
        cli.good("publish", "-", "--tenant", "acme", "--to", up.gateway, "--wait", stdin=line(event()) + line(event()))
    return cli.home


@pytest.fixture
def still(home: Path) -> Iterator[ReadOnly]:
    """Commands against it that can't write there."""
    if os.geteuid() == 0 and not can_be_mounted(home):
        pytest.skip("root can write everywhere, and unshare can't make a read-only mount here")
    writable = {each: each.stat().st_mode for each in (home, *home.rglob("*"))} if os.geteuid() else {}
    for each, mode in writable.items():
        each.chmod(mode & ~0o222)
    yield ReadOnly(home)
    for each, mode in writable.items():
        each.chmod(mode)


def snapshot(home: Path) -> dict[str, tuple[int, int, int]]:
    """Inode, time and size of everything in a home."""
    return {
        str(each.relative_to(home)): (each.stat().st_ino, each.stat().st_mtime_ns, each.stat().st_size)
        for each in sorted((home, *home.rglob("*")))
    }


def test_metadata_and_proofs_are_given(still: ReadOnly) -> None:
    """What opens no content answers, says that it was not recorded, and leaves the home as it was."""
    before = snapshot(still.home)
    found = still.good("find", *READER, "--kind", "request", "--json").json["events"]
    assert [each["proof"]["state"] for each in found] == ["proven", "proven"]
    event_id = found[0]["event_id"]
    story = still.good("reconstruct", "--user", "mia", "--metadata-only", *READER, "--json").json
    assert (story["proven"], len(story["steps"])) == (True, 2)
    for question in (
        ("replay", "--event", event_id, "--metadata-only"),
        ("sql", "SELECT count(*) FROM events"),
        ("prove", event_id),
    ):
        done = still.good(*question, *READER)
        assert "the reading of its metadata was not recorded" in done.err
    assert snapshot(still.home) == before


def test_what_tells_of_nobody_needs_no_note(still: ReadOnly) -> None:
    """verify, fsck, status and checkpoint answer as ever, and leave the home as it was."""
    before = snapshot(still.home)
    for command in (("verify", "--full"), ("fsck",), ("status",), ("checkpoint", "--tenant", "acme")):
        done: Done = still.good(*command)
        assert "not recorded" not in done.err
    assert snapshot(still.home) == before


def test_contents_are_refused_where_nothing_can_be_recorded(still: ReadOnly, tmp_path: Path) -> None:
    """Nobody reads a content unrecorded: the command ends with 3, shows nothing, and says what helps."""
    before = snapshot(still.home)
    found = still.good("find", *READER, "--kind", "request", "--json").json["events"]
    file = tmp_path / "disclosure.json"
    for question in (
        ("reconstruct", "--user", "mia"),
        ("replay", "--user", "mia"),
        ("disclose", found[0]["event_id"], "input", "-o", str(file)),
    ):
        done = still.run(*question, *READER, within_s=COMMAND_S)
        assert (done.code, done.out) == (3, "")
        assert "name a running gateway with --to" in " ".join(done.err.split())
    assert not file.exists()
    assert snapshot(still.home) == before


def test_a_running_gateway_records_for_it(home: Path) -> None:
    """With `--to` the contents are shown, since the gateway that can write the home records it."""
    if os.geteuid() or not can_be_mounted(home):
        pytest.skip("a home that is read-only for one process only takes root and a read-only mount")
    with Cli(home).up("--without-query") as up:
        story = ReadOnly(home).good("reconstruct", "--user", "mia", *READER, "--to", up.gateway, "--json").json
    assert [step["events"][0]["contents"][0].get("text") for step in story["steps"]]
    Cli(home).good("seal", "--drain")
    read = Cli(home).good(
        "sql", "SELECT reader, query_kind FROM access WHERE contents_decrypted > 0", *READER, "--json"
    )
    assert read.json == [{"reader": "auditor.jo", "query_kind": "reconstruct"}]
