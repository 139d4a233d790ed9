"""Whoever is erased, of however many, linked however: hers is gone, everybody else's is as it was."""

from __future__ import annotations

from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.keys.database import KeyDatabase
from ledger.keys.destruction import Request
from ledger.keys.erasure import Destructions
from ledger.keys.master import LocalMasterKey
from ledger.keys.provider import HolderRef, ScopeRef
from ledger.keys.store import KeyCacheLimits, KeyStore
from tests.ledger.keys.places import Place

MASTER = LocalMasterKey(b"m" * 32)
PEOPLE = [HolderRef("person", f"p{number}") for number in range(12)]
SESSIONS = [HolderRef("session", f"s{number}") for number in range(12)]
NUMBERS = count()
LINKS = st.lists(st.tuples(st.sampled_from(SESSIONS), st.sampled_from(PEOPLE)), max_size=30)


# The place is the same for all examples; each has a key store of its own in it.
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(links=LINKS, erased=st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=4), keep_shared=st.booleans())
def test_others_keep_their_keys(
    place: Place, links: list[tuple[HolderRef, HolderRef]], erased: list[HolderRef], keep_shared: bool
) -> None:
    """One erasure after the other: exactly the scopes of the erased, and of what stood for them, are gone."""
    database = place.create(f"keys_{next(NUMBERS)}")
    store = KeyStore(database, MASTER, KeyCacheLimits(lease_s=0.0))
    refs = [ScopeRef(each, "standard", "2026-11") for each in (*PEOPLE, *SESSIONS)]
    before = {ref.holder: scope for ref, scope in store.acquire("acme", [], refs, links).scopes.items()}
    gone: set[HolderRef] = set()
    for person in dict.fromkeys(erased):
        _erase(database, person, keep_shared)
        mine = {stand_in for stand_in, of in links if of == person}
        others = {stand_in for stand_in, of in links if of != person and of not in gone}
        gone |= {person, *(mine - others if keep_shared else mine)}
    left = store.scope_keys("acme", [scope.scope_id for scope in before.values()])
    assert left == {scope.scope_id: scope.key for holder, scope in before.items() if holder not in gone}
    assert {each for each in PEOPLE if store.pseudonym("acme", each.identifier) is None} == gone & set(PEOPLE)
    place.close()


def _erase(database: KeyDatabase, person: HolderRef, keep_shared: bool) -> None:
    work = Destructions(database, MASTER, lease_s=0.0)
    request = Request("olga", (), "", "")
    which = work.mark_persons("acme", [person.identifier], request, keep_shared=keep_shared).destruction_id
    work.rewrap(which)
    work.destroy(which, 60)
    work.wipe(which)
