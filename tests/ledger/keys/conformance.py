"""What every key store promises, whatever it is built on. Subclass `KeyProviderConformance` and give it `opener`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import pytest

from ledger.errors import Rejected
from ledger.keys.provider import HolderRef, KeyProvider, ScopeRef

MIA = HolderRef("person", "mia@example.org")
JON = HolderRef("person", "jon@example.org")
SESSION = HolderRef("session", "s-1")
EVENT = HolderRef("event", "018f")


class ManualClock:
    """Monotonic seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Opener(Protocol):
    """Opens the one store of a test once more, as another process would: same rows, caches of its own."""

    def __call__(self, monotonic_s: Callable[[], float] = ..., lease_s: float = ...) -> KeyProvider: ...


def scope(holder: HolderRef, month: str = "2026-11", retention_class: str = "standard") -> ScopeRef:
    return ScopeRef(holder, retention_class, month)


class KeyProviderConformance:
    """The suite. `opener` is a fixture of the subclass."""

    @pytest.fixture
    def store(self, opener: Opener) -> KeyProvider:
        return opener()

    def test_holders_and_scopes_are_random_and_of_their_sizes(self, store: KeyProvider) -> None:
        """Every holder and scope asked for comes back, with values of its own."""
        refs = [scope(MIA), scope(JON), scope(SESSION), scope(EVENT)]
        grant = store.acquire("acme", [MIA, JON, SESSION, EVENT], refs, [])
        assert set(grant.holders) == {MIA, JON, SESSION, EVENT}
        assert set(grant.scopes) == set(refs)
        assert {(len(each.pseudonym), len(each.secret)) for each in grant.holders.values()} == {(16, 32)}
        assert {(len(each.scope_id), len(each.key)) for each in grant.scopes.values()} == {(16, 32)}
        values = [value for each in grant.holders.values() for value in (each.pseudonym, each.secret)]
        values += [value for each in grant.scopes.values() for value in (each.scope_id, each.key)]
        assert len(set(values)) == len(values)

    def test_the_same_is_answered_for_ever(self, opener: Opener) -> None:
        """A second call and a second process get what the first got."""
        refs = [scope(MIA), scope(MIA, "2026-12"), scope(MIA, retention_class="long")]
        first = opener().acquire("acme", [MIA], refs, [])
        other = opener()
        assert other.acquire("acme", [MIA], refs, []) == first
        assert other.acquire("acme", [MIA], refs, []) == first

    def test_nothing_asked_is_nothing_made(self, store: KeyProvider) -> None:
        """An empty call is an empty grant."""
        grant = store.acquire("acme", [], [], [])
        assert (dict(grant.holders), dict(grant.scopes)) == ({}, {})

    def test_a_scope_brings_its_holder(self, store: KeyProvider) -> None:
        """A scope can be asked for alone; its holder is made with it."""
        grant = store.acquire("acme", [], [scope(MIA)], [])
        assert store.acquire("acme", [MIA], [], []).holders[MIA] == grant.holders[MIA]

    def test_spellings_of_a_person_meet(self, opener: Opener) -> None:
        """Identifiers that normalize alike are one person, in one call and across calls."""
        loud = HolderRef("person", "  MIA@Example.org ")
        grant = opener().acquire("acme", [MIA, loud], [scope(MIA), scope(loud)], [])
        assert grant.holders[MIA] == grant.holders[loud]
        assert grant.scopes[scope(MIA)] == grant.scopes[scope(loud)]
        assert opener().acquire("acme", [loud], [], []).holders[loud] == grant.holders[MIA]

    def test_kinds_and_exact_ids_stay_apart(self, store: KeyProvider) -> None:
        """A person, a session and an event of one name are three holders, and ids of sessions are not normalized."""
        refs = [
            HolderRef("person", "x"),
            HolderRef("session", "x"),
            HolderRef("event", "x"),
            HolderRef("session", "X"),
            HolderRef("session", "x "),
        ]
        grant = store.acquire("acme", refs, [scope(ref) for ref in refs], [])
        assert len({each.pseudonym for each in grant.holders.values()}) == len(refs)
        assert len({each.scope_id for each in grant.scopes.values()}) == len(refs)

    def test_tenants_stay_apart(self, store: KeyProvider) -> None:
        """One person at two tenants has two pseudonyms, and a scope id answers only in its own tenant."""
        ours = store.acquire("acme", [MIA], [scope(MIA)], [])
        theirs = store.acquire("other", [MIA], [scope(MIA)], [])
        assert ours.holders[MIA] != theirs.holders[MIA]
        scope_id = ours.scopes[scope(MIA)].scope_id
        assert store.scope_keys("other", [scope_id]) == {}
        assert store.scope_keys("acme", [scope_id]) == {scope_id: ours.scopes[scope(MIA)].key}

    def test_scope_keys_answers_those_that_exist(self, opener: Opener) -> None:
        """A reader gets the keys of existing scopes and silence about others, in any number."""
        people = [HolderRef("person", f"p{number}") for number in range(450)]
        grant = opener().acquire("acme", people, [scope(ref) for ref in people], [])
        expected = {each.scope_id: each.key for each in grant.scopes.values()}
        reader = opener()
        assert reader.scope_keys("acme", [*expected, bytes(16)]) == expected
        assert reader.scope_keys("acme", [*expected, bytes(16)]) == expected
        assert reader.scope_keys("nobody", [bytes(16)]) == {}

    def test_asking_for_a_pseudonym_makes_none(self, opener: Opener) -> None:
        """A look-up of an unknown person or tenant is None and stays so."""
        store = opener()
        assert store.pseudonym("acme", "mia@example.org") is None
        grant = store.acquire("acme", [JON], [], [])
        assert store.pseudonym("acme", "mia@example.org") is None
        assert opener().pseudonym("acme", "mia@example.org") is None
        assert store.pseudonym("acme", " JON@example.org") == grant.holders[JON].pseudonym
        assert opener().pseudonym("acme", "jon@example.org") == grant.holders[JON].pseudonym

    def test_links_can_be_repeated(self, opener: Opener) -> None:
        """Linking again, from the cache or from another process, changes nothing."""
        for store in (opener(), opener()):
            for _ in range(2):
                assert dict(store.acquire("acme", [], [], [(SESSION, MIA), (EVENT, MIA)]).scopes) == {}

    @pytest.mark.parametrize("link", [(MIA, JON), (SESSION, EVENT), (MIA, SESSION)])
    def test_only_stand_ins_are_linked_to_persons(self, store: KeyProvider, link: tuple[HolderRef, HolderRef]) -> None:
        """A link between two persons, or to a session, is a mistake of the caller's and refused."""
        with pytest.raises(ValueError, match="link"):
            store.acquire("acme", [], [], [link])

    @pytest.mark.parametrize("month", ["2026-13", "2026-1", "26-11", "2026-11-01", ""])
    def test_a_month_is_a_month(self, store: KeyProvider, month: str) -> None:
        """A scope of something that is no month would never expire, so it is refused."""
        with pytest.raises(ValueError, match="month"):
            store.acquire("acme", [], [scope(MIA, month)], [])

    @pytest.mark.parametrize("identifier", ["", "  \t\u3000", "\ud800"])
    def test_an_empty_identifier_is_nobody(self, store: KeyProvider, identifier: str) -> None:
        """Blank identifiers do not become one shared person; the whole call makes nothing."""
        with pytest.raises(Rejected):
            store.acquire("acme", [MIA, HolderRef("person", identifier)], [], [])
        assert store.pseudonym("acme", "mia@example.org") is None

    def test_a_large_call_is_one_answer(self, opener: Opener) -> None:
        """More holders and scopes than any chunk of the store come back whole."""
        people = [HolderRef("person", f"p{number}") for number in range(1_001)]
        grant = opener().acquire("acme", people, [scope(ref) for ref in people], [(SESSION, ref) for ref in people])
        assert len({each.pseudonym for each in grant.holders.values()}) == 1_001
        assert opener().acquire("acme", people, [scope(ref) for ref in people], []) == grant

    def test_threads_agree(self, opener: Opener) -> None:
        """Threads on one store and on two stores that meet the same new persons get the same answers."""
        stores = [opener(), opener()]
        for turn in range(10):
            people = [HolderRef("person", f"t{turn}-{number}") for number in range(20)]
            refs = [scope(ref) for ref in people]
            with ThreadPoolExecutor(4) as pool:
                grants = list(pool.map(lambda at: stores[at % 2].acquire("acme", people, refs, []), range(4)))  # noqa: B023
            assert all(grant == grants[0] for grant in grants)

    def test_an_answer_outlives_its_lease(self, opener: Opener) -> None:
        """After the lease an entry is read again, and is the same."""
        clock = ManualClock()
        store = opener(monotonic_s=clock, lease_s=10)
        first = store.acquire("acme", [MIA], [scope(MIA)], [(SESSION, MIA)])
        clock.now += 10
        assert store.acquire("acme", [MIA], [scope(MIA)], [(SESSION, MIA)]) == first
