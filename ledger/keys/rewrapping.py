"""Sealing what survives in a bucket under a bucket key of the next generation.

A row that is deleted may live on elsewhere in the file system: in a block that was moved, in a copy of the write-ahead
log. What opens it is the bucket key; so that can be destroyed, everything else that it opens is sealed anew first:

    one transaction a bucket: a new bucket key, generation + 1; every holder and scope of the bucket but the doomed
    opened and sealed under it; their rows updated

From then on new rows stand under the new key as well, and the old ones open the doomed rows only. Deleting rows and
old keys is then one short transaction, however many people the ledger knows. A crash between two buckets leaves
buckets of both kinds; both are whole.
"""

from __future__ import annotations

from collections.abc import Collection
from os import urandom

from ledger.errors import IntegrityError
from ledger.keys.database import Rows
from ledger.keys.hierarchy import KeyHierarchy, TenantRing
from ledger.keys.provider import PSEUDONYM_BYTES, SCOPE_KEY_BYTES, SECRET_BYTES
from ledger.keys.sealed_rows import holder_identity, scope_identity
from ledger.keys.sealing import KEY_BYTES, open_sealed, row_identity, seal


class Rewrapping:
    """Re-seals the buckets of one tenant within one transaction."""

    def __init__(self, rows: Rows, hierarchy: KeyHierarchy, ring: TenantRing, now: float) -> None:
        self._rows = rows
        self._hierarchy = hierarchy
        self._ring = ring
        self._now = now

    def rewrap(self, bucket: int, doomed_holders: Collection[bytes], doomed_rows: Collection[bytes]) -> int:
        """Seal a bucket's rows, but for the doomed, under a new key; returns its generation."""
        keys = self._keys(bucket)
        generation = max(keys, default=0) + 1
        key = urandom(KEY_BYTES)
        identity = row_identity("bucket_keys", self._ring.tenant, bytes((bucket,)), generation.to_bytes(8, "big"))
        self._rows.execute(
            "INSERT INTO bucket_keys (tenant, bucket, generation, tenant_key_generation, sealed) "
            "VALUES (?, ?, ?, ?, ?)",
            (
                self._ring.tenant,
                bucket,
                generation,
                self._ring.current,
                seal(self._ring.keys[self._ring.current], key, identity),
            ),
        )
        self._holders(bucket, doomed_holders, keys, generation, key)
        self._scopes(bucket, doomed_rows, keys, generation, key)
        return generation

    def _keys(self, bucket: int) -> dict[int, bytes]:
        found = self._rows.execute(
            "SELECT generation, tenant_key_generation, sealed FROM bucket_keys WHERE tenant = ? AND bucket = ?",
            (self._ring.tenant, bucket),
        ).fetchall()
        return {
            generation: self._hierarchy.open_bucket_key(self._ring, bucket, generation, tenant_key, sealed, self._now)
            for generation, tenant_key, sealed in found
        }

    def _holders(
        self, bucket: int, doomed: Collection[bytes], keys: dict[int, bytes], generation: int, key: bytes
    ) -> None:
        tenant = self._ring.tenant
        found = self._rows.execute(
            "SELECT holder_hash, kind, normalization, bucket_key_generation, sealed FROM holders "
            "WHERE tenant = ? AND bucket = ?",
            (tenant, bucket),
        ).fetchall()
        fresh = []
        for holder_hash, kind, normalization, old, sealed in found:
            if holder_hash in doomed:
                continue
            identity = holder_identity(tenant, holder_hash, kind, normalization)
            where = f"holder row of tenant {tenant}"
            plain = open_sealed(_key(keys, old, where), sealed, identity, where, PSEUDONYM_BYTES + SECRET_BYTES)
            fresh.append((generation, seal(key, plain, identity), tenant, bucket, holder_hash))
        self._rows.executemany(
            "UPDATE holders SET bucket_key_generation = ?, sealed = ? "
            "WHERE tenant = ? AND bucket = ? AND holder_hash = ?",
            fresh,
        )

    def _scopes(
        self, bucket: int, doomed: Collection[bytes], keys: dict[int, bytes], generation: int, key: bytes
    ) -> None:
        tenant = self._ring.tenant
        found = self._rows.execute(
            "SELECT row_key, scope_id, holder_hash, retention_class, month, bucket_key_generation, sealed FROM scopes "
            "WHERE tenant = ? AND bucket = ?",
            (tenant, bucket),
        ).fetchall()
        fresh = []
        for row_key, scope_id, holder_hash, retention_class, month, old, sealed in found:
            if row_key in doomed:
                continue
            identity = scope_identity(tenant, row_key, scope_id, holder_hash, retention_class, month)
            where = f"scope {scope_id.hex()} of tenant {tenant}"
            plain = open_sealed(_key(keys, old, where), sealed, identity, where, SCOPE_KEY_BYTES)
            fresh.append((generation, seal(key, plain, identity), tenant, row_key))
        self._rows.executemany(
            "UPDATE scopes SET bucket_key_generation = ?, sealed = ? WHERE tenant = ? AND row_key = ?", fresh
        )


def _key(keys: dict[int, bytes], generation: int, where: str) -> bytes:
    if generation not in keys:
        raise IntegrityError(f"{where}: sealed under bucket key generation {generation}, which is not there")
    return keys[generation]
