"""The key store, in each database: the conformance suite, and what its rows can show."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

import pytest

from ledger.errors import IntegrityError, Misconfigured
from ledger.keys.master import LocalMasterKey
from ledger.keys.provider import Grant, HolderRef
from ledger.keys.store import KeyCacheLimits, KeyStore
from tests.ledger.keys.conformance import (
    EVENT,
    JON,
    MIA,
    SESSION,
    KeyProviderConformance,
    ManualClock,
    Opener,
    scope,
)
from tests.ledger.keys.places import Place, PostgresqlPlace
from tests.ledger.keys.racer import CountingDatabase

MASTER = LocalMasterKey(b"m" * 32)


@pytest.fixture
def database(place: Place) -> CountingDatabase:
    return CountingDatabase(place.create())


@pytest.fixture
def store(database: CountingDatabase) -> KeyStore:
    return KeyStore(database, MASTER)


class TestConformance(KeyProviderConformance):
    """The suite of every key store: each opening has connections of its own."""

    @pytest.fixture
    def opener(self, place: Place) -> Opener:
        place.create()

        def open_again(monotonic_s: Callable[[], float] = time.monotonic, lease_s: float = 30.0) -> KeyStore:
            return KeyStore(place.open(), MASTER, KeyCacheLimits(lease_s=lease_s), monotonic_s)

        return open_again


def transactions(database: CountingDatabase, call: Callable[[], object]) -> tuple[int, int]:
    """(reads, writes) that a call took."""
    before = database.reads, database.writes
    call()
    return database.reads - before[0], database.writes - before[1]


def test_one_transaction_when_something_is_new_and_none_when_all_is_cached(
    database: CountingDatabase, store: KeyStore
) -> None:
    """100 new scopes cost one write transaction; the same again costs none at all; another process only reads."""
    people = [HolderRef("person", f"p{number}") for number in range(100)]
    refs = [scope(ref) for ref in people]
    links = [(HolderRef("session", f"s{number}"), people[number]) for number in range(100)]
    assert transactions(database, lambda: store.acquire("acme", people, refs, links)) == (1, 1)
    assert transactions(database, lambda: store.acquire("acme", people, refs, links)) == (0, 0)
    later = [scope(ref, "2026-12") for ref in people]
    assert transactions(database, lambda: store.acquire("acme", people, refs + later, links)) == (1, 1)
    other = KeyStore(database, MASTER)
    assert transactions(database, lambda: other.acquire("acme", people, refs + later, links)) == (1, 0)


def test_caches_are_bounded(database: CountingDatabase) -> None:
    """With room for few entries answers stay right; what was forgotten is read again."""
    limits = KeyCacheLimits(holders_max=2, scopes_max=2, links_max=1, scope_keys_max=1, opened_keys_max=1)
    store = KeyStore(database, MASTER, limits)
    people = [HolderRef("person", f"p{number}") for number in range(50)]
    refs = [scope(ref) for ref in people]
    grant = store.acquire("acme", people, refs, [(SESSION, ref) for ref in people])
    assert store.acquire("acme", people, refs, [(SESSION, ref) for ref in people]) == grant
    expected = {each.scope_id: each.key for each in grant.scopes.values()}
    assert store.scope_keys("acme", expected) == expected
    assert [len(cache) for cache in (store._holders, store._scopes, store._links, store._scope_keys)] == [2, 2, 1, 1]


def destroy(database: CountingDatabase) -> None:
    with database.write() as rows:
        for table in ("links", "scopes", "holders", "bucket_keys"):
            rows.execute(f"DELETE FROM {table}")


def test_after_one_lease_nothing_destroyed_is_answered(database: CountingDatabase) -> None:
    """Rows destroyed in the store are gone from every answer one lease later, and not resurrected before."""
    clock = ManualClock()
    store = KeyStore(database, MASTER, KeyCacheLimits(lease_s=30), clock)
    grant = store.acquire("acme", [MIA], [scope(MIA)], [(SESSION, MIA)])
    scope_id = grant.scopes[scope(MIA)].scope_id
    assert store.scope_keys("acme", [scope_id]) != {}
    destroy(database)
    clock.now += 29.9
    assert store.acquire("acme", [MIA], [scope(MIA)], [(SESSION, MIA)]) == grant
    clock.now += 0.1
    assert store.scope_keys("acme", [scope_id]) == {}
    assert store.pseudonym("acme", "mia@example.org") is None
    again = store.acquire("acme", [MIA], [scope(MIA)], [(SESSION, MIA)])
    assert again.holders[MIA].pseudonym != grant.holders[MIA].pseudonym
    assert again.scopes[scope(MIA)].scope_id != scope_id
    with database.read() as rows:
        assert rows.execute("SELECT count(*) FROM links").fetchone() == (1,)


def test_a_lease_counts_from_before_the_read(database: CountingDatabase) -> None:
    """However long a read takes, its answer is lent only until one lease after it was begun."""
    clock = ManualClock()

    store = KeyStore(database, MASTER, KeyCacheLimits(lease_s=30), clock)
    resolve = store._find

    def slow_find(*arguments: object) -> Grant | None:
        found = resolve(*arguments)  # type: ignore[arg-type]
        clock.now += 20
        return found

    store._find = slow_find  # type: ignore[method-assign,assignment]
    store.acquire("acme", [MIA], [], [])
    clock.now += 10
    assert transactions(database, lambda: store.acquire("acme", [MIA], [], [])) == (1, 0)


def test_a_scope_belongs_to_the_pseudonym_in_the_store(database: CountingDatabase) -> None:
    """A new scope of a cached holder is made for the holder that the store has now, not for the cached one."""
    store = KeyStore(database, MASTER)
    first = store.acquire("acme", [MIA], [], [])
    destroy(database)
    grant = store.acquire("acme", [MIA], [scope(MIA)], [])
    assert grant.holders[MIA] != first.holders[MIA]
    assert KeyStore(database, MASTER).acquire("acme", [MIA], [scope(MIA)], []) == grant


def test_all_of_a_person_is_found_by_her_hash(database: CountingDatabase, store: KeyStore) -> None:
    """From the hash of one person her row, her scopes, her sessions and their scopes are found, in one bucket each."""
    mine = [scope(MIA), scope(MIA, "2026-12"), scope(MIA, retention_class="long"), scope(SESSION), scope(EVENT)]
    grant = store.acquire("acme", [MIA, JON], [*mine, scope(JON)], [(SESSION, MIA), (EVENT, MIA)])
    with database.read() as rows:
        ring = store._hierarchy.ring(rows, "acme", 0)
        assert ring is not None
        person = ring.holder_hash(MIA)
        stand_ins = rows.execute(
            "SELECT stand_in_hash FROM links WHERE tenant = 'acme' AND person_hash = ?", (person,)
        ).fetchall()
        found = set()
        for holder_hash in [person, *(each for (each,) in stand_ins)]:
            found |= set(
                rows.execute(
                    "SELECT scope_id FROM scopes WHERE tenant = 'acme' AND bucket = ? AND holder_hash = ?",
                    (holder_hash[0], holder_hash),
                ).fetchall()
            )
    assert found == {(grant.scopes[ref].scope_id,) for ref in mine}


def test_a_bucket_can_be_wrapped_again(database: CountingDatabase) -> None:
    """Survivors sealed under a next generation open, new rows use it, and the old bucket key can be destroyed."""
    from ledger.keys.hierarchy import bucket_key_identity
    from ledger.keys.rows import select_holders, select_scopes_by_id
    from ledger.keys.sealed_rows import holder_identity, scope_identity
    from ledger.keys.sealing import open_sealed, seal

    store = KeyStore(database, MASTER)
    grant = store.acquire("acme", [MIA], [scope(MIA)], [])
    scope_id = grant.scopes[scope(MIA)].scope_id
    with database.write() as rows:
        ring = store._hierarchy.ring(rows, "acme", 0)
        assert ring is not None
        old = store._hierarchy.ensure_bucket_keys(rows, ring, [ring.holder_hash(MIA)[0]], 0)
        ((bucket, old_key),) = old.items()
        new_key = b"n" * 32
        sealed = seal(ring.keys[ring.current], new_key, bucket_key_identity("acme", bucket, 2))
        rows.execute("INSERT INTO bucket_keys VALUES ('acme', ?, 2, ?, ?)", (bucket, ring.current, sealed))
        (holder,) = select_holders(rows, "acme", [ring.holder_hash(MIA)])
        identity = holder_identity("acme", holder.holder_hash, holder.kind, holder.normalization)
        plain = open_sealed(old_key.key, holder.sealing.sealed, identity, "", 48)
        rows.execute("UPDATE holders SET bucket_key_generation = 2, sealed = ?", (seal(new_key, plain, identity),))
        (row,) = select_scopes_by_id(rows, "acme", [scope_id])
        identity = scope_identity("acme", row.row_key, row.scope_id, row.holder_hash, row.retention_class, row.month)
        plain = open_sealed(old_key.key, row.sealing.sealed, identity, "", 32)
        rows.execute("UPDATE scopes SET bucket_key_generation = 2, sealed = ?", (seal(new_key, plain, identity),))
        rows.execute("DELETE FROM bucket_keys WHERE generation = 1")
    assert KeyStore(database, MASTER).acquire("acme", [MIA], [scope(MIA)], []) == grant
    later = scope(MIA, "2026-12")
    made = store.acquire("acme", [], [later], []).scopes[later]
    with database.read() as rows:
        assert rows.execute("SELECT DISTINCT bucket_key_generation FROM scopes").fetchall() == [(2,)]
    assert KeyStore(database, MASTER).scope_keys("acme", [made.scope_id]) == {made.scope_id: made.key}


def test_a_bucket_key_with_rows_cannot_be_destroyed(database: CountingDatabase, store: KeyStore) -> None:
    """The schema refuses to drop a bucket key while any row is sealed under it."""
    store.acquire("acme", [MIA], [], [])
    with pytest.raises(IntegrityError, match=r"(?i)foreign ?key"):
        with database.write() as rows:
            rows.execute("DELETE FROM bucket_keys")


def test_another_master_key_is_named(database: CountingDatabase, store: KeyStore) -> None:
    """Opening a store under another master key says which one it needs, before anything is touched."""
    other = LocalMasterKey(b"o" * 32)
    with pytest.raises(Misconfigured, match=f"expected master key {MASTER.key_id}, got {other.key_id}"):
        KeyStore(database, other)
    with database.write() as rows:
        rows.execute("DELETE FROM meta WHERE name = 'master_key_id'")
    store.acquire("acme", [MIA], [], [])
    with pytest.raises(Misconfigured, match=f"expected master key {MASTER.key_id}"):
        KeyStore(database, other).acquire("acme", [MIA], [], [])


ALTERATIONS = [
    "UPDATE holders SET kind = 'session' WHERE kind = 'person'",
    "UPDATE holders SET normalization = 2",
    "UPDATE holders SET sealed = {zeroes}",
    "UPDATE scopes SET scope_id = substr(row_key, 1, 16)",
    "UPDATE scopes SET month = '2099-01'",
    "UPDATE scopes SET retention_class = 'long'",
    "UPDATE scopes SET sealed = {zeroes}",
    "UPDATE bucket_keys SET sealed = {zeroes}",
    "UPDATE lookup_keys SET sealed = {zeroes}",
    "UPDATE tenant_keys SET sealed = {zeroes}",
]


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_an_altered_row_does_not_open(
    place: Place, database: CountingDatabase, store: KeyStore, alteration: str
) -> None:
    """A sealed value, or a clear column beside it, that was altered is an integrity error."""
    store.acquire("acme", [MIA], [scope(MIA)], [])
    with database.write() as rows:
        rows.execute(alteration.replace("{zeroes}", place.zeroes("sealed")))
    with pytest.raises(IntegrityError):
        KeyStore(database, MASTER).acquire("acme", [MIA], [scope(MIA)], [])


@pytest.mark.parametrize("table", ["holders", "scopes", "bucket_keys", "tenant_keys", "lookup_keys"])
def test_sealed_values_swapped_between_rows_do_not_open(
    database: CountingDatabase, store: KeyStore, table: str
) -> None:
    """Sealed values exchanged between any two rows of a table, of one tenant or of two, do not open."""
    people = [MIA, JON, SESSION]
    for tenant in ("acme", "other"):
        store.acquire(tenant, people, [scope(ref) for ref in people], [])
    with database.write() as rows:
        key = {"holders": "holder_hash", "scopes": "row_key", "bucket_keys": "bucket"}.get(table, "1")
        found = rows.execute(f"SELECT tenant, {key}, sealed FROM {table} ORDER BY 1, 2").fetchall()
        for (tenant, row, _), (_, _, sealed) in zip(found, found[1:] + found[:1], strict=True):
            rows.execute(f"UPDATE {table} SET sealed = ? WHERE tenant = ? AND {key} = ?", (sealed, tenant, row))
    for tenant in ("acme", "other"):
        for ref in people:
            with pytest.raises(IntegrityError):
                KeyStore(database, MASTER).acquire(tenant, [ref], [scope(ref)], [])


def test_a_sealed_value_does_not_open_in_another_table(database: CountingDatabase, store: KeyStore) -> None:
    """A scope's key under the very same bucket key does not open as a bucket key's, nor the other way round."""
    store.acquire("acme", [MIA], [scope(MIA)], [])
    with database.write() as rows:
        (sealed,) = rows.execute("SELECT sealed FROM bucket_keys").fetchone()
        rows.execute("UPDATE lookup_keys SET sealed = ?", (sealed,))  # same key, same length, another table
    with pytest.raises(IntegrityError, match="look-up key"):
        KeyStore(database, MASTER).acquire("acme", [MIA], [], [])


def test_no_identifier_and_no_secret_is_on_disk(place: Place, database: CountingDatabase) -> None:
    """Nowhere in database, log or index stands an identifier, a pseudonym or a key, in any usual form."""
    store = KeyStore(database, MASTER)
    names = [f"Unmistakable.Person{number}@Example.ORG" for number in range(10)] + ["Zoë Überall-Ñandú"]
    people = [HolderRef("person", name) for name in names]
    sessions = [HolderRef("session", f"unmistakable-session-{number}") for number in range(5)]
    refs = [scope(ref) for ref in [*people, *sessions]]
    grant = store.acquire("acme", people, refs, [(each, people[0]) for each in sessions])
    store.create_signing_key("gateway", "gw-1")
    needles = [name.encode() for name in names] + [name.casefold().encode() for name in names]
    needles += [each.identifier.encode() for each in sessions]
    needles += [value for each in grant.holders.values() for value in (each.pseudonym, each.secret)]
    needles += [each.key for each in grant.scopes.values()] + [b"m" * 32]

    def forms(value: bytes) -> list[bytes]:
        return [
            value,
            value.hex().encode(),
            value.hex().upper().encode(),
            base64.b64encode(value).rstrip(b"="),
            base64.urlsafe_b64encode(value).rstrip(b"="),
            value.decode("latin-1").encode("utf-16-le"),
        ]

    running = place.on_disk()
    if isinstance(place, PostgresqlPlace):
        running += place.server.all_bytes()
    database.close()
    canary = next(iter(grant.scopes.values())).scope_id
    for disk in (running, place.on_disk()):
        assert canary in disk
        assert b"2026-11" in disk
        assert [needle for value in needles for needle in forms(value) if needle in disk] == []


def test_nothing_secret_in_reprs(store: KeyStore) -> None:
    """No repr of what the store gives, or of what it is made of, shows a secret or an identifier."""
    grant = store.acquire("acme", [MIA], [scope(MIA)], [])
    with store._database.read() as rows:
        ring = store._hierarchy.ring(rows, "acme", 0)
        assert ring is not None
        keys = store._hierarchy._newest_bucket_keys(rows, ring, range(256), 0)
    shown = f"{grant!r} {grant} {ring!r} {keys!r} {store!r} {scope(MIA)!r}"
    secrets = [grant.holders[MIA].secret, grant.scopes[scope(MIA)].key, ring.lookup_key, *ring.keys.values()]
    secrets += [each.key for each in keys.values()]
    for secret in secrets:
        assert repr(secret)[2:12] not in shown
        assert secret.hex()[:8] not in shown
    assert "mia" not in shown
