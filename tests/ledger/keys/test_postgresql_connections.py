"""Connections to the server of a key store: outages, restarts, and more callers than there are connections."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.errors import Unavailable
from ledger.keys.opening import create_key_database
from ledger.keys.provider import HolderRef
from ledger.keys.store import KeyStore
from tests.ledger.keys.test_postgresql_database import HERE, MASTER, put
from tests.postgresql.server import Server, own_server


@pytest.fixture(scope="module")
def restless() -> Iterator[Server]:
    """A server that the tests of this file may stop and freeze."""
    with own_server() as server:
        yield server


def until(call: Callable[[], object], within_s: float = 30.0) -> object:
    """What the call gives, once it does not raise `Unavailable` any more."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return call()
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def test_an_open_store_outlives_its_server(restless: Server) -> None:
    """While the server is away each call is `Unavailable` at once; when it is back the same process goes on."""
    database = create_key_database(restless.url(restless.make_database()), HERE)
    mia, jon = HolderRef("person", "mia"), HolderRef("person", "jon")
    store = KeyStore(database, MASTER)
    made = store.acquire("acme", [mia], [], [])
    for how in (signal.SIGINT, signal.SIGQUIT):
        restless.stop(how)
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(Unavailable):
                store.acquire("acme", [jon], [], [])
            assert time.monotonic() - began < 2
        restless.start()
        assert until(lambda: KeyStore(database, MASTER).acquire("acme", [mia], [], [])) == made
    assert set(store.acquire("acme", [jon], [], []).holders) == {jon}
    database.close()


def test_a_restart_between_two_calls_is_not_noticed(restless: Server) -> None:
    """Connections that ended while nobody used them are made anew, without a failed call."""
    database = create_key_database(restless.url(restless.make_database()), HERE)
    put(database, "before")
    restless.stop()
    restless.start()
    put(database, "after")
    with database.read() as rows:
        assert rows.execute("SELECT count(*) FROM meta").fetchone() == (3,)
    database.close()


def test_a_frozen_server_holds_nobody(restless: Server) -> None:
    """A server that takes and answers nothing is given up after a while; once it is back it is used again."""
    database = create_key_database(restless.url(restless.make_database(), answer_ms=300, busy_ms=2_000), HERE)
    put(database, "before")
    restless.freeze()
    try:
        with pytest.raises(Unavailable, match="no answer in time"):
            put(database, "frozen")
        began = time.monotonic()
        with pytest.raises(Unavailable):
            put(database, "frozen")
        assert time.monotonic() - began < 10
    finally:
        restless.thaw()
    until(lambda: put(database, "after"))
    with database.read() as rows:
        assert {name for (name,) in rows.execute("SELECT name FROM meta")} >= {"before", "after"}
    database.close()


def test_a_connection_that_is_cut_in_a_transaction_undoes_it(restless: Server) -> None:
    """A session that an administrator ends in the middle is an outage; nothing of its transaction stays."""
    name = restless.make_database()
    database = create_key_database(restless.url(name), HERE)

    def cut() -> None:
        with database.write() as rows:
            rows.execute("INSERT INTO meta (name, value) VALUES ('cut', '')")
            (pid,) = rows.execute("SELECT pg_backend_pid()").fetchone()
            restless.administer(f"SELECT pg_terminate_backend({pid})")
            rows.execute("INSERT INTO meta (name, value) VALUES ('later', '')")

    with pytest.raises(Unavailable):
        cut()
    with database.write() as rows:
        assert rows.execute("SELECT count(*) FROM meta WHERE name IN ('cut', 'later')").fetchone() == (0,)
    database.close()


def test_many_threads_share_few_connections(restless: Server) -> None:
    """Threads beyond the limit wait for a connection; the server never sees more of them than were allowed."""
    database = create_key_database(restless.url(restless.make_database(), connections_max=2, busy_ms=20_000), HERE)
    most, lock = 0, threading.Lock()

    def ask(number: int) -> None:
        nonlocal most
        with database.read() as rows:
            (open_now,) = rows.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user"
            ).fetchone()
        with lock:
            most = max(most, open_now)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(ask, range(64)))
    assert most <= 2
    database.close()


def test_with_no_connection_left_a_caller_is_turned_away(restless: Server) -> None:
    """Whoever finds all connections in use for too long is told so."""
    database = create_key_database(restless.url(restless.make_database(), connections_max=1, busy_ms=100), HERE)
    with database.read(), pytest.raises(Unavailable, match="every connection is in use"), database.read():
        pass
    database.close()
