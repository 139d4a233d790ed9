"""Doing again what a key store that was put back from a backup missed: erasures, expiries, holds, links.

The sealed events name persons by pseudonym; the store finds them by opening its rows of persons, all of them, which is
a restore's price. What an event names and the store does not have was made after the backup, and needs no destroying.
A replayed destruction keeps the id of the first, so that answers go on naming its events. Holds don't matter: it was
done when nothing forbade it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from ledger.keys.database import Rows
from ledger.keys.destruction import Destruction, Kind, Request, scopes_by_id
from ledger.keys.destruction_tables import make_tables
from ledger.keys.doomed import of_persons
from ledger.keys.erasure import Destructions
from ledger.keys.hierarchy import TenantRing
from ledger.keys.holds import hold_identity
from ledger.keys.provider import HolderRef
from ledger.keys.rows import insert_links, select_links
from ledger.keys.sealed_rows import SealedRows
from ledger.keys.tenant_seal import seal_by_tenant


class KeyReplay(Destructions):
    """Destructions, with what a restore needs besides. Calls block."""

    def mark_again(
        self,
        tenant: str,
        destruction_id: bytes,
        kind: Kind,
        request: Request,
        pseudonyms: Collection[bytes],
        scope_ids: Collection[bytes],
        retention_class: str | None = None,
        month: str | None = None,
    ) -> Destruction:
        """Mark what is there of a destruction that was done before; the one the store knows already, as it is."""
        make_tables(self._database)
        with self._database.write() as rows:
            known = self._select(rows, "destruction_id = ?", destruction_id)
            if known:
                return known[0]
            ring = self._ready(rows, tenant)
            persons = [each for pseudonym, each in self._persons(rows, ring).items() if pseudonym in pseudonyms]
            doomed = of_persons(rows, tenant, persons, keep_shared=True)
            named = scopes_by_id(rows, tenant, scope_ids)
            doomed = replace(doomed, scopes=tuple({*doomed.scopes, *named}), holds=frozenset())
            return self._mark(
                rows, ring, kind, request, doomed, sorted(pseudonyms), retention_class, month, destruction_id
            )

    def add_links(self, tenant: str, links: Iterable[tuple[HolderRef, bytes]]) -> int:
        """Add the links (stand-in, pseudonym of a person) that are missing, of persons there are; returns how many."""
        with self._database.write() as rows:
            ring = self._hierarchy.ring(rows, tenant, 0.0)
            if ring is None:
                return 0
            persons = self._persons(rows, ring)
            pairs = tuple(
                {(ring.holder_hash(ref), persons[pseudonym]) for ref, pseudonym in links if pseudonym in persons}
            )
            missing = set(pairs) - select_links(rows, tenant, pairs)
            insert_links(rows, tenant, tuple(missing))
            return len(missing)

    def hold_again(
        self, tenant: str, hold_id: str, pseudonym: bytes, request: Request, at_ms: int, *, released: bool
    ) -> bool:
        """Put a hold in the state of its last event; whether that changed anything. False for a person not there."""
        make_tables(self._database)
        with self._database.write() as rows:
            ring = self._hierarchy.ring(rows, tenant, 0.0)
            holder_hash = self._persons(rows, ring).get(pseudonym) if ring is not None else None
            if ring is None or holder_hash is None:
                return False
            of = (tenant, hold_id)
            known = rows.execute(
                "SELECT released_at_ms IS NOT NULL FROM holds WHERE tenant = ? AND hold_id = ?", of
            ).fetchone()
            if known is not None and bool(known[0]) == released:
                return False
            generation, sealed = seal_by_tenant(ring, request.to_bytes(), hold_identity(tenant, hold_id))
            rows.execute(
                "INSERT INTO holds (tenant, hold_id, holder_hash, pseudonym, placed_at_ms, released_at_ms, recorded, "
                "tenant_key_generation, request) VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?) ON CONFLICT (tenant, hold_id) "
                "DO UPDATE SET released_at_ms = excluded.released_at_ms, recorded = 1, "
                "tenant_key_generation = excluded.tenant_key_generation, request = excluded.request",
                (*of, holder_hash, pseudonym, at_ms, at_ms if released else None, generation, sealed),
            )
        return True

    def unexplained(
        self, tenant: str, pseudonyms: Collection[bytes], scope_ids: Collection[bytes]
    ) -> tuple[set[bytes], set[bytes]]:
        """Those of these pseudonyms and scopes that have no row."""
        with self._database.read() as rows:
            ring = self._hierarchy.ring(rows, tenant, 0.0)
            persons = self._persons(rows, ring) if ring is not None else {}
            there = {scope_id for scope_id, _, _ in scopes_by_id(rows, tenant, scope_ids)}
        return set(pseudonyms) - persons.keys(), set(scope_ids) - there

    def _persons(self, rows: Rows, ring: TenantRing) -> dict[bytes, bytes]:
        """The hashes of all persons, by pseudonym."""
        hashes = [
            each
            for (each,) in rows.execute(
                "SELECT holder_hash FROM holders WHERE tenant = ? AND kind = 'person'", (ring.tenant,)
            )
        ]
        found = SealedRows(rows, self._hierarchy, ring, 0.0).holders_by_hash(hashes)
        return {holder.pseudonym: holder_hash for holder_hash, holder in found.items()}
