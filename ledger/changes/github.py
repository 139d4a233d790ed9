"""Pull requests and their reviews, as GitHub's REST API and the payloads of its events give them.

| what                | from                                                                          |
| ------------------- | ----------------------------------------------------------------------------- |
| a pull request      | `gh api repos/O/R/pulls/N`, or `pull_request` of an event's payload            |
| its reviews         | `gh api --paginate repos/O/R/pulls/N/reviews`, or `review` of a payload        |
| its commits         | `gh api --paginate repos/O/R/pulls/N/commits`: which login an author's address belongs to |
| the push            | `before` of a push event's payload                                             |

A file may hold several documents one after the other, each one object or a list (what `--paginate` prints). Fields that
are not needed are not looked at; one that is needed and missing, or of another type, is named.

Of the reviews of one user the latest that decides counts: APPROVED, CHANGES_REQUESTED, DISMISSED. A comment decides
nothing, a review that is pending is none yet. GitHub lists reviews in the order in which they were made; here their own
times order them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledger.errors import Rejected

FILE_BYTES_MAX = 64 * 1024 * 1024
DECIDING = frozenset({"APPROVED", "CHANGES_REQUESTED", "DISMISSED"})
INSIDERS = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
"""Of `author_association`: who belongs to the repository. Anybody may approve a public pull request."""

_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PULL_URL = re.compile(r"https://[^\s/]+(?:/[^\s/]+)*/(?:pulls|pull)/([0-9]{1,18})(?:[/#?].*)?")


@dataclass(frozen=True, slots=True)
class PullRequest:
    """One pull request. `base`: the tip of the branch that it is for; `head`: what was reviewed and is merged."""

    number: int
    url: str
    author: str
    base: str
    head: str


@dataclass(frozen=True, slots=True)
class Review:
    """One review. `pull`: the number of its pull request; `login` is None for an account that is gone."""

    pull: int
    id: int
    login: str | None
    is_bot: bool
    association: str
    state: str
    commit: str
    at: datetime
    url: str


@dataclass(frozen=True, slots=True)
class LinkedCommit:
    """A commit as the platform links it: its author's address and the login that the address belongs to."""

    address: str
    login: str


@dataclass(frozen=True, slots=True)
class Event:
    """What an event's payload gives."""

    pulls: tuple[PullRequest, ...] = ()
    reviews: tuple[Review, ...] = ()
    pushed_from: str | None = None


def read_pulls(data: bytes, where: str) -> list[PullRequest]:
    """The pull requests of a file."""
    return [_pull(each, _Place(where, f"[{i}]")) for i, each in enumerate(_documents(data, where))]


def read_reviews(data: bytes, where: str, pulls: Iterable[PullRequest]) -> list[Review]:
    """The reviews of a file that are none pending. Where one does not say its pull request, there must be one only."""
    numbers = {each.number for each in pulls}
    found = []
    for i, each in enumerate(_documents(data, where)):
        place = _Place(where, f"[{i}]")
        if str(each.get("state", "")).upper() != "PENDING":
            found.append(_review(each, place, numbers))
    return found


def read_commits(data: bytes, where: str) -> list[LinkedCommit]:
    """The commits of a file whose authors the platform knows."""
    found = []
    for i, each in enumerate(_documents(data, where)):
        place = _Place(where, f"[{i}]")
        address = place.text(each, "commit", "author", "email")
        if isinstance(each.get("author"), dict):
            found.append(LinkedCommit(address, place.text(each, "author", "login")))
    return found


def read_event(data: bytes, where: str) -> Event:
    """What a payload gives; an event that is about something else gives nothing."""
    documents = list(_documents(data, where))
    if len(documents) != 1:
        raise Rejected("", f"{where}: expected one event's payload, got {len(documents)} documents")
    payload, place = documents[0], _Place(where, "")
    if isinstance(payload.get("pull_request"), dict):
        pull = _pull(payload["pull_request"], place.below("pull_request"))
        reviews: tuple[Review, ...] = ()
        if isinstance(payload.get("review"), dict):
            reviews = (_review(payload["review"], place.below("review"), {pull.number}),)
        return Event((pull,), reviews)
    before = payload.get("before")
    if isinstance(before, str) and _ID.fullmatch(before) and set(before) != {"0"}:
        return Event(pushed_from=before)
    return Event()


def deciding(reviews: Iterable[Review]) -> list[Review]:
    """Of each user and pull request the latest review that decides, in the order of their times."""
    latest: dict[tuple[int, str], Review] = {}
    for each in sorted(reviews, key=lambda review: (review.at, review.id)):
        if each.state in DECIDING and each.login is not None:
            latest[each.pull, each.login.lower()] = each
    return sorted(latest.values(), key=lambda review: (review.at, review.id))


class _Place:
    """Where in a file: for taking values out of it and for saying which is wrong."""

    def __init__(self, where: str, path: str) -> None:
        self._where = where
        self._path = path

    def below(self, name: str) -> _Place:
        """The place of a field."""
        return _Place(self._where, f"{self._path}.{name}" if self._path else name)

    def wrong(self, name: str, expected: str) -> Rejected:
        """What is to be raised for a field."""
        path = f"{self._path}.{name}" if self._path else name
        return Rejected("", f"{self._where}: {path}: expected {expected}")

    def text(self, value: dict[str, Any], *names: str) -> str:
        """A text that is there, on one line."""
        found: Any = value
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        if not isinstance(found, str) or not found or not found.isprintable():
            raise self.wrong(".".join(names), "a text")
        return found

    def number(self, value: dict[str, Any], name: str) -> int:
        """A whole number from 1."""
        found = value.get(name)
        if type(found) is not int or not 0 < found < 2**63:
            raise self.wrong(name, "a number")
        return found

    def commit(self, value: dict[str, Any], *names: str) -> str:
        """The id of a commit."""
        found = self.text(value, *names)
        if not _ID.fullmatch(found):
            raise self.wrong(".".join(names), "the id of a commit")
        return found


def _documents(data: bytes, where: str) -> Iterator[dict[str, Any]]:
    """The objects of a file, out of its lists."""
    if len(data) > FILE_BYTES_MAX:
        raise Rejected("", f"{where}: expected at most {FILE_BYTES_MAX} bytes, got {len(data)}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Rejected("", f"{where}: expected UTF-8") from None
    decoder, at = json.JSONDecoder(), 0
    while at < len(text.rstrip()):
        try:
            value, at = decoder.raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))
        except (ValueError, RecursionError):
            raise Rejected("", f"{where}: expected JSON as GitHub's API gives it") from None
        for each in value if isinstance(value, list) else [value]:
            # `gh api --paginate --slurp` puts the pages into one more list.
            for one in each if isinstance(each, list) else [each]:
                if not isinstance(one, dict):
                    raise Rejected("", f"{where}: expected objects, as GitHub's API gives them")
                yield one


def _pull(value: dict[str, Any], place: _Place) -> PullRequest:
    return PullRequest(
        place.number(value, "number"),
        place.text(value, "html_url"),
        place.text(value, "user", "login"),
        place.commit(value, "base", "sha"),
        place.commit(value, "head", "sha"),
    )


def _review(value: dict[str, Any], place: _Place, pulls: set[int]) -> Review:
    url = place.text(value, "html_url")
    named = value.get("pull_request_url", url)
    found = _PULL_URL.fullmatch(named) if isinstance(named, str) else None
    if found is None and len(pulls) != 1:
        raise place.wrong("pull_request_url", "the address of a pull request")
    user = value.get("user")
    return Review(
        int(found[1]) if found is not None else min(pulls),
        place.number(value, "id"),
        place.text(value, "user", "login") if isinstance(user, dict) else None,
        isinstance(user, dict) and user.get("type") == "Bot",
        str(value.get("author_association", "")).upper(),
        place.text(value, "state").upper(),
        place.commit(value, "commit_id"),
        _time(value, place),
        url,
    )


def _time(value: dict[str, Any], place: _Place) -> datetime:
    try:
        at = datetime.fromisoformat(place.text(value, "submitted_at"))
    except ValueError:
        at = datetime.min
    if at.tzinfo is None:
        raise place.wrong("submitted_at", "a time such as 2026-11-21T12:00:00Z")
    return at
