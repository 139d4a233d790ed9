"""What is left of an erased person on PostgreSQL's disk, and what ends it: as docs/KEYS.md says, not less."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.errors import IntegrityError, Misconfigured
from ledger.keys.cache import LeaseCache
from ledger.keys.database import KeyDatabase
from ledger.keys.destruction import Request
from ledger.keys.erasure import Destructions
from ledger.keys.hierarchy import KeyHierarchy, bucket_key_identity, tenant_key_identity
from ledger.keys.master import LocalMasterKey
from ledger.keys.masters import MasterKeys, rotate_master
from ledger.keys.opening import create_key_database
from ledger.keys.provider import HolderRef, ScopeRef
from ledger.keys.rotation import rotate_tenant_key
from ledger.keys.sealed_rows import scope_identity
from ledger.keys.sealing import open_sealed
from ledger.keys.store import KeyCacheLimits, KeyStore
from ledger.keys.suppression import sweep
from tests.postgresql.server import LEDGER, Server, own_server

MIA = HolderRef("person", "mia_li_3668")
OTHERS = [HolderRef("person", f"person {number}") for number in range(300)]
REQUEST = Request("olga", (), "GDPR Art. 17", "a letter")


@dataclass(frozen=True, slots=True)
class Hers:
    """What a thief could have copied of her before she was erased: sealed rows, and how they hang together."""

    holder_hash: bytes
    holder: bytes
    scope_row: tuple[bytes, bytes, str, str, bytes]
    bucket: tuple[int, int, bytes]
    tenant_key: bytes
    scope_key: bytes

    @property
    def sealed(self) -> dict[str, bytes]:
        return {"holder": self.holder, "scope": self.scope_row[-1], "bucket key": self.bucket[-1]}

    def opens_under(self, master: LocalMasterKey) -> bool:
        """Whether the scope's key comes out of what was copied, under this master key."""
        tenant_key = master.open(self.tenant_key, tenant_key_identity("acme", 1))
        number, generation, sealed = self.bucket
        bucket_key = open_sealed(tenant_key, sealed, bucket_key_identity("acme", number, generation), "", 32)
        row_key, scope_id, retention_class, month, sealed = self.scope_row
        identity = scope_identity("acme", row_key, scope_id, self.holder_hash, retention_class, month)
        return open_sealed(bucket_key, sealed, identity, "", 32) == self.scope_key


def copied(database: KeyDatabase, master: LocalMasterKey, scope_key: bytes) -> Hers:
    with database.read() as rows:
        ring = KeyHierarchy(master, LeaseCache(10, 0.0)).ring(rows, "acme", 0.0)
        assert ring is not None
        mine = ring.holder_hash(MIA)
        (holder,) = rows.execute("SELECT sealed FROM holders WHERE holder_hash = ?", (mine,)).fetchone()
        scope_row = rows.execute(
            "SELECT row_key, scope_id, retention_class, month, sealed FROM scopes WHERE holder_hash = ?", (mine,)
        ).fetchone()
        bucket = rows.execute(
            "SELECT bucket, generation, sealed FROM bucket_keys WHERE bucket = ?", (mine[0],)
        ).fetchone()
        (tenant_key,) = rows.execute("SELECT sealed FROM tenant_keys").fetchone()
    return Hers(mine, holder, scope_row, bucket, tenant_key, scope_key)


def erased(database: KeyDatabase, master: LocalMasterKey) -> Hers:
    """A key store of many people from which one was erased to the end; what could have been copied of her before."""
    store = KeyStore(database, master, KeyCacheLimits(lease_s=0.0))
    scopes = [ScopeRef(each, "standard", "2026-11") for each in (MIA, *OTHERS)]
    grant = store.acquire("acme", [], scopes, [(HolderRef("session", "s"), MIA)])
    hers = copied(database, master, grant.scopes[scopes[0]].key)
    work = Destructions(database, master, lease_s=0.0)
    which = work.mark_persons("acme", [MIA.identifier], REQUEST).destruction_id
    work.rewrap(which)
    work.destroy(which, 0)
    work.wipe(which)
    work.counted(which, {})
    work.published(which)
    work.finish(which)
    assert work.get(which).finished
    left = store.acquire("acme", [], scopes[1:], []).scopes
    assert left == {ref: scope for ref, scope in grant.scopes.items() if ref.holder != MIA}
    return hers


@pytest.fixture
def master(tmp_path: Path) -> LocalMasterKey:
    return LocalMasterKey.create(tmp_path / "master.key")


@pytest.fixture
def name(postgresql: Server) -> Iterator[str]:
    made = postgresql.make_database()
    yield made
    postgresql.administer(f"DROP DATABASE {made} WITH (FORCE)")


def test_nothing_of_her_is_in_the_tables_files(postgresql: Server, name: str, master: LocalMasterKey) -> None:
    """No file of the database, index or statistics has a sealed row or the old bucket key; at last not her hash."""
    database = create_key_database(postgresql.url(name), Path())
    hers = erased(database, master)
    postgresql.administer("ANALYZE", name)
    files = postgresql.bytes_of(name)
    assert [what for what, sealed in hers.sealed.items() if sealed in files] == []
    assert hers.holder_hash in files, "the suppression entry is there, and the search finds it"
    sweep(database, 2**62)
    assert hers.holder_hash not in postgresql.bytes_of(name)
    database.close()


def test_on_a_server_that_recycles_no_log_nothing_of_her_is_left_at_all(master: LocalMasterKey) -> None:
    """With `wal_recycle = off`, and a role that may end a segment and make a checkpoint, the disk is free of her."""
    with own_server(wal_recycle="off", wal_init_zero="on") as server:
        name = server.make_database()
        server.administer(f"GRANT pg_checkpoint TO {LEDGER}")
        server.administer(f"GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() TO {LEDGER}", name)
        database = create_key_database(server.url(name), Path())
        store = KeyStore(database, master)
        ref = ScopeRef(OTHERS[0], "standard", "2026-10")
        canary = store.acquire("acme", [], [ref], []).scopes[ref].scope_id
        hers = erased(database, master)
        sweep(database, 2**62)
        disk = server.all_bytes()
        assert canary in disk, "the search would find it"
        assert [what for what, sealed in hers.sealed.items() if sealed in disk] == []
        assert hers.holder_hash not in disk
        database.close()


def test_what_a_copy_of_the_log_still_opens_dies_with_the_master_key(
    postgresql: Server, name: str, tmp_path: Path, master: LocalMasterKey
) -> None:
    """Old rows that live on in the log or a backup open as long as there is the master key they stand under, and with
    no key that is left once tenant and master key were rotated and the retired one was deleted."""
    database = create_key_database(postgresql.url(name), Path())
    hers = erased(database, master)
    assert hers.opens_under(master), "it is this that the documentation warns of"
    places = MasterKeys(tmp_path, "master.key")
    rotate_tenant_key(database, places.open(), "acme")
    assert hers.opens_under(master)
    done = rotate_master(database, places)
    assert done.kept is not None
    assert done.is_forgotten
    done.kept.unlink()
    left = [LocalMasterKey.load(each) for each in tmp_path.glob("master.key*")]
    assert len(left) == 1
    for each in left:
        with pytest.raises((IntegrityError, Misconfigured)):
            hers.opens_under(each)
    # A rotation of the master key alone would not do: the tenant key that it seals anew is the one before.
    store = KeyStore(database, places.open(), KeyCacheLimits(lease_s=0.0))
    assert store.pseudonym("acme", OTHERS[0].identifier) is not None
    files = postgresql.bytes_of(name)
    assert hers.tenant_key not in files
    database.close()


def test_the_master_key_alone_is_not_enough_to_rotate(
    postgresql: Server, name: str, tmp_path: Path, master: LocalMasterKey
) -> None:
    """Without a new tenant key the old bucket key opens under the tenant key of today: both have to be rotated."""
    database = create_key_database(postgresql.url(name), Path())
    hers = erased(database, master)
    rotate_master(database, MasterKeys(tmp_path, "master.key"))
    with database.read() as rows:
        (today,) = rows.execute("SELECT sealed FROM tenant_keys").fetchone()
    now = Hers(hers.holder_hash, hers.holder, hers.scope_row, hers.bucket, today, hers.scope_key)
    assert now.opens_under(LocalMasterKey.load(tmp_path / "master.key"))
    database.close()
