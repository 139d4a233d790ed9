"""The gate on pull requests: merges, squashes, rebases, and what does not count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ledger.changes.evidence import Files
from ledger.changes.gate import Outcome
from ledger.changes.git import MissingHistory
from ledger.errors import Misconfigured, Rejected
from tests.ledger.changes.platform import linked, pull, push_event, review, review_event, stored, user
from tests.ledger.changes.reports import json_report, written
from tests.ledger.changes.repositories import DECLARATION, MIA, PRIYA, TOMAS, GitRepository, address, codes, digest

FILE = "prompts/support.md"
PEOPLE = f"""
[[people]]
name = "mia"
emails = ["{address(MIA)}"]
github = ["mia-l"]
"""


class Pull:
    """A repository with a branch that changes the prompt, and its pull request."""

    def __init__(self, repository: GitRepository, folder: Path) -> None:
        self.repository = repository
        self.folder = folder
        repository.commit({"audit-ledger.toml": DECLARATION + PEOPLE})
        self.base = repository.head()
        repository.checkout("kinder", new=True)
        self.head = repository.commit({FILE: "kinder\n"})
        self.report = written(folder, json_report(digest("kinder\n")))

    def judged(self, *reviews: dict[str, Any], opened: dict[str, Any] | None = None, **asked: Any) -> Outcome:
        """The prompt's outcome with these reviews."""
        opened = opened or pull(self.base, self.head)
        commits = asked.pop("commits", None)
        files = Files(
            reports=(self.report,),
            pulls=(stored(self.folder, "pull.json", opened),),
            reviews=(stored(self.folder, "reviews.json", list(reviews)),),
            commits=() if commits is None else (stored(self.folder, "commits.json", commits),),
        )
        return self.repository.outcomes(files=files, **asked)["prompt:support"]


@pytest.fixture
def kinder(repository: GitRepository, tmp_path: Path) -> Pull:
    """The pull request."""
    return Pull(repository, tmp_path / "github")


def test_an_approval_of_the_head_counts(kinder: Pull) -> None:
    """On the branch, before it is merged: only what the pull request changes is judged."""
    outcome = kinder.judged(review(kinder.head))
    assert outcome.passed, outcome.failures
    (claim,) = outcome.reviewed.counted
    assert claim.source == "github-review:https://github.com/acme/assistant/pull/12#pullrequestreview-80"
    assert outcome.candidate.before is not None


@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
def test_it_counts_after_the_merge_however_it_was_merged(kinder: Pull, how: str) -> None:
    """What was reviewed on the branch is what is deployed from main, by its content; its authors stay authors."""
    repository = kinder.repository
    repository.checkout("main")
    repository.commit({"README": "y\n"})
    if how == "merge":
        repository.merge("kinder", who=PRIYA)
    elif how == "squash":
        repository.git("merge", "-q", "--squash", "kinder")
        repository.commit(message="Kinder (#12)", who=PRIYA)
    else:
        repository.git("cherry-pick", "kinder", who=PRIYA)
    outcome = kinder.judged(review(kinder.head), keys=("prompt:support",))
    assert "mia" in [each.name for each in outcome.candidate.authors]
    if how == "squash":
        # Whoever squashed stands as author beside the branch's: an address that nothing joins to the reviewer's login.
        assert codes(outcome) == ["no_verified_reviewer", "identity_unknown"]
        known = [linked(kinder.head, address(TOMAS), "tomas-b")]
        outcome = kinder.judged(review(kinder.head), keys=("prompt:support",), commits=known)
    assert outcome.passed, outcome.failures


def test_a_change_after_the_review_does_not_pass(kinder: Pull) -> None:
    """A further commit on the branch, one on main, and one made while merging: none of them was reviewed."""
    repository = kinder.repository
    reviewed = kinder.head
    later = repository.commit({FILE: "much kinder\n"})
    found = codes(kinder.judged(review(reviewed), opened=pull(kinder.base, later)))
    assert found == ["no_verified_reviewer", "review_of_older_commit", "no_evaluation"]
    found = codes(kinder.judged(review(reviewed), base="main"))
    assert found == ["no_verified_reviewer", "artifact_changed_since_review", "no_evaluation"]


def test_an_unrelated_pull_request_approves_nothing(kinder: Pull) -> None:
    """An approval of a pull request that only happens to contain the artifact is no review of it."""
    repository = kinder.repository
    base = kinder.head
    head = repository.commit({"README": "y\n"})
    found = codes(kinder.judged(review(head), opened=pull(base, head), base=kinder.base))
    assert found == ["no_verified_reviewer", "review_of_other_change"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"state": "DISMISSED"}, "review_dismissed"),
        ({"state": "CHANGES_REQUESTED"}, "changes_requested"),
        ({"user": user("helper[bot]", "Bot")}, "reviewer_bot"),
        ({"author_association": "NONE"}, "reviewer_outsider"),
        ({"author_association": "CONTRIBUTOR"}, "reviewer_outsider"),
        ({"user": user("mia-l")}, "author_is_reviewer"),
        ({"user": user("MIA-L")}, "author_is_reviewer"),
    ],
)
def test_reviews_that_do_not_count(kinder: Pull, changed: dict[str, Any], code: str) -> None:
    """Dismissed, by a machine, by a stranger, by the author: each is told by its code."""
    assert code in codes(kinder.judged({**review(kinder.head), **changed}))


def test_comments_and_ghosts_say_nothing(kinder: Pull) -> None:
    """A comment is no review that decides, and an account that is gone is nobody."""
    found = codes(kinder.judged(review(kinder.head, state="COMMENTED"), review(kinder.head, user=None)))
    assert found == ["no_verified_reviewer"]


def test_a_declared_reviewer_counts_whatever_github_calls_them(kinder: Pull) -> None:
    """Members of a private organisation may look like strangers to a token; the declaration knows them."""
    more = f'{DECLARATION}{PEOPLE}\n[[people]]\nname = "tomas"\nemails = ["{address(TOMAS)}"]\ngithub = ["Tomas-B"]\n'
    kinder.head = kinder.repository.commit({"audit-ledger.toml": more})
    outcome = kinder.judged(review(kinder.head, author_association="NONE"))
    assert outcome.passed, outcome.failures
    assert [each.person.name for each in outcome.reviewed.counted if each.person] == ["tomas"]


def test_who_opened_the_pull_request_is_an_author(kinder: Pull) -> None:
    """Somebody else's commits do not make him a reviewer of his own pull request."""
    opened = pull(kinder.base, kinder.head, author="tomas-b")
    assert "author_is_reviewer" in codes(kinder.judged(review(kinder.head), opened=opened))


def test_an_author_under_another_address_is_known_by_mailmap_and_by_the_platform(kinder: Pull) -> None:
    """A second address, joined by .mailmap to a declared person or by GitHub to a login, is the same author."""
    repository = kinder.repository
    kinder.head = repository.commit({FILE: "kinder\n\n"}, who="tomas.private")
    kinder.report = written(kinder.folder, json_report(digest("kinder\n\n")))
    assert "identity_unknown" in codes(kinder.judged(review(kinder.head)))
    known = [linked(kinder.head, address("tomas.private"), "tomas-b")]
    assert "author_is_reviewer" in codes(kinder.judged(review(kinder.head), commits=known))
    kinder.head = repository.commit({".mailmap": f"Mia <{address(MIA)}> <{address('tomas.private')}>\n"})
    assert kinder.judged(review(kinder.head)).passed


def test_an_event_alone_is_enough_for_its_own_review(kinder: Pull) -> None:
    """The payload of a submitted review names pull request, review and base; a list of reviews is newer."""
    payload = review_event(pull(kinder.base, kinder.head), review(kinder.head))
    event = stored(kinder.folder, "event.json", payload)
    files = Files(reports=(kinder.report,), event=event)
    found = kinder.repository.outcomes(files=files)
    assert list(found) == ["prompt:support"]
    assert found["prompt:support"].passed
    dismissed = stored(kinder.folder, "reviews.json", [review(kinder.head, state="DISMISSED")])
    files = Files(reports=(kinder.report,), event=event, reviews=(dismissed,))
    assert "review_dismissed" in codes(kinder.repository.outcomes(files=files)["prompt:support"])


def test_a_push_says_what_to_compare_with(kinder: Pull) -> None:
    """Of a push only what it changed is judged; of the first push of a branch, everything."""
    event = stored(kinder.folder, "event.json", push_event(kinder.base, kinder.head))
    assert list(kinder.repository.outcomes(files=Files(event=event))) == ["prompt:support"]
    event = stored(kinder.folder, "event.json", push_event("0" * 40, kinder.head))
    assert len(kinder.repository.outcomes(files=Files(event=event))) == 3


def test_a_head_that_was_never_fetched_is_named(kinder: Pull) -> None:
    """After a squash the branch may be gone from the clone: the message says how to get it."""
    missing = "d" * 40
    with pytest.raises(MissingHistory, match=r"pull request 12: commit d{40}.*git fetch origin refs/pull/12/head"):
        kinder.judged(review(missing), opened=pull(kinder.base, missing))


def test_reviews_without_their_pull_request_are_refused(kinder: Pull) -> None:
    """Who opened it, and what it ends with, must be known."""
    files = Files(
        pulls=(stored(kinder.folder, "pull.json", pull(kinder.base, kinder.head)),),
        reviews=(stored(kinder.folder, "reviews.json", [review(kinder.head, number=13)]),),
    )
    with pytest.raises(Rejected, match=r"reviews of pull request 13 .* `gh api"):
        kinder.repository.outcomes(files=files)


def test_who_loosens_the_declaration_needs_a_review(kinder: Pull) -> None:
    """Taking the prompt out of the declaration, or the gate down, is a change of the declaration itself."""
    loose = DECLARATION.replace("prompts/**/*.md", "nothing/*") + "\n[gate]\nevaluated = []\n"
    head = kinder.repository.commit({"audit-ledger.toml": loose})
    found = kinder.repository.outcomes(base=kinder.base)
    assert codes(found["policy:audit-ledger.toml"]) == ["no_verified_reviewer"]
    removed = kinder.repository.commit({"audit-ledger.toml": None})
    found = kinder.repository.outcomes(base=kinder.base)
    assert codes(found["policy:audit-ledger.toml"]) == ["no_verified_reviewer"]
    assert head != removed


def test_artifacts_are_named_by_kind_and_id(kinder: Pull) -> None:
    """An id alone is enough where it is clear; what is not there, and what two kinds have, is refused."""
    repository = kinder.repository
    assert set(repository.outcomes(keys=("support", "prompt:support"))) == {"prompt:support"}
    with pytest.raises(Misconfigured, match="expected one artifact, found 0"):
        repository.outcomes(keys=("nothing",))
    twice = f'{DECLARATION}\n[[artifacts]]\nkind = "agent"\nfiles = ["prompts/*.md"]\n'
    repository.commit({"audit-ledger.toml": twice})
    with pytest.raises(Misconfigured, match=r"found 2; say (agent|prompt):support or (agent|prompt):support"):
        repository.outcomes(keys=("support",))
    both = f'{DECLARATION}\n[[artifacts]]\nkind = "prompt"\nfiles = ["more/*.md"]\n'
    repository.commit({"audit-ledger.toml": both, "more/support.md": "x\n"})
    with pytest.raises(Rejected, match="are both prompt:support"):
        repository.outcomes()
