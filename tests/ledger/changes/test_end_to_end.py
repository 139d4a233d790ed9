"""From a Git repository to a reconstruction: real git, real keys, a real gateway, sealed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.client import request
from tests.ledger.changes.reports import json_report, written
from tests.ledger.changes.repositories import (
    DECLARATION,
    MIA,
    MODELS,
    PRIYA,
    PROMPT,
    TOMAS,
    GitRepository,
    approval,
    digest,
)
from tests.ledger.cli.events import line
from tests.ledger.cli.running import TENANT, Cli, Done, Up

KINDER = "You help {name}, kindly.\n"
READER = ("--tenant", TENANT, "--reader", "auditor.jo", "--role", "auditor", "--case", "INC-7")


class Stage:
    """A repository and a running ledger."""

    def __init__(self, folder: Path, cli: Cli, up: Up) -> None:
        self.folder = folder
        self.cli = cli
        self.up = up
        self.repository = GitRepository(folder / "repository", folder / "keys").init()

    def change(self, *arguments: str) -> Done:
        """A command of `change` on the repository; those that publish do it here."""
        to = () if arguments[0] in ("gate", "check") else ("--to", self.up.gateway, "--wait")
        return self.cli.run("change", *arguments, "--repo", str(self.repository.folder), *to)

    def good(self, *arguments: str) -> Any:
        """One that must end well; what it prints."""
        done = self.change(*arguments, "--json")
        assert done.code == 0, f"{arguments}\n{done.out}\n{done.err}"
        return done.json

    def changes(self) -> list[dict[str, Any]]:
        """Every Change that is sealed, in order."""
        columns = "action, artifact_id, from_revision, to_revision, author"
        query = f"SELECT {columns} FROM changes WHERE artifact_kind <> 'policy' ORDER BY log_index"
        found: list[dict[str, Any]] = self.cli.good("sql", "--tenant", "_org", query, "--json").json
        return found


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A ledger that runs, and a repository whose first prompt is deployed."""
    folder = tmp_path_factory.mktemp("changes")
    cli = Cli(folder / "home", {"GITHUB_EVENT_PATH": ""})
    cli.make(TENANT)
    with cli.up("--without-query") as up:
        yield Stage(folder, cli, up)


def test_what_is_approved_in_git_is_what_a_reconstruction_shows(stage: Stage) -> None:
    """A prompt released from signed commits stands in the story of a request: text, author, reviewer, evaluation."""
    repository = stage.repository
    first = repository.commit(
        {"audit-ledger.toml": DECLARATION, "prompts/support.md": PROMPT, "models.toml": MODELS}, "First", sign=True
    )
    repository.commit(message=approval(TOMAS), who=TOMAS, sign=True)
    signers = ("--allowed-signers", str(repository.signers(MIA, TOMAS)))
    old = written(stage.folder, json_report(digest(PROMPT)), "old")
    model = written(stage.folder, json_report(digest("openai/gpt-4o-2024-08-06"), suite="models"), "model")
    evidence = ("--report", str(old), "--report", str(model), *signers)
    stage.good("propose", *signers)
    stage.good("approve", *evidence)
    stage.good("deploy", *evidence)

    base = repository.head()
    repository.commit({"prompts/support.md": KINDER}, "Kinder", sign=True)
    gate = stage.change("gate", "--base", base, *signers)
    assert gate.code == 1
    assert "no_verified_reviewer" in gate.out
    assert "no_evaluation" in gate.out
    repository.commit(message=approval(TOMAS), who=TOMAS, sign=True)
    report = written(stage.folder, json_report(digest(KINDER)), "new")
    evidence = ("--base", base, "--report", str(report), *signers, "--ticket", "SUP-342")
    assert stage.good("gate", *evidence[:6])["passed"] is True
    for action in ("propose", "review", "approve", "deploy"):
        assert stage.good(action, *evidence)["accepted"] == 1

    shown = {each["id"]: each for each in stage.good("check")["artifacts"]}
    used = {"prompt_id": "support", "revision": shown["support"]["revision"], "role": "system"}
    event = request(
        vendor="openai",
        model_requested="gpt-4o-2024-08-06",
        model_answered="gpt-4o-2024-08-06",
        user="mia_li",
        prompts=[{**used, "template_sha256": bytes.fromhex(digest(KINDER))}],
        input="Where is it?",
        output="On its way.",
    )
    stage.cli.good("publish", "-", "--tenant", TENANT, "--to", stage.up.gateway, "--wait", stdin=line(event))
    story = stage.cli.good("reconstruct", "--user", "mia_li", *READER, "--json").json
    assert story["proven"] is True
    governed = {each["artifact_kind"]: each for each in story["steps"][0]["governance"]}
    assert governed["prompt"]["text"] == KINDER
    assert [each["code"] for each in governed["prompt"]["flags"]] == []
    assert [each["code"] for each in governed["model"]["flags"]] == []
    told = stage.cli.good("reconstruct", "--user", "mia_li", *READER).out
    flat = " ".join(told.split())
    assert "author mia@example.org (verified" in flat
    assert "reviewed by tomas@example.org (verified" in flat
    assert "evaluated support-regression, task_success 0.93 against 0.88: passed" in flat
    assert "text as approved │ You help {name}, kindly." in flat
    assert first != base


def test_a_second_run_adds_nothing(stage: Stage) -> None:
    """Whatever CI runs again is dropped as a repeat: as many Changes are sealed as before."""
    before = stage.changes()
    head, signers = stage.repository.head(), str(stage.repository.signers(MIA, TOMAS))
    base = stage.repository.git("rev-parse", f"{head}~2")
    evidence = ("--base", base, "--report", str(stage.folder / "new.json"), "--allowed-signers", signers)
    for action in ("propose", "review", "approve", "deploy"):
        stage.good(action, *evidence, "--ticket", "SUP-342")
    # Ten commits later, too: what is published is about the commit that brought the revision in.
    stage.repository.commit({"README.md": "x"}, "Something else")
    stage.good("propose", "--artifact", "prompt:support", "--allowed-signers", signers, "--ticket", "SUP-342")
    assert stage.changes() == before


def test_a_rollback_and_a_removal_are_told(stage: Stage) -> None:
    """After a roll back and a removal the ledger knows from which revision to which, and that the prompt is retired."""
    repository = stage.repository
    old, new = digest(PROMPT)[:12], digest(KINDER)[:12]
    back_to = repository.git("rev-list", "--max-parents=0", "HEAD")
    stage.good("rollback", "--artifact", "support", "--back-to", back_to, "--by", "lena.koch", "--reason", "too kind")
    last = stage.changes()[-1]
    assert (last["action"], last["from_revision"], last["to_revision"]) == ("roll_back", new, old)
    assert last["author"] == "lena.koch"
    base = repository.head()
    repository.commit({"prompts/support.md": None}, "Gone", who=PRIYA)
    stage.good("retire", "--base", base)
    last = stage.changes()[-1]
    assert (last["action"], last["artifact_id"], last["from_revision"]) == ("retire", "support", new)
    assert last["author"] == "priya@example.org"


def test_nothing_is_published_that_the_gate_refuses(stage: Stage) -> None:
    """`approve` and `deploy` publish nothing where the gate fails; a deployment all the same needs a reason."""
    repository = stage.repository
    base = repository.head()
    repository.commit({"prompts/other.md": "Unreviewed.\n"}, "Hurry")
    before = stage.changes()
    for action in ("approve", "deploy"):
        done = stage.change(action, "--base", base)
        assert done.code == 1
        assert "no_verified_reviewer" in done.out
        assert "nothing was published" in done.err
    assert stage.changes() == before
    dry = stage.good("deploy", "--base", base, "--despite-gate", "outage", "--dry-run")
    assert dry["events"][0]["change"]["reason"]["text"] == "outage"
    assert "no_verified_reviewer" in dry["events"][0]["change"]["description"]["text"]
    assert stage.changes() == before
    stage.good("deploy", "--base", base, "--despite-gate", "outage")
    assert len(stage.changes()) == len(before) + 1
