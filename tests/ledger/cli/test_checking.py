"""`verify`, `fsck` and `status`: what they say about a sound ledger and about damaged ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ledger.cli.tampering import cut_end, flip_bit
from tests.ledger.cli.events import event, line
from tests.ledger.cli.running import TENANT, Cli


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A ledger at rest with two rounds of events."""
    cli = Cli(tmp_path_factory.mktemp("sealed") / "home")
    cli.make(TENANT)
    with cli.up("--without-query") as up:
        for number in range(2):
            lines = "".join(line(event(text=f"{number}/{each}")) for each in range(5))
            cli.good("publish", "-", "--tenant", TENANT, "--to", up.gateway, "--wait", stdin=lines)
    return cli


@pytest.fixture
def copy(sealed: Cli, tmp_path: Path) -> Path:
    """A copy of its segments, to tamper with."""
    shutil.copytree(sealed.home / "segments", tmp_path / "copy")
    return tmp_path / "copy"


def _elsewhere(sealed: Cli, copy: Path) -> tuple[str, ...]:
    return ("--segments", str(copy), "--trust", str(sealed.home / "trust.json"))


@pytest.mark.parametrize("depth", ["files", "leaves", "full"])
def test_a_sound_ledger_passes(sealed: Cli, depth: str) -> None:
    """`verify` passes at each depth with exit code 0, for people and for programs."""
    assert f"verify --{depth}: passed" in sealed.good("verify", f"--{depth}").out
    report = sealed.good("verify", f"--{depth}", "--tenant", TENANT, "--json").json
    assert (report["passed"], report["findings"]) == (True, [])


def test_a_tenant_of_several_logs_has_one_report(tmp_path: Path) -> None:
    """`verify --tenant` of a tenant with shards is one verification, and prints one JSON document."""
    cli = Cli(tmp_path / "home")
    cli.make(TENANT)
    cli.good("tenant", "add", "hot", "--shards", "3")
    assert cli.good("verify", "--tenant", "hot", "--json").json["passed"] is True


def test_verify_needs_no_home(sealed: Cli, copy: Path, tmp_path: Path) -> None:
    """With segments and a trust file somebody else verifies, without the home and its keys."""
    elsewhere = Cli(tmp_path / "nothing-here")
    assert elsewhere.good("verify", *_elsewhere(sealed, copy)).out.endswith("verify --full: passed\n")


@pytest.mark.parametrize("wrong", ["above", "empty"])
def test_a_folder_without_segments_does_not_pass(sealed: Cli, tmp_path: Path, wrong: str) -> None:
    """A wrong folder after --segments is told as such: in it nothing contradicts itself."""
    folder = sealed.home if wrong == "above" else tmp_path
    done = sealed.run("verify", *_elsewhere(sealed, folder))
    assert (done.code, done.out) == (2, "")
    assert "holds no sealed rounds" in done.err


def test_a_checkpoint_that_is_no_text_is_named(sealed: Cli, tmp_path: Path) -> None:
    """What is no checkpoint after --since is wrong usage, not a mistake of ours."""
    (tmp_path / "cp").write_bytes(b"\xff\xfe")
    done = sealed.run("verify", "--since", str(tmp_path / "cp"))
    assert (done.code, "expected a signed checkpoint" in done.err) == (2, True)


def test_a_flipped_bit_is_named(sealed: Cli, copy: Path) -> None:
    """One bit of an events file turned over: exit code 1, and the finding names the file."""
    told = flip_bit(copy)
    done = sealed.run("verify", *_elsewhere(sealed, copy))
    assert done.code == 1
    (finding,) = [each for each in done.out.splitlines() if each.startswith("FINDING")]
    assert finding.removeprefix("FINDING ").split(":")[0] in told
    assert "SHA-256" in finding


def test_a_lost_end_is_named_against_what_was_kept(sealed: Cli, copy: Path, tmp_path: Path) -> None:
    """A ledger that lost its newest round agrees with itself, but not with a checkpoint kept elsewhere."""
    checkpoint = tmp_path / "checkpoint.txt"
    sealed.good("checkpoint", "--tenant", TENANT, "-o", str(checkpoint))
    assert sealed.good("verify", *_elsewhere(sealed, sealed.home / "segments"), "--since", str(checkpoint)).code == 0
    cut_end(copy, keep=1)
    assert sealed.run("verify", *_elsewhere(sealed, copy)).code == 0
    done = sealed.run("verify", *_elsewhere(sealed, copy), "--since", str(checkpoint), "--json")
    assert done.code == 1
    assert [each["rule"] for each in done.json["findings"]] == ["since"]


def test_fsck_finds_nothing_in_a_sound_ledger(sealed: Cli) -> None:
    """`fsck` of a ledger at rest has nothing for a person to look into."""
    assert "fsck: nothing to look into" in sealed.good("fsck").out
    assert sealed.good("fsck", "--json").json["sound"] is True


def test_fsck_names_strangers_holes_and_cleans_only_leftovers(sealed: Cli, tmp_path: Path) -> None:
    """An unknown object and a missing one are findings; `--clean` takes away a cut-off write and nothing else."""
    home = tmp_path / "home"
    shutil.copytree(sealed.home, home)
    cli = Cli(home)
    config = home / "config.toml"
    config.write_text(config.read_text().replace(str(sealed.home), str(home)))
    events = sorted((home / "segments").glob("partitions/0000/events/*.parquet"))
    events[0].unlink()
    stranger = events[1].with_name("stranger.txt")
    stranger.write_text("?")
    done = cli.run("fsck", "--clean", "--leftover-age", "0", "--json")
    assert done.code == 1
    kinds = {each["kind"]: each["name"] for each in done.json["lines"]}
    assert kinds["hole"] == events[0].relative_to(home / "segments").as_posix()
    assert kinds["unknown"] == stranger.relative_to(home / "segments").as_posix()
    assert stranger.exists()


def test_status_counts_what_is_there(sealed: Cli) -> None:
    """`status` tells rounds, events of each tenant (of `_org` the policy and the tenant's making), lag, and room."""
    told = sealed.good("status", "--json").json
    assert told["ledger"] == "audit.test"
    (partition,) = told["partitions"]
    assert partition["unsealed_records"] == 0
    assert partition["sealed_to_offset"] == partition["log_end"]
    events = {each["tenant"]: each["events"] for each in told["tenants"]}
    assert events.pop("_org") in (1, 2), "the second is published when the gateway gets to it"
    assert events == {TENANT: 10, "_system": 0}
    assert told["stored"]["segments"]["bytes"] > 0
    assert "acme" in sealed.good("status").out
