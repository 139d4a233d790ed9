"""What is known besides the repository: reports, the platform's records, who may sign. Read from files once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ledger.changes.evaluation import REPORT_BYTES_MAX, Report
from ledger.changes.github import (
    FILE_BYTES_MAX,
    Event,
    LinkedCommit,
    PullRequest,
    Review,
    read_commits,
    read_event,
    read_pulls,
    read_reviews,
)
from ledger.changes.report_json import parse_json_report
from ledger.changes.report_junit import parse_junit_report
from ledger.errors import Misconfigured, Rejected


@dataclass(frozen=True, slots=True)
class Files:
    """Where it is."""

    reports: tuple[Path, ...] = ()
    event: Path | None = None
    pulls: tuple[Path, ...] = ()
    reviews: tuple[Path, ...] = ()
    commits: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What it says."""

    reports: tuple[Report, ...] = ()
    pulls: tuple[PullRequest, ...] = ()
    reviews: tuple[Review, ...] = ()
    commits: tuple[LinkedCommit, ...] = ()
    pushed_from: str | None = None


def read_evidence(files: Files) -> Evidence:
    """`Rejected` names the file and field that is wrong, `Misconfigured` the file that can't be read."""
    event = read_event(_bytes(files.event, FILE_BYTES_MAX), str(files.event)) if files.event is not None else Event()
    pulls = {each.number: each for each in event.pulls}
    for path in files.pulls:
        # What was asked of the platform is newer than what it sent.
        pulls.update({each.number: each for each in read_pulls(_bytes(path, FILE_BYTES_MAX), str(path))})
    reviews = list(event.reviews)
    if files.reviews:
        # The list holds the event's own review too, and what became of it.
        reviews = []
    for path in files.reviews:
        reviews += read_reviews(_bytes(path, FILE_BYTES_MAX), str(path), pulls.values())
    unknown = sorted({each.pull for each in reviews} - pulls.keys())
    if unknown:
        raise Rejected(
            "",
            f"reviews of pull request {unknown[0]} are given, and not the pull request itself: who opened it and what "
            "it ends with is not known; --github-pull FILE, from `gh api repos/OWNER/REPO/pulls/NUMBER`",
        )
    return Evidence(
        tuple(_reports(files.reports)),
        tuple(pulls.values()),
        tuple(reviews),
        tuple(each for path in files.commits for each in read_commits(_bytes(path, FILE_BYTES_MAX), str(path))),
        event.pushed_from,
    )


def _reports(paths: Iterable[Path]) -> list[Report]:
    found = []
    for path in paths:
        data = _bytes(path, REPORT_BYTES_MAX)
        head = data.removeprefix(b"\xef\xbb\xbf").lstrip()
        if head.startswith(b"{"):
            found.append(parse_json_report(data, str(path)))
        elif head.startswith(b"<") or path.suffix == ".xml":
            found.append(parse_junit_report(data, str(path)))
        else:
            raise Rejected("", f"{path}: expected a report in JSON or JUnit XML")
    return found


def _bytes(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as opened:
            return opened.read(most + 1)
    except OSError as error:
        raise Misconfigured(f"{path}: cannot read it: {error.strerror}") from None
