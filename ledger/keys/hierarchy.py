"""Tenant keys, look-up keys and bucket keys: made when first needed, opened when used.

    tenant key  = 32 random bytes, sealed by the master key,      identity ("tenant_keys", tenant, u64 generation)
    look-up key = 32 random bytes, sealed by the tenant key,      identity ("lookup_keys", tenant)
    bucket key  = 32 random bytes, sealed by the tenant key,      identity ("bucket_keys", tenant, bucket byte,
                                                                            u64 generation)

The keyed hashes by which rows are found, under the tenant's look-up key K:

    holder hash   = HMAC-SHA-256(K, text("audit-ledger/holder-lookup/v1") || text(kind) || text(identifier))
    scope row key = HMAC-SHA-256(K, text("audit-ledger/scope-row/v1") || pseudonym (16 bytes)
                                    || text(retention class) || text(month))

where a person's identifier is normalized first (`ledger.keys.normalize`). A holder's bucket is the first byte of its
hash.

Every key is insert-if-absent, then read again, so that racing processes go on with the same one. Opened keys are
remembered by *what was opened* (identity and sealed bytes), never by their place in the store: a key that was replaced
or destroyed there can't be used by mistake, and what was moved fails to open however often the original was opened.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from os import urandom
from typing import get_args

from ledger.canonical import text
from ledger.errors import IntegrityError, Misconfigured, Unavailable
from ledger.keys.cache import LeaseCache
from ledger.keys.database import Rows
from ledger.keys.master import MasterKey
from ledger.keys.master_ring import MasterRing, master_named, sealing_master
from ledger.keys.normalize import NORMALIZATION_NONE, NORMALIZATION_V1, exact_bytes, normalize_v1
from ledger.keys.provider import HolderKind, HolderRef, ScopeRef
from ledger.keys.sealing import KEY_BYTES, open_sealed, row_identity, seal

HOLDER_LOOKUP_TAG = "audit-ledger/holder-lookup/v1"
SCOPE_ROW_TAG = "audit-ledger/scope-row/v1"
FIRST_GENERATION = 1

CLASSES_MAX = 1_024
"""Retention classes and months whose canonical bytes are remembered."""

_HOLDER_LOOKUPS = {kind: text.encode(HOLDER_LOOKUP_TAG) + text.encode(kind) for kind in get_args(HolderKind)}
_SCOPE_ROW = text.encode(SCOPE_ROW_TAG)


@lru_cache(maxsize=CLASSES_MAX)
def _class_and_month(retention_class: str, month: str) -> bytes:
    return text.encode(retention_class) + text.encode(month)


@dataclass(frozen=True, slots=True)
class BucketKey:
    """The key that new rows of one bucket are sealed under."""

    generation: int
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TenantRing:
    """A tenant's keys, open: tenant keys by generation (`current` is the newest) and the look-up key."""

    tenant: str
    current: int
    keys: Mapping[int, bytes] = field(repr=False)
    lookup_key: bytes = field(repr=False)

    def holder_hash(self, ref: HolderRef) -> bytes:
        """The keyed hash that finds this holder's rows."""
        identifier = normalize_v1(ref.identifier) if ref.kind == "person" else exact_bytes(ref.identifier)
        message = b"".join((_HOLDER_LOOKUPS[ref.kind], len(identifier).to_bytes(8, "big"), identifier))
        return hmac.digest(self.lookup_key, message, "sha256")

    def scope_row_key(self, pseudonym: bytes, ref: ScopeRef) -> bytes:
        """The keyed hash that finds the row of this holder's scope."""
        message = b"".join((_SCOPE_ROW, pseudonym, _class_and_month(ref.retention_class, ref.month)))
        return hmac.digest(self.lookup_key, message, "sha256")


def normalization_of(kind: HolderKind) -> int:
    """The version of the normalization that `TenantRing.holder_hash` applies to this kind."""
    return NORMALIZATION_V1 if kind == "person" else NORMALIZATION_NONE


class KeyHierarchy:
    """Opens a tenant's keys on the rows of one transaction. `opened` bounds what is remembered, and for how long."""

    def __init__(self, master: MasterKey, opened: LeaseCache[bytes, bytes]) -> None:
        self._master = master
        self._opened = opened

    def ring(self, rows: Rows, tenant: str, now: float) -> TenantRing | None:
        """The tenant's ring, None when it has no keys yet. `now`: when this read began."""
        keys: dict[int, bytes] = {}
        found = rows.execute("SELECT generation, master_key_id, sealed FROM tenant_keys WHERE tenant = ?", (tenant,))
        for generation, master_key_id, sealed in found.fetchall():
            keys[generation] = self._open_tenant_key(tenant, generation, master_key_id, sealed, now)
        lookup = rows.execute(
            "SELECT tenant_key_generation, sealed FROM lookup_keys WHERE tenant = ?", (tenant,)
        ).fetchone()
        if not keys or lookup is None:
            return None
        where = f"look-up key of tenant {tenant}"
        identity = lookup_key_identity(tenant)
        lookup_key = self._open_under(keys, tenant, lookup[0], lookup[1], identity, where, now)
        return TenantRing(tenant, max(keys), keys, lookup_key)

    def ensure_ring(self, rows: Rows, tenant: str, now: float) -> TenantRing:
        """The tenant's ring, its keys made where absent. Needs a write transaction."""
        ring = self.ring(rows, tenant, now)
        if ring is not None:
            return ring
        master = sealing_master(rows, self._master)
        sealed = master.seal(urandom(KEY_BYTES), tenant_key_identity(tenant, FIRST_GENERATION))
        rows.execute(
            "INSERT INTO tenant_keys (tenant, generation, master_key_id, sealed) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (tenant, generation) DO NOTHING",
            (tenant, FIRST_GENERATION, master.key_id, sealed),
        )
        generation, master_key_id, sealed = rows.execute(
            "SELECT generation, master_key_id, sealed FROM tenant_keys WHERE tenant = ? ORDER BY generation DESC",
            (tenant,),
        ).fetchone()
        tenant_key = self._open_tenant_key(tenant, generation, master_key_id, sealed, now)
        rows.execute(
            "INSERT INTO lookup_keys (tenant, tenant_key_generation, sealed) VALUES (?, ?, ?) "
            "ON CONFLICT (tenant) DO NOTHING",
            (tenant, generation, seal(tenant_key, urandom(KEY_BYTES), lookup_key_identity(tenant))),
        )
        ring = self.ring(rows, tenant, now)
        if ring is None:
            raise IntegrityError(f"keys of tenant {tenant}: expected those just written, found none")
        return ring

    def open_bucket_key(
        self, ring: TenantRing, bucket: int, generation: int, tenant_key_generation: int, sealed: bytes, now: float
    ) -> bytes:
        """The key of one row of `bucket_keys`."""
        where = f"bucket key {bucket} generation {generation} of tenant {ring.tenant}"
        identity = bucket_key_identity(ring.tenant, bucket, generation)
        return self._open_under(ring.keys, ring.tenant, tenant_key_generation, sealed, identity, where, now)

    def ensure_bucket_keys(
        self, rows: Rows, ring: TenantRing, buckets: Iterable[int], now: float
    ) -> dict[int, BucketKey]:
        """The newest key of each bucket, made where absent. Needs a write transaction."""
        wanted = set(buckets)
        found = self._newest_bucket_keys(rows, ring, wanted, now)
        absent = sorted(wanted - found.keys())
        if not absent:
            return found
        tenant_key = ring.keys[ring.current]
        rows.executemany(
            "INSERT INTO bucket_keys (tenant, bucket, generation, tenant_key_generation, sealed) "
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT (tenant, bucket, generation) DO NOTHING",
            [
                (ring.tenant, bucket, FIRST_GENERATION, ring.current, seal(tenant_key, urandom(KEY_BYTES), identity))
                for bucket in absent
                for identity in (bucket_key_identity(ring.tenant, bucket, FIRST_GENERATION),)
            ],
        )
        found |= self._newest_bucket_keys(rows, ring, absent, now)
        if wanted - found.keys():
            raise IntegrityError(f"bucket keys of tenant {ring.tenant}: expected those just written, found fewer")
        return found

    def _newest_bucket_keys(
        self, rows: Rows, ring: TenantRing, buckets: Iterable[int], now: float
    ) -> dict[int, BucketKey]:
        places = tuple(buckets)
        found = rows.execute(
            "SELECT bucket, generation, tenant_key_generation, sealed FROM bucket_keys "
            f"WHERE tenant = ? AND bucket IN ({', '.join('?' * len(places))}) ORDER BY generation",
            (ring.tenant, *places),
        ).fetchall()
        newest = {row[0]: row for row in found}
        return {
            bucket: BucketKey(generation, self.open_bucket_key(ring, bucket, generation, tenant_key, sealed, now))
            for bucket, (_, generation, tenant_key, sealed) in newest.items()
        }

    def _open_tenant_key(self, tenant: str, generation: int, master_key_id: str, sealed: bytes, now: float) -> bytes:
        where = f"tenant key {generation} of {tenant}"
        try:
            master = master_named(self._master, master_key_id, where)
        except Misconfigured as error:
            if not isinstance(self._master, MasterRing):
                raise
            # The store was opened with this ring: a rotation has a key that has not come to this machine yet.
            raise Unavailable(f"{error}; it is looked for again with the next call") from None
        identity = tenant_key_identity(tenant, generation)
        remembered, _ = self._opened.get_many(tenant, (identity + sealed,), now)
        if remembered:
            return remembered[identity + sealed]
        key = master.open(sealed, identity)
        if len(key) != KEY_BYTES:
            raise IntegrityError(f"tenant key {generation} of {tenant}: expected {KEY_BYTES} bytes, found {len(key)}")
        self._opened.put_many(tenant, ((identity + sealed, key),), now)
        return key

    def _open_under(
        self,
        keys: Mapping[int, bytes],
        tenant: str,
        generation: int,
        sealed: bytes,
        identity: bytes,
        where: str,
        now: float,
    ) -> bytes:
        """A key that a tenant key sealed."""
        remembered, _ = self._opened.get_many(tenant, (identity + sealed,), now)
        if remembered:
            return remembered[identity + sealed]
        if generation not in keys:
            raise IntegrityError(f"{where}: sealed under tenant key {generation}, which the store does not have")
        key = open_sealed(keys[generation], sealed, identity, where, KEY_BYTES)
        self._opened.put_many(tenant, ((identity + sealed, key),), now)
        return key


def tenant_key_identity(tenant: str, generation: int) -> bytes:
    """What binds a row of `tenant_keys` to its place."""
    return row_identity("tenant_keys", tenant, generation.to_bytes(8, "big"))


def lookup_key_identity(tenant: str) -> bytes:
    """What binds a row of `lookup_keys` to its place."""
    return row_identity("lookup_keys", tenant)


def bucket_key_identity(tenant: str, bucket: int, generation: int) -> bytes:
    """What binds a row of `bucket_keys` to its place."""
    return row_identity("bucket_keys", tenant, bytes((bucket,)), generation.to_bytes(8, "big"))
