"""Connections to the server of a key store: made when needed, used by one thread at a time, given up when in doubt.

- A connection that waits for the server longer than `answer_ms` is closed, whatever the network says: the server may
  be frozen, and nobody's thread shall be frozen with it.
- Every connection says for itself what the ledger's durability rests on: `synchronous_commit = on`. A server with
  `fsync` off, or one whose own choice is not to wait for its log, is refused: it acknowledges what a crash can lose,
  and a key that is lost makes contents unreadable that were acknowledged.
- A standby is refused too: its answers may be older than an erasure.
- When a connection cannot be made, or one was given up, whoever asks within the next half second is turned away:
  behind a server that is away nobody queues up. The first to ask after that tries again, so that nothing has to be
  restarted when the server comes back.
- A connection that stood idle may have been ended by the server. It is tried by BEGIN, which changes nothing; when that
  fails a new connection is made and BEGIN tried once more.

psycopg's own pool reconnects in the background and makes callers wait for it; here a caller is told at once.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from threading import BoundedSemaphore, Lock
from typing import Any, TypeVar

import psycopg
from psycopg import errors, pq

from ledger.errors import IntegrityError, LedgerError, Misconfigured, Unavailable
from ledger.keys.postgresql_url import PostgresqlPlace

T = TypeVar("T")

AWAY_S = 0.5
"""How long nobody tries again after a connection could not be made."""

IDLE_IN_TRANSACTION_MS = 600_000
"""After which the server ends a transaction of a process that is stopped: its locks hold up everybody else."""

KEEPALIVE_S = 10
VERSION_LEAST = 13_00_00

_PLANNER = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off"} | {
    "cpu_tuple_cost": "1"
}
"""Nearly every question is for some rows by their keys, and has an index. The planner has no statistics on columns of
bytes (`ledger.keys.postgresql_rows`), and on a new table none at all: left alone it would read a tenant's table from
end to end. A price of 1 for looking at a row makes it look at those only that it was asked for."""

_LOOK = (
    "SELECT current_setting('fsync'), current_setting('synchronous_commit'), pg_catalog.pg_is_in_recovery(), "
    "current_setting('server_version_num')::int"
)


class NoAnswer(psycopg.OperationalError):
    """The server took what was sent, as far as can be told, and said nothing for too long."""


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that does not wait for ever. `answer_s`: how long for one answer."""

    answer_s = float("inf")

    def wait(self, gen: Generator[Any, Any, T], interval: float = 0.1, *more: Any) -> T:
        """See `psycopg.Connection.wait`: what waits for the server goes through it."""
        return super().wait(_until(gen, time.monotonic() + self.answer_s), interval, *more)


def _until(gen: Generator[Any, Any, T], deadline: float) -> Generator[Any, Any, T]:
    """The same steps, ended by `NoAnswer` when nothing came before the deadline."""
    try:
        step = next(gen)
        while True:
            ready = yield step
            if not ready and time.monotonic() > deadline:
                raise NoAnswer("no answer in time")
            step = gen.send(ready)
    except StopIteration as ended:
        value: T = ended.value
        return value


class Connections:
    """Up to `connections_max` connections of one process. Safe for threads; not across a fork."""

    def __init__(self, place: PostgresqlPlace) -> None:
        self._place = place
        self._idle: list[Connection] = []
        self._lock = Lock()
        self._room = BoundedSemaphore(place.connections_max)
        self._away: tuple[float, LedgerError] | None = None
        self._closed = False

    @contextmanager
    def begun(self, begin: str) -> Iterator[Connection]:
        """A connection for the block, on which `begin` was run. It comes back idle, or is closed."""
        if not self._room.acquire(timeout=self._place.busy_ms / 1_000):
            raise Unavailable(f"key store {self._place.shown}: every connection is in use")
        try:
            with self.errors():
                connection = self._begin(begin)
                try:
                    yield connection
                finally:
                    self._put_back(connection)
        finally:
            self._room.release()

    def connect(self, answer_s: float | None = None) -> Connection:
        """A new connection, which the caller closes."""
        place = self._place
        self._turn_away()
        try:
            with self.errors():
                # What is listed comes last: nothing in the URL weakens it.
                connection = Connection.connect(
                    **place.connecting,  # type: ignore[arg-type]  # text for libpq, none of psycopg's own
                    autocommit=True,
                    application_name="audit-ledger",
                    target_session_attrs="primary",
                    connect_timeout=max(2, place.busy_ms // 1_000),
                    client_encoding="UTF8",
                    keepalives=1,
                    keepalives_idle=KEEPALIVE_S,
                    keepalives_interval=KEEPALIVE_S // 2,
                    keepalives_count=3,
                    tcp_user_timeout=place.answer_ms,
                )
                connection.answer_s = place.answer_ms / 1_000
                try:
                    self._settle(connection)
                except BaseException:
                    connection.close()
                    raise
        except Unavailable as error:
            self._away = (time.monotonic() + AWAY_S, error)
            raise
        self._away = None
        if answer_s is not None:
            connection.answer_s = answer_s
        return connection

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it comes back."""
        self._closed = True
        self._drop_idle()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Within it, errors of the database are raised as the ledger's own."""
        try:
            yield
        except psycopg.Error as error:
            found = _as_ours(error, f"key store {self._place.shown}")
            if isinstance(found, psycopg.Error):
                raise
            if isinstance(error, NoAnswer):
                self._away = (time.monotonic() + AWAY_S, found)
            raise found from None

    def _begin(self, begin: str) -> Connection:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is not None:
            try:
                connection.execute(begin.encode())
                return connection
            except BaseException as error:
                connection.close()
                if not _is_of_an_ended_session(error):
                    raise  # the server is frozen, or lives and refused: a lock that somebody else has
                self._drop_idle()
        connection = self.connect()
        try:
            connection.execute(begin.encode())
        except BaseException:
            connection.close()
            raise
        return connection

    def _put_back(self, connection: Connection) -> None:
        if connection.info.transaction_status != pq.TransactionStatus.IDLE:
            connection.close()
        if connection.closed:
            return
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _drop_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for each in idle:
            with suppress(psycopg.Error):
                each.close()

    def _turn_away(self) -> None:
        away = self._away
        if away is not None and time.monotonic() < away[0]:
            raise Unavailable(str(away[1]))

    def _settle(self, connection: Connection) -> None:
        """Refuse a server that forgets, and say what this connection rests on."""
        where = f"key store {self._place.shown}"
        fsync, waits, standby, version = _one(connection.execute(_LOOK))
        if version < VERSION_LEAST:
            raise Misconfigured(f"{where}: expected PostgreSQL {VERSION_LEAST // 10_000} or later, found {version}")
        if fsync != "on":
            raise Misconfigured(f"{where}: the server has fsync = {fsync}: a crash could lose keys. Expected on")
        if waits == "off":
            raise Misconfigured(
                f"{where}: the server has synchronous_commit = off: a crash could lose keys that were acknowledged. "
                "Expected on"
            )
        if standby:
            raise Unavailable(f"{where}: the server is a standby, whose answers may be older than an erasure")
        settings: dict[str, str] = {
            "synchronous_commit": "remote_apply" if waits == "remote_apply" else "on",
            "search_path": f"{self._place.schema}, pg_temp",
            "lock_timeout": str(self._place.busy_ms),
            "statement_timeout": "0",
            "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
            "tcp_keepalives_idle": str(KEEPALIVE_S),
            "tcp_keepalives_interval": str(KEEPALIVE_S // 2),
            "tcp_keepalives_count": "3",
            **_PLANNER,
        }
        each = ", ".join(["pg_catalog.set_config(%s, %s, false)"] * len(settings))
        connection.execute(f"SELECT {each}".encode(), [text for pair in settings.items() for text in pair])


def _one(found: psycopg.Cursor[tuple[Any, ...]]) -> tuple[Any, ...]:
    row = found.fetchone()
    if row is None:
        raise psycopg.OperationalError("no row where one was expected")
    return row


def _is_of_an_ended_session(error: BaseException) -> bool:
    """Whether the connection was closed, or the server says that it ended the session (class 57P)."""
    if not isinstance(error, psycopg.OperationalError) or isinstance(error, NoAnswer):
        return False
    return error.sqlstate is None or error.sqlstate.startswith("57P")


_OF_OPERATORS = (
    errors.InsufficientPrivilege,
    errors.InvalidPassword,
    errors.InvalidAuthorizationSpecification,
    errors.InvalidCatalogName,
)
_REFUSED = ("password", "authentication", "does not exist", "pg_hba", "certificate")


def _as_ours(error: psycopg.Error, where: str) -> LedgerError | psycopg.Error:
    """What it is to the ledger. Never the whole text: its details hold values."""
    state = error.sqlstate or ""
    said = error.diag.message_primary
    if isinstance(error, _OF_OPERATORS):
        return Misconfigured(f"{where}: {said} ({state})")
    if isinstance(error, psycopg.IntegrityError) or state.startswith(("XX001", "XX002", "42P01", "22")):
        return IntegrityError(f"{where}: {said if not state.startswith('22') else type(error).__name__} ({state})")
    if isinstance(error, psycopg.ProgrammingError | psycopg.InterfaceError):
        return error
    if said is None:
        # Not from the server but about reaching it: hosts and ports, users and what the network said.
        said = " ".join(str(error).split())
        if isinstance(error, psycopg.OperationalError) and any(word in said for word in _REFUSED):
            return Misconfigured(f"{where}: {said}")
    return Unavailable(f"{where}: {said}{f' ({state})' if state else ''}")
