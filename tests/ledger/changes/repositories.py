"""Git repositories for the tests: real git, real keys, commits by several people."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger.changes.evidence import Evidence, Files, read_evidence
from ledger.changes.gate import Outcome, judge
from ledger.changes.gathering import Asked, candidates, look_at
from ledger.changes.git import Repository
from ledger.changes.signatures import allowed_signers

MIA, TOMAS, PRIYA = "mia", "tomas", "priya"
DOMAIN = "example.org"
START_S = 1_760_000_000
DECLARATION = """\
format = 1
repository = "github.com/acme/assistant"

[[artifacts]]
kind = "prompt"
files = ["prompts/**/*.md"]

[[artifacts]]
kind = "model"
file = "models.toml"
keys = "models.*"
"""
PROMPT = "You help {name}.\n"
MODELS = '[models]\nsupport = "openai/gpt-4o-2024-08-06"\n'


def digest(text: str | bytes) -> str:
    """SHA-256 in hex."""
    return sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def address(who: str) -> str:
    """Somebody's e-mail address."""
    return f"{who}@{DOMAIN}"


@dataclass(slots=True)
class GitRepository:
    """A repository in `folder`. Times go on by a minute a commit, so that ids are the same in every run."""

    folder: Path
    keys: Path
    _minutes: int = 0

    def git(self, *arguments: str, given: bytes | None = None, who: str = MIA, check: bool = True) -> str:
        """Runs git as somebody; returns what it prints."""
        at = f"{START_S + 60 * self._minutes} +0000"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.keys),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": who.title(),
            "GIT_AUTHOR_EMAIL": address(who),
            "GIT_AUTHOR_DATE": at,
            "GIT_COMMITTER_NAME": who.title(),
            "GIT_COMMITTER_EMAIL": address(who),
            "GIT_COMMITTER_DATE": at,
        }
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=environment, input=given, capture_output=True, timeout=60
        )
        if check and done.returncode:
            raise AssertionError(f"git {arguments}: {done.stderr.decode()}")
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def init(self) -> GitRepository:
        """An empty repository."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.keys.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "origin", "git@github.com:acme/assistant.git")
        return self

    def write(self, files: dict[str, str | bytes | None]) -> None:
        """Writes files; None removes one."""
        for name, text in files.items():
            path = self.folder / name
            if text is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode() if isinstance(text, str) else text)

    def commit(
        self,
        files: dict[str, str | bytes | None] | None = None,
        message: str = "A change",
        *,
        who: str = MIA,
        sign: bool = False,
        amend: tuple[str, ...] = (),
    ) -> str:
        """A commit of these files; returns its id."""
        self.write(files or {})
        self.git("add", "-A")
        self._minutes += 1
        self.git(*self._signed(who, sign), "commit", "-q", "--allow-empty", *amend, "-m", message, who=who)
        return self.head()

    def merge(self, branch: str, message: str = "Merge", *, who: str = MIA, sign: bool = False) -> str:
        """A merge commit."""
        self._minutes += 1
        self.git(*self._signed(who, sign), "merge", "-q", "--no-ff", "-m", message, branch, who=who)
        return self.head()

    def head(self) -> str:
        """The commit that is checked out."""
        return self.git("rev-parse", "HEAD")

    def checkout(self, branch: str, *, new: bool = False) -> None:
        """Goes to a branch."""
        self.git("checkout", "-q", *(["-b"] if new else []), branch)

    def _signed(self, who: str, sign: bool) -> tuple[str, ...]:
        if not sign:
            return ("-c", "commit.gpgsign=false")
        key = self.key(who)
        return ("-c", "gpg.format=ssh", "-c", f"user.signingkey={key}", "-c", "commit.gpgsign=true")

    def key(self, who: str) -> Path:
        """Somebody's SSH key, made when it is first asked for."""
        path = self.keys / who
        if not path.exists():
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", str(path)], check=True, timeout=30
            )
        return path

    def signers(self, *people: str) -> Path:
        """A list of allowed signers, outside the repository."""
        lines = []
        for who in people:
            public = self.key(who).with_suffix(".pub").read_text().split()[:2]
            lines.append(f'{address(who)} namespaces="git" {" ".join(public)}\n')
        path = self.keys / "allowed_signers"
        path.write_text("".join(lines))
        return path

    def outcomes(
        self, *, signers: Path | str | None = None, files: Files | None = None, **asked: Any
    ) -> dict[str, Outcome]:
        """The gate's verdicts by artifact."""
        evidence = read_evidence(files) if files is not None else Evidence()
        question = Asked(**asked)
        with Repository(self.folder) as repository:
            commission = look_at(repository, question, evidence)
            signatures = allowed_signers(repository, str(signers) if signers else None, None)
            found = candidates(repository, commission, question, evidence, signatures)
        rules = commission.declaration.rules
        return {each.key: judge(each, evidence.reports, rules) for each in found}


def codes(outcome: Outcome) -> list[str]:
    """The codes of the failures."""
    return [each.code for each in outcome.failures]


def approval(who: str, message: str = "Approve") -> str:
    """A commit message in which somebody says that he reviewed."""
    return f"{message}\n\nReviewed-by: {who.title()} <{address(who)}>\n"
