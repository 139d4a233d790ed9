"""The embedded event log: one SQLite file, for everything on one machine.

Durable like a database: write-ahead log, `synchronous=FULL`, group commit (`embedded_writer`). Any number of processes
may open the file; a gateway that appends and a sealer that reads do not wait for each other (`embedded_reader`). The
file names its *incarnation*, 16 random bytes made with it (`embedded_file`): a log made anew has another one.

Trimming deletes rows a stretch at a time, each in a transaction of its own that also moves the partition's start, so
that appends never wait long and a crash leaves no gap. Freed pages are used again; the file does not shrink.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path

from ledger.errors import IntegrityError, Misconfigured, OutcomeUnknown, Unavailable
from ledger.log.embedded_file import check_same_file, connect, create, failure, identify
from ledger.log.embedded_reader import Reader
from ledger.log.embedded_writer import GroupCommit, Row
from ledger.log.interface import (
    Bounds,
    Record,
    StoredRecord,
    check_append,
    check_partition,
    headers_codec,
)

BATCH_BYTES_MAX = 1024 * 1024
APPENDS_MAX = 256
GROUP_BYTES_MAX = 16 * 1024 * 1024
READERS_MAX = 4
BUSY_MS = 2_000
TRIM_ROWS = 2_000
CLOSE_S = 10.0
PROBE_S = 5.0

_encode_headers = lru_cache(maxsize=1024)(headers_codec.encode)
"""Many records carry the same headers."""


class EmbeddedLog:
    """An event log in the SQLite file at `path`. See `ledger.log.interface.EventLog` for what its methods promise.

    `partitions` and `incarnation`, where given, are what the file must say: another number is `Misconfigured`, another
    incarnation `IntegrityError` (it is another log, or one made anew).
    """

    def __init__(
        self,
        path: Path,
        *,
        partitions: int | None = None,
        incarnation: bytes | None = None,
        batch_bytes_max: int = BATCH_BYTES_MAX,
        appends_max: int = APPENDS_MAX,
        busy_ms: int = BUSY_MS,
    ) -> None:
        self._path = path
        self._partitions = partitions
        self._incarnation = incarnation
        self._batch_bytes_max = batch_bytes_max
        self._appends_max = appends_max
        self._busy_ms = busy_ms
        self._open: tuple[GroupCommit, Reader] | None = None

    @staticmethod
    def create(path: Path, partitions: int) -> bytes:
        """Make an empty log; returns its incarnation. `Misconfigured` when `path` exists. Blocks."""
        return create(path, partitions)

    @property
    def partitions(self) -> int:
        """How many partitions the file has; known once it is started, or when it was given."""
        if self._partitions is None:
            raise Unavailable(f"{self._path}: the event log is not open")
        return self._partitions

    @property
    def batch_bytes_max(self) -> int:
        """The most one append may take, by `batch_bytes`."""
        return self._batch_bytes_max

    @property
    def incarnation(self) -> bytes:
        """The 16 bytes that were made with the file; known once it is started, or when they were given."""
        if self._incarnation is None:
            raise Unavailable(f"{self._path}: the event log is not open")
        return self._incarnation

    async def start(self) -> None:
        """Open the file; it must exist."""
        identity = await asyncio.to_thread(identify, self._path)
        if self._partitions not in (None, identity.partitions):
            raise Misconfigured(f"{self._path} has {identity.partitions} partitions, expected {self._partitions}")
        if self._incarnation not in (None, identity.incarnation):
            raise IntegrityError(
                f"{self._path} has incarnation {identity.incarnation.hex()}, expected {self.incarnation.hex()}:"
                " the log was made anew, or it is another one"
            )
        self._partitions, self._incarnation = identity.partitions, identity.incarnation
        self._identity = identity
        writer = GroupCommit(
            self._path,
            identity,
            appends_max=self._appends_max,
            group_bytes_max=GROUP_BYTES_MAX,
            busy_ms=self._busy_ms,
        )
        self._open = writer, Reader(self._path, identity, readers_max=READERS_MAX, busy_ms=self._busy_ms)

    async def append(self, partition: int, records: Sequence[Record], deadline_s: float) -> int:
        """Append `records` as one transaction; returns the first offset."""
        writer, _ = self._opened()
        size = check_append(self, partition, records)
        rows = [(record.key, _encode_headers(record.headers), record.value) for record in records]
        return await self._submit(writer, partition, rows, size, deadline_s)

    async def _submit(
        self, writer: GroupCommit, partition: int, rows: Sequence[Row], size: int, deadline_s: float
    ) -> int:
        outcome = writer.submit(partition, rows, size)
        try:
            async with asyncio.timeout(deadline_s):
                return await asyncio.wrap_future(outcome)
        except TimeoutError:
            if outcome.cancel():
                raise Unavailable(f"{self._path}: an append did not begin within {deadline_s} s") from None
            if outcome.done():
                return outcome.result()
            raise OutcomeUnknown(f"{self._path}: an append did not end within {deadline_s} s") from None

    async def read(
        self, partition: int, offset: int, *, records_max: int, bytes_max: int, wait_s: float
    ) -> list[StoredRecord]:
        """The records from `offset` on, waiting up to `wait_s` for the first."""
        _, reader = self._opened()
        check_partition(self, partition)
        until = asyncio.get_running_loop().time() + wait_s
        while True:
            change = reader.change()
            found = await reader.run(partial(reader.read, partition, offset, records_max, bytes_max))
            left_s = until - asyncio.get_running_loop().time()
            if found or left_s <= 0:
                return found
            await reader.wait(change, left_s)

    async def reread(self, partition: int, offset: int) -> StoredRecord | None:
        """The record at `offset`, None when it is the next to be written."""
        found = await self.read(partition, offset, records_max=1, bytes_max=1, wait_s=0)
        return found[0] if found else None

    async def bounds(self, partition: int) -> Bounds:
        """The offsets the partition holds."""
        _, reader = self._opened()
        check_partition(self, partition)
        return await reader.run(partial(reader.bounds, partition))

    async def trim(self, partition: int, before_offset: int) -> None:
        """Delete the rows below `before_offset`."""
        bounds = await self.bounds(partition)
        if before_offset > bounds.end:
            raise IntegrityError(
                f"{self._path}: partition {partition} ends at {bounds.end}, trimming below {before_offset} was asked:"
                " the log is shorter than it was"
            )
        for below in (*range(bounds.start + TRIM_ROWS, before_offset, TRIM_ROWS), before_offset):
            await asyncio.to_thread(self._trim, partition, below)

    async def healthy(self) -> None:
        """Read something; when the last append failed, see whether one would work by now."""
        writer, reader = self._opened()
        await reader.run(partial(reader.bounds, 0))
        if writer.failed:
            await self._submit(writer, 0, [], 0, PROBE_S)

    async def close(self) -> None:
        """Write what is queued, end the threads, close the file."""
        if self._open is not None:
            (writer, reader), self._open = self._open, None
            await asyncio.to_thread(writer.close, CLOSE_S)
            await reader.close()

    def _opened(self) -> tuple[GroupCommit, Reader]:
        if self._open is None:
            raise Unavailable(f"{self._path}: the event log is not open")
        return self._open

    def _trim(self, partition: int, below: int) -> None:
        try:
            check_same_file(self._path, self._identity)
            connection = connect(self._path, writes=True, busy_ms=self._busy_ms)
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(
                    "UPDATE partition SET start_offset=? WHERE partition=? AND start_offset<?",
                    (below, partition, below),
                )
                connection.execute(f"DELETE FROM record_{partition} WHERE offset<?", (below,))
                connection.execute("COMMIT")
            finally:
                connection.close()
        except (sqlite3.Error, OSError) as error:
            raise failure(self._path, f"partition {partition} could not be trimmed", error) from None
