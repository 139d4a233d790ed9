"""GitHub's answers, in the shapes of its REST API and its events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

API = "https://api.github.com/repos/acme/assistant"
WEB = "https://github.com/acme/assistant"


def user(login: str, kind: str = "User") -> dict[str, Any]:
    """An account."""
    return {"login": login, "id": sum(login.encode()), "type": kind, "html_url": f"https://github.com/{login}"}


def pull(base: str, head: str, *, number: int = 12, author: str = "mia-l", **more: Any) -> dict[str, Any]:
    """A pull request, as `GET /repos/{owner}/{repo}/pulls/{number}` gives it."""
    return {
        "url": f"{API}/pulls/{number}",
        "id": 1000 + number,
        "html_url": f"{WEB}/pull/{number}",
        "number": number,
        "state": "open",
        "title": "Kinder",
        "user": user(author),
        "head": {"label": "acme:kinder", "ref": "kinder", "sha": head},
        "base": {"label": "acme:main", "ref": "main", "sha": base},
        "merged": False,
        "draft": False,
        **more,
    }


def review(
    commit: str, login: str = "tomas-b", state: str = "APPROVED", *, number: int = 12, id: int = 80, **more: Any
) -> dict[str, Any]:
    """A review, as `GET /repos/{owner}/{repo}/pulls/{number}/reviews` gives it."""
    return {
        "id": id,
        "user": user(login),
        "body": "",
        "state": state,
        "html_url": f"{WEB}/pull/{number}#pullrequestreview-{id}",
        "pull_request_url": f"{API}/pulls/{number}",
        "author_association": "MEMBER",
        "submitted_at": f"2026-11-21T10:{id % 60:02d}:00Z",
        "commit_id": commit,
        **more,
    }


def linked(sha: str, address: str, login: str | None) -> dict[str, Any]:
    """A commit, as `GET /repos/{owner}/{repo}/pulls/{number}/commits` gives it."""
    return {
        "sha": sha,
        "commit": {"author": {"name": "x", "email": address, "date": "2026-11-21T09:00:00Z"}, "message": "m"},
        "author": user(login) if login is not None else None,
    }


def review_event(pull_request: dict[str, Any], submitted: dict[str, Any]) -> dict[str, Any]:
    """The payload of `pull_request_review`: states are in lower case there."""
    return {
        "action": "submitted",
        "review": {**submitted, "state": submitted["state"].lower()},
        "pull_request": pull_request,
        "repository": {"full_name": "acme/assistant", "html_url": WEB},
        "sender": submitted["user"],
    }


def push_event(before: str, after: str) -> dict[str, Any]:
    """The payload of `push`."""
    return {
        "ref": "refs/heads/main",
        "before": before,
        "after": after,
        "repository": {"full_name": "acme/assistant", "html_url": WEB},
        "pusher": {"name": "mia-l", "email": "mia@example.org"},
        "commits": [],
        "head_commit": None,
    }


def stored(folder: Path, name: str, value: Any) -> Path:
    """A file with this JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path
