"""Commits out of raw bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.changes.commit import Commit, parse_commit
from ledger.errors import Rejected

TREE, PARENT, ID = "a" * 40, "b" * 40, "c" * 40


def raw(message: str = "Subject\n", author: str = "Mia <mia@example.org> 1760000000 +0200", more: str = "") -> bytes:
    """A commit object's bytes."""
    committer = "GitHub <noreply@github.com> 1760000060 +0000"
    head = f"tree {TREE}\nparent {PARENT}\nauthor {author}\ncommitter {committer}\n{more}"
    return f"{head}\n{message}".encode()


def test_a_commit_says_who_and_when() -> None:
    """Parents, author, committer and their times are what the object says."""
    commit = parse_commit(ID, raw())
    assert (commit.tree, commit.parents, commit.is_signed) == (TREE, (PARENT,), False)
    assert (commit.author.name, commit.author.address, commit.author.at_s) == ("Mia", "mia@example.org", 1760000000)
    assert commit.committer.address == "noreply@github.com"


def test_a_signature_is_seen_and_is_no_header_of_its_own() -> None:
    """A signature over several lines, which may hold anything, changes nothing of what the commit says."""
    signature = "gpgsig -----BEGIN SSH SIGNATURE-----\n author Eve <eve@example.org> 1 +0000\n -----END-----\n"
    commit = parse_commit(ID, raw(more=signature))
    assert commit.is_signed
    assert commit.author.address == "mia@example.org"


def test_co_authors_are_authors_wherever_they_stand() -> None:
    """Every co-author counts, in any case, anywhere in the message, each once."""
    message = (
        "Subject\n\nco-authored-by: Tomas <tomas@example.org>\n\nmore\n\n"
        "Co-Authored-By: Priya <PRIYA@example.org>\nCo-authored-by: Priya <priya@example.org>\nCo-authored-by: nobody\n"
    )
    authors = parse_commit(ID, raw(message)).authors
    assert [each.address.lower() for each in authors] == ["mia@example.org", "tomas@example.org", "priya@example.org"]


def test_reviews_stand_in_the_last_paragraph_only() -> None:
    """A trailer that is quoted in the middle of a message is no trailer, nor is one in the subject."""
    quoted = "Subject\n\nReviewed-by: Eve <eve@example.org>\n\nlast words\n"
    assert parse_commit(ID, raw(quoted)).reviewed_by == ()
    assert parse_commit(ID, raw("Reviewed-by: Eve <eve@example.org>\n")).reviewed_by == ()
    told = (
        "Subject\n\nReviewed-by: Tomas <tomas@example.org>\nAPPROVED-BY: Priya <priya@example.org>\nReviewed-since: x\n"
    )
    commit = parse_commit(ID, raw(told))
    assert [each.address for each in commit.reviewed_by] == ["tomas@example.org", "priya@example.org"]
    assert commit.reviewed_since == "x"


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"tree x\n\n",
        raw().replace(b"author", b"auth0r"),
        raw(author="Mia mia@example.org 1 +0000"),
        raw(more="author Eve <eve@example.org> 1 +0000\n"),
        raw().replace(b"b" * 40, b"--output=x"),
    ],
)
def test_what_git_does_not_write_is_refused(wrong: bytes) -> None:
    """An object without its lines, with two authors, or with parents that are no ids is no commit."""
    with pytest.raises(Rejected):
        parse_commit(ID, wrong)


def test_a_commit_in_another_encoding_is_read() -> None:
    """A name in the encoding that the commit states, or in none, is shown as well as can be."""
    latin = raw(author="Zoë <zoe@example.org> 1 +0000", more="encoding ISO-8859-1\n").decode().encode("latin-1")
    assert parse_commit(ID, latin).author.name == "Zoë"
    assert parse_commit(ID, latin.replace(b"ISO-8859-1", b"no-such-thing")).author.name == "Zoë"


@given(
    st.binary(max_size=300) | st.text(max_size=200).map(lambda text: raw(text)) | st.text().map(lambda a: raw("", a))
)
def test_any_bytes_are_a_commit_or_are_refused(data: bytes) -> None:
    """Nothing that can stand in an object makes reading it fail in another way."""
    try:
        commit = parse_commit(ID, data)
    except (Rejected, UnicodeEncodeError):
        return
    assert isinstance(commit, Commit)
    assert all(each.address for each in commit.authors[1:])
    assert all(each.address for each in commit.reviewed_by)
