"""Spool keys: given out for a time, destroyed for good after another."""

from __future__ import annotations

import nacl.public
import pytest

from ledger.errors import IntegrityError, Misconfigured, Rejected
from ledger.keys.database import KeyDatabase
from ledger.keys.master import LocalMasterKey
from ledger.keys.spool import SpoolKey, SpoolKeyGone, SpoolKeys, spool_key_identity
from tests.ledger.keys.places import Place

MASTER = LocalMasterKey(bytes(range(32)))
SEAL_S, AGE_S, NOW_S = 100, 1_000, 1_700_000_000


@pytest.fixture
def database(place: Place) -> KeyDatabase:
    return place.create()


@pytest.fixture
def keys(database: KeyDatabase) -> SpoolKeys:
    return SpoolKeys(database, MASTER, SEAL_S, AGE_S)


def boxed(key: SpoolKey, data: bytes = b"a frame") -> bytes:
    return nacl.public.SealedBox(nacl.public.PublicKey(key.public_key)).encrypt(data)


def test_what_is_sealed_to_the_key_opens(keys: SpoolKeys) -> None:
    """A frame opens under its key, also after another key took its place."""
    first = keys.current(NOW_S)
    second = keys.current(NOW_S + SEAL_S)
    assert first.key_id != second.key_id
    assert keys.open(first.key_id, boxed(first), NOW_S + SEAL_S) == b"a frame"
    assert keys.open(second.key_id, boxed(second, b""), NOW_S + SEAL_S) == b""


def test_one_key_is_given_out_for_its_time(keys: SpoolKeys, database: KeyDatabase) -> None:
    """All who ask within the time, at any gateway, get the same key."""
    key = keys.current(NOW_S)
    assert (key.seal_until_s, key.destroyed_at_s) == (NOW_S + SEAL_S, NOW_S + SEAL_S + AGE_S)
    other = SpoolKeys(database, MASTER, SEAL_S, AGE_S)
    assert other.current(NOW_S + SEAL_S - 1) == key
    assert other.open(key.key_id, boxed(key), NOW_S) == b"a frame"


def test_a_key_is_not_used_after_its_time_deleted_or_not(keys: SpoolKeys) -> None:
    """From the second of its destruction on a key opens nothing, even if no sweep has run."""
    key = keys.current(NOW_S)
    assert keys.open(key.key_id, boxed(key), key.destroyed_at_s - 1) == b"a frame"
    with pytest.raises(SpoolKeyGone):
        keys.open(key.key_id, boxed(key), key.destroyed_at_s)


def test_destroying_leaves_nothing_in_the_files(keys: SpoolKeys, database: KeyDatabase, place: Place) -> None:
    """After the sweep the sealed private key is in neither the database nor its write-ahead log."""
    key = keys.current(NOW_S)
    with database.read() as rows:
        (sealed,) = rows.execute("SELECT sealed FROM spool_keys").fetchone()
    assert sealed in place.on_disk()
    assert keys.destroy_expired(key.destroyed_at_s - 1) == 0
    assert keys.destroy_expired(key.destroyed_at_s) == 1
    assert sealed not in place.on_disk()
    with pytest.raises(SpoolKeyGone):
        keys.open(key.key_id, boxed(key), NOW_S)


def test_an_unknown_key_is_gone(keys: SpoolKeys) -> None:
    """A key id that never was is answered like one that is no more."""
    with pytest.raises(SpoolKeyGone):
        keys.open(b"12345678", b"x" * 60, NOW_S)


@pytest.mark.parametrize("box", [b"", b"x" * 20, b"x" * 60])
def test_what_does_not_open_is_rejected(keys: SpoolKeys, box: bytes) -> None:
    """Bytes that are no box of this key are the producer's mistake."""
    with pytest.raises(Rejected, match="does not open") as caught:
        keys.open(keys.current(NOW_S).key_id, box, NOW_S)
    assert not isinstance(caught.value, SpoolKeyGone)


def test_an_altered_row_does_not_open(keys: SpoolKeys, database: KeyDatabase) -> None:
    """Whoever prolongs a key's life in the database makes it unreadable."""
    key = keys.current(NOW_S)
    with database.write() as rows:
        rows.execute("UPDATE spool_keys SET destroyed_at_s = destroyed_at_s + 1")
    with pytest.raises(IntegrityError):
        keys.open(key.key_id, boxed(key), NOW_S)


def test_another_master_key_is_named(keys: SpoolKeys, database: KeyDatabase) -> None:
    """Keys sealed by another master key are not silently useless."""
    key = keys.current(NOW_S)
    other = SpoolKeys(database, LocalMasterKey(bytes(32)), SEAL_S, AGE_S)
    with pytest.raises(Misconfigured, match="expected master key"):
        other.open(key.key_id, boxed(key), NOW_S)


def test_the_private_key_is_not_in_clear(keys: SpoolKeys, database: KeyDatabase, place: Place) -> None:
    """Neither file holds the private key itself."""
    keys.current(NOW_S)
    with database.read() as rows:
        key_id, public_key, seal_until_s, destroyed_at_s, _, sealed = rows.execute(
            "SELECT * FROM spool_keys"
        ).fetchone()
    assert len(sealed) == 1 + 24 + 32 + 16
    private = MASTER.open(sealed, spool_key_identity(SpoolKey(key_id, public_key, seal_until_s, destroyed_at_s)))
    assert bytes(nacl.public.PrivateKey(private).public_key) == public_key
    assert private not in place.on_disk()
