"""docs/CHANGES.md shows a declaration and reports that are some, and commands that work."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import yaml

from ledger.changes.document import Rules, parse_declaration
from ledger.changes.report_json import parse_json_report
from ledger.changes.report_junit import parse_junit_report
from tests.docs.test_readme import ROOT, commands
from tests.ledger.changes.platform import pull, review, stored
from tests.ledger.changes.reports import json_report
from tests.ledger.changes.repositories import MIA, MODELS, TOMAS, GitRepository, address, digest
from tests.ledger.changes.workflow import action
from tests.ledger.cli.running import TENANT, Cli

DOCUMENT = ROOT / "docs" / "CHANGES.md"


def blocks(language: str) -> list[str]:
    """The document's blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text("utf-8"), re.S)


def test_the_declaration_shown_is_one() -> None:
    """Who copies it gets one, and its defaults are those of the gate."""
    (shown,) = blocks("toml")
    found = parse_declaration(shown.encode(), "audit-ledger.toml")
    assert found.people[0].github == ("mia-l",)
    assert (found.rules.reviewers_min, found.rules.evaluated) == (Rules().reviewers_min, Rules().evaluated)


def test_the_reports_shown_are_some() -> None:
    """Both forms say the same."""
    one = parse_json_report(blocks("json")[0].encode(), "report.json")
    other = parse_junit_report(blocks("xml")[0].encode(), "report.xml")
    assert (one.suite, one.run_id, one.artifact) == (other.suite, other.run_id, other.artifact)
    assert one.metrics[0] in other.metrics


def test_the_workflow_shown_uses_inputs_that_there_are() -> None:
    """Every input in the workflow is one of the action's, and every command is one of `change`."""
    (shown,) = blocks("yaml")
    jobs = yaml.safe_load(shown)["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"] if "audit-ledger-change" in step.get("uses", "")]
    assert {step["with"]["command"] for step in steps} == {"gate", "approve", "deploy"}
    assert all(step["with"].keys() <= action()["inputs"].keys() for step in steps)


def test_a_service_computes_the_revision_as_shown() -> None:
    """The program that is shown gives what `change check` tells."""
    template = "You help {name}.\n"
    scope: dict[str, object] = {"template": template}
    exec(blocks("python")[0], scope)
    assert scope["prompt"] == {
        "prompt_id": "support",
        "revision": digest(template)[:12],
        "template_sha256": sha256(template.encode()).digest(),
    }


def test_the_commands_shown_work(tmp_path: Path) -> None:
    """Each command does what it says, in the order shown, on a repository with a pull request."""
    repository = GitRepository(tmp_path / "assistant", tmp_path / "keys").init()
    (declaration,) = blocks("toml")
    more = f'\n[[people]]\nname = "tomas.berg"\nemails = ["{address(TOMAS)}"]\ngithub = ["tomas-b"]\n'
    declared = declaration.replace("mia@example.org", address(MIA)) + more
    repository.commit({"audit-ledger.toml": declared, "prompts/support.md": "one\n", "models.toml": MODELS})
    repository.git("tag", "v1.3")
    head = repository.commit({"prompts/support.md": "two\n"})
    stored(repository.folder, "eval.json", json_report(digest("two\n")))
    stored(repository.folder, "pull.json", pull(repository.git("rev-parse", "v1.3"), head))
    stored(repository.folder, "reviews.json", [review(head)])
    cli = Cli(tmp_path / "home")
    cli.make(TENANT)
    environment = {**cli.environment(), "PYTHONPATH": str(ROOT), "GITHUB_EVENT_PATH": ""}
    outputs: dict[str, str] = {}
    with cli.up("--without-query") as up:
        for shown in commands(DOCUMENT):
            words = shlex.split(shown.replace("127.0.0.1:7443", up.gateway))
            assert words[:2] == ["audit-ledger", "change"]
            done = subprocess.run(
                [sys.executable, "-m", "ledger.cli.main", *words[1:]],
                cwd=repository.folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, f"{shown}\n{done.stdout}\n{done.stderr}"
            outputs[words[2]] = done.stdout
    assert list(outputs) == ["check", "gate", "propose", "review", "approve", "deploy", "rollback", "retire"]
    assert "gate passed: 1 artifacts" in outputs["gate"]
    assert "reviewed by tomas.berg" in outputs["deploy"]
    assert all("accepted: 1" in outputs[name] for name in ("propose", "review", "approve", "deploy", "rollback"))
    assert os.listdir(repository.folder / "prompts") == ["support.md"]
