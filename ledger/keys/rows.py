"""The SQL of holders, scopes and links: sealed rows in, sealed rows out. Nothing is opened here.

Every select is a join against what is wanted, whole keys of the rows: then both databases seek each key in its index.
SQLite would scan the tenant for a row-value IN, PostgreSQL, which knows nothing of the columns' values, for any IN.

Every select brings the sealed bucket key with the row, out of one snapshot: between two selects a re-wrapping could
put a row under a key that the second would not find. Selects and inserts go in chunks, not a statement a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

from ledger.errors import IntegrityError
from ledger.keys.database import Rows

T = TypeVar("T")

CHUNK_ROWS = 200
"""Rows of one select; SQLite takes 32,766 parameters, PostgreSQL 65,535."""

_BUCKET_KEY = "b.tenant = r.tenant AND b.bucket = r.bucket AND b.generation = r.bucket_key_generation"
_SEALING = "r.bucket, r.bucket_key_generation, b.tenant_key_generation, b.sealed, r.sealed"


class Sealing(NamedTuple):
    """What opens a row: the bucket key it is sealed under (itself sealed) and the row's sealed value."""

    bucket: int
    bucket_key_generation: int
    tenant_key_generation: int
    sealed_bucket_key: bytes
    sealed: bytes


class HolderRow(NamedTuple):
    """A row of `holders`."""

    holder_hash: bytes
    kind: str
    normalization: int
    sealing: Sealing


class ScopeRow(NamedTuple):
    """A row of `scopes`."""

    row_key: bytes
    scope_id: bytes
    holder_hash: bytes
    retention_class: str
    month: str
    sealing: Sealing


def select_holders(rows: Rows, tenant: str, hashes: Sequence[bytes]) -> Iterator[HolderRow]:
    """The holders of these hashes that exist."""
    for chunk in _chunks(hashes):
        found = rows.execute(
            f"WITH wanted (tenant, bucket, holder_hash) AS (VALUES {_marks(3, chunk)}) "
            f"SELECT r.holder_hash, r.kind, r.normalization, {_SEALING} FROM wanted AS w "
            f"CROSS JOIN holders AS r LEFT JOIN bucket_keys AS b ON {_BUCKET_KEY} "
            "WHERE r.tenant = w.tenant AND r.bucket = w.bucket AND r.holder_hash = w.holder_hash",
            [value for each in chunk for value in (tenant, each[0], each)],
        )
        for holder_hash, kind, normalization, *sealing in found:
            yield HolderRow(holder_hash, kind, normalization, _sealing("holders", tenant, sealing))


def insert_holders(rows: Rows, tenant: str, new: Sequence[tuple[bytes, str, int, int, bytes]]) -> None:
    """Add (hash, kind, normalization, bucket key generation, sealed) where the hash has no row yet."""
    rows.executemany(
        "INSERT INTO holders (tenant, bucket, holder_hash, kind, normalization, bucket_key_generation, sealed) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, bucket, holder_hash) DO NOTHING",
        [(tenant, holder_hash[0], holder_hash, *rest) for holder_hash, *rest in new],
    )


def select_scopes(rows: Rows, tenant: str, row_keys: Sequence[bytes]) -> Iterator[ScopeRow]:
    """The scopes of these row keys that exist."""
    return _select_scopes(rows, tenant, "row_key", row_keys)


def select_scopes_by_id(rows: Rows, tenant: str, scope_ids: Sequence[bytes]) -> Iterator[ScopeRow]:
    """The scopes of these ids that exist."""
    return _select_scopes(rows, tenant, "scope_id", scope_ids)


def insert_scopes(rows: Rows, tenant: str, new: Sequence[tuple[bytes, bytes, bytes, str, str, int, bytes]]) -> None:
    """Add (row key, scope id, holder hash, class, month, bucket key generation, sealed) where the row key is new."""
    rows.executemany(
        "INSERT INTO scopes "
        "(tenant, bucket, row_key, scope_id, holder_hash, retention_class, month, bucket_key_generation, sealed) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, row_key) DO NOTHING",
        [(tenant, each[2][0], *each) for each in new],
    )


def insert_links(rows: Rows, tenant: str, pairs: Sequence[tuple[bytes, bytes]]) -> None:
    """Add (hash of the stand-in, hash of the person) where absent."""
    rows.executemany(
        "INSERT INTO links (tenant, stand_in_hash, person_hash) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(tenant, *pair) for pair in pairs],
    )


def select_links(rows: Rows, tenant: str, pairs: Sequence[tuple[bytes, bytes]]) -> set[tuple[bytes, bytes]]:
    """Those of these links that exist."""
    found: set[tuple[bytes, bytes]] = set()
    for chunk in _chunks(pairs):
        found.update(
            rows.execute(
                f"WITH wanted (tenant, stand_in, person) AS (VALUES {_marks(3, chunk)}) "
                "SELECT l.stand_in_hash, l.person_hash FROM wanted AS w CROSS JOIN links AS l "
                "WHERE l.tenant = w.tenant AND l.stand_in_hash = w.stand_in AND l.person_hash = w.person",
                [value for pair in chunk for value in (tenant, *pair)],
            )
        )
    return found


def _select_scopes(rows: Rows, tenant: str, by: str, values: Sequence[bytes]) -> Iterator[ScopeRow]:
    for chunk in _chunks(values):
        found = rows.execute(
            f"WITH wanted (tenant, value) AS (VALUES {_marks(2, chunk)}) "
            f"SELECT r.row_key, r.scope_id, r.holder_hash, r.retention_class, r.month, {_SEALING} FROM wanted AS w "
            f"CROSS JOIN scopes AS r LEFT JOIN bucket_keys AS b ON {_BUCKET_KEY} "
            f"WHERE r.tenant = w.tenant AND r.{by} = w.value",
            [value for each in chunk for value in (tenant, each)],
        )
        for row_key, scope_id, holder_hash, retention_class, month, *sealing in found:
            yield ScopeRow(row_key, scope_id, holder_hash, retention_class, month, _sealing("scopes", tenant, sealing))


def _sealing(table: str, tenant: str, columns: Sequence[int | bytes | None]) -> Sealing:
    bucket, generation, tenant_key_generation, sealed_bucket_key, sealed = columns
    if not (
        isinstance(bucket, int)
        and isinstance(generation, int)
        and isinstance(tenant_key_generation, int)
        and isinstance(sealed_bucket_key, bytes)
        and isinstance(sealed, bytes)
    ):
        where = f"{table} of tenant {tenant}"
        raise IntegrityError(f"{where}: sealed under bucket key {bucket!r}.{generation!r}, which is not there")
    return Sealing(bucket, generation, tenant_key_generation, sealed_bucket_key, sealed)


def _marks(columns: int, chunk: Sequence[object]) -> str:
    """So many marks for each of the chunk."""
    return ", ".join([f"({', '.join('?' * columns)})"] * len(chunk))


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), CHUNK_ROWS):
        yield items[start : start + CHUNK_ROWS]
