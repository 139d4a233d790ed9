"""The command `change` where nothing is published: what it prints, and its exit codes.

Commands run in this process, which is faster by far; one test runs a real one.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ledger.cli.changing import change
from ledger.errors import LedgerError
from tests.ledger.changes.platform import pull, review, stored
from tests.ledger.changes.reports import json_report, junit_report, written
from tests.ledger.changes.repositories import DECLARATION, MIA, TOMAS, GitRepository, address, approval, digest
from tests.ledger.cli.running import Cli, Done


class Bench:
    """A repository with a reviewed change, and the command on it; no ledger is needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = GitRepository(folder / "repository", folder / "keys").init()
        self.repository.commit({"audit-ledger.toml": DECLARATION, "prompts/support.md": "one\n"})
        self.base = self.repository.head()
        self.repository.commit({"prompts/support.md": "two\n"})
        self.repository.commit(message=approval(TOMAS), who=TOMAS, sign=True)
        self.signers = self.repository.signers(MIA, TOMAS)

    def run(self, *arguments: str, event: Path | None = None) -> Done:
        """`change` on the repository."""
        environment = {"GITHUB_EVENT_PATH": str(event or ""), "COLUMNS": "200"}
        done = CliRunner().invoke(change, [*arguments, "--repo", str(self.repository.folder)], env=environment)
        if isinstance(done.exception, LedgerError):
            return Done(done.exception.exit_code, done.stdout, f"error: {done.exception}")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(done.exit_code, done.stdout, done.stderr)

    def evidence(self) -> tuple[str, ...]:
        """What makes the gate pass."""
        report = written(self.folder, junit_report(digest("two\n")))
        return ("--base", self.base, "--report", str(report), "--allowed-signers", str(self.signers))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """One for the module; tests leave it as it is."""
    return Bench(tmp_path_factory.mktemp("bench"))


def test_a_gate_that_passes_is_zero_and_says_on_what(bench: Bench) -> None:
    """People see author, reviewer and evaluation; programs the same."""
    done = bench.run("gate", *bench.evidence())
    assert done.code == 0, done.err
    old, new = digest("one\n")[:12], digest("two\n")[:12]
    assert f"passed  prompt:support  {old} -> {new}" in done.out
    assert f"author {address(MIA)} (asserted)" in done.out
    assert f"reviewed by {address(TOMAS)} (verified)" in done.out
    assert "evaluated support-regression, pass_rate: 1, expected at least 1: passed" in done.out
    told = bench.run("gate", *bench.evidence(), "--json").json
    assert told["passed"] is True
    (artifact,) = told["artifacts"]
    assert artifact["reviewers"] == [{"name": address(TOMAS), "source": f"signed-commit:{told['commit']}"}]
    assert artifact["evaluations"][0]["direction"] == "at_least"


def test_a_gate_that_fails_is_one_and_says_exactly_why(bench: Bench) -> None:
    """Each reason has its code, for people and for programs; an asserted reviewer and a stray report are named."""
    stray = written(bench.folder, json_report(digest("something else")), "stray")
    done = bench.run("gate", "--base", bench.base, "--report", str(stray))
    assert done.code == 1
    for code in ("no_verified_reviewer", "review_asserted", "no_evaluation", "evaluation_of_other"):
        assert f"! {code}: " in done.out
    assert "gate failed: 1 artifacts, 1 of them failed" in done.out
    told = bench.run("gate", "--base", bench.base, "--report", str(stray), "--json")
    assert told.code == 1
    assert [each["code"] for each in told.json["failures"]] == ["evaluation_of_other"]


def test_nothing_that_differs_passes(bench: Bench) -> None:
    """A commit that leaves every artifact alone may be deployed."""
    done = bench.run("gate", "--base", "HEAD~1")
    assert (done.code, "nothing to judge" in done.out) == (0, True)


def test_a_gate_that_holds_nothing_fails(tmp_path: Path) -> None:
    """Where no file is an artifact, by a pattern that matches none, say, the gate does not pass in silence."""
    bench = Bench(tmp_path)
    bench.repository.commit({"prompts/support.md": None, "ai/support.md": "one\n"})
    for arguments in ((), ("--base", "HEAD~0")):
        done = bench.run("gate", *arguments)
        assert (done.code, "! no_artifacts: " in done.out, "gate failed" in done.out) == (1, True, True)


def test_a_rollback_to_a_floating_model_is_refused(tmp_path: Path) -> None:
    """`latest` is no pin, on the way back either."""
    bench = Bench(tmp_path)
    floating = '[models]\nsupport = "openai/gpt-4o-latest"\n'
    bench.repository.commit({"models.toml": floating})
    back_to = bench.repository.head()
    bench.repository.commit({"models.toml": floating.replace("latest", "2024-08-06")})
    key = next(each for each in bench.run("check", "--json").json["artifacts"] if each["kind"] == "model")["id"]
    named = ("--artifact", f"model:{key}", "--back-to", back_to, "--by", "lena.koch", "--dry-run")
    done = bench.run("rollback", *named)
    assert (done.code, "floating_model" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gate", "--commit", "nothing"), "no such commit in this clone"),
        (("gate", "--base", "nothing"), "no such commit in this clone"),
        (("gate", "--report", "{folder}/nothing.json"), "does not exist"),
        (("gate", "--report", "{folder}/broken.json"), "broken.json"),
        (("gate", "--artifact", "prompt:nothing"), "expected one artifact, found 0"),
        (("gate", "--config", "nothing.toml"), "has no such file"),
        (("gate", "--allowed-signers", "{folder}/repository/README"), "expected a file, or REVISION:PATH"),
        (("rollback", "--back-to", "HEAD", "--artifact", "support"), "Missing option '--by'"),
        (("rollback", "--back-to", "HEAD", "--by", "lena"), "say which --artifact"),
        (("rollback", "--back-to", "HEAD", "--by", "lena", "--artifact", "support"), "nothing is rolled back"),
        (("rollback", "--back-to", "HEAD~9", "--by", "lena", "--artifact", "support"), "no such commit"),
        (("retire", "--artifact", "support", "--dry-run"), "prompt:support is still there; say --by"),
        (("retire", "--dry-run"), "against a --base only"),
        (("propose", "--dry-run", "--for-tenant", "A B"), "tenant"),
        (("propose", "--dry-run", "--effective-at", "soon"), "--effective-at"),
        (("propose", "--dry-run", "--repository", "a\tb"), "repository's name"),
        (("propose", "--home", "{folder}/none"), "none"),
    ],
)
def test_wrong_usage_is_two_and_says_what(bench: Bench, arguments: tuple[str, ...], said: str) -> None:
    """One line that names what is wrong, and no stack trace."""
    (bench.folder / "broken.json").write_text('{"format": ')
    done = bench.run(*(each.replace("{folder}", str(bench.folder)) for each in arguments))
    assert done.code == 2, done.out + done.err
    assert said in " ".join(done.err.split())
    assert "Traceback" not in done.err


def test_a_dirty_work_tree_is_two(bench: Bench) -> None:
    """What is on disk is not the commit: nothing is judged."""
    file = bench.repository.folder / "prompts" / "support.md"
    file.write_text("dirty\n")
    arguments = ("change", "gate", *bench.evidence(), "--repo", str(bench.repository.folder))
    try:
        done = Cli(bench.folder / "home", {"GITHUB_EVENT_PATH": ""}).run(*arguments)
    finally:
        file.write_text("two\n")
    assert done.code == 2
    assert "what is on disk is not the commit: prompts/support.md (changed)" in done.err


def test_a_gateway_that_is_away_is_three(bench: Bench) -> None:
    """Nothing was recorded; the same command works later."""
    done = bench.run("propose", "--base", bench.base, "--to", "127.0.0.1:1", "--give-up", "0")
    assert done.code == 3


def test_check_shows_what_requests_and_reports_must_name(bench: Bench) -> None:
    """Kind, id, revision, digest; a floating model is told and makes it one."""
    told = bench.run("check", "--json").json
    (prompt,) = [each for each in told["artifacts"] if each["kind"] == "prompt"]
    assert (prompt["id"], prompt["revision"], prompt["sha256"]) == ("support", digest("two\n")[:12], digest("two\n"))
    bench.repository.checkout("floating", new=True)
    bench.repository.commit({"models.toml": '[models]\na = "openai/gpt-4o"\nb = "openai/latest"\n'})
    try:
        done = bench.run("check")
        proposed = bench.run("propose", "--artifact", "model:openai/latest", "--dry-run")
    finally:
        bench.repository.checkout("main")
    assert done.code == 1
    assert "models.toml: openai/gpt-4o: its vendor moves this name" in done.err
    assert "models.toml: openai/latest: 'latest' names whatever is newest" in done.err
    assert proposed.code == 2
    assert "floating_model" in proposed.err


def test_a_dry_run_shows_events_that_publish_takes(bench: Bench) -> None:
    """Each is protobuf's JSON form, with the id that it would have; twice the same."""
    one = bench.run("deploy", *bench.evidence(), "--dry-run", "--json")
    assert one.code == 0, one.err
    assert one.json["events"] == bench.run("deploy", *bench.evidence(), "--dry-run", "--json").json["events"]
    (event,) = one.json["events"]
    assert event["change"]["artifact_text"]["text"] == "two\n"
    assert event["change"]["action"] == "CHANGE_ACTION_DEPLOY"
    line = bench.run("deploy", *bench.evidence(), "--dry-run").out
    assert "deploy prompt:support" in line
    assert "1 events, none published" in line


def test_githubs_event_is_taken_from_the_environment(bench: Bench) -> None:
    """GITHUB_EVENT_PATH says which pull request it is, what to compare with, and the review that started the run."""
    head = bench.repository.head()
    payload = {"pull_request": pull(bench.base, head), "review": review(head)}
    event = stored(bench.folder, "event.json", json.dumps(payload))
    (artifact,) = bench.run("gate", "--json", event=event).json["artifacts"]
    assert artifact["artifact"] == "prompt:support"
    # Tomas is known by his address in the commit and by his login on the platform: the same person, or another.
    assert "identity_unknown" in [each["code"] for each in artifact["refused_reviews"]]
