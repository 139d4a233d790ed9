"""The key store: `KeyProvider`, and the ledger's signing keys. Tables: `ledger.keys.schema`.

`acquire` answers from its caches when it can. What they lack is looked up in one read; if the store lacks some of it
too, everything missing is made in one write transaction: insert-if-absent, then read again, so that of several
gateways meeting a new person one makes the pseudonym and the others find it. Only what a committed transaction has
shown is cached or answered. Crash argument: before the commit nothing exists and nobody was told; after it everything
asked for is durable, and a caller that was not told asks again and finds it.

Holders on the list of `ledger.keys.suppression` are neither found nor made: the grant names them and lacks them.

No `await`, no event loop: call it from worker threads. Reads do not wait for writes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from ledger.keys.cache import LeaseCache
from ledger.keys.database import KeyDatabase, Rows
from ledger.keys.derive import numbering_key
from ledger.keys.destruction import destroyed_by
from ledger.keys.hierarchy import KeyHierarchy, TenantRing
from ledger.keys.master import MasterKey
from ledger.keys.master_ring import CURRENT_MASTER_KEY, master_named
from ledger.keys.provider import Grant, Holder, HolderRef, Scope, ScopeRef, check_link, check_scope_ref
from ledger.keys.rows import insert_links, select_links
from ledger.keys.sealed_rows import SealedRows
from ledger.keys.signing import Role, SigningKey
from ledger.keys.signing_store import AnySigningKey, SigningKeyInfo, SigningKeyStore
from ledger.keys.suppression import Suppressions

Link = tuple[HolderRef, HolderRef]


@dataclass(frozen=True, slots=True)
class KeyCacheLimits:
    """Entries held in memory, over all tenants, and how long each may be answered from there."""

    lease_s: float = 30.0
    holders_max: int = 100_000
    scopes_max: int = 200_000
    links_max: int = 50_000
    scope_keys_max: int = 100_000
    opened_keys_max: int = 10_000


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What no cache answered, each once; `holders` includes those of the scopes."""

    holders: tuple[HolderRef, ...]
    scopes: tuple[ScopeRef, ...]
    links: tuple[Link, ...]


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _hash(ring: TenantRing, ref: HolderRef, known: dict[HolderRef, bytes]) -> bytes:
    """The ref's hash, computed once a call: one person or session stands in many of a call's links."""
    found = known.get(ref)
    if found is None:
        found = known[ref] = ring.holder_hash(ref)
    return found


def _pairs(ring: TenantRing, links: Iterable[Link], known: dict[HolderRef, bytes]) -> set[tuple[bytes, bytes]]:
    return {(_hash(ring, stand_in, known), _hash(ring, person, known)) for stand_in, person in links}


class KeyStore:
    """Keys and pseudonyms in one key database, opened by `master`. `Misconfigured` under another master key."""

    def __init__(
        self,
        database: KeyDatabase,
        master: MasterKey,
        limits: KeyCacheLimits = KeyCacheLimits(),
        monotonic_s: Callable[[], float] = time.monotonic,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._database = database
        self._monotonic_s = monotonic_s
        self._holders: LeaseCache[HolderRef, Holder] = LeaseCache(limits.holders_max, limits.lease_s)
        self._scopes: LeaseCache[ScopeRef, Scope] = LeaseCache(limits.scopes_max, limits.lease_s)
        self._links: LeaseCache[Link, None] = LeaseCache(limits.links_max, limits.lease_s)
        self._scope_keys: LeaseCache[bytes, bytes] = LeaseCache(limits.scope_keys_max, limits.lease_s)
        opened: LeaseCache[bytes, bytes] = LeaseCache(limits.opened_keys_max, limits.lease_s)
        self._hierarchy = KeyHierarchy(master, opened)
        self._signing = SigningKeyStore(database, master, clock)
        self._suppressions = Suppressions()
        self._claim(master)

    def acquire(
        self,
        tenant: str,
        holders: Iterable[HolderRef],
        scopes: Iterable[ScopeRef],
        links: Iterable[Link],
    ) -> Grant:
        """See `KeyProvider.acquire`."""
        began = self._monotonic_s()
        have_holders, new_holders = self._holders.get_many(tenant, holders, began)
        have_scopes, new_scopes = self._scopes.get_many(tenant, scopes, began)
        _, new_links = self._links.get_many(tenant, links, began)
        if not (new_holders or new_scopes or new_links):
            return Grant(have_holders, have_scopes)
        for scope in new_scopes:
            check_scope_ref(scope)
        for link in new_links:
            check_link(link)
        wanted = _Wanted(
            # Also the cached holders of missing scopes: a scope belongs to the pseudonym that the store has now.
            holders=tuple(dict.fromkeys([*new_holders, *(scope.holder for scope in new_scopes)])),
            scopes=tuple(dict.fromkeys(new_scopes)),
            links=tuple(dict.fromkeys(new_links)),
        )
        hashes: dict[HolderRef, bytes] = {}
        grant = self._find(tenant, wanted, hashes, began) or self._make(tenant, wanted, hashes, began)
        self._holders.put_many(tenant, grant.holders.items(), began)
        self._scopes.put_many(tenant, grant.scopes.items(), began)
        if grant.suppressed:
            granted = {**have_scopes, **grant.scopes}
            return Grant({**have_holders, **grant.holders}, granted, grant.suppressed)
        self._links.put_many(tenant, ((link, None) for link in wanted.links), began)
        return Grant({**have_holders, **grant.holders}, {**have_scopes, **grant.scopes})

    def scope_keys(self, tenant: str, scope_ids: Iterable[bytes]) -> dict[bytes, bytes]:
        """See `ScopeKeys.scope_keys`."""
        began = self._monotonic_s()
        found, missing = self._scope_keys.get_many(tenant, scope_ids, began)
        if missing:
            with self._database.read() as rows:
                ring = self._hierarchy.ring(rows, tenant, began)
                if ring is None:
                    return found
                doomed = self._suppressions.doomed_scopes(rows, tenant, missing)
                read = SealedRows(rows, self._hierarchy, ring, began).scope_keys(
                    [each for each in missing if each not in doomed] if doomed else missing
                )
            self._scope_keys.put_many(tenant, read.items(), began)
            found |= read
        return found

    def destroyed_by(self, tenant: str, scope_ids: Iterable[bytes]) -> dict[bytes, str]:
        """See `ScopeKeys.destroyed_by`."""
        with self._database.read() as rows:
            return destroyed_by(rows, tenant, frozenset(scope_ids))

    def pseudonym(self, tenant: str, identifier: str) -> bytes | None:
        """See `ScopeKeys.pseudonym`."""
        began = self._monotonic_s()
        ref = HolderRef("person", identifier)
        found, _ = self._holders.get_many(tenant, (ref,), began)
        if not found:
            with self._database.read() as rows:
                ring = self._hierarchy.ring(rows, tenant, began)
                if ring is None:
                    return None
                holder_hash = ring.holder_hash(ref)
                if self._suppressions.among(rows, tenant, (holder_hash,)):
                    return None
                found = SealedRows(rows, self._hierarchy, ring, began).holders({ref: holder_hash})
            self._holders.put_many(tenant, found.items(), began)
        return found[ref].pseudonym if found else None

    def numbering_key(self, tenant: str) -> bytes:
        """See `KeyProvider.numbering_key`."""
        began = self._monotonic_s()
        with self._database.read() as rows:
            ring = self._hierarchy.ring(rows, tenant, began)
        if ring is None:
            with self._database.insert() as rows:
                ring = self._hierarchy.ensure_ring(rows, tenant, began)
        return numbering_key(ring.lookup_key, tenant)

    def create_signing_key(self, role: Role, name: str) -> SigningKey:
        """A new signing key, sealed in this store; `Misconfigured` when the role has one of this name."""
        return self._signing.create(role, name)

    def signing_key(self, role: Role, name: str, generation: int | None = None) -> AnySigningKey:
        """The newest signing key of this role and name, or of a generation; `Misconfigured` when there is none."""
        return self._signing.get(role, name, generation)

    @property
    def signing(self) -> SigningKeyStore:
        """All of the signing keys, for their rotation."""
        return self._signing

    def signing_keys(self) -> tuple[SigningKeyInfo, ...]:
        """What may be told of all signing keys."""
        return self._signing.list()

    def _find(self, tenant: str, wanted: _Wanted, known: dict[HolderRef, bytes], began: float) -> Grant | None:
        """All that is wanted, when the store has it all; None otherwise. One snapshot, nothing written.

        `known` collects the hashes of refs. They hold for the write that follows: a look-up key never rotates.
        """
        with self._database.read() as rows:
            ring = self._hierarchy.ring(rows, tenant, began)
            if ring is None:
                return None
            sealed = SealedRows(rows, self._hierarchy, ring, began)
            wanted, hashes, suppressed = self._allowed(rows, ring, wanted, known)
            holders = sealed.holders(hashes)
            if len(holders) != len(hashes):
                return None
            row_keys = {ref: ring.scope_row_key(holders[ref.holder].pseudonym, ref) for ref in wanted.scopes}
            scopes = sealed.scopes(row_keys)
            if len(scopes) != len(row_keys):
                return None
            pairs = _pairs(ring, wanted.links, known)
            if select_links(rows, tenant, tuple(pairs)) != pairs:
                return None
            return Grant(holders, scopes, suppressed)

    def _make(self, tenant: str, wanted: _Wanted, known: dict[HolderRef, bytes], began: float) -> Grant:
        """All that is wanted, made where absent, durable on return."""
        with self._database.insert() as rows:
            ring = self._hierarchy.ensure_ring(rows, tenant, began)
            sealed = SealedRows(rows, self._hierarchy, ring, began)
            wanted, hashes, suppressed = self._allowed(rows, ring, wanted, known)
            holders = sealed.ensure_holders(hashes)
            row_keys = {ref: ring.scope_row_key(holders[ref.holder].pseudonym, ref) for ref in wanted.scopes}
            scopes = sealed.ensure_scopes(row_keys, hashes)
            pairs = _pairs(ring, wanted.links, known)
            insert_links(rows, tenant, sorted(pairs))
        return Grant(holders, scopes, suppressed)

    def _allowed(
        self, rows: Rows, ring: TenantRing, wanted: _Wanted, known: dict[HolderRef, bytes]
    ) -> tuple[_Wanted, dict[HolderRef, bytes], frozenset[HolderRef]]:
        """What of it may be given, the hashes of its holders, and the holders that are suppressed."""
        hashes = {ref: _hash(ring, ref, known) for ref in wanted.holders}
        linked = {ref: _hash(ring, ref, known) for link in wanted.links for ref in link}
        among = self._suppressions.among(rows, ring.tenant, {*hashes.values(), *linked.values()})
        if not among:
            return wanted, hashes, frozenset()
        suppressed = frozenset(ref for ref, each in (hashes | linked).items() if each in among)
        allowed = _Wanted(
            tuple(ref for ref in wanted.holders if ref not in suppressed),
            tuple(ref for ref in wanted.scopes if ref.holder not in suppressed),
            tuple(link for link in wanted.links if suppressed.isdisjoint(link)),
        )
        return allowed, {ref: hashes[ref] for ref in allowed.holders}, suppressed

    def _claim(self, master: MasterKey) -> None:
        """Refuse a store that another master key sealed; the first to open a new store makes it its own."""
        with self._database.read() as rows:
            found = rows.execute("SELECT value FROM meta WHERE name = ?", (CURRENT_MASTER_KEY,)).fetchone()
        if found is None:
            with self._database.write() as rows:
                rows.execute(
                    "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
                    (CURRENT_MASTER_KEY, master.key_id),
                )
                found = rows.execute("SELECT value FROM meta WHERE name = ?", (CURRENT_MASTER_KEY,)).fetchone()
        master_named(master, found[0], f"key store {self._database.where}")
