"""The key store on PostgreSQL beside the one in a file: what a gateway asks of it, in the same run.

A gateway asks once a call, here with 100 persons, a scope of each and a link to each:

    new        nobody knows them: one transaction makes them all
    cold       the store knows them, this process does not: one transaction reads them
    warm       this process knows them: no transaction

The floor of each figure on PostgreSQL is the same on SQLite. The server is on this machine, on a Unix socket, with its
defaults: between two machines each of the statements of a transaction takes a way there and back on top. `new` is
measured with two processes as well, which on SQLite wait for each other.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path

from benchmarks.figures import Figure, timed
from ledger.keys.master import LocalMasterKey
from ledger.keys.opening import create_key_database, open_key_database
from ledger.keys.provider import HolderRef, ScopeRef
from ledger.keys.store import KeyStore
from tests.postgresql.server import Server, binaries

BATCH = 100
MASTER = b"m" * 32

Asked = tuple[list[HolderRef], list[ScopeRef], list[tuple[HolderRef, HolderRef]]]


def run(smoke: bool) -> list[Figure]:
    """Both stores; without PostgreSQL on this machine nothing."""
    if binaries() is None:
        print("no PostgreSQL here: the key store on it is not measured", flush=True)
        return []
    batches = 4 if smoke else 100
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder, _server() as server:
        locations = (f"{folder}/keys.sqlite", server.url(server.make_database()))
        for name, (floor, value) in _measured(locations, batches).items():
            figures.append(Figure(f"key store, {name}, SQLite", floor, "persons/s"))
            figures.append(Figure(f"key store, {name}, PostgreSQL", value, "persons/s", floor, "SQLite"))
    return figures


def _measured(locations: tuple[str, str], batches: int) -> dict[str, tuple[float, ...]]:
    """Persons a second in each store, by what is asked."""
    databases = [create_key_database(location, Path()) for location in locations]
    try:
        asked = [_asked(f"one {number}") for number in range(batches)]
        first, second = ([KeyStore(each, LocalMasterKey(MASTER)) for each in databases] for _ in range(2))
        for store in first:
            store.acquire("acme", [HolderRef("person", "first")], [], [])
        found = {
            "new persons": _rates(first, asked),
            "known persons, cold": _rates(second, asked),
            "known persons, warm": _rates(second, asked),
        }
    finally:
        for database in databases:
            database.close()
    found["new persons, 2 processes"] = tuple(_side_by_side(location, batches) for location in locations)
    return found


def _asked(prefix: str) -> Asked:
    people = [HolderRef("person", f"{prefix} {number}") for number in range(BATCH)]
    scopes = [ScopeRef(each, "standard", "2026-11") for each in people]
    return people, scopes, [(HolderRef("session", each.identifier), each) for each in people]


def _rates(stores: list[KeyStore], asked: list[Asked]) -> tuple[float, ...]:
    """Each batch of each store in turn: what else the machine does meets both."""
    seconds = [0.0] * len(stores)
    for each in asked:
        for at, store in enumerate(stores):
            seconds[at] += timed(lambda store=store, each=each: store.acquire("acme", *each))
    return tuple(len(asked) * BATCH / spent for spent in seconds)


def _side_by_side(location: str, batches: int) -> float:
    """Two processes that meet other persons each, from the moment both are ready to the end of the slower one."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(3)
    processes = [context.Process(target=_meet, args=(location, ready, f"p{each}", batches // 2)) for each in (1, 2)]
    for process in processes:
        process.start()
    ready.wait(120)
    began = time.perf_counter()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError("a process that meets persons failed")
    return 2 * (batches // 2) * BATCH / (time.perf_counter() - began)


def _meet(location: str, ready: Barrier, prefix: str, batches: int) -> None:
    database = open_key_database(location, Path())
    store = KeyStore(database, LocalMasterKey(MASTER))
    store.acquire("acme", [HolderRef("person", prefix)], [], [])
    asked = [_asked(f"{prefix} {number}") for number in range(batches)]
    ready.wait(120)
    for each in asked:
        store.acquire("acme", *each)
    database.close()


@contextmanager
def _server() -> Iterator[Server]:
    # With the server's own defaults, but for those that keep it small and by itself.
    server = Server(shared_buffers="128MB", max_wal_size="1GB", wal_level="replica", autovacuum_naptime="1min")
    try:
        server.start()
        server.create_role()
        yield server
    finally:
        server.remove()
