"""Destroying keys: all of a person's, or all of a retention class and month. `ledger.keys.destruction` has the steps.

**Erasure** of persons dooms their own rows, and those of the sessions and events that stand for them by `links`, with
all scopes of these. A session that others are linked to as well is doomed too, for its contents may be about any of
them and a content that may be about several persons dies with any; `keep_shared` spares it. **Expiry** dooms scopes by
retention class and month, and no holder.

From the mark on, in one transaction with the list of what is doomed, `acquire` hands out none of these holders and
readers none of these scopes (`ledger.keys.suppression`). So when the caches' lease is over nobody has the keys, nobody
can use them, and the list is complete: no scope can have been added since.

One destruction of a tenant at a time: the next one begins when the one before is destroyed.

Crash argument: each step is one transaction that first looks at the phase. What is marked is never unmarked. Before
`destroyed` everything that is doomed is still there, and hidden; the transaction that deletes rows, old bucket keys and
the list itself is the point of no return, and leaves behind pseudonyms, scope ids and numbers, all of them public.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from os import urandom
from typing import Any

from ledger.errors import IntegrityError, Rejected, Unavailable
from ledger.keys.cache import LeaseCache
from ledger.keys.database import KeyDatabase, Rows
from ledger.keys.destruction import ID_BYTES, Destruction, Held, Kind, Phase, Request, cut_ids
from ledger.keys.destruction_tables import has_tables, make_tables
from ledger.keys.doomed import Doomed, of_month, of_persons
from ledger.keys.hierarchy import KeyHierarchy, TenantRing
from ledger.keys.holds import forget_held
from ledger.keys.master import MasterKey
from ledger.keys.provider import HolderRef
from ledger.keys.rewrapping import Rewrapping
from ledger.keys.sealed_rows import SealedRows
from ledger.keys.sealing import row_identity
from ledger.keys.store import KeyCacheLimits
from ledger.keys.suppression import UNTIL_DESTROYED_MS, suppress
from ledger.keys.tenant_seal import open_by_tenant, seal_by_tenant

_COLUMNS = (
    "destruction_id, tenant, kind, phase, retention_class, month, tenant_key_generation, request, marked_at_ms, "
    "destroyed_at_ms, pseudonyms, scope_ids, keys_destroyed, counts"
)

_WIPED = ("bucket_keys", "holders", "scopes", "links", "doomed_holders", "doomed_scopes", "suppressions", "holds")
"""Where rows of the destroyed stood, or what opens them."""


class Destructions:
    """The destructions of one key store, step by step. Calls block."""

    def __init__(
        self,
        database: KeyDatabase,
        master: MasterKey,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        lease_s: float = KeyCacheLimits().lease_s,
    ) -> None:
        self._database = database
        self._hierarchy = KeyHierarchy(master, LeaseCache(10_000, 0.0))
        self._now_ms = now_ms
        self._lease_ms = round(lease_s * 1_000)

    def mark_persons(
        self,
        tenant: str,
        identifiers: Iterable[str],
        request: Request,
        *,
        keep_shared: bool = False,
        may_destroy: Callable[[frozenset[bytes], frozenset[bytes]], None] = lambda doomed, held: None,
    ) -> Destruction:
        """Mark persons. `Held` under a hold, `Rejected` for one who is not known, `Unavailable` beside another one.

        `may_destroy` is told the doomed scopes and those of persons under a hold, and raises where it knows a content
        that has one of each.
        """
        make_tables(self._database)
        with self._database.write() as rows:
            ring = self._ready(rows, tenant)
            hashes = {ring.holder_hash(HolderRef("person", each)) for each in identifiers}
            holders = SealedRows(rows, self._hierarchy, ring, 0.0).holders_by_hash(hashes)
            if len(holders) != len(hashes):
                raise Rejected("subject", f"tenant {tenant} has no such person; nothing was erased")
            doomed = of_persons(rows, tenant, hashes, keep_shared=keep_shared)
            may_destroy(frozenset(doomed.scope_ids), doomed.held_scope_ids)
            pseudonyms = sorted(holder.pseudonym for holder in holders.values())
            return self._mark(rows, ring, "erasure", request, doomed, pseudonyms)

    def mark_month(
        self,
        tenant: str,
        retention_class: str,
        month: str,
        request: Request,
    ) -> Destruction | None:
        """Mark what is there of a retention class and month; None when nothing is. `Held` under a hold."""
        make_tables(self._database)
        with self._database.write() as rows:
            ring = self._ready(rows, tenant)
            doomed = of_month(rows, tenant, retention_class, month)
            if not doomed.scopes:
                return None
            return self._mark(rows, ring, "expiry", request, doomed, (), retention_class, month)

    def get(self, destruction_id: bytes) -> Destruction:
        """As it is now; `Rejected` when there is none."""
        with self._database.read() as rows:
            found = self._select(rows, "destruction_id = ?", destruction_id) if has_tables(rows) else []
        if not found:
            raise Rejected("destruction_id", "there is no such erasure or expiry")
        return found[0]

    def all(self, tenant: str | None = None) -> list[Destruction]:
        """Every one, or every one of a tenant, in the order of their marks."""
        with self._database.read() as rows:
            if not has_tables(rows):
                return []
            return self._select(rows, "tenant = coalesce(?, tenant)", tenant)

    def unfinished(self, tenant: str | None = None) -> list[Destruction]:
        """Those that somebody has to go on with."""
        return [each for each in self.all(tenant) if not each.finished]

    def lease_left_s(self, destruction: Destruction) -> float:
        """How long caches may still hold what is marked. A clock that was set back makes it longer, never negative."""
        return max(0.0, (destruction.marked_at_ms + self._lease_ms - self._now_ms()) / 1_000)

    def rewrap(self, destruction_id: bytes, on_bucket: Callable[[int], None] = lambda bucket: None) -> None:
        """Seal the survivors of every bucket touched under new keys. `Unavailable` before the lease is over."""
        doomed = self._doomed(destruction_id)
        for bucket in sorted(doomed):
            with self._database.write() as rows:
                destruction = self._at(rows, destruction_id, "marked")
                if destruction is None:
                    return
                if self.lease_left_s(destruction):
                    raise Unavailable(f"tenant {destruction.tenant}: caches may still hold keys that are marked")
                done = rows.execute(
                    "SELECT 1 FROM rewrapped WHERE destruction_id = ? AND bucket = ?", (destruction_id, bucket)
                ).fetchone()
                if done is None:
                    rewrapping = Rewrapping(rows, self._hierarchy, self._ring(rows, destruction.tenant), 0.0)
                    generation = rewrapping.rewrap(bucket, *doomed[bucket])
                    rows.execute("INSERT INTO rewrapped VALUES (?, ?, ?)", (destruction_id, bucket, generation))
            on_bucket(bucket)
        with self._database.write() as rows:
            destruction = self._at(rows, destruction_id, "marked")
            if destruction is None:
                return
            if self.lease_left_s(destruction):
                raise Unavailable(f"tenant {destruction.tenant}: caches may still hold keys that are marked")
            self._advance(rows, destruction_id, "rewrapped")

    def destroy(self, destruction_id: bytes, suppressed_s: int) -> None:
        """Delete rows and old bucket keys. Persons stay suppressed for `suppressed_s` from now."""
        with self._database.write() as rows:
            destruction = self._at(rows, destruction_id, "rewrapped")
            if destruction is None:
                return
            tenant, now_ms = destruction.tenant, self._now_ms()
            of = (tenant, destruction_id)
            holders = rows.execute(
                "SELECT holder_hash, shared FROM doomed_holders WHERE tenant = ? AND destruction_id = ?", of
            ).fetchall()
            scopes = rows.execute(
                "SELECT row_key FROM doomed_scopes WHERE tenant = ? AND destruction_id = ?", of
            ).fetchall()
            rows.executemany(
                "DELETE FROM scopes WHERE tenant = ? AND row_key = ?", [(tenant, key) for (key,) in scopes]
            )
            for holder_hash, _ in holders:
                rows.execute(
                    "DELETE FROM holders WHERE tenant = ? AND bucket = ? AND holder_hash = ?",
                    (tenant, holder_hash[0], holder_hash),
                )
                rows.execute("DELETE FROM links WHERE tenant = ? AND stand_in_hash = ?", (tenant, holder_hash))
                rows.execute("DELETE FROM links WHERE tenant = ? AND person_hash = ?", (tenant, holder_hash))
                forget_held(rows, tenant, holder_hash)
            suppress(rows, tenant, [each for each, shared in holders if not shared], now_ms + suppressed_s * 1_000)
            rows.executemany(
                "DELETE FROM suppressions WHERE tenant = ? AND holder_hash = ?",
                [(tenant, each) for each, shared in holders if shared],
            )
            buckets = rows.execute(
                "SELECT bucket, generation FROM rewrapped WHERE destruction_id = ?", (destruction_id,)
            ).fetchall()
            for bucket, generation in buckets:
                rows.execute(
                    "DELETE FROM bucket_keys WHERE tenant = ? AND bucket = ? AND generation < ?",
                    (tenant, bucket, generation),
                )
            for table in ("doomed_holders", "doomed_scopes", "rewrapped"):
                rows.execute(f"DELETE FROM {table} WHERE destruction_id = ?", (destruction_id,))
            rows.execute(
                "UPDATE destructions SET destroyed_at_ms = ?, keys_destroyed = ? WHERE destruction_id = ?",
                (now_ms, len(scopes) + len(holders) + len(buckets), destruction_id),
            )
            self._advance(rows, destruction_id, "destroyed")

    def wipe(self, destruction_id: bytes) -> None:
        """Wipe what was deleted from the files. `Unavailable` while a reader is in the way."""
        self._database.wipe(*_WIPED)
        self._step(destruction_id, "destroyed", "wiped")

    def counted(self, destruction_id: bytes, counts: Mapping[bytes, int]) -> None:
        """Keep how many sealed contents each log holds that cannot be opened any more."""
        with self._database.write() as rows:
            if self._at(rows, destruction_id, "wiped") is None:
                return
            encoded = json.dumps({log_id.hex(): count for log_id, count in sorted(counts.items())})
            rows.execute("UPDATE destructions SET counts = ? WHERE destruction_id = ?", (encoded, destruction_id))
            self._advance(rows, destruction_id, "counted")

    def published(self, destruction_id: bytes) -> None:
        """The events are durable."""
        self._step(destruction_id, "counted", "published")

    def finish(self, destruction_id: bytes) -> None:
        """Forget the reason, in the tables and in the files; the event keeps it, encrypted."""
        with self._database.write() as rows:
            destruction = self._at(rows, destruction_id, "published")
            if destruction is None:
                return
            ring = self._ring(rows, destruction.tenant)
            told = Request(
                destruction.request.requester, destruction.request.approvers, destruction.request.legal_ground, ""
            )
            generation, sealed = seal_by_tenant(ring, told.to_bytes(), _identity(destruction.tenant, destruction_id))
            rows.execute(
                "UPDATE destructions SET tenant_key_generation = ?, request = ? WHERE destruction_id = ?",
                (generation, sealed, destruction_id),
            )
            self._advance(rows, destruction_id, "done")
        self._database.wipe("destructions")

    def _mark(
        self,
        rows: Rows,
        ring: TenantRing,
        kind: Kind,
        request: Request,
        doomed: Doomed,
        pseudonyms: Iterable[bytes],
        retention_class: str | None = None,
        month: str | None = None,
        destruction_id: bytes | None = None,
    ) -> Destruction:
        if doomed.holds:
            raise Held("", f"the legal hold {', '.join(sorted(doomed.holds))} forbids it; nothing was changed")
        destruction_id, tenant = destruction_id or urandom(ID_BYTES), ring.tenant
        generation, sealed = seal_by_tenant(ring, request.to_bytes(), _identity(tenant, destruction_id))
        rows.execute(
            f"INSERT INTO destructions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, 0, '{{}}')",
            (
                destruction_id,
                tenant,
                kind,
                "marked",
                retention_class,
                month,
                generation,
                sealed,
                self._now_ms(),
                b"".join(pseudonyms),
                b"".join(sorted(doomed.scope_ids)),
            ),
        )
        rows.executemany(
            "INSERT INTO doomed_holders (tenant, holder_hash, destruction_id, shared) VALUES (?, ?, ?, ?)",
            [(tenant, each, destruction_id, int(each in doomed.shared)) for each in doomed.holders],
        )
        rows.executemany(
            "INSERT INTO doomed_scopes (tenant, scope_id, row_key, bucket, destruction_id) VALUES (?, ?, ?, ?, ?)",
            [(tenant, scope_id, row_key, bucket, destruction_id) for scope_id, row_key, bucket in doomed.scopes],
        )
        suppress(rows, tenant, doomed.holders, UNTIL_DESTROYED_MS)
        return self._select(rows, "destruction_id = ?", destruction_id)[0]

    def _ready(self, rows: Rows, tenant: str) -> TenantRing:
        """The tenant's keys, when no other destruction of it is between its mark and its end."""
        for other in self._select(rows, "tenant = ?", tenant):
            if not other.reached("destroyed"):
                raise Unavailable(
                    f"tenant {tenant}: another {other.kind} is under way (since {other.marked_at_ms} ms, "
                    f"{other.phase}); go on with that one first"
                )
        return self._ring(rows, tenant)

    def _ring(self, rows: Rows, tenant: str) -> TenantRing:
        ring = self._hierarchy.ring(rows, tenant, 0.0)
        if ring is None:
            raise Rejected("tenant", f"tenant {tenant} has no keys; nothing to destroy")
        return ring

    def _doomed(self, destruction_id: bytes) -> dict[int, tuple[frozenset[bytes], frozenset[bytes]]]:
        """By bucket, the doomed holders' hashes and the doomed scopes' row keys."""
        holders: defaultdict[int, set[bytes]] = defaultdict(set)
        scopes: defaultdict[int, set[bytes]] = defaultdict(set)
        with self._database.read() as rows:
            for (holder_hash,) in rows.execute(
                "SELECT holder_hash FROM doomed_holders WHERE destruction_id = ?", (destruction_id,)
            ):
                holders[holder_hash[0]].add(holder_hash)
            for row_key, bucket in rows.execute(
                "SELECT row_key, bucket FROM doomed_scopes WHERE destruction_id = ?", (destruction_id,)
            ):
                scopes[bucket].add(row_key)
        return {
            bucket: (frozenset(holders[bucket]), frozenset(scopes[bucket])) for bucket in sorted({*holders, *scopes})
        }

    def _at(self, rows: Rows, destruction_id: bytes, phase: Phase) -> Destruction | None:
        """The destruction if it is in this phase; None when it is further. `IntegrityError` when it is not so far."""
        found = self._select(rows, "destruction_id = ?", destruction_id)
        if not found:
            raise Rejected("destruction_id", "there is no such erasure or expiry")
        if found[0].phase == phase:
            return found[0]
        if not found[0].reached(phase):
            raise IntegrityError(f"{found[0].kind} {destruction_id.hex()}: is {found[0].phase}, expected {phase}")
        return None

    def _step(self, destruction_id: bytes, before: Phase, after: Phase) -> None:
        with self._database.write() as rows:
            if self._at(rows, destruction_id, before) is not None:
                self._advance(rows, destruction_id, after)

    @staticmethod
    def _advance(rows: Rows, destruction_id: bytes, phase: Phase) -> None:
        rows.execute("UPDATE destructions SET phase = ? WHERE destruction_id = ?", (phase, destruction_id))

    def _select(self, rows: Rows, where: str, value: bytes | str | None) -> list[Destruction]:
        found = rows.execute(
            f"SELECT {_COLUMNS} FROM destructions WHERE {where} ORDER BY marked_at_ms, destruction_id", (value,)
        ).fetchall()
        return [self._destruction(rows, row) for row in found]

    def _destruction(self, rows: Rows, row: tuple[Any, ...]) -> Destruction:
        destruction_id, tenant, kind, phase, retention_class, month, generation, sealed, *rest = row
        marked_at_ms, destroyed_at_ms, pseudonyms, scope_ids, keys_destroyed, counts = rest
        where = f"{kind} {destruction_id.hex()}"
        identity = _identity(tenant, destruction_id)
        request = Request.of_bytes(open_by_tenant(self._ring(rows, tenant), generation, sealed, identity, where))
        return Destruction(
            destruction_id,
            tenant,
            kind,
            phase,
            request,
            retention_class,
            month,
            marked_at_ms,
            destroyed_at_ms,
            cut_ids(pseudonyms),
            cut_ids(scope_ids),
            keys_destroyed,
            json.loads(counts),
        )


def _identity(tenant: str, destruction_id: bytes) -> bytes:
    return row_identity("destructions", tenant, destruction_id)
