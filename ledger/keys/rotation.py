"""Rotation of master and tenant keys: what they sealed is sealed anew, and no content is touched.

**Master key.** Each step is durable before the next, and each can be the last one before a crash; the next rotation
finds what is there and goes on.

    1  a key that follows is made, beside the one in force (`master.key.next`), or the configuration names another one
    2  `meta` names it: from this transaction on every process seals under it (`ledger.keys.master_ring`)
    3  a few rows at a time, what names another master key is opened by that one and sealed by the new one
    4  nothing names another key: what stood under one is wiped from the database's files, the old key's file is kept as
       `.retired-<id>`, the new one takes its name

Processes at work meanwhile find both keys by their ids; nothing is stopped and nothing started. The old key is needed
by nobody then, but by key stores restored from a backup taken before: whoever has such a backup *and* the old key has
the keys of that time.

**Tenant key.** One transaction: a tenant key of the next generation; look-up key, bucket keys and requests of the
tenant sealed under it; the tenant keys before it deleted. At most a few hundred rows, so readers and gateways wait no
longer than for a new person. A crash leaves all of it or nothing.

Bucket keys, scope keys and the look-up key stay the same keys: contents stay as they are, and rows are still found.

A table that names master or tenant keys and is not known here stops a rotation before it begins: its rows would be
left behind under a key that is about to go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import urandom

from ledger.errors import IntegrityError, Misconfigured, Unavailable
from ledger.keys.cache import LeaseCache
from ledger.keys.database import KeyDatabase, Rows
from ledger.keys.hierarchy import (
    KeyHierarchy,
    TenantRing,
    bucket_key_identity,
    lookup_key_identity,
    tenant_key_identity,
)
from ledger.keys.master import MasterKey
from ledger.keys.master_ring import CURRENT_MASTER_KEY, master_named, sealing_master
from ledger.keys.process import process_key_identity
from ledger.keys.sealing import KEY_BYTES, row_identity, seal
from ledger.keys.signing_store import signing_key_identity
from ledger.keys.spool import SpoolKey, spool_key_identity
from ledger.keys.tenant_seal import open_by_tenant

ROWS_A_STEP = 100
"""Rows sealed anew in one transaction: few, since a token may take a millisecond for each, and others wait."""


OnStep = Callable[[str], None]
"""Told of each step once it is durable."""


@dataclass(frozen=True, slots=True)
class _SealedTable:
    """A table whose rows a key sealed. `identity` takes the values of `columns`; `key` of them find a row."""

    name: str
    columns: tuple[str, ...]
    identity: Callable[..., bytes]
    key: int
    sealed: str = "sealed"


_TENANT_KEYS = _SealedTable("tenant_keys", ("tenant", "generation"), tenant_key_identity, 2)
_BY_MASTER = (
    _TENANT_KEYS,
    _SealedTable("signing_keys", ("role", "name", "generation", "public_key", "created_at"), signing_key_identity, 3),
    _SealedTable(
        "spool_keys",
        ("key_id", "public_key", "seal_until_s", "destroyed_at_s"),
        lambda *values: spool_key_identity(SpoolKey(*values)),
        1,
    ),
    _SealedTable("process_keys", ("generation",), process_key_identity, 1),
)
_BY_TENANT = (
    _SealedTable("lookup_keys", ("tenant",), lookup_key_identity, 1),
    _SealedTable("bucket_keys", ("tenant", "bucket", "generation"), bucket_key_identity, 3),
    _SealedTable(
        "destructions",
        ("tenant", "destruction_id"),
        lambda tenant, destruction_id: row_identity("destructions", tenant, destruction_id),
        2,
        "request",
    ),
    _SealedTable(
        "holds",
        ("tenant", "hold_id"),
        lambda tenant, hold_id: row_identity("holds", tenant, hold_id.encode()),
        2,
        "request",
    ),
)


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many rows were sealed anew, and whether the pages that held them before are gone from the key store."""

    rows: int
    is_forgotten: bool


def reseal_by_master(
    database: KeyDatabase, master: MasterKey, target: MasterKey, on_step: OnStep = lambda step: None
) -> Resealed:
    """Steps 2 and 3: everything that a master key sealed stands under `target` when this returns.

    `master` finds the keys in use by their ids. Can be called again after any interruption.
    """
    with database.write() as rows:
        _known(rows, "master_key_id", _BY_MASTER)
        rows.execute("UPDATE meta SET value = ? WHERE name = ?", (target.key_id, CURRENT_MASTER_KEY))
    on_step("named")
    count = 0
    for table in _BY_MASTER:
        while True:
            with database.write() as rows:
                done = _reseal_some(rows, table, master, target)
            on_step(f"sealed anew: {table.name}")
            count += done
            if done < ROWS_A_STEP:
                break
    return Resealed(count, _forget(database, _BY_MASTER))


def rows_by_master(database: KeyDatabase) -> dict[str, int]:
    """How many rows each master key sealed, by its id."""
    found: dict[str, int] = {}
    with database.read() as rows:
        for table in _present(rows, _BY_MASTER):
            for key_id, count in rows.execute(f"SELECT master_key_id, count(*) FROM {table.name} GROUP BY 1"):
                found[key_id] = found.get(key_id, 0) + count
    return found


def current_master_id(database: KeyDatabase) -> str:
    """The id of the master key that seals now."""
    with database.read() as rows:
        found = rows.execute("SELECT value FROM meta WHERE name = ?", (CURRENT_MASTER_KEY,)).fetchone()
    if found is None:
        raise Misconfigured(f"key store {database.where}: no master key has sealed anything in it yet")
    return str(found[0])


@dataclass(frozen=True, slots=True)
class TenantKeyRotation:
    """A tenant's new key."""

    tenant: str
    generation: int
    rows: int
    is_forgotten: bool


def rotate_tenant_key(database: KeyDatabase, master: MasterKey, tenant: str) -> TenantKeyRotation:
    """A new tenant key, with all that the one before sealed. `Misconfigured` when the tenant has no keys yet."""
    hierarchy = KeyHierarchy(master, LeaseCache(1_000, 0.0))
    with database.write() as rows:
        _known(rows, "tenant_key_generation", _BY_TENANT)
        ring = hierarchy.ring(rows, tenant, 0.0)
        if ring is None:
            raise Misconfigured(f"tenant {tenant}: has no keys yet; they are made with its first event")
        generation, key = ring.current + 1, urandom(KEY_BYTES)
        sealing = sealing_master(rows, master)
        rows.execute(
            "INSERT INTO tenant_keys (tenant, generation, master_key_id, sealed) VALUES (?, ?, ?, ?)",
            (tenant, generation, sealing.key_id, sealing.seal(key, tenant_key_identity(tenant, generation))),
        )
        count = sum(_reseal_tenant(rows, table, ring, generation, key) for table in _present(rows, _BY_TENANT))
        # What still names an older generation would be lost with it: the foreign keys and this count see that.
        _none_left(rows, tenant, generation)
        rows.execute("DELETE FROM tenant_keys WHERE tenant = ? AND generation < ?", (tenant, generation))
    return TenantKeyRotation(tenant, generation, count, _forget(database, (*_BY_TENANT, _TENANT_KEYS)))


def tenant_generations(database: KeyDatabase) -> list[tuple[str, int, str]]:
    """Every tenant key there is: tenant, generation, the id of the master key that sealed it."""
    with database.read() as rows:
        return rows.execute("SELECT tenant, generation, master_key_id FROM tenant_keys ORDER BY 1, 2").fetchall()


def _reseal_some(rows: Rows, table: _SealedTable, master: MasterKey, target: MasterKey) -> int:
    if not _present(rows, (table,)):
        return 0
    found = rows.execute(
        f"SELECT master_key_id, {table.sealed}, {', '.join(table.columns)} FROM {table.name} "
        "WHERE master_key_id <> ? LIMIT ?",
        (target.key_id, ROWS_A_STEP),
    ).fetchall()
    fresh = []
    for key_id, sealed, *values in found:
        if sealed:  # what was destroyed stays so
            identity = table.identity(*values)
            opener = master_named(master, key_id, f"a row of {table.name}")
            sealed = target.seal(opener.open(sealed, identity), identity)
        fresh.append((target.key_id, sealed, *values[: table.key]))
    rows.executemany(
        f"UPDATE {table.name} SET master_key_id = ?, {table.sealed} = ? WHERE {_match(table)}",
        fresh,
    )
    return len(found)


def _reseal_tenant(rows: Rows, table: _SealedTable, ring: TenantRing, generation: int, key: bytes) -> int:
    found = rows.execute(
        f"SELECT tenant_key_generation, {table.sealed}, {', '.join(table.columns)} FROM {table.name} WHERE tenant = ?",
        (ring.tenant,),
    ).fetchall()
    fresh = []
    for before, sealed, *values in found:
        if sealed:
            identity = table.identity(*values)
            plain = open_by_tenant(ring, before, sealed, identity, f"a row of {table.name} of tenant {ring.tenant}")
            sealed = seal(key, plain, identity)
        fresh.append((generation, sealed, *values[: table.key]))
    rows.executemany(
        f"UPDATE {table.name} SET tenant_key_generation = ?, {table.sealed} = ? WHERE {_match(table)}", fresh
    )
    return len(fresh)


def _none_left(rows: Rows, tenant: str, generation: int) -> None:
    for table in _present(rows, _BY_TENANT):
        (left,) = rows.execute(
            f"SELECT count(*) FROM {table.name} WHERE tenant = ? AND tenant_key_generation <> ?", (tenant, generation)
        ).fetchone()
        if left:
            raise IntegrityError(f"{table.name} of tenant {tenant}: {left} rows are left under an older tenant key")


def _match(table: _SealedTable) -> str:
    return " AND ".join(f"{column} = ?" for column in table.columns[: table.key])


def _present(rows: Rows, tables: tuple[_SealedTable, ...]) -> list[_SealedTable]:
    return [table for table in tables if rows.has_table(table.name)]


def _known(rows: Rows, column: str, tables: tuple[_SealedTable, ...]) -> None:
    names = {table.name for table in tables}
    for name in rows.tables_with(column):
        if name not in names:
            raise Misconfigured(f"key store: table {name} has a {column} and this build does not know how to seal it")


def _forget(database: KeyDatabase, tables: tuple[_SealedTable, ...]) -> bool:
    """Whether the rows from before are gone from the files; a reader in the way keeps them there for a while."""
    try:
        database.wipe(*(table.name for table in tables))
    except Unavailable:
        return False
    return True
