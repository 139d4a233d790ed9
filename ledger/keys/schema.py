"""The tables of the key store, version 1. What they must allow is decided here; nothing sealed in them ever moves.

    master key            outside; its id in `meta` and beside all that it sealed
      tenant_keys         one a tenant and generation, sealed by the master key
        lookup_keys       one a tenant; finds rows by keyed hash; never rotates
        bucket_keys       at most 256 a tenant, made when first needed, sealed by the tenant key
          holders         sealed: pseudonym || gateway secret
          scopes          sealed: scope key
      signing_keys        sealed by the master key

**Look-up.** A row is found by HMAC-SHA-256 under the tenant's look-up key (`ledger.keys.hierarchy`): no identifier
stands here, and without the keys above a guessed one can't be checked. Pseudonyms are sealed, so that the store does
not tell which leaves belong to which row.

**Buckets.** A row's bucket is the first byte of its holder's hash; a scope stands in its holder's bucket, so one
re-wrapping covers a person. To erase: delete her rows, seal the survivors of the bucket under a bucket key of the next
generation, delete the old bucket key. Every sealed row names the generation it is sealed under, so that this, and the
rotation of tenant and master keys, need no other format.

**All of a person.** Her hash is the primary key in `holders` and a column of `scopes` and `links`; through `links` the
hashes of sessions and events that stand for her, and through these their holders and scopes. `month` and
`retention_class` stand in clear: expiry destroys by them.

`tenants` and `tenant_logs` belong to `ledger.tenants`, `newest_rounds` to `ledger.newest_rounds`, `policies` to
`ledger.policy.register`; they live here because there is one small durable database.
"""

from __future__ import annotations

SCHEMA_VERSION = 1
SCHEMA_NAME = "schema_version"
"""The name in `meta` under which the version stands."""

APPLICATION_ID = 0x41554B53  # "AUKS", shown by file(1)

BUCKETS = 256
"""Of a tenant. Fixed: the first byte of a holder's hash."""

TABLES = (
    """CREATE TABLE meta (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    )""",
    """CREATE TABLE tenant_keys (
        tenant TEXT NOT NULL,
        generation INTEGER NOT NULL,
        master_key_id TEXT NOT NULL,
        sealed BLOB NOT NULL,
        PRIMARY KEY (tenant, generation)
    )""",
    """CREATE TABLE lookup_keys (
        tenant TEXT NOT NULL PRIMARY KEY,
        tenant_key_generation INTEGER NOT NULL,
        sealed BLOB NOT NULL,
        FOREIGN KEY (tenant, tenant_key_generation) REFERENCES tenant_keys (tenant, generation)
    )""",
    """CREATE TABLE bucket_keys (
        tenant TEXT NOT NULL,
        bucket INTEGER NOT NULL CHECK (bucket BETWEEN 0 AND 255),
        generation INTEGER NOT NULL,
        tenant_key_generation INTEGER NOT NULL,
        sealed BLOB NOT NULL,
        PRIMARY KEY (tenant, bucket, generation),
        FOREIGN KEY (tenant, tenant_key_generation) REFERENCES tenant_keys (tenant, generation)
    )""",
    # `bucket` stands before the hash whose first byte it is: the order stays that of the hash, and a bucket is a range.
    """CREATE TABLE holders (
        tenant TEXT NOT NULL,
        bucket INTEGER NOT NULL,
        holder_hash BLOB NOT NULL CHECK (length(holder_hash) = 32),
        kind TEXT NOT NULL CHECK (kind IN ('person', 'session', 'event')),
        normalization INTEGER NOT NULL,
        bucket_key_generation INTEGER NOT NULL,
        sealed BLOB NOT NULL,
        PRIMARY KEY (tenant, bucket, holder_hash),
        FOREIGN KEY (tenant, bucket, bucket_key_generation) REFERENCES bucket_keys (tenant, bucket, generation)
    )""",
    """CREATE TABLE scopes (
        tenant TEXT NOT NULL,
        row_key BLOB NOT NULL CHECK (length(row_key) = 32),
        scope_id BLOB NOT NULL CHECK (length(scope_id) = 16),
        bucket INTEGER NOT NULL,
        holder_hash BLOB NOT NULL,
        retention_class TEXT NOT NULL,
        month TEXT NOT NULL,
        bucket_key_generation INTEGER NOT NULL,
        sealed BLOB NOT NULL,
        PRIMARY KEY (tenant, row_key),
        FOREIGN KEY (tenant, bucket, holder_hash) REFERENCES holders (tenant, bucket, holder_hash),
        FOREIGN KEY (tenant, bucket, bucket_key_generation) REFERENCES bucket_keys (tenant, bucket, generation)
    )""",
    "CREATE UNIQUE INDEX scopes_by_id ON scopes (tenant, scope_id)",
    "CREATE INDEX scopes_by_holder ON scopes (tenant, bucket, holder_hash)",
    "CREATE INDEX scopes_by_month ON scopes (tenant, retention_class, month)",
    """CREATE TABLE links (
        tenant TEXT NOT NULL,
        stand_in_hash BLOB NOT NULL CHECK (length(stand_in_hash) = 32),
        person_hash BLOB NOT NULL CHECK (length(person_hash) = 32),
        PRIMARY KEY (tenant, stand_in_hash, person_hash)
    )""",
    "CREATE INDEX links_by_person ON links (tenant, person_hash, stand_in_hash)",
    """CREATE TABLE signing_keys (
        role TEXT NOT NULL,
        name TEXT NOT NULL,
        generation INTEGER NOT NULL,
        public_key BLOB NOT NULL CHECK (length(public_key) = 32),
        created_at TEXT NOT NULL,
        master_key_id TEXT NOT NULL,
        sealed BLOB NOT NULL,
        PRIMARY KEY (role, name, generation)
    )""",
    """CREATE TABLE tenants (
        name TEXT NOT NULL PRIMARY KEY,
        created_at TEXT NOT NULL
    )""",
    """CREATE TABLE tenant_logs (
        log_id BLOB NOT NULL PRIMARY KEY CHECK (length(log_id) = 32),
        tenant TEXT NOT NULL REFERENCES tenants (name),
        shard INTEGER NOT NULL CHECK (shard >= 0),
        "partition" INTEGER NOT NULL CHECK ("partition" >= 0),
        UNIQUE (tenant, shard)
    )""",
    """CREATE TABLE newest_rounds (
        "partition" INTEGER NOT NULL PRIMARY KEY CHECK ("partition" >= 0),
        number INTEGER NOT NULL CHECK (number >= 0),
        digest BLOB NOT NULL CHECK (length(digest) = 32)
    )""",
    """CREATE TABLE policies (
        number INTEGER NOT NULL PRIMARY KEY,
        identity TEXT NOT NULL,
        sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
        at_ms INTEGER NOT NULL,
        text BLOB NOT NULL,
        is_recorded INTEGER NOT NULL DEFAULT 0
    )""",
)
