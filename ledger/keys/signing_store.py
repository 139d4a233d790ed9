"""Signing keys at rest: seeds sealed by the master key in the key store.

    signing_keys.sealed = the master key's sealing of the seed (32 bytes),
                          identity ("signing_keys", "", role, name, u64 generation, public key, time made)

They belong to the ledger, not to a tenant. A key is made once and never overwritten: a second one of the same role and
name is a rotation, which adds a generation and keeps the first, since what it signed is still to be verified.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from os import urandom

from ledger.errors import IntegrityError, Misconfigured
from ledger.keys.database import KeyDatabase
from ledger.keys.hierarchy import FIRST_GENERATION
from ledger.keys.master import MasterKey
from ledger.keys.sealing import KEY_BYTES, row_identity
from ledger.keys.signing import Role, SigningKey


@dataclass(frozen=True, slots=True)
class SigningKeyInfo:
    """What may be told of a stored signing key."""

    role: Role
    name: str
    generation: int
    public_key: bytes
    created_at: datetime


class SigningKeyStore:
    """Signing keys of one key database. `clock` gives the time in UTC."""

    def __init__(self, database: KeyDatabase, master: MasterKey, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._master = master
        self._clock = clock

    def create(self, role: Role, name: str) -> SigningKey:
        """A new key, durable before it is returned. `Misconfigured` when the role has one of this name already."""
        seed = urandom(KEY_BYTES)
        key = SigningKey(seed)
        key.signer(name)  # refuses a name that could not stand in a signature line, before anything is kept
        created_at = self._clock().isoformat()
        identity = _identity(role, name, FIRST_GENERATION, key.public_key, created_at)
        with self._database.write() as rows:
            if self._newest(rows, role, name) is not None:
                raise Misconfigured(f"signing key {role}/{name}: exists already; it is never overwritten")
            rows.execute(
                "INSERT INTO signing_keys (role, name, generation, public_key, created_at, master_key_id, sealed) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    role,
                    name,
                    FIRST_GENERATION,
                    key.public_key,
                    created_at,
                    self._master.key_id,
                    self._master.seal(seed, identity),
                ),
            )
        return key

    def get(self, role: Role, name: str) -> SigningKey:
        """The newest key of this role and name; `Misconfigured` when there is none."""
        with self._database.read() as rows:
            found = self._newest(rows, role, name)
        if found is None:
            raise Misconfigured(f"signing key {role}/{name}: the key store has none; expected one made before")
        generation, public_key, created_at, master_key_id, sealed = found
        where = f"signing key {role}/{name} generation {generation}"
        if master_key_id != self._master.key_id:
            raise Misconfigured(f"{where}: expected master key {master_key_id}, got {self._master.key_id}")
        seed = self._master.open(sealed, _identity(role, name, generation, public_key, created_at))
        key = SigningKey(seed)
        if key.public_key != public_key:
            raise IntegrityError(f"{where}: its seed makes another public key than the one beside it")
        return key

    def list(self) -> tuple[SigningKeyInfo, ...]:
        """All keys, every generation, by role, name and generation."""
        with self._database.read() as rows:
            found = rows.execute(
                "SELECT role, name, generation, public_key, created_at FROM signing_keys ORDER BY 1, 2, 3"
            ).fetchall()
        return tuple(
            SigningKeyInfo(role, name, generation, public_key, datetime.fromisoformat(created_at))
            for role, name, generation, public_key, created_at in found
        )

    @staticmethod
    def _newest(rows: sqlite3.Connection, role: Role, name: str) -> tuple[int, bytes, str, str, bytes] | None:
        found: tuple[int, bytes, str, str, bytes] | None = rows.execute(
            "SELECT generation, public_key, created_at, master_key_id, sealed FROM signing_keys "
            "WHERE role = ? AND name = ? ORDER BY generation DESC",
            (role, name),
        ).fetchone()
        return found


def _identity(role: Role, name: str, generation: int, public_key: bytes, created_at: str) -> bytes:
    parts = (role.encode(), name.encode(), generation.to_bytes(8, "big"), public_key, created_at.encode())
    return row_identity("signing_keys", "", *parts)
