"""Which reviews count."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.changes.people import Person
from ledger.changes.reviews import Claim, Sighting, judge_reviews, names_of

THIS, THAT = b"1" * 32, b"2" * 32
MIA = Person("mia", frozenset({"email:mia@example.org", "github:mia-l"}))
TOMAS = Person("tomas", frozenset({"email:tomas@example.org", "github:tomas-b"}))
PRIYA = Person("priya", frozenset({"email:priya@example.org"}))
LOGIN = Person("github:x", frozenset({"github:x"}))


def seen(person: Person | None = TOMAS, digest: bytes | None = THIS, its_change: bool = True, **more: Any) -> Sighting:
    """A verified approval, changed as asked."""
    fields = {"verified": True, "verdict": "approved", "commit": "c" * 40, "source": "s", "where": "review 1", **more}
    return Sighting(Claim(person=person, **fields), digest, its_change)


def refusals(*sightings: Sighting, authors: tuple[Person, ...] = (MIA,), digest: bytes | None = THIS) -> list[str]:
    """Why each does not count."""
    return [each.code for each in judge_reviews(digest, authors, sightings).refused]


def test_a_verified_approval_of_this_artifact_by_another_counts() -> None:
    """It counts once, however often the person says it."""
    found = judge_reviews(THIS, [MIA], [seen(), seen(where="again"), seen(PRIYA)])
    assert [each.person for each in found.counted] == [TOMAS, PRIYA]
    assert found.refused == ()


@pytest.mark.parametrize(
    ("sighting", "code"),
    [
        (seen(verdict="changes_requested"), "changes_requested"),
        (seen(verdict="dismissed"), "review_dismissed"),
        (seen(None), "reviewer_gone"),
        (seen(problem="reviewer_bot"), "reviewer_bot"),
        (seen(problem="reviewer_outsider"), "reviewer_outsider"),
        (seen(problem="review_of_older_commit"), "review_of_older_commit"),
        (seen(its_change=False), "review_of_other_change"),
        (seen(digest=THAT), "artifact_changed_since_review"),
        (seen(digest=None), "artifact_changed_since_review"),
        (seen(MIA), "author_is_reviewer"),
        (seen(Person("m", frozenset({"github:mia-l"}))), "author_is_reviewer"),
        (seen(verified=False), "review_asserted"),
    ],
)
def test_what_does_not_count_says_why(sighting: Sighting, code: str) -> None:
    """Each way in which a review does not count has its code."""
    assert refusals(sighting) == [code]


def test_a_login_that_may_be_an_author_does_not_count() -> None:
    """A reviewer known by a login only and an author known by an address only can't be told apart."""
    assert refusals(seen(LOGIN), authors=(PRIYA,)) == ["identity_unknown"]
    assert refusals(seen(LOGIN), authors=(MIA,)) == []


def test_a_removal_is_reviewed_where_it_was_seen() -> None:
    """A review of a commit that has no such artifact is one of its removal."""
    assert refusals(seen(digest=None), digest=None) == []
    assert refusals(seen(digest=THIS), digest=None) == ["artifact_changed_since_review"]


people = st.sampled_from([MIA, TOMAS, PRIYA, LOGIN])
sightings = st.builds(
    seen,
    st.none() | people,
    st.sampled_from([THIS, THAT, None]),
    st.booleans(),
    verified=st.booleans(),
    verdict=st.sampled_from(["approved", "changes_requested", "dismissed"]),
    problem=st.sampled_from([None, "reviewer_bot"]),
)


@given(st.lists(sightings, max_size=8), st.lists(people, max_size=3))
def test_only_verified_approvals_of_this_by_others_ever_count(found: list[Sighting], authors: list[Person]) -> None:
    """Whatever is claimed: what counts is verified, approves exactly this, and is by none of the authors."""
    judged = judge_reviews(THIS, authors, found)
    for claim in judged.counted:
        assert claim.verified
        assert claim.verdict == "approved"
        assert claim.person is not None
        assert not any(claim.person.is_same(author) for author in authors)
        assert any(each.claim is claim and each.digest == THIS and each.is_its_change for each in found)
    assert len({each.person.name for each in judged.counted if each.person}) == len(judged.counted)


@given(
    st.lists(st.text("abc @", min_size=1, max_size=60).map(lambda text: Person(text, frozenset({text}))), max_size=20)
)
def test_names_of_many_authors_fit_into_a_name(found: list[Person]) -> None:
    """What does not fit is counted."""
    text = names_of(found)
    assert len(text) <= 256
    assert text.count(" ") < 8
