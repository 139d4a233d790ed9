"""What a repository is called."""

from __future__ import annotations

import pytest

from ledger.changes.document import DEFAULT, Declaration
from ledger.changes.git import Repository
from ledger.changes.naming import normal_url, repository_name
from ledger.errors import Misconfigured
from tests.ledger.changes.repositories import GitRepository


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/acme/assistant.git", "github.com/acme/assistant"),
        ("https://mia:s3cret@GitHub.com:443/acme/assistant/", "github.com/acme/assistant"),
        ("git@github.com:acme/assistant.git", "github.com/acme/assistant"),
        ("ssh://git@github.com:22/acme/assistant", "github.com/acme/assistant"),
        ("file:///srv/assistant", ""),
        ("/srv/assistant", ""),
        ("../assistant:x", ""),
        ("https://github.com", ""),
        ("", ""),
    ],
)
def test_a_remote_is_named_the_same_however_it_is_cloned(url: str, expected: str) -> None:
    """Without scheme, user, password, port and suffix; a path on this machine is no name."""
    assert normal_url(url) == expected


def test_what_is_said_comes_before_what_is_declared_before_the_remote(repository: GitRepository) -> None:
    """A repository without any of them has no name, and one that can't stand in a payload is refused."""
    with Repository(repository.folder) as opened:
        declared = Declaration((), repository="declared/name")
        assert repository_name(opened, declared, "said/name") == "said/name"
        assert repository_name(opened, declared, None) == "declared/name"
        assert repository_name(opened, DEFAULT, None) == "github.com/acme/assistant"
        for wrong in ("a\nb", "x" * 200):
            with pytest.raises(Misconfigured, match="name"):
                repository_name(opened, DEFAULT, wrong)
    repository.git("remote", "remove", "origin")
    with Repository(repository.folder) as opened, pytest.raises(Misconfigured, match="--repository"):
        repository_name(opened, DEFAULT, None)
