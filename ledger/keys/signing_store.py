"""Signing keys at rest: sealed by the master key in the key store, or kept by a token and only named here.

    signing_keys.sealed = the master key's sealing of the seed (32 bytes), or of
                          text("audit-ledger/token-key/v1") || text(URI)   where the key lives in a PKCS#11 token,
                          identity ("signing_keys", "", role, name, u64 generation, public key, start);
                          empty once the key was retired and its seed destroyed

They belong to the ledger, not to a tenant. A key is made once and never overwritten: another one of the same role and
name is a rotation, which adds a generation and keeps those before, since what they signed is still to be verified.
`created_at` is the time from which a generation is good: when it was made, or later, where a rotation said so. Which
one signs is decided by the trust file (`ledger.trust.current_signer`): one that verifiers were not told of must not
sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from os import urandom

from ledger.canonical import text
from ledger.errors import IntegrityError, Misconfigured
from ledger.keys.database import KeyDatabase, Rows
from ledger.keys.hierarchy import FIRST_GENERATION
from ledger.keys.master import MasterKey
from ledger.keys.master_ring import master_named, sealing_master
from ledger.keys.pkcs11 import Pkcs11SigningKey
from ledger.keys.sealing import KEY_BYTES, row_identity
from ledger.keys.signing import Role, SigningKey

TOKEN_KEY_TAG = "audit-ledger/token-key/v1"
_TOKEN = text.encode(TOKEN_KEY_TAG)

AnySigningKey = SigningKey | Pkcs11SigningKey
_Row = tuple[int, bytes, str, str, bytes]


@dataclass(frozen=True, slots=True)
class SigningKeyInfo:
    """What may be told of a stored signing key. `created_at`: from when on it is good."""

    role: Role
    name: str
    generation: int
    public_key: bytes
    created_at: datetime
    is_destroyed: bool = False


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
        with self._database.write() as rows:
            if self._row(rows, role, name, None) is not None:
                raise Misconfigured(f"signing key {role}/{name}: exists already; it is never overwritten")
            self._insert(rows, role, name, FIRST_GENERATION, key.public_key, self._clock(), seed)
        return key

    def rotate(self, role: Role, name: str, start: datetime, token_uri: str | None = None) -> SigningKeyInfo:
        """A key of the next generation, good from `start`, in the token at `token_uri` or sealed here. Durable."""
        if token_uri is None:
            secret = urandom(KEY_BYTES)
            public_key = SigningKey(secret).public_key
        else:
            secret = _TOKEN + text.encode(token_uri)
            public_key = Pkcs11SigningKey(token_uri).public_key
        with self._database.write() as rows:
            newest = self._row(rows, role, name, None)
            if newest is None:
                raise Misconfigured(f"signing key {role}/{name}: the key store has none; expected one made before")
            known = rows.execute("SELECT 1 FROM signing_keys WHERE role = ? AND public_key = ?", (role, public_key))
            if known.fetchone() is not None:
                raise Misconfigured(f"signing key {role}/{name}: the new key was in use before; a key never comes back")
            generation = newest[0] + 1
            self._insert(rows, role, name, generation, public_key, start, secret)
        return SigningKeyInfo(role, name, generation, public_key, start)

    def get(self, role: Role, name: str, generation: int | None = None) -> AnySigningKey:
        """The newest key of this role and name, or that of a generation; `Misconfigured` when there is none."""
        with self._database.read() as rows:
            found = self._row(rows, role, name, generation)
        if found is None:
            raise Misconfigured(f"signing key {role}/{name}: the key store has none; expected one made before")
        generation, public_key, created_at, master_key_id, sealed = found
        where = f"signing key {role}/{name} generation {generation}"
        if not sealed:
            raise IntegrityError(f"{where}: its secret is gone; expected one, or another generation to sign")
        master = master_named(self._master, master_key_id, where)
        secret = master.open(sealed, signing_key_identity(role, name, generation, public_key, created_at))
        key = _key_of(secret)
        if key.public_key != public_key:
            raise IntegrityError(f"{where}: its secret makes another public key than the one beside it")
        return key

    def list(self) -> tuple[SigningKeyInfo, ...]:
        """All keys, every generation, by role, name and generation."""
        with self._database.read() as rows:
            found = rows.execute(
                "SELECT role, name, generation, public_key, created_at, length(sealed) = 0 FROM signing_keys "
                "ORDER BY 1, 2, 3"
            ).fetchall()
        return tuple(
            SigningKeyInfo(role, name, generation, public_key, datetime.fromisoformat(created_at), bool(destroyed))
            for role, name, generation, public_key, created_at, destroyed in found
        )

    def destroy(self, role: Role, name: str, generation: int) -> None:
        """Forget how to sign with a retired key; its public half stays. The caller knows that its range is over."""
        with self._database.write() as rows:
            rows.execute(
                "UPDATE signing_keys SET sealed = ? WHERE role = ? AND name = ? AND generation = ?",
                (b"", role, name, generation),
            )

    def _insert(
        self,
        rows: Rows,
        role: Role,
        name: str,
        generation: int,
        public_key: bytes,
        start: datetime,
        secret: bytes,
    ) -> None:
        created_at = start.isoformat()
        master = sealing_master(rows, self._master)
        sealed = master.seal(secret, signing_key_identity(role, name, generation, public_key, created_at))
        rows.execute(
            "INSERT INTO signing_keys (role, name, generation, public_key, created_at, master_key_id, sealed) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (role, name, generation, public_key, created_at, master.key_id, sealed),
        )

    @staticmethod
    def _row(rows: Rows, role: Role, name: str, generation: int | None) -> _Row | None:
        found: _Row | None = rows.execute(
            "SELECT generation, public_key, created_at, master_key_id, sealed FROM signing_keys "
            "WHERE role = ? AND name = ? AND generation = coalesce(?, generation) ORDER BY generation DESC",
            (role, name, generation),
        ).fetchone()
        return found


def _key_of(secret: bytes) -> AnySigningKey:
    if secret.startswith(_TOKEN):
        return Pkcs11SigningKey(text.decode(secret[len(_TOKEN) :]))
    return SigningKey(secret)


def signing_key_identity(role: Role, name: str, generation: int, public_key: bytes, created_at: str) -> bytes:
    """What binds a row of `signing_keys` to its place."""
    parts = (role.encode(), name.encode(), generation.to_bytes(8, "big"), public_key, created_at.encode())
    return row_identity("signing_keys", "", *parts)
