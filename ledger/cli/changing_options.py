"""The options that the commands of `change` share, and what they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ledger.changes.evidence import Evidence, Files, read_evidence
from ledger.changes.gate import Candidate
from ledger.changes.gathering import Asked, Commission, candidates, look_at
from ledger.changes.git import Repository
from ledger.changes.signatures import allowed_signers
from ledger.cli.options import Command

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a command is about: the repository, the commit, and where the evidence is."""

    folder: Path
    asked: Asked
    files: Files
    signers: str | None
    gpg_keys: Path | None


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found."""

    repository: Repository
    commission: Commission
    evidence: Evidence
    candidates: list[Candidate]


@contextmanager
def looked_at(subject: Subject, *, removed_only: bool = False) -> Iterator[Looked]:
    """Reads everything; the repository is open while the block runs."""
    evidence = read_evidence(subject.files)
    with Repository(subject.folder) as repository:
        commission = look_at(repository, subject.asked, evidence)
        signatures = allowed_signers(repository, subject.signers, subject.gpg_keys)
        found = candidates(repository, commission, subject.asked, evidence, signatures, removed_only=removed_only)
        yield Looked(repository, commission, evidence, found)


def subject_options(command: Command) -> Command:
    """The repository and the commit, the artifacts, the evidence; passed as `subject: Subject`."""

    def subjected(
        repo: Path,
        commit: str,
        base: str | None,
        config: str | None,
        artifact: tuple[str, ...],
        report: tuple[Path, ...],
        github_event: Path | None,
        github_pull: tuple[Path, ...],
        github_reviews: tuple[Path, ...],
        github_commits: tuple[Path, ...],
        signers: str | None,
        gpg_keys: Path | None,
        **rest: Any,
    ) -> Any:
        asked = Asked(commit, base or None, config or None, artifact)
        files = Files(report, github_event, github_pull, github_reviews, github_commits)
        return command(subject=Subject(repo, asked, files, signers or None, gpg_keys), **rest)

    subjected.__name__, subjected.__doc__ = command.__name__, command.__doc__
    subjected.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    decorated: Any = subjected
    for option in reversed((*_repository_options(), *_evidence_options())):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def _repository_options() -> tuple[Any, ...]:
    return (
        click.option(
            "--repo",
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            default=".",
            show_default=True,
            help="A folder of the Git repository.",
        ),
        click.option("--commit", default="HEAD", show_default=True, metavar="REV", help="The commit to look at."),
        click.option(
            "--base",
            metavar="REV",
            help="Only what differs from this commit, such as the one deployed now. Default: as the GitHub event says, "
            "else all artifacts.",
        ),
        click.option(
            "--config", metavar="PATH", help="The declaration, a path in the commit. Default: audit-ledger.toml."
        ),
        click.option(
            "--artifact",
            multiple=True,
            metavar="KIND:ID",
            help="Only this artifact (repeatable); the id alone is enough if clear.",
        ),
    )


def _evidence_options() -> tuple[Any, ...]:
    return (
        click.option("--report", multiple=True, type=_FILE, help="Evaluation report, JSON or JUnit XML (repeatable)."),
        click.option(
            "--github-event",
            type=_FILE,
            envvar="GITHUB_EVENT_PATH",
            show_envvar=True,
            help="Payload of the GitHub event that started this run.",
        ),
        click.option(
            "--github-pull", multiple=True, type=_FILE, help="Pull request: gh api repos/O/R/pulls/N (repeatable)."
        ),
        click.option(
            "--github-reviews",
            multiple=True,
            type=_FILE,
            help="Its reviews: gh api --paginate repos/O/R/pulls/N/reviews (repeatable).",
        ),
        click.option(
            "--github-commits",
            multiple=True,
            type=_FILE,
            help="Its commits, which say whose login an author is: gh api --paginate repos/O/R/pulls/N/commits "
            "(repeatable).",
        ),
        click.option(
            "--allowed-signers",
            "signers",
            metavar="FILE|REV:PATH",
            help="Whose signatures count: a file outside the work tree, or one at a trusted revision.",
        ),
        click.option("--gpg-keys", type=_FILE, help="OpenPGP public keys that the allowed signers name."),
    )


def moment(text: str | None, option: str) -> datetime | None:
    """A time out of an option; without a zone it is UTC."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{option}: expected an RFC 3339 time such as 2026-11-21T15:00:00Z") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
