"""The deletion of a whole tenant, as the key store knows it: how far it is, and the destruction of the tenant's keys.

    closing    the order stands: gateways take no event of the tenant but the ledger's own, readers are refused
    ended      its last event is sealed; nothing of it is taken any more
    destroyed  all its keys are replaced by others, which open nothing: nobody brings its contents back
    cleared    every row of it is deleted, and no older page holds one
    stated     the final statement is signed, and kept here
    removed    a round has committed the statement in each log, and no file holds a row of them
    done       the end is recorded in `_org`

One after the other; each is one transaction or can be done twice, so whoever finds one unfinished goes on with it.

**Destroying** is one short transaction, whatever the tenant's size: tenant, look-up and bucket keys, a few hundred rows
at most, are overwritten by fresh random ones. What was sealed under the old ones, persons, sessions, scopes, opens
under nothing from then on. Those rows go afterwards, bucket by bucket, so that other tenants' gateways never wait long.

The order stands in clear, its reason too: it ends up so in the final statement, for there is no key left to keep it
under. It must name no person.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from os import urandom

from ledger.errors import IntegrityError, Rejected, Unavailable
from ledger.keys.database import KeyDatabase, Rows
from ledger.keys.deletion_record import COLUMNS, TABLES, DeletionPhase, TenantDeletion, deletion_of, has_tables
from ledger.keys.destruction import ID_BYTES, Held, Request
from ledger.keys.destruction_tables import make_tables as make_destruction_tables
from ledger.keys.hierarchy import bucket_key_identity, lookup_key_identity, tenant_key_identity
from ledger.keys.master import MasterKey
from ledger.keys.master_ring import sealing_master
from ledger.keys.schema import BUCKETS
from ledger.keys.sealing import KEY_BYTES, seal
from ledger.tenants import ORG, SYSTEM, TenantState, set_state, state_of

_KEYS = (
    ("tenant keys", "tenant_keys"),
    ("look-up keys", "lookup_keys"),
    ("bucket keys", "bucket_keys"),
    ("persons and what stands for them", "holders"),
    ("scope keys", "scopes"),
)
_LAST_TABLES = ("suppressions", "doomed_holders", "doomed_scopes", "holds", "lookup_keys", "tenant_keys")
_WIPED = (*_LAST_TABLES, "scopes", "holders", "bucket_keys", "links", "destructions")


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds. `registry_s`: for how long a process may think a tenant open that is not; `keys_s`: hold a key."""

    registry_s: float
    keys_s: float


class TenantDeletions:
    """The deletions of one key store, step by step. Calls block."""

    def __init__(
        self,
        database: KeyDatabase,
        master: MasterKey,
        waits: Waits,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._database = database
        self._master = master
        self._waits = waits
        self._now_ms = now_ms

    def close(
        self, tenant: str, request: Request, *, without_export: bool = False, deletion_id: bytes | None = None
    ) -> TenantDeletion:
        """The order. `Held` while a legal hold stands, `Unavailable` beside an erasure or expiry under way."""
        if tenant in (ORG, SYSTEM):
            raise Rejected("tenant", f"{tenant} is the ledger's own and can't be deleted")
        make_destruction_tables(self._database)
        self._make_tables()
        with self._database.write() as rows:
            if rows.execute("SELECT 1 FROM tenants WHERE name = ?", (tenant,)).fetchone() is None:
                raise Rejected("tenant", f"there is no tenant {tenant}")
            if state_of(rows, tenant) != "open":
                raise Rejected("tenant", f"{tenant} is deleted, or being deleted: `tenant delete --resume` goes on")
            _check_holds(rows, tenant)
            left = rows.execute(
                "SELECT kind, phase FROM destructions WHERE tenant = ? AND phase <> 'done'", (tenant,)
            ).fetchall()
            if left:
                kind, phase = left[0]
                raise Unavailable(f"tenant {tenant}: an {kind} is under way ({phase}): `erase --resume` ends it")
            values = (tenant, deletion_id or urandom(ID_BYTES), "closing", request.to_bytes(), int(without_export))
            rows.execute(
                f"INSERT INTO tenant_deletions ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, '{{}}', '')",
                (*values, self._now_ms()),
            )
            set_state(rows, tenant, "closing")
        return self.get(tenant)

    def again(self, tenant: str, deletion_id: bytes, request: Request, closed_at_ms: int) -> None:
        """What rounds have committed, and a key store from a backup does not know: the order stands, and nothing more.

        One that is known stays as it is, but for one that others could still publish to. Services are stopped.
        """
        make_destruction_tables(self._database)
        self._make_tables()
        with self._database.write() as rows:
            values = (tenant, deletion_id, "ended", request.to_bytes(), 1, closed_at_ms, closed_at_ms)
            rows.execute(
                f"INSERT INTO tenant_deletions ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, NULL, '{{}}', '') "
                "ON CONFLICT (tenant) DO NOTHING",
                values,
            )
            found = deletion_of(
                *rows.execute(f"SELECT {COLUMNS} FROM tenant_deletions WHERE tenant = ?", (tenant,)).fetchone()
            )
            if not found.reached("ended"):
                rows.execute("UPDATE tenant_deletions SET ended_at_ms = ? WHERE tenant = ?", (self._now_ms(), tenant))
                self._advance(rows, tenant, "ended", "ended")
            elif not found.finished:
                set_state(rows, tenant, "ended")

    def find(self, tenant: str) -> TenantDeletion | None:
        """A tenant's deletion; None when nobody ordered one."""
        found = self.all(tenant)
        return found[0] if found else None

    def get(self, tenant: str) -> TenantDeletion:
        """The same; `Rejected` when nobody ordered one."""
        found = self.find(tenant)
        if found is None:
            raise Rejected("tenant", f"no deletion of tenant {tenant} was ordered")
        return found

    def all(self, tenant: str | None = None) -> list[TenantDeletion]:
        """Every one, or a tenant's, by tenant."""
        with self._database.read() as rows:
            if not has_tables(rows):
                return []
            chosen = rows.execute(
                f"SELECT {COLUMNS} FROM tenant_deletions WHERE tenant = coalesce(?, tenant) ORDER BY tenant", (tenant,)
            ).fetchall()
        return [deletion_of(*row) for row in chosen]

    def may_end_in_s(self, found: TenantDeletion) -> float:
        """How long, seconds, somebody may still publish who thinks the tenant open."""
        return self._left_s(found.closed_at_ms, self._waits.registry_s + self._waits.keys_s)

    def may_destroy_in_s(self, found: TenantDeletion) -> float:
        """How long, seconds, a sealer may still seal events of the tenant."""
        return self._left_s(found.ended_at_ms or self._now_ms(), self._waits.registry_s)

    def go_without_export(self, tenant: str) -> None:
        """The order does not insist on an export any longer."""
        with self._database.write() as rows:
            rows.execute("UPDATE tenant_deletions SET without_export = 1 WHERE tenant = ?", (tenant,))

    def end(self, tenant: str) -> None:
        """Nothing of it is taken any more. `Unavailable` while others may still be publishing."""
        with self._database.write() as rows:
            found = self._at(rows, tenant, "closing")
            if found is None:
                return
            if self.may_end_in_s(found):
                raise Unavailable(f"tenant {tenant}: gateways may still take its events")
            rows.execute("UPDATE tenant_deletions SET ended_at_ms = ? WHERE tenant = ?", (self._now_ms(), tenant))
            self._advance(rows, tenant, "ended", "ended")

    def back_to_closing(self, tenant: str) -> None:
        """Something was sealed behind the last event: the ledger itself may publish once more."""
        with self._database.write() as rows:
            if self._at(rows, tenant, "ended") is not None:
                self._advance(rows, tenant, "closing", "closing")

    def destroy(self, tenant: str, *, again: bool = False) -> None:
        """The point of no return. `Held` under a legal hold placed meanwhile.

        `again`: it was passed before, so a hold that a backup brought back had been released.
        """
        with self._database.write() as rows:
            found = self._at(rows, tenant, "ended")
            if found is None:
                return
            if self.may_destroy_in_s(found):
                raise Unavailable(f"tenant {tenant}: a sealer may still seal its events")
            if not again:
                _check_holds(rows, tenant)
            counts = _count(rows, tenant)
            self._replace_keys(rows, tenant)
            for table in ("destructions", "holds"):  # their requests were sealed by the tenant key
                rows.execute(f"DELETE FROM {table} WHERE tenant = ?", (tenant,))
            rows.execute(
                "UPDATE tenant_deletions SET destroyed_at_ms = ?, counts = ? WHERE tenant = ?",
                (self._now_ms(), json.dumps(counts), tenant),
            )
            self._advance(rows, tenant, "destroyed", "ended")

    def clear(self, tenant: str, on_bucket: Callable[[int], None] = lambda bucket: None) -> None:
        """Delete what the old keys had sealed. `Unavailable` while a reader holds older pages."""
        for bucket in range(BUCKETS):
            with self._database.write() as rows:
                if self._at(rows, tenant, "destroyed") is None:
                    return
                for table in ("scopes", "holders", "bucket_keys"):
                    rows.execute(f"DELETE FROM {table} WHERE tenant = ? AND bucket = ?", (tenant, bucket))
                first, end = bytes((bucket,)), bytes((bucket + 1,)) if bucket + 1 < BUCKETS else b"\xff" * 33
                rows.execute(
                    "DELETE FROM links WHERE tenant = ? AND stand_in_hash >= ? AND stand_in_hash < ?",
                    (tenant, first, end),
                )
            on_bucket(bucket)
        with self._database.write() as rows:
            for table in _LAST_TABLES:
                rows.execute(f"DELETE FROM {table} WHERE tenant = ?", (tenant,))
        self._database.wipe(*_WIPED)
        with self._database.write() as rows:
            if self._at(rows, tenant, "destroyed") is not None:
                self._advance(rows, tenant, "cleared", "ended")

    def stated(self, tenant: str, statement: str) -> str:
        """Keep the signed statement; the one that is kept, which may be another's who was faster."""
        with self._database.write() as rows:
            if self._at(rows, tenant, "cleared") is not None:
                rows.execute("UPDATE tenant_deletions SET statement = ? WHERE tenant = ?", (statement, tenant))
                self._advance(rows, tenant, "stated", "ended")
        return self.get(tenant).statement

    def removed(self, tenant: str) -> None:
        """Nothing is left of its rows."""
        with self._database.write() as rows:
            if self._at(rows, tenant, "stated") is not None:
                self._advance(rows, tenant, "removed", "ended")

    def finish(self, tenant: str) -> None:
        """It is over."""
        with self._database.write() as rows:
            if self._at(rows, tenant, "removed") is not None:
                self._advance(rows, tenant, "done", "deleted")

    def count(self, tenant: str) -> dict[str, int]:
        """The keys it has now, by what they are."""
        with self._database.read() as rows:
            return _count(rows, tenant)

    def _make_tables(self) -> None:
        with self._database.read() as rows:
            there = has_tables(rows)
        if not there:
            with self._database.write() as rows:
                for statement in TABLES:
                    rows.define(statement)

    def _replace_keys(self, rows: Rows, tenant: str) -> None:
        master = sealing_master(rows, self._master)
        fresh: dict[int, bytes] = {}
        for (generation,) in rows.execute("SELECT generation FROM tenant_keys WHERE tenant = ?", (tenant,)).fetchall():
            fresh[generation] = urandom(KEY_BYTES)
            sealed = master.seal(fresh[generation], tenant_key_identity(tenant, generation))
            rows.execute(
                "UPDATE tenant_keys SET master_key_id = ?, sealed = ? WHERE tenant = ? AND generation = ?",
                (master.key_id, sealed, tenant, generation),
            )
        if not fresh:
            return  # no event of it ever came
        newest = max(fresh)
        rows.execute(
            "UPDATE lookup_keys SET tenant_key_generation = ?, sealed = ? WHERE tenant = ?",
            (newest, seal(fresh[newest], urandom(KEY_BYTES), lookup_key_identity(tenant)), tenant),
        )
        buckets = rows.execute("SELECT bucket, generation FROM bucket_keys WHERE tenant = ?", (tenant,)).fetchall()
        rows.executemany(
            "UPDATE bucket_keys SET tenant_key_generation = ?, sealed = ? "
            "WHERE tenant = ? AND bucket = ? AND generation = ?",
            [
                (newest, seal(fresh[newest], urandom(KEY_BYTES), identity), tenant, bucket, generation)
                for bucket, generation in buckets
                for identity in (bucket_key_identity(tenant, bucket, generation),)
            ],
        )

    def _left_s(self, since_ms: int, wait_s: float) -> float:
        """A clock that was set back makes it longer, never negative."""
        return max(0.0, (since_ms + round(wait_s * 1_000) - self._now_ms()) / 1_000)

    def _at(self, rows: Rows, tenant: str, phase: DeletionPhase) -> TenantDeletion | None:
        """The deletion if it is in this phase; None when it is further."""
        row = rows.execute(f"SELECT {COLUMNS} FROM tenant_deletions WHERE tenant = ?", (tenant,)).fetchone()
        if row is None:
            raise Rejected("tenant", f"no deletion of tenant {tenant} was ordered")
        found = deletion_of(*row)
        if found.phase == phase:
            return found
        if not found.reached(phase):
            raise IntegrityError(f"deletion of tenant {tenant}: is {found.phase}, expected {phase}")
        return None

    @staticmethod
    def _advance(rows: Rows, tenant: str, phase: DeletionPhase, state: TenantState) -> None:
        rows.execute("UPDATE tenant_deletions SET phase = ? WHERE tenant = ?", (phase, tenant))
        set_state(rows, tenant, state)


def _count(rows: Rows, tenant: str) -> dict[str, int]:
    return {
        what: int(rows.execute(f"SELECT count(*) FROM {table} WHERE tenant = ?", (tenant,)).fetchone()[0])
        for what, table in _KEYS
    }


def _check_holds(rows: Rows, tenant: str) -> None:
    standing = rows.execute(
        "SELECT hold_id FROM holds WHERE tenant = ? AND released_at_ms IS NULL ORDER BY hold_id", (tenant,)
    ).fetchall()
    if standing:
        named = ", ".join(hold_id for (hold_id,) in standing)
        raise Held("", f"the legal hold {named} forbids it; no key of tenant {tenant} was destroyed")
