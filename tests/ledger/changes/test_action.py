"""The GitHub Actions step: its shell steps run for real, in the environment that GitHub gives."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click import Command, Group, Option

from ledger.cli.changing import change
from tests.ledger.changes.platform import linked, pull, push_event, review, review_event
from tests.ledger.changes.reports import json_report, written
from tests.ledger.changes.repositories import DECLARATION, MIA, GitRepository, address, digest
from tests.ledger.changes.workflow import Runner, action
from tests.ledger.cli.running import ROOT

FILE = "prompts/support.md"
OFF = {"install": "false"}


class Project:
    """A repository with an origin on which a pull request lives, and a checkout of it."""

    def __init__(self, repository: GitRepository, folder: Path) -> None:
        self.folder = folder
        self.repository = repository
        repository.commit({"audit-ledger.toml": DECLARATION})
        self.base = repository.head()
        repository.checkout("kinder", new=True)
        self.head = repository.commit({FILE: "kinder\n"})
        repository.git("update-ref", "refs/pull/12/head", self.head)
        repository.checkout("main")
        self.pull = pull(self.base, self.head)
        self.review = review(self.head)
        self.report = written(folder, json_report(digest("kinder\n")))

    def checkout(self, branch: str) -> Path:
        """As actions/checkout with fetch-depth 0 leaves it."""
        where = self.folder / f"checkout-{branch}"
        self.repository.git("clone", "-q", "-b", branch, str(self.repository.folder), str(where))
        return where

    def answer(self, runner: Runner, commit: str) -> None:
        """GitHub's record of the pull request."""
        runner.answer("pulls/12", self.pull)
        runner.answer("pulls/12/reviews", [review(self.head, state="COMMENTED", id=79), self.review])
        runner.answer("pulls/12/commits", [linked(self.head, address(MIA), "mia-l")])
        runner.answer(f"commits/{commit}/pulls", [self.pull])
        runner.answer(f"commits/{commit}", linked(commit, address(MIA), "mia-l"))


@pytest.fixture
def project(repository: GitRepository, tmp_path: Path) -> Project:
    """The project."""
    return Project(repository, tmp_path / "project")


def test_a_review_event_runs_the_gate(project: Project) -> None:
    """On `pull_request_review` the gate judges the pull request's head by GitHub's record; the summary shows it."""
    event = review_event(project.pull, project.review)
    runner = Runner(project.folder / "runner", event, sha="f" * 40)
    project.answer(runner, project.head)
    where = project.checkout("kinder")
    done = runner.run(where, command="gate", reports=f"{project.report}\n", **OFF)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed  prompt:support" in done.stdout
    assert "gate passed: 1 artifacts" in done.stdout
    assert "    gate passed" in runner.summary()
    assert "reviewed by github:tomas-b (verified)" in done.stdout
    failed = runner.run(where, command="gate", **OFF)
    assert failed.returncode == 1
    assert "no_evaluation" in failed.stdout


def test_a_push_event_finds_the_pull_request_that_was_squashed(project: Project) -> None:
    """On `push` the commit's pull request is asked for and its head fetched; what would be published is shown."""
    repository = project.repository
    repository.git("merge", "-q", "--squash", "kinder")
    squashed = repository.commit(message="Kinder (#12)")
    repository.git("branch", "-q", "-D", "kinder")
    runner = Runner(project.folder / "runner", push_event(project.base, squashed), sha=squashed)
    project.answer(runner, squashed)
    where = project.checkout("main")
    inputs = {"reports": str(project.report), "dry_run": "true", "ticket": "SUP-342", **OFF}
    done = runner.run(where, command="deploy", **inputs)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "deploy prompt:support" in done.stdout
    assert "reviewed by github:tomas-b" in done.stdout
    assert f"repos/acme/assistant/commits/{squashed}/pulls" in runner.calls()
    assert "1 events, none published" in done.stdout


def test_a_rollback_is_by_whoever_started_the_run(project: Project) -> None:
    """GitHub's actor stands as its author."""
    repository = project.repository
    merged = repository.merge("kinder")
    runner = Runner(project.folder / "runner", push_event(project.base, merged), sha=merged)
    project.answer(runner, merged)
    inputs = {"artifacts": "prompt:support", "back_to": project.base, "dry_run": "true", **OFF}
    done = runner.run(project.checkout("main"), command="rollback", **inputs)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "roll_back prompt:support" in done.stdout
    retired = runner.run(project.folder / "checkout-main", command="retire", **inputs)
    assert "retire prompt:support" in retired.stdout, retired.stderr


def test_a_gate_without_a_review_fails_the_job(project: Project) -> None:
    """Exit code 1 is the step's, and the reasons are in the log and in the summary."""
    project.review = review(project.head, "mia-l")
    runner = Runner(project.folder / "runner", review_event(project.pull, project.review), sha="f" * 40)
    project.answer(runner, project.head)
    done = runner.run(project.checkout("kinder"), command="gate", reports=str(project.report), **OFF)
    assert done.returncode == 1
    assert "author_is_reviewer" in done.stdout
    assert "author_is_reviewer" in runner.summary()


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"command": "publish"}, "no command of audit-ledger change: publish"),
        ({"command": "gate", "pull_requests": "12;id"}, "no number of a pull request: 12;id"),
        ({"command": "gate", "pull_requests": "13"}, "HTTP 404"),
    ],
)
def test_wrong_inputs_end_the_step(project: Project, inputs: dict[str, str], said: str) -> None:
    """What is no command, no number, or not there is told."""
    runner = Runner(project.folder / "runner", review_event(project.pull, project.review), sha="f" * 40)
    project.answer(runner, project.head)
    done = runner.run(project.checkout("kinder"), **inputs, **OFF)
    assert done.returncode != 0
    assert said in done.stderr


def test_inputs_are_never_text_of_a_script(project: Project) -> None:
    """An input that would be a command in a shell is an argument; no script holds an expression."""
    assert not any("${{" in step["run"] for step in action()["runs"]["steps"])
    assert all(step["shell"] == "bash" for step in action()["runs"]["steps"])
    runner = Runner(project.folder / "runner", review_event(project.pull, project.review), sha="f" * 40)
    project.answer(runner, project.head)
    mark = project.folder / "mark"
    evil = f'"; touch {mark}; $(touch {mark}) `touch {mark}` --help'
    for name in ("base", "artifacts", "reports", "config", "allowed_signers"):
        done = runner.run(project.checkout("kinder") if name == "base" else project.folder / "checkout-kinder",
                          command="gate", **{name: evil}, **OFF)  # fmt: skip
        assert done.returncode == 2, (name, done.stdout, done.stderr)
    assert not mark.exists()


def test_every_input_reaches_its_option() -> None:
    """Inputs and options have the same names, so that a new option is not forgotten here."""
    script = action()["runs"]["steps"][-1]["run"]
    assert isinstance(change, Group)
    commands: dict[str, Command] = change.commands
    known = {name for each in commands.values() for option in each.params for name in option.opts
             if isinstance(option, Option)}  # fmt: skip
    used = set(re.findall(r"(?<![-\w])--[a-z-]+", script.replace("$kind", "pull")))
    assert used <= known
    assert {name.removeprefix("--") for name in used} >= {
        *("repo", "commit", "base", "config", "artifact", "report", "allowed-signers", "to", "ca", "token-file"),
        *("ticket", "reason", "by", "again", "back-to", "despite-gate", "dry-run"),
    }


def test_the_installing_step_installs_this_project() -> None:
    """The action installs what it stands in: the folder three above it is the project's."""
    step = action()["runs"]["steps"][0]
    assert step["if"] == "inputs.install == 'true'"
    folder = Path(step["env"]["SOURCE"].replace("${{ github.action_path }}", ".github/actions/audit-ledger-change"))
    assert (ROOT / folder).resolve() == ROOT
    assert json.dumps(step["run"]).count("pip install") == 1
