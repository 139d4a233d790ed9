"""Reviews in Git itself: trailers, which are asserted unless their own reviewer signed them."""

from __future__ import annotations

import pytest

from ledger.changes.gate import Outcome
from tests.ledger.changes.repositories import DECLARATION, MIA, PRIYA, TOMAS, GitRepository, address, approval, codes

FILE = "prompts/support.md"
QUIET = f"{DECLARATION}\n[gate]\nevaluated = []\n"


@pytest.fixture
def plain(repository: GitRepository) -> GitRepository:
    """A repository whose gate asks for reviews only, with a change of its prompt."""
    repository.commit({"audit-ledger.toml": QUIET})
    repository.git("tag", "base")
    repository.commit({FILE: "kinder\n"})
    return repository


def judged(repository: GitRepository, *signers: str) -> Outcome:
    """The prompt's outcome, with these people's signatures."""
    listed = repository.signers(*(signers or (MIA, TOMAS, PRIYA)))
    return repository.outcomes(base="base", signers=listed)["prompt:support"]


def test_a_trailer_alone_is_asserted_and_fails(plain: GitRepository) -> None:
    """Whoever writes a commit can write anybody's name into it."""
    plain.commit(message=approval(TOMAS))
    assert codes(judged(plain)) == ["no_verified_reviewer", "review_asserted"]


def test_a_trailer_that_its_reviewer_signed_is_verified(plain: GitRepository) -> None:
    """A commit that changes nothing and says that its signer reviewed is a review of the change before it."""
    plain.commit(message=approval(TOMAS), who=TOMAS, sign=True)
    outcome = judged(plain)
    assert outcome.passed, outcome.failures
    assert outcome.reviewed.counted[0].source == f"signed-commit:{plain.head()}"
    plain.commit({"README": "later\n"})
    assert judged(plain).passed


def test_somebody_elses_signature_makes_no_review(plain: GitRepository) -> None:
    """A signed commit whose trailer names another, and a signature that says nothing, are no reviews."""
    plain.commit(message=approval(TOMAS), who=PRIYA, sign=True)
    plain.commit(message="Looks good to me", who=TOMAS, sign=True)
    assert codes(judged(plain)) == ["no_verified_reviewer", "review_asserted"]


def test_a_key_that_is_not_allowed_makes_no_review(plain: GitRepository) -> None:
    """A good signature by a key that nobody listed is nobody's."""
    plain.commit(message=approval(TOMAS), who=TOMAS, sign=True)
    assert codes(judged(plain, MIA)) == ["no_verified_reviewer", "review_asserted"]


def test_an_author_does_not_review_himself(plain: GitRepository) -> None:
    """Not by signing, not as a co-author, and not under an address that is joined to his."""
    plain.commit(message=approval(MIA), who=MIA, sign=True)
    assert "author_is_reviewer" in codes(judged(plain))
    plain.commit({FILE: "kinder!\n"}, f"More\n\nCo-authored-by: Tomas <{address(TOMAS)}>")
    plain.commit(message=approval(TOMAS), who=TOMAS, sign=True)
    assert "author_is_reviewer" in codes(judged(plain))
    plain.commit({".mailmap": f"Mia <{address(MIA)}> <{address(PRIYA)}>\n"})
    plain.commit({FILE: "kinder?\n"}, who=MIA)
    plain.commit(message=approval(PRIYA), who=PRIYA, sign=True)
    assert "author_is_reviewer" in codes(judged(plain))


def test_a_review_of_an_earlier_state_does_not_count(plain: GitRepository) -> None:
    """What was changed afterwards was not seen, were it changed back in between."""
    plain.commit(message=approval(TOMAS), who=TOMAS, sign=True)
    plain.commit({FILE: "much kinder\n"})
    assert codes(judged(plain)) == ["no_verified_reviewer", "artifact_changed_since_review"]
    plain.commit({FILE: "kinder\n"})
    assert judged(plain).passed


def test_a_review_of_one_change_is_none_of_another(plain: GitRepository) -> None:
    """Whoever approves a later change does not approve what was already there, unless the commit says since when."""
    first = plain.head()
    plain.commit({"README": "y\n"})
    plain.commit(message=approval(TOMAS), who=TOMAS, sign=True)
    assert codes(judged(plain)) == ["no_verified_reviewer", "review_of_other_change"]
    since = plain.git("rev-parse", "base")
    for wrong in ("base", "1" * 40, first, plain.head()):
        plain.commit(message=f"{approval(TOMAS)}Reviewed-since: {wrong}\n", who=TOMAS, sign=True)
        assert "review_of_other_change" in codes(judged(plain))
    plain.commit(message=f"{approval(TOMAS)}Reviewed-since: {since}\n", who=TOMAS, sign=True)
    assert judged(plain).passed


def test_whoever_merges_reviews_what_the_merge_brings(repository: GitRepository) -> None:
    """A signed merge that says so is a review of the whole branch; without the trailer it says nothing."""
    repository.commit({"audit-ledger.toml": QUIET})
    repository.git("tag", "base")
    repository.checkout("kinder", new=True)
    repository.commit({FILE: "kinder\n"})
    repository.commit({"README": "y\n"})
    repository.checkout("main")
    repository.merge("kinder", who=TOMAS, sign=True)
    assert codes(judged(repository)) == ["no_verified_reviewer"]
    repository.git("reset", "-q", "--hard", "base")
    repository.merge("kinder", approval(TOMAS, "Merge"), who=TOMAS, sign=True)
    outcome = judged(repository)
    assert outcome.passed, outcome.failures
    assert [each.name for each in outcome.candidate.authors] == [address(MIA)]


@pytest.mark.parametrize("commits_max", [20_000, 6])
def test_without_a_base_each_artifact_has_its_own_range(
    plain: GitRepository, monkeypatch: pytest.MonkeyPatch, commits_max: int
) -> None:
    """Reviews since an artifact's own change count for it, however long the history is, and older ones don't."""
    monkeypatch.setattr("ledger.changes.history.RANGE_COMMITS_MAX", commits_max)
    plain.commit(message=approval(TOMAS), who=TOMAS, sign=True)
    plain.commit({"prompts/other.md": "x\n"})
    plain.commit({"prompts/third.md": "x\n"})
    plain.commit(message=approval(TOMAS), who=TOMAS, sign=True)
    found = plain.outcomes(signers=plain.signers(TOMAS), keys=("support", "other", "third"))
    assert {key: each.passed for key, each in found.items()} == {
        "prompt:support": True,
        "prompt:other": False,
        "prompt:third": True,
    }
    assert "review_of_other_change" in codes(found["prompt:other"])


def test_every_commit_of_a_signing_author_must_be_signed(plain: GitRepository) -> None:
    """One commit that is not signed by its own author makes the authorship asserted."""
    plain.commit({FILE: "signed\n"}, sign=True)
    outcome = judged(plain)
    assert not outcome.candidate.signed_by_authors
    assert len(outcome.candidate.unsigned) == 1
    plain.git("tag", "-f", "base", "HEAD~1")
    assert judged(plain).candidate.signed_by_authors
    plain.git("commit", "-q", "--amend", "--no-edit", "--author", f"Priya <{address(PRIYA)}>", "--no-gpg-sign")
    assert not judged(plain).candidate.signed_by_authors
