"""Holders and scopes between their clear form and their sealed rows.

    holders.sealed = sealed(pseudonym (16 bytes) || gateway secret (32 bytes)), under the key of the holder's bucket,
                     identity ("holders", tenant, holder hash, kind, u64 normalization)
    scopes.sealed  = sealed(scope key (32 bytes)), under the key of the holder's bucket,
                     identity ("scopes", tenant, row key, scope id, holder hash, retention class, month)

Identities hold every clear column: whoever altered the holder of a scope, so that an erasure would miss it, or its
month, so that an expiry would, made it unreadable at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import urandom

from ledger.errors import IntegrityError
from ledger.keys.database import Rows
from ledger.keys.hierarchy import BucketKey, KeyHierarchy, TenantRing, normalization_of
from ledger.keys.provider import (
    PSEUDONYM_BYTES,
    SCOPE_ID_BYTES,
    SCOPE_KEY_BYTES,
    SECRET_BYTES,
    Holder,
    HolderRef,
    Scope,
    ScopeRef,
)
from ledger.keys.rows import (
    HolderRow,
    ScopeRow,
    Sealing,
    insert_holders,
    insert_scopes,
    select_holders,
    select_scopes,
    select_scopes_by_id,
)
from ledger.keys.sealing import open_sealed, row_identity, seal


class SealedRows:
    """One tenant's holders and scopes within one transaction. `now`: when the call that reads them began."""

    def __init__(self, rows: Rows, hierarchy: KeyHierarchy, ring: TenantRing, now: float) -> None:
        self._rows = rows
        self._hierarchy = hierarchy
        self._ring = ring
        self._now = now
        self._opened: dict[tuple[int, int, int, bytes], bytes] = {}

    def holders(self, hashes: Mapping[HolderRef, bytes]) -> dict[HolderRef, Holder]:
        """The holders that exist, of refs with their hashes. Several refs may share a hash, and then a holder."""
        by_hash = {
            row.holder_hash: self._open_holder(row)
            for row in select_holders(self._rows, self._ring.tenant, _distinct(hashes.values()))
        }
        return {ref: by_hash[holder_hash] for ref, holder_hash in hashes.items() if holder_hash in by_hash}

    def holders_by_hash(self, hashes: Iterable[bytes]) -> dict[bytes, Holder]:
        """The holders of these hashes that exist, by hash."""
        found = select_holders(self._rows, self._ring.tenant, _distinct(hashes))
        return {row.holder_hash: self._open_holder(row) for row in found}

    def ensure_holders(self, hashes: Mapping[HolderRef, bytes]) -> dict[HolderRef, Holder]:
        """All these holders, made where absent."""
        found = self.holders(hashes)
        absent = {ref: holder_hash for ref, holder_hash in hashes.items() if ref not in found}
        if not absent:
            return found
        tenant = self._ring.tenant
        kinds = {holder_hash: ref.kind for ref, holder_hash in absent.items()}
        bucket_keys = self._bucket_keys(kinds)
        new = []
        # In one order, whoever inserts: racing transactions wait for each other and never in a circle.
        for holder_hash, kind in sorted(kinds.items()):
            under = bucket_keys[holder_hash[0]]
            identity = holder_identity(tenant, holder_hash, kind, normalization_of(kind))
            sealed = seal(under.key, urandom(PSEUDONYM_BYTES + SECRET_BYTES), identity)
            new.append((holder_hash, kind, normalization_of(kind), under.generation, sealed))
        insert_holders(self._rows, tenant, new)
        found |= self.holders(absent)
        if len(found) != len(hashes):
            raise IntegrityError(f"holders of tenant {tenant}: expected those just written, found fewer")
        return found

    def scopes(self, row_keys: Mapping[ScopeRef, bytes]) -> dict[ScopeRef, Scope]:
        """The scopes that exist, of refs with their row keys."""
        by_key = {
            row.row_key: Scope(row.scope_id, self._open_scope(row))
            for row in select_scopes(self._rows, self._ring.tenant, _distinct(row_keys.values()))
        }
        return {ref: by_key[row_key] for ref, row_key in row_keys.items() if row_key in by_key}

    def ensure_scopes(
        self, row_keys: Mapping[ScopeRef, bytes], hashes: Mapping[HolderRef, bytes]
    ) -> dict[ScopeRef, Scope]:
        """All these scopes, made where absent. `hashes` has the hash of every scope's holder."""
        found = self.scopes(row_keys)
        absent = {ref: row_key for ref, row_key in row_keys.items() if ref not in found}
        if not absent:
            return found
        tenant = self._ring.tenant
        refs = {row_key: ref for ref, row_key in absent.items()}
        bucket_keys = self._bucket_keys(hashes[ref.holder] for ref in refs.values())
        new = []
        for row_key in sorted(refs):
            ref = refs[row_key]
            holder_hash, scope_id = hashes[ref.holder], urandom(SCOPE_ID_BYTES)
            under = bucket_keys[holder_hash[0]]
            identity = scope_identity(tenant, row_key, scope_id, holder_hash, ref.retention_class, ref.month)
            sealed = seal(under.key, urandom(SCOPE_KEY_BYTES), identity)
            new.append((row_key, scope_id, holder_hash, ref.retention_class, ref.month, under.generation, sealed))
        insert_scopes(self._rows, tenant, new)
        found |= self.scopes(absent)
        if len(found) != len(row_keys):
            raise IntegrityError(f"scopes of tenant {tenant}: expected those just written, found fewer")
        return found

    def scope_keys(self, scope_ids: Iterable[bytes]) -> dict[bytes, bytes]:
        """The keys of those scopes that exist, by id."""
        found = select_scopes_by_id(self._rows, self._ring.tenant, _distinct(scope_ids))
        return {row.scope_id: self._open_scope(row) for row in found}

    def _bucket_keys(self, hashes: Iterable[bytes]) -> dict[int, BucketKey]:
        buckets = {holder_hash[0] for holder_hash in hashes}
        return self._hierarchy.ensure_bucket_keys(self._rows, self._ring, buckets, self._now)

    def _open_holder(self, row: HolderRow) -> Holder:
        tenant = self._ring.tenant
        identity = holder_identity(tenant, row.holder_hash, row.kind, row.normalization)
        plain = self._open(row.sealing, identity, f"holder row of tenant {tenant}", PSEUDONYM_BYTES + SECRET_BYTES)
        return Holder(plain[:PSEUDONYM_BYTES], plain[PSEUDONYM_BYTES:])

    def _open_scope(self, row: ScopeRow) -> bytes:
        tenant = self._ring.tenant
        identity = scope_identity(tenant, row.row_key, row.scope_id, row.holder_hash, row.retention_class, row.month)
        where = f"scope {row.scope_id.hex()} of tenant {tenant}"
        return self._open(row.sealing, identity, where, SCOPE_KEY_BYTES)

    def _open(self, sealing: Sealing, identity: bytes, where: str, length: int) -> bytes:
        return open_sealed(self._bucket_key(sealing), sealing.sealed, identity, where, length)

    def _bucket_key(self, sealing: Sealing) -> bytes:
        """The key of the bucket of a row. Many rows share one of 256; within a transaction each is asked for once."""
        sealed_under = (
            sealing.bucket,
            sealing.bucket_key_generation,
            sealing.tenant_key_generation,
            sealing.sealed_bucket_key,
        )
        key = self._opened.get(sealed_under)
        if key is None:
            key = self._opened[sealed_under] = self._hierarchy.open_bucket_key(self._ring, *sealed_under, self._now)
        return key


def holder_identity(tenant: str, holder_hash: bytes, kind: str, normalization: int) -> bytes:
    """What binds a row of `holders` to its place."""
    return row_identity("holders", tenant, holder_hash, kind.encode(), normalization.to_bytes(8, "big"))


def scope_identity(
    tenant: str, row_key: bytes, scope_id: bytes, holder_hash: bytes, retention_class: str, month: str
) -> bytes:
    """What binds a row of `scopes` to its place."""
    return row_identity("scopes", tenant, row_key, scope_id, holder_hash, retention_class.encode(), month.encode())


def _distinct(values: Iterable[bytes]) -> list[bytes]:
    return list(dict.fromkeys(values))
