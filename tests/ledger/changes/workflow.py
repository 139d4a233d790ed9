"""Runs a composite action's steps as GitHub's runner does: expressions filled in, each script by a real bash."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.ledger.cli.running import ROOT

ACTION = ROOT / ".github" / "actions" / "audit-ledger-change" / "action.yml"
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_GH = """\
#!{python}
import json, pathlib, sys
words = [word for word in sys.argv[1:] if word.startswith("repos/")]
answers = pathlib.Path({answers!r})
with open(answers / "calls", "a") as calls:
    calls.write(words[0] + "\\n")
file = answers / (words[0].replace("/", "_") + ".json")
if sys.argv[1] != "api" or not file.exists():
    sys.exit(f"gh: Not Found (HTTP 404): {{words[0]}}")
value = json.loads(file.read_text())
if "--jq" in sys.argv:
    assert sys.argv[sys.argv.index("--jq") + 1] == ".[].number"
    print("\\n".join(str(each["number"]) for each in value))
else:
    # Pages come one after the other.
    pages = [value[:1], value[1:]] if isinstance(value, list) and len(value) > 1 else [value]
    print("".join(json.dumps(page) for page in pages))
"""


def action() -> dict[str, Any]:
    """The action's file."""
    found: dict[str, Any] = yaml.safe_load(ACTION.read_text("utf-8"))
    return found


@dataclass(slots=True)
class Runner:
    """A runner with its folder: `gh` answers from `answers`, `audit-ledger` is this project's."""

    folder: Path
    event: dict[str, Any]
    sha: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("temp", "bin", "answers"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._program("gh", _GH.format(python=sys.executable, answers=str(self.folder / "answers")))
        command = f'exec {sys.executable} -m ledger.cli.main "$@"'
        self._program("audit-ledger", f'#!/bin/sh\nPYTHONPATH="{ROOT}" {command}\n')
        (self.folder / "event.json").write_text(json.dumps(self.event))

    def _program(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def answer(self, path: str, value: Any) -> None:
        """What GitHub's API gives at a path below the repository."""
        name = f"repos/acme/assistant/{path}".replace("/", "_")
        (self.folder / "answers" / f"{name}.json").write_text(json.dumps(value))

    def calls(self) -> list[str]:
        """What was asked of the API."""
        file = self.folder / "answers" / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def run(self, where: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
        """All steps in a checkout; the first that fails ends it. Inputs have underscores for hyphens."""
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        unknown = given.keys() - action()["inputs"].keys()
        if unknown:
            raise AssertionError(f"no inputs of the action: {unknown}")
        values = {name: str(each.get("default", "")) for name, each in action()["inputs"].items()} | given
        out = err = ""
        code = 0
        for step in action()["runs"]["steps"]:
            if "if" in step and not self._holds(step["if"], values):
                continue
            variables = {name: self._filled(str(text), values) for name, text in step.get("env", {}).items()}
            script = self.folder / "temp" / "step.sh"
            script.write_text(step["run"])
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
                cwd=where,
                env={**self._environment(), **variables},
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
            out, err, code = out + done.stdout, err + done.stderr, done.returncode
            if code:
                break
        return subprocess.CompletedProcess([], code, out, err)

    def summary(self) -> str:
        """What the job's summary shows."""
        return (self.folder / "summary.md").read_text()

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "AUDIT_LEDGER_"))}
        return {
            **kept,
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_PATH": str(self.folder / "event.json"),
            "GITHUB_REPOSITORY": "acme/assistant",
            "GITHUB_SHA": self.sha,
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            "RUNNER_TEMP": str(self.folder / "temp"),
            "COLUMNS": "200",
            **self.environment,
        }

    def _holds(self, condition: str, inputs: dict[str, str]) -> bool:
        name, _, wanted = condition.partition(" == ")
        return self._value(name, inputs) == wanted.strip("'")

    def _filled(self, text: str, inputs: dict[str, str]) -> str:
        return _EXPRESSION.sub(lambda found: self._evaluated(found[1], inputs), text)

    def _evaluated(self, expression: str, inputs: dict[str, str]) -> str:
        values = [self._value(each.strip(), inputs) for each in expression.split("||")]
        return self._filled(next((each for each in values if each), ""), inputs)

    def _value(self, name: str, inputs: dict[str, str]) -> str:
        if name.startswith("inputs."):
            return inputs[name.removeprefix("inputs.")]
        context: Any = {
            "github": {
                "sha": self.sha,
                "token": "t0ken",
                "actor": "lena-k",
                "event": self.event,
                "action_path": str(ACTION.parent),
            }
        }
        for part in name.split("."):
            context = context.get(part, "") if isinstance(context, dict) else ""
        return str(context) if not isinstance(context, dict) else ""
