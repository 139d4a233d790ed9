"""Who is one person."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.changes.document import DeclaredPerson
from ledger.changes.github import LinkedCommit
from ledger.changes.people import People, email_key, login_key


def test_addresses_compare_without_case_and_no_reply_is_the_login() -> None:
    """GitHub's no-reply addresses, old and new, are the login that they hold."""
    assert email_key(" Mia@Example.ORG ") == "email:mia@example.org"
    assert email_key("123+Mia-L@users.noreply.github.com") == login_key("mia-l")
    assert email_key("mia-l@users.noreply.github.com") == login_key("MIA-L")
    assert email_key("mia-l@users.noreply.github.com.evil.org").startswith("email:")


def test_what_is_declared_is_one_person() -> None:
    """All addresses and logins of a declared person are hers, under her declared name."""
    people = People()
    people.read_all([DeclaredPerson("mia.lindqvist", ("mia@example.org", "m@old.org"), ("mia-l",))], None, ())
    mia = people.of("email:m@old.org")
    assert mia.name == "mia.lindqvist"
    assert mia.is_same(people.of("github:mia-l"))
    assert not mia.is_same(people.of("email:tomas@example.org"))


def test_a_mailmap_and_the_platform_join() -> None:
    """`.mailmap` joins addresses, the platform joins addresses and logins; its own address is nobody's."""
    people = People()
    mailmap = (
        b"# people\nMia L <mia@example.org> <m@old.org>\nMia <only@example.org>\nbroken <x\n"
        b"<mia@example.org> Mia <m3@old.org> # x\n"
    )
    linked = [LinkedCommit("m@old.org", "mia-l"), LinkedCommit("noreply@github.com", "web-flow")]
    people.read_all((), mailmap, linked)
    assert people.of("github:mia-l").keys == {
        "email:mia@example.org",
        "email:m@old.org",
        "email:m3@old.org",
        "github:mia-l",
    }
    assert people.of("email:noreply@github.com").keys == {"email:noreply@github.com"}


def test_two_that_nothing_joins_may_be_one() -> None:
    """An address and a login that nothing joins can't be told apart; two addresses, or two logins, can."""
    people = People()
    people.join(("email:mia@example.org", "github:mia-l"))
    mia, tomas = people.of("github:mia-l"), people.of("github:tomas-b")
    unknown = people.of("email:x@example.org")
    assert unknown.may_be(tomas)
    assert tomas.may_be(unknown)
    assert not unknown.may_be(mia)
    assert not tomas.may_be(mia)
    assert not mia.may_be(mia)


def test_a_declared_person_has_no_other_names() -> None:
    """Who is declared without a login is told apart from every login: a machine that helps to write, say."""
    people = People()
    people.read_all([DeclaredPerson("helper", ("noreply@example.com",), ())], None, ())
    helper, tomas = people.of("email:noreply@example.com"), people.of("github:tomas-b")
    assert helper.is_declared
    assert not helper.may_be(tomas)
    assert not tomas.may_be(helper)


keys = st.sampled_from([f"email:{each}@x" for each in "abcd"] + [f"github:{each}" for each in "abcd"])


@given(st.lists(st.lists(keys, min_size=1, max_size=3), max_size=8), st.randoms())
def test_the_order_in_which_sources_join_does_not_matter(groups: list[list[str]], shuffled: st.random.Random) -> None:  # type: ignore[name-defined]
    """Joining is symmetric, transitive, and the same whatever comes first."""
    one, other = People(), People()
    for group in groups:
        one.join(group)
    again = list(groups)
    shuffled.shuffle(again)
    for group in again:
        other.join(group)
    for group in groups:
        for key in group:
            assert one.of(key) == other.of(key)
            assert all(one.of(key).is_same(one.of(each)) for each in group)


@given(st.binary(max_size=200))
def test_any_mailmap_is_read(data: bytes) -> None:
    """A mailmap of anything joins something or nothing."""
    People().read_mailmap(data)
