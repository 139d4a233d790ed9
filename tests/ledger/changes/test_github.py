"""GitHub's answers and events."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.changes.github import deciding, read_commits, read_event, read_pulls, read_reviews
from ledger.errors import Rejected
from tests.ledger.changes.platform import linked, pull, push_event, review, review_event

BASE, HEAD, OTHER = "a" * 40, "b" * 40, "c" * 40


def data(*documents: Any) -> bytes:
    """Documents one after the other."""
    return "\n".join(json.dumps(each) for each in documents).encode()


def test_a_pull_request_says_who_opened_it_and_what_it_ends_with() -> None:
    """Number, author, base and head are what the API says."""
    (found,) = read_pulls(data(pull(BASE, HEAD)), "pull.json")
    assert (found.number, found.author, found.base, found.head) == (12, "mia-l", BASE, HEAD)


def test_reviews_of_several_pages_and_pull_requests_are_read() -> None:
    """Lists one after the other, a list of lists and single objects are the same reviews."""
    pulls = read_pulls(data(pull(BASE, HEAD), pull(BASE, OTHER, number=13)), "pulls.json")
    one, two = review(HEAD), review(OTHER, "priya-n", number=13, id=81)
    for given_data in (data([one], [two]), data([[one], [two]]), data([one, two]), data(one, two)):
        found = read_reviews(given_data, "reviews.json", pulls)
        assert [(each.pull, each.login, each.commit) for each in found] == [
            (12, "tomas-b", HEAD),
            (13, "priya-n", OTHER),
        ]
    assert read_reviews(b"[]", "reviews.json", pulls) == []
    assert read_reviews(b" ", "reviews.json", pulls) == []


def test_pending_reviews_are_none_and_ghosts_have_no_name() -> None:
    """A review that is not submitted is no review; one of an account that is gone is there without a name."""
    pulls = read_pulls(data(pull(BASE, HEAD)), "pull.json")
    pending = {**review(HEAD, state="PENDING"), "submitted_at": None}
    found = read_reviews(data([pending, review(HEAD, user=None)]), "reviews.json", pulls)
    assert [each.login for each in found] == [None]
    assert deciding(found) == []


def test_of_each_user_the_latest_review_that_decides_counts() -> None:
    """A comment decides nothing, and logins compare without case; the order in the file does not matter."""
    pulls = read_pulls(data(pull(BASE, HEAD)), "pull.json")
    told = [
        review(HEAD, "tomas-b", "CHANGES_REQUESTED", id=1),
        review(HEAD, "Tomas-B", "APPROVED", id=2),
        review(HEAD, "tomas-b", "COMMENTED", id=3),
        review(HEAD, "priya-n", "APPROVED", id=4),
        review(HEAD, "priya-n", "DISMISSED", id=5),
    ]
    for order in (told, told[::-1]):
        found = deciding(read_reviews(data(order), "reviews.json", pulls))
        assert [(each.login, each.state) for each in found] == [("Tomas-B", "APPROVED"), ("priya-n", "DISMISSED")]


def test_events_give_the_pull_request_its_review_and_the_push() -> None:
    """A review's payload, whose states are in lower case; a push; an event about something else."""
    found = read_event(data(review_event(pull(BASE, HEAD), review(HEAD))), "event.json")
    assert [each.head for each in found.pulls] == [HEAD]
    assert [each.state for each in found.reviews] == ["APPROVED"]
    assert read_event(data(push_event(BASE, HEAD)), "event.json").pushed_from == BASE
    assert read_event(data(push_event("0" * 40, HEAD)), "event.json").pushed_from is None
    assert read_event(data({"action": "created", "issue": {}}), "event.json").pulls == ()


def test_commits_say_whose_login_an_address_is() -> None:
    """Authors that the platform does not know are left out."""
    found = read_commits(data([linked(HEAD, "mia@example.org", "mia-l"), linked(OTHER, "x@y.z", None)]), "commits.json")
    assert [(each.address, each.login) for each in found] == [("mia@example.org", "mia-l")]


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({**review(HEAD), "commit_id": "main"}, "[0].commit_id: expected the id of a commit"),
        ({**review(HEAD), "commit_id": None}, "[0].commit_id: expected a text"),
        ({**review(HEAD), "submitted_at": "yesterday"}, "[0].submitted_at"),
        ({**review(HEAD), "submitted_at": "2026-11-21T10:00:00"}, "[0].submitted_at"),
        ({**review(HEAD), "state": None}, "[0].state"),
        ({**review(HEAD), "id": "80"}, "[0].id: expected a number"),
        ({**review(HEAD), "id": True}, "[0].id"),
        ({**review(HEAD), "user": {}}, "[0].user.login"),
        ({**review(HEAD), "user": {"login": "a\nb"}}, "[0].user.login"),
        ({**review(HEAD), "html_url": 7}, "[0].html_url"),
        ([7], "expected objects"),
    ],
)
def test_what_is_wrong_is_named(document: Any, place: str) -> None:
    """A field that is missing or of another type is named."""
    pulls = read_pulls(data(pull(BASE, HEAD)), "pull.json")
    with pytest.raises(Rejected, match=re.escape(place)):
        read_reviews(data(document), "reviews.json", pulls)


def test_a_review_must_say_its_pull_request_where_there_are_several() -> None:
    """A review that names none belongs to the only one there is, else to nobody."""
    told = {**review(HEAD), "pull_request_url": "https://example.org/x", "html_url": "https://example.org/x"}
    one = read_pulls(data(pull(BASE, HEAD)), "pull.json")
    two = [*one, *read_pulls(data(pull(BASE, HEAD, number=13)), "pull.json")]
    assert read_reviews(data(told), "reviews.json", one)[0].pull == 12
    with pytest.raises(Rejected, match="pull_request_url"):
        read_reviews(data(told), "reviews.json", two)


@pytest.mark.parametrize("wrong", [b"{", b"[1", b"\xff", b"[" * 100_000, b"[] x"])
def test_what_is_no_json_is_refused(wrong: bytes) -> None:
    """A file that is cut off, or something else, is named."""
    with pytest.raises(Rejected, match=r"^file: expected"):
        read_pulls(wrong, "file")


json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["review", "pull_request", "user", "login", "head", "sha", "commit_id", "state", "before"]),
            inner,
        )
    ),
    max_leaves=8,
)


@given(json_values, st.binary(max_size=50))
def test_any_document_is_read_or_refused(value: Any, raw: bytes) -> None:
    """Nothing that a file can hold makes reading fail in another way."""
    refused = 0
    for given_data in (json.dumps(value).encode(), json.dumps({"pull_request": value, "review": value}).encode(), raw):
        for read in (read_event, read_pulls, read_commits, lambda data, where: read_reviews(data, where, ())):
            try:
                read(given_data, "file")
            except Rejected:
                refused += 1
    assert refused >= 0
