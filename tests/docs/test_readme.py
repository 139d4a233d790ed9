"""README.md shows only commands that work, in the order in which it shows them."""

from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka.broker import kafka  # noqa: F401
from tests.ledger.cli.running import ANY_PORT, Up

ROOT = Path(__file__).resolve().parent.parent.parent
BLOCK = re.compile(r"```console\n(.*?)```", re.S)
PYTHON = re.compile(r"```python\n(.*?)```", re.S)
TARGET = re.compile(r"^([a-z-]+):", re.M)


def commands(document: Path) -> list[str]:
    """Every command line shown in a document's console blocks, without its prompt."""
    shown = [line for block in BLOCK.findall(document.read_text("utf-8")) for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in shown if line.startswith("$ ")]


def conversation() -> bytes:
    """One conversation under the ids that the README asks about."""
    messages = [
        {"role": "system", "content": "You are an airline agent."},
        {"role": "user", "content": "I want to fly."},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "search", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "call_1", "name": "search", "content": "[]"},
        {"role": "assistant", "content": "There is no flight."},
    ]
    line = {
        "conversation_id": "airline-000-0",
        "user_id": "mia_li_3668",
        "vendor": "openai",
        "model": "gpt-4o",
        "messages": messages,
    }
    return gzip.compress(json.dumps(line).encode() + b"\n")


class Shell:
    """Runs shown commands in a folder; where they say or mean port 7443, with the port that `up` was given."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = "0"
        self._up: Up | None = None

    def run(self, command: str, within_s: float = 120) -> str:
        """Standard output; the test fails when the command does."""
        words = [word.replace("7443", self._port) for word in shlex.split(command)]
        words[:1] = [sys.executable, "-m", "ledger.cli.main"]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AUDIT_LEDGER")}
        environment = {**kept, **ANY_PORT, "AUDIT_LEDGER_GATEWAY_LISTEN": f"127.0.0.1:{self._port}"}
        if words[3] == "up":
            pipe = subprocess.PIPE
            self._up = Up(
                subprocess.Popen(words, cwd=self._folder, env=environment, stdout=pipe, stderr=pipe, text=True)
            )
            self._up.await_ready("gateway")
            self._port = self._up.gateway.rpartition(":")[2]
            return ""
        done = subprocess.run(
            words, cwd=self._folder, env=environment, capture_output=True, text=True, timeout=within_s
        )
        ended = "" if self._up is None or self._up.process.poll() is None else f"`up` ended: {self._up.err}"
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}\n{ended}"
        return done.stdout

    def python(self, code: str) -> None:
        """Runs a program that a document shows."""
        program = code.replace("7443", self._port) + "\nclient.close()\nassert client.stats().dropped == 0\n"
        subprocess.run([sys.executable, "-c", program], cwd=self._folder, check=True, timeout=60)

    def close(self) -> None:
        """Stops what runs in the background."""
        if self._up is not None:
            self._up.stop()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell in an empty folder."""
    (tmp_path / "conversations.jsonl.gz").write_bytes(conversation())
    shell = Shell(tmp_path)
    yield shell
    shell.close()


def test_every_make_target_shown_exists() -> None:
    """README and documents show no make target that the Makefile lacks."""
    targets = set(TARGET.findall((ROOT / "Makefile").read_text("utf-8")))
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    shown = {line.split()[1] for document in documents for line in commands(document) if line.startswith("make ")}
    assert shown
    assert shown <= targets


def test_the_readme_works_as_shown(shell: Shell) -> None:
    """Somebody who types what the README shows gets a ledger, an answer and a passed verification."""
    outputs = {
        line: shell.run(line)
        for line in commands(ROOT / "README.md")
        if line.startswith("audit-ledger ") and "kafka://" not in line
    }
    by_command = {line.split()[1]: output for line, output in outputs.items()}
    assert "There is no flight." in by_command["reconstruct"]
    assert "search" in by_command["sql"]
    assert "passed" in by_command["verify"]
    for code in PYTHON.findall((ROOT / "README.md").read_text("utf-8")):
        shell.python(code)


@pytest.mark.kafka
def test_the_readme_works_with_kafka(tmp_path: Path, kafka: str) -> None:  # noqa: F811
    """The Kafka URL that the README shows makes a ledger on a real broker."""
    [line] = [line for line in commands(ROOT / "README.md") if "kafka://" in line]
    topic = f"readme-{os.getpid()}"
    Shell(tmp_path).run(line.replace("127.0.0.1:9092", kafka).replace("/audit?", f"/{topic}?"))
