"""A key store on PostgreSQL, for gateways on several machines: one schema a ledger.

- **Durable**: see `ledger.keys.postgresql_connections`. What a transaction wrote is in the server's log on disk before
  anybody sees it, so what one process reads of another's is durable already.
- **Racing**: `insert()` holds a shared lock of this ledger, `write()` the same lock alone (transaction-level advisory
  locks). So gateways that meet new persons go on beside each other, and an erasure, a rotation or a hold sees the end
  of all that began before it and holds up all that comes after. Within `insert()` every statement sees what others
  committed before it (READ COMMITTED): a row that somebody else inserts first is waited for, and read. `read()` is one
  snapshot (REPEATABLE READ), and waits for nobody.
- **Never made by accident**: `open` refuses a schema without a key store, `create` one that has one.
- **Private**: refused where PUBLIC was granted anything in the schema. One role owns the schema and is the ledger's; a
  role that may only SELECT opens it for reading.

**Forgetting.** PostgreSQL keeps old rows: as dead rows in a table's file, in its log, in what was copied of both.
`wipe` rewrites the tables it is given (VACUUM FULL), so that their new files hold only the rows that are there, and
refuses to call it done while somebody's older transaction keeps dead rows alive. It then begins a new segment of the
log and makes a checkpoint, where the role may (`pg_switch_wal`, `pg_checkpoint`): the older segments are not needed
any more and can go. What it can't reach: segments of the log that the server keeps to use them again (unless it has
`wal_recycle = off`), that were archived or that standbys have, backups, and blocks that the file system freed.
docs/KEYS.md says what that means and what ends it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from hashlib import sha256
from typing import Self

import psycopg
from psycopg import errors, pq

from ledger.errors import IntegrityError, Misconfigured, Unavailable
from ledger.keys.database import KeyDatabase, Rows
from ledger.keys.postgresql_connections import Connection, Connections
from ledger.keys.postgresql_rows import PostgresqlRows
from ledger.keys.postgresql_url import PostgresqlPlace
from ledger.keys.schema import SCHEMA_NAME, SCHEMA_VERSION, TABLES

WIPE_ANSWER_S = 3_600.0
"""How long the rewriting of one table may take."""

WIPE_AGAIN_S = 0.1

_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_catalog.pg_advisory_xact_lock({})"
_INSERT = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_catalog.pg_advisory_xact_lock_shared({})"
_TABLE = re.compile(r"[a-z_]+")
_NUMBER = re.compile(r"\d+")


class PostgresqlDatabase(KeyDatabase):
    """One open schema. Make one with `create` or `open`, end it with `close`."""

    def __init__(self, place: PostgresqlPlace) -> None:
        self._place = place
        self._connections = Connections(place)
        self._is_read_only = False
        self._made_schema = False

    @classmethod
    def create(cls, place: PostgresqlPlace) -> Self:
        """A new key store with empty tables; `Misconfigured` where there is one already."""
        database = cls(place)
        try:
            with database.write() as rows:
                # Asked first: CREATE SCHEMA IF NOT EXISTS needs the right to make one even where it is there.
                there = rows.execute("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = ?", (place.schema,))
                if there.fetchone() is None:
                    rows.execute(f"CREATE SCHEMA {place.schema}")
                    database._made_schema = True
                if rows.execute(
                    "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = ? LIMIT 1", (place.schema,)
                ).fetchone():
                    raise Misconfigured(
                        f"{place.shown}: has tables already; a key store is never overwritten. If an `init` that was "
                        "interrupted left them, and only then, drop the schema"
                    )
                for statement in TABLES:
                    rows.define(statement)
                rows.execute("INSERT INTO meta VALUES (?, ?)", (SCHEMA_NAME, str(SCHEMA_VERSION)))
                database._check_private(rows)
        except BaseException:
            database.close()
            raise
        return database

    @classmethod
    def open(cls, place: PostgresqlPlace, *, read_only: bool | None = None) -> Self:
        """An existing key store; `Misconfigured` when it is absent, open to others or of another schema.

        `read_only`: only read it; None: only where this role can't write it.
        """
        database = cls(place)
        try:
            with database.read() as rows:
                if not rows.has_table("meta"):
                    raise Misconfigured(f"{place.shown}: expected a key store, found none; `init` makes one")
                found = rows.execute("SELECT value FROM meta WHERE name = ?", (SCHEMA_NAME,)).fetchone()
                if found != (str(SCHEMA_VERSION),):
                    raise Misconfigured(
                        f"{place.shown}: the key store has schema {found and found[0]}, this build knows "
                        f"{SCHEMA_VERSION}"
                    )
                database._check_private(rows)
                (may_write,) = rows.execute("SELECT pg_catalog.has_table_privilege('meta', 'INSERT')").fetchone()
            database._is_read_only = not may_write if read_only is None else read_only
        except BaseException:
            database.close()
            raise
        return database

    @property
    def where(self) -> str:
        """The URL, without any secret."""
        return self._place.shown

    @property
    def leaves(self) -> str:
        """See `KeyDatabase.leaves`."""
        return (
            "what was destroyed stands in PostgreSQL's log, its archive, standbys and backups until they are gone, "
            "sealed. `keys rotate tenant`, then `keys rotate master`, then deleting the retired master key makes it "
            "useless now (docs/KEYS.md)"
        )

    @property
    def is_read_only(self) -> bool:
        """Whether it was opened for reading only."""
        return self._is_read_only

    def read(self) -> AbstractContextManager[Rows]:
        """See `KeyDatabase.read`."""
        return self._transaction(_READ)

    def write(self) -> AbstractContextManager[Rows]:
        """See `KeyDatabase.write`."""
        self._check_writable()
        return self._transaction(_WRITE.format(self._lock_number("write")))

    def insert(self) -> AbstractContextManager[Rows]:
        """See `KeyDatabase.insert`: beside others who insert, never beside a `write`."""
        self._check_writable()
        return self._transaction(_INSERT.format(self._lock_number("write")))

    def wipe(self, *tables: str) -> None:
        """See `KeyDatabase.wipe`, and above what it does not reach. Others wait while a table is rewritten."""
        self._check_writable()
        with self._connections.errors():
            connection = self._connections.connect(WIPE_ANSWER_S)
            try:
                with self.read() as rows:
                    there = [table for table in tables if rows.has_table(table)]
                for table in there:
                    self._rewrite(connection, table)
                for statement in (b"SELECT pg_catalog.pg_switch_wal()", b"CHECKPOINT"):
                    with suppress(errors.InsufficientPrivilege):
                        connection.execute(statement)
            finally:
                connection.close()

    @contextmanager
    def alone(self, purpose: str) -> Iterator[None]:
        """See `KeyDatabase.alone`: by a lock that the server frees when the process or its connection ends."""
        with self._connections.errors():
            connection = self._connections.connect()
            try:
                got = connection.execute(
                    f"SELECT pg_catalog.pg_try_advisory_lock({self._lock_number(purpose)})".encode()
                )
                if got.fetchone() != (True,):
                    raise Misconfigured(f"key store {self.where}: another {purpose} is at work")
                yield
            finally:
                connection.close()

    def remove(self) -> None:
        """See `KeyDatabase.remove`."""
        with self.write() as rows:
            if self._made_schema:
                rows.execute(f"DROP SCHEMA {self._place.schema} CASCADE")
                return
            for (table,) in rows.execute(
                "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = ?", (self._place.schema,)
            ):
                rows.execute(f'DROP TABLE "{table}" CASCADE')

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._connections.close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Rows]:
        with self._connections.begun(begin) as connection:
            try:
                yield PostgresqlRows(connection)
                # COMMIT of a transaction in which something failed is answered by ROLLBACK, without an error.
                if connection.execute(b"COMMIT").statusmessage != "COMMIT":
                    raise IntegrityError(f"key store {self.where}: a transaction with a failed statement was ended")
            except BaseException:
                with suppress(psycopg.Error):
                    if connection.info.transaction_status in _UNDER_WAY:
                        connection.execute(b"ROLLBACK")
                raise

    def _rewrite(self, connection: Connection, table: str) -> None:
        """Rewrite one table, until no dead row is left in it; `Unavailable` when somebody keeps some for too long."""
        if not _TABLE.fullmatch(table):
            raise ValueError(f"expected the name of a table, got {table!r}")
        deadline = time.monotonic() + self._place.busy_ms / 1_000
        while True:
            kept: list[int | None] = []

            def hear(notice: psycopg.errors.Diagnostic, kept: list[int | None] = kept) -> None:
                # Its detail begins with "N dead row versions cannot be removed yet", in the server's language.
                if notice.message_detail is not None:
                    number = _NUMBER.search(notice.message_detail)
                    kept.append(None if number is None else int(number[0]))

            connection.add_notice_handler(hear)
            try:
                connection.execute(f"VACUUM (FULL, VERBOSE) {self._place.schema}.{table}".encode())
            finally:
                connection.remove_notice_handler(hear)
            if not kept:
                raise Misconfigured(
                    f"key store {self.where}: table {table} was not rewritten: the ledger's role has to own it"
                )
            if not any(each != 0 for each in kept):
                return
            if time.monotonic() >= deadline:
                raise Unavailable(
                    f"key store {self.where}: deleted rows of {table} are kept by an older transaction: of a session, "
                    "of a standby or a prepared one. Try again when it has ended"
                )
            time.sleep(WIPE_AGAIN_S)

    def _check_writable(self) -> None:
        if self._is_read_only:
            raise Unavailable(f"key store {self.where}: was opened for reading only; it can't be written here")

    def _check_private(self, rows: Rows) -> None:
        granted = rows.execute(
            "SELECT c.relname FROM pg_catalog.pg_class AS c, LATERAL pg_catalog.aclexplode(c.relacl) AS acl "
            "WHERE c.relnamespace = current_schema()::regnamespace AND acl.grantee = 0 LIMIT 1"
        ).fetchone()
        if granted is not None:
            raise Misconfigured(f"{self.where}: {granted[0]} is open to everybody: REVOKE ALL … FROM PUBLIC")

    def _lock_number(self, purpose: str) -> int:
        """Of an advisory lock. By the schema's name, since a schema that is put back from a dump is a new object."""
        digest = sha256(f"audit-ledger/{purpose}/{self._place.schema}".encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)


_UNDER_WAY = (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR)
