"""Reading an embedded event log: snapshots that no writer waits for, from any process, on a few threads.

Every read is one SQLite transaction on a connection of its own: it sees the bounds and the rows of one moment, takes no
lock that a writer needs, and starts after the call began. Whoever waits for new records polls `PRAGMA data_version`,
which tells in microseconds whether anybody, in any process, has committed since; one poll serves all who wait.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from ledger.errors import IntegrityError, LedgerError, Unavailable
from ledger.log.embedded_beside import LogConnection
from ledger.log.embedded_file import Identity, check_not_older, check_same_file, connect, failure
from ledger.log.interface import Bounds, Record, StoredRecord, headers_codec

T = TypeVar("T")

POLL_S = 0.01
"""How long a record written by another process may stay unnoticed by one who waits."""

_headers = lru_cache(maxsize=1024)(headers_codec.decode)
"""Many records carry the same headers."""


class Reader:
    """Reads of one file. `bounds` and `read` block, and are called through `run`; the rest is the event loop's."""

    def __init__(self, path: Path, identity: Identity, *, readers_max: int, busy_ms: int) -> None:
        self._path = path
        self._identity = identity
        self._busy_ms = busy_ms
        self._pool = ThreadPoolExecutor(readers_max, thread_name_prefix=f"read {path.name}")
        self._lock = threading.Lock()
        self._idle: list[LogConnection] = []
        self._ends: dict[int, int] = {}
        self._closed = False
        self._halted: IntegrityError | None = None
        self._watching: LogConnection | None = None
        self._version = 0
        self._change = asyncio.Event()
        self._waiting = 0
        self._polling: asyncio.Task[None] | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """`work` on one of the reading threads."""
        if self._closed:
            raise Unavailable(f"{self._path}: the event log is closed")
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def bounds(self, partition: int) -> Bounds:
        """The offsets the partition holds."""
        known = self._ends.get(partition, 0)
        with self._snapshot() as connection:
            return self._bounds(connection, partition, known)

    def read(self, partition: int, offset: int, records_max: int, bytes_max: int) -> list[StoredRecord]:
        """The records from `offset` on that are there now; [] at the end."""
        known = self._ends.get(partition, 0)
        with self._snapshot() as connection:
            bounds = self._bounds(connection, partition, known)
            self._check_offset(partition, offset, bounds)
            found: list[StoredRecord] = []
            size = 0
            query = (
                f"SELECT offset, key, headers, value FROM record_{partition} WHERE offset >= ? ORDER BY offset LIMIT ?"
            )
            for at, key, headers, value in connection.execute(query, (offset, records_max)):
                size += len(key) + len(value)
                if found and size > bytes_max:
                    return found
                if at != offset + len(found):
                    break
                found.append(StoredRecord(at, Record(key, _headers(headers), value)))
        missing = offset + len(found)
        if missing < min(offset + records_max, bounds.end):
            raise IntegrityError(
                f"{self._path}: partition {partition} ends at {bounds.end}, but lacks offset {missing}"
            )
        return found

    def change(self) -> asyncio.Event:
        """What will be set once somebody commits. Take it before the read that finds nothing, then `wait` for it."""
        return self._change

    async def wait(self, change: asyncio.Event, within_s: float) -> None:
        """Return when `change` is set, or after `within_s`."""
        self._waiting += 1
        try:
            if self._polling is None or self._polling.done():
                self._polling = asyncio.create_task(self._poll())
            async with asyncio.timeout(within_s):
                await change.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting -= 1

    async def _poll(self) -> None:
        """While anybody waits, watch for commits. A failure wakes them too: their next read tells it."""
        try:
            while self._waiting and not self._closed:
                version = await self.run(self._data_version)
                if version != self._version:
                    self._version = version
                    self._wake()
                await asyncio.sleep(POLL_S)
        except LedgerError:
            await asyncio.sleep(POLL_S)
            self._wake()

    def _wake(self) -> None:
        change, self._change = self._change, asyncio.Event()
        change.set()

    async def close(self) -> None:
        """Close every connection; reads under way end first."""
        self._closed = True
        self._wake()
        if self._polling is not None:
            await self._polling
        await asyncio.to_thread(self._pool.shutdown)
        with self._lock:
            connections = [*self._idle, self._watching]
            self._idle, self._watching = [], None
        for connection in connections:
            if connection is not None:
                connection.close()

    def _data_version(self) -> int:
        # Comparable only between calls on one and the same connection, so this one does nothing else.
        with self._lock:
            try:
                self._check_files(self._watching)
                if self._watching is None:
                    self._watching = connect(self._path, writes=False, busy_ms=self._busy_ms)
                return int(self._watching.execute("PRAGMA data_version").fetchone()[0])
            except (sqlite3.Error, OSError) as error:
                raise failure(self._path, "could not be read", error) from None

    def _check_files(self, connection: LogConnection | None) -> None:
        if self._halted is not None:
            raise IntegrityError(str(self._halted))
        try:
            check_same_file(self._path, self._identity, connection)
        except IntegrityError as error:
            # For good: a new connection would find files that agree with each other, and hide what was found.
            self._halted = error
            raise

    @contextmanager
    def _snapshot(self) -> Iterator[LogConnection]:
        """A connection inside a read transaction, put back when all went well."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        try:
            self._check_files(connection)
            if connection is None:
                connection = connect(self._path, writes=False, busy_ms=self._busy_ms)
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.Error | OSError):
                raise failure(self._path, "could not be read", error) from None
            raise
        with self._lock:
            self._idle.append(connection)

    def _bounds(self, connection: sqlite3.Connection, partition: int, known: int) -> Bounds:
        """The bounds in this snapshot; `known` is an end seen before the snapshot was taken."""
        query = "SELECT start_offset, next_offset, incarnation FROM partition, log WHERE partition=?"
        start, end, incarnation = connection.execute(query, (partition,)).fetchone()
        check_not_older(self._path, self._identity, partition, end, incarnation, known)
        with self._lock:
            self._ends[partition] = max(end, self._ends.get(partition, 0))
        return Bounds(start, end)

    def _check_offset(self, partition: int, offset: int, bounds: Bounds) -> None:
        if offset < bounds.start:
            raise IntegrityError(
                f"{self._path}: partition {partition} starts at {bounds.start}, offset {offset} was asked:"
                " the log was trimmed or recreated"
            )
        if offset > bounds.end:
            raise IntegrityError(
                f"{self._path}: partition {partition} ends at {bounds.end}, offset {offset} was asked:"
                f" the log is shorter than it was"
            )
