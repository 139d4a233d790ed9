"""The tables by which keys are destroyed: in the key store, made when they are first needed.

    destructions      one erasure or expiry, from its mark to its end; stays as the record of it
    doomed_holders    whom it destroys          both only until it has: a hash here is a hash of a person
    doomed_scopes     which scopes it destroys
    rewrapped         buckets whose survivors stand under a new bucket key already
    suppressions      hashes of holders that no process may be given or make anew
    holds             persons whose keys must not be destroyed

`destructions.request` is sealed by the tenant key, identity ("destructions", tenant, id): a reason may be personal. It
is emptied of the reason once the event that carries it is durable.
"""

from __future__ import annotations

from ledger.keys.database import KeyDatabase, Rows

TABLES = (
    """CREATE TABLE IF NOT EXISTS destructions (
        destruction_id BLOB NOT NULL PRIMARY KEY CHECK (length(destruction_id) = 16),
        tenant TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('erasure', 'expiry')),
        phase TEXT NOT NULL,
        retention_class TEXT,
        month TEXT,
        tenant_key_generation INTEGER NOT NULL,
        request BLOB NOT NULL,
        marked_at_ms INTEGER NOT NULL,
        destroyed_at_ms INTEGER,
        pseudonyms BLOB NOT NULL,
        scope_ids BLOB NOT NULL,
        keys_destroyed INTEGER NOT NULL,
        counts TEXT NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS doomed_holders (
        tenant TEXT NOT NULL,
        holder_hash BLOB NOT NULL,
        destruction_id BLOB NOT NULL,
        shared INTEGER NOT NULL,
        PRIMARY KEY (tenant, holder_hash)
    )""",
    """CREATE TABLE IF NOT EXISTS doomed_scopes (
        tenant TEXT NOT NULL,
        scope_id BLOB NOT NULL,
        row_key BLOB NOT NULL,
        bucket INTEGER NOT NULL,
        destruction_id BLOB NOT NULL,
        PRIMARY KEY (tenant, scope_id)
    )""",
    """CREATE TABLE IF NOT EXISTS rewrapped (
        destruction_id BLOB NOT NULL,
        bucket INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        PRIMARY KEY (destruction_id, bucket)
    )""",
    """CREATE TABLE IF NOT EXISTS suppressions (
        tenant TEXT NOT NULL,
        holder_hash BLOB NOT NULL CHECK (length(holder_hash) = 32),
        until_ms INTEGER NOT NULL,
        PRIMARY KEY (tenant, holder_hash)
    )""",
    """CREATE TABLE IF NOT EXISTS holds (
        tenant TEXT NOT NULL,
        hold_id TEXT NOT NULL,
        holder_hash BLOB NOT NULL CHECK (length(holder_hash) = 32),
        pseudonym BLOB NOT NULL CHECK (length(pseudonym) = 16),
        placed_at_ms INTEGER NOT NULL,
        released_at_ms INTEGER,
        recorded INTEGER NOT NULL,
        tenant_key_generation INTEGER NOT NULL,
        request BLOB NOT NULL,
        PRIMARY KEY (tenant, hold_id)
    )""",
)


def make_tables(database: KeyDatabase) -> None:
    """Make them where they are absent."""
    with database.read() as rows:
        there = has_tables(rows)
    if not there:
        with database.write() as rows:
            for statement in TABLES:
                rows.define(statement)


def has_tables(rows: Rows) -> bool:
    """Whether this store has them."""
    return rows.has_table("holds")
