"""The hierarchy's permanent formulas, pinned, and that its keys can be rotated without another format."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt

from ledger.errors import IntegrityError
from ledger.keys.database import KeyDatabase
from ledger.keys.hierarchy import TenantRing, bucket_key_identity, tenant_key_identity
from ledger.keys.master import LocalMasterKey
from ledger.keys.provider import HolderRef, ScopeRef
from ledger.keys.sealing import open_sealed, row_identity, seal
from ledger.keys.store import KeyStore
from tests.ledger.keys.places import Place

MASTER = LocalMasterKey(b"m" * 32)
RING = TenantRing("acme", 1, {1: b"t" * 32}, b"l" * 32)
MIA = HolderRef("person", " Mia@Example.org")
PSEUDONYM = bytes(range(16))


def prefixed(value: str) -> bytes:
    """u64 length and UTF-8, written out once more."""
    encoded = value.encode()
    return len(encoded).to_bytes(8, "big") + encoded


def test_a_holder_hash_is_its_formula() -> None:
    """A person is found by the HMAC of tag, kind and normalized identifier, a session by that of its exact id."""
    message = prefixed("audit-ledger/holder-lookup/v1") + prefixed("person") + prefixed("mia@example.org")
    expected = hmac.new(b"l" * 32, message, hashlib.sha256).hexdigest()
    assert RING.holder_hash(MIA).hex() == expected == "d3bb9be7567fd621fe0277be11cc172dc1f5ec10d73f5e3b67cebc448e39953c"
    message = prefixed("audit-ledger/holder-lookup/v1") + prefixed("session") + prefixed(" S-1")
    expected = hmac.new(b"l" * 32, message, hashlib.sha256).hexdigest()
    assert RING.holder_hash(HolderRef("session", " S-1")).hex() == expected


def test_a_scope_row_key_is_its_formula() -> None:
    """A scope is found by the HMAC of tag, pseudonym, retention class and month."""
    message = prefixed("audit-ledger/scope-row/v1") + PSEUDONYM + prefixed("standard") + prefixed("2026-11")
    expected = hmac.new(b"l" * 32, message, hashlib.sha256).hexdigest()
    assert (
        RING.scope_row_key(PSEUDONYM, ScopeRef(MIA, "standard", "2026-11")).hex()
        == expected
        == "56f3cd471a01d59082ddb3d19ebaf615030ec2a836a213ac03ea375d9323fb62"
    )


def test_a_sealed_value_is_its_formula() -> None:
    """A value sealed by hand, byte for byte as documented, opens."""
    identity = (
        prefixed("audit-ledger/key-row/v1")
        + prefixed("holders")
        + prefixed("acme")
        + (2).to_bytes(8, "big")
        + prefixed("first")
        + prefixed("second")
    )
    assert row_identity("holders", "acme", b"first", b"second") == identity
    nonce = bytes(range(24))
    by_hand = b"\x01" + nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(b"plain", identity, nonce, b"k" * 32)
    assert (
        by_hand.hex() == "01000102030405060708090a0b0c0d0e0f1011121314151617a79fa1e960c61bb25c1b007571aaba630cd1d6222c"
    )
    assert open_sealed(b"k" * 32, by_hand, identity, "row", 5) == b"plain"


@pytest.fixture
def database(place: Place) -> KeyDatabase:
    return place.create()


def test_a_tenant_key_can_be_rotated_step_by_step(database: KeyDatabase) -> None:
    """While some keys are sealed under the next tenant key and some under the last, all open; then the last can go."""
    people = [HolderRef("person", f"p{number}") for number in range(300)]
    refs = [ScopeRef(ref, "standard", "2026-11") for ref in people]
    store = KeyStore(database, MASTER)
    grant = store.acquire("acme", people, refs, [])
    next_key = b"n" * 32

    def reseal_buckets(buckets: range) -> None:
        with database.write() as rows:
            ring = store._hierarchy.ring(rows, "acme", 0)
            assert ring is not None
            found = rows.execute(
                "SELECT bucket, generation, sealed FROM bucket_keys WHERE bucket BETWEEN ? AND ?",
                (buckets.start, buckets.stop - 1),
            ).fetchall()
            for bucket, generation, sealed in found:
                identity = bucket_key_identity("acme", bucket, generation)
                plain = open_sealed(ring.keys[1], sealed, identity, "", 32)
                rows.execute(
                    "UPDATE bucket_keys SET tenant_key_generation = 2, sealed = ? WHERE bucket = ?",
                    (seal(next_key, plain, identity), bucket),
                )

    with database.write() as rows:
        ring = store._hierarchy.ring(rows, "acme", 0)
        assert ring is not None
        sealed = MASTER.seal(next_key, tenant_key_identity("acme", 2))
        rows.execute("INSERT INTO tenant_keys VALUES ('acme', 2, ?, ?)", (MASTER.key_id, sealed))
        sealed = seal(next_key, ring.lookup_key, row_identity("lookup_keys", "acme"))
        rows.execute("UPDATE lookup_keys SET tenant_key_generation = 2, sealed = ?", (sealed,))
    reseal_buckets(range(128))
    assert KeyStore(database, MASTER).acquire("acme", people, refs, []) == grant
    with pytest.raises(IntegrityError, match=r"(?i)foreign ?key"), database.write() as rows:
        rows.execute("DELETE FROM tenant_keys WHERE generation = 1")
    reseal_buckets(range(128, 256))
    with database.write() as rows:
        rows.execute("DELETE FROM tenant_keys WHERE generation = 1")
    for each in (store, KeyStore(database, MASTER)):
        assert each.acquire("acme", people, refs, []) == grant
    later = [ScopeRef(ref, "standard", "2026-12") for ref in people]
    assert KeyStore(database, MASTER).acquire("acme", [], later, []) == store.acquire("acme", [], later, [])


def test_a_key_under_a_tenant_key_that_is_gone_is_named(database: KeyDatabase) -> None:
    """A bucket key whose tenant key is not in the store is damage, named, and not silently made anew."""
    KeyStore(database, MASTER).acquire("acme", [MIA], [], [])
    with database.write() as rows:
        sealed = MASTER.seal(b"n" * 32, tenant_key_identity("acme", 2))
        rows.execute("INSERT INTO tenant_keys VALUES ('acme', 2, ?, ?)", (MASTER.key_id, sealed))
        rows.execute("UPDATE bucket_keys SET tenant_key_generation = 2")
    with pytest.raises(IntegrityError, match=r"bucket key \d+ generation 1 of tenant acme"):
        KeyStore(database, MASTER).acquire("acme", [MIA], [], [])


def test_remembering_an_opened_key_does_not_excuse_its_place(database: KeyDatabase) -> None:
    """Bucket keys exchanged under a process that has opened both before are refused before anything is sealed."""
    store = KeyStore(database, MASTER)
    people = [HolderRef("person", f"p{number}") for number in range(400)]
    store.acquire("acme", people[:100], [], [])
    with database.write() as rows:
        found = rows.execute("SELECT bucket, sealed FROM bucket_keys ORDER BY bucket").fetchall()
        for (bucket, _), (_, sealed) in zip(found, found[1:] + found[:1], strict=True):
            rows.execute("UPDATE bucket_keys SET sealed = ? WHERE bucket = ?", (sealed, bucket))
        ring = store._hierarchy.ring(rows, "acme", 0)
        assert ring is not None
        moved = {bucket for bucket, _ in found}
        newcomer = next(ref for ref in people[100:] if ring.holder_hash(ref)[0] in moved)
    with pytest.raises(IntegrityError, match="bucket key"):
        store.acquire("acme", [newcomer], [], [])
    with database.read() as rows:
        assert rows.execute("SELECT count(*) FROM holders").fetchone() == (100,)
