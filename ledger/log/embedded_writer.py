"""The one thread that writes to an embedded event log: group commit.

Appends queue; the thread takes what has gathered, inserts it all in one transaction and commits once, so that one sync
of the disk serves many. `next_offset` is read inside the transaction (`BEGIN IMMEDIATE`), so that several processes may
append to one file.

What an append comes to when something fails:

- before COMMIT, whatever the error: the transaction is rolled back, nothing of the group is there: `Unavailable`;
- COMMIT fails because the disk is full, or because another connection was in the way: the frame that makes the
  transaction valid was not written: `Unavailable`;
- COMMIT fails otherwise (a write or a sync failed): a recovery after a crash may or may not find the transaction whole:
  `OutcomeUnknown`. SQLite itself considers it rolled back and the next commit writes over it;
- the process dies: the recovery of the write-ahead log keeps the transaction whole or not at all.

After any failure the connection is given up and the next group opens a new one. A withdrawn append (its deadline passed
while it still queued) is never taken up; one that is under way cannot be withdrawn.

An append of no rows is a *probe*: can something be written by now? A commit that changes nothing writes nothing, and
succeeds on a full disk. So a probe changes one page; and it writes beside the log, for a moment, as many bytes as the
group that had failed.

Checkpoints are made here, after the group has been answered: they cost no acknowledgement, and their failure is none of
an append's business (the records are in the synced write-ahead log).
"""

from __future__ import annotations

import logging
import sqlite3
import tempfile
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from ledger.errors import IntegrityError, LedgerError, OutcomeUnknown, Unavailable
from ledger.log.embedded_beside import LogConnection
from ledger.log.embedded_file import Identity, check_not_older, check_same_file, connect, failure

log = logging.getLogger(__name__)

Row = tuple[bytes, bytes, bytes]
"""Key, headers in canonical bytes, value."""

CHECKPOINT_BYTES = 8 * 1024 * 1024
"""Written since the last checkpoint before the next one is made."""

CHECKPOINT_FORCED_FRAMES = 4_096
"""Pages in the write-ahead log beyond which a checkpoint waits for readers. It begins anew only in a moment without
any, so that readers who never pause would let it grow for ever."""

PROBES_COUNTED = 2**31
"""`user_version`, which nothing else uses, counts probes: it is a signed number of four bytes."""

_NOTHING_COMMITTED = ("SQLITE_FULL", "SQLITE_BUSY")


@dataclass(slots=True)
class _Append:
    partition: int
    rows: Sequence[Row]
    size: int
    outcome: Future[int] = field(default_factory=Future)


class GroupCommit:
    """Appends to one file, in groups. Thread-safe."""

    def __init__(self, path: Path, identity: Identity, *, appends_max: int, group_bytes_max: int, busy_ms: int) -> None:
        self._path = path
        self._identity = identity
        self._appends_max = appends_max
        self._group_bytes_max = group_bytes_max
        self._busy_ms = busy_ms
        self._queue: deque[_Append] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._connection: LogConnection | None = None
        self._halted: IntegrityError | None = None
        self._ends: dict[int, int] = {}
        self._since_checkpoint = 0
        self._failed: LedgerError | None = None
        self._failed_bytes = 0
        self._thread = threading.Thread(target=self._run, name=f"append {path.name}", daemon=True)
        self._thread.start()

    def submit(self, partition: int, rows: Sequence[Row], size: int) -> Future[int]:
        """Queue one append; the future gives the first offset. Cancelling it withdraws an append not yet taken up."""
        append = _Append(partition, rows, size)
        with self._changed:
            if self._closing:
                raise Unavailable(f"{self._path}: the event log is closed")
            if len(self._queue) >= self._appends_max:
                raise Unavailable(f"{self._path}: {self._appends_max} appends are waiting already", retry_after_ms=100)
            self._queue.append(append)
            self._changed.notify()
        return append.outcome

    @property
    def failed(self) -> bool:
        """Whether the last group, or the checkpoint after it, failed."""
        return self._failed is not None

    def close(self, timeout_s: float) -> None:
        """Write what is queued, then end; what is still queued after `timeout_s` fails with `Unavailable`."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_s)
        with self._changed:
            left = list(self._queue)
            self._queue.clear()
        for append in left:
            if append.outcome.set_running_or_notify_cancel():
                append.outcome.set_exception(Unavailable(f"{self._path}: the event log was closed"))

    def _run(self) -> None:
        while group := self._take():
            try:
                self._write(group)
            except BaseException as error:
                # A defect; the callers must not wait for ever, nor the thread end and leave later ones waiting.
                log.exception("%s: a group of appends failed unexpectedly", self._path)
                self._fail(group, OutcomeUnknown(f"{self._path}: unexpected {type(error).__name__} while appending"))
            del group
        self._give_up()

    def _take(self) -> list[_Append]:
        """Wait for appends and take as many as fit one transaction; empty when closed and done."""
        with self._changed:
            while True:
                group: list[_Append] = []
                size = 0
                while self._queue and (not group or size + self._queue[0].size <= self._group_bytes_max):
                    append = self._queue.popleft()
                    if append.outcome.set_running_or_notify_cancel():
                        group.append(append)
                        size += append.size
                if group or self._closing:
                    return group
                self._changed.wait()

    def _write(self, group: list[_Append]) -> None:
        if self._halted is not None:
            self._fail(group, self._halted)
            return
        try:
            check_same_file(self._path, self._identity, self._connection)
            if self._connection is None:
                self._connection = connect(self._path, writes=True, busy_ms=self._busy_ms)
            if any(append.rows for append in group):
                firsts, ends = self._insert(self._connection, group)
            else:
                firsts, ends = self._probe(self._connection, group)
        except LedgerError as error:
            self._fail(group, error)
            return
        except (sqlite3.Error, OSError) as error:
            self._fail(group, failure(self._path, "took nothing of an append", error))
            return
        try:
            self._connection.execute("COMMIT")
            check_same_file(self._path, self._identity, self._connection)
        except LedgerError as error:
            self._fail(group, error)
            return
        except sqlite3.Error as error:
            name = error.sqlite_errorname
            if name.startswith(_NOTHING_COMMITTED):
                self._fail(group, Unavailable(f"{self._path} took nothing of an append: {name}"))
            else:
                self._fail(group, OutcomeUnknown(f"{self._path}: a commit failed, its outcome is not known: {name}"))
            return
        self._failed = None
        self._failed_bytes = 0
        self._ends.update(ends)
        for append, first in zip(group, firsts, strict=True):
            append.outcome.set_result(first)
        self._checkpoint(self._connection, sum(append.size for append in group))

    def _insert(self, connection: sqlite3.Connection, group: list[_Append]) -> tuple[list[int], dict[int, int]]:
        """Begin a transaction and insert the group; returns each append's first offset and the partitions' new ends."""
        connection.execute("BEGIN IMMEDIATE")
        ends: dict[int, int] = {}
        firsts = []
        for append in group:
            partition = append.partition
            if partition not in ends:
                ends[partition] = self._end(connection, partition)
            first = ends[partition]
            connection.executemany(
                f"INSERT INTO record_{partition} VALUES (?, ?, ?, ?)",
                ((first + index, *row) for index, row in enumerate(append.rows)),
            )
            ends[partition] = first + len(append.rows)
            firsts.append(first)
        for partition, end in ends.items():
            connection.execute("UPDATE partition SET next_offset=? WHERE partition=?", (end, partition))
        return firsts, ends

    def _probe(self, connection: sqlite3.Connection, group: list[_Append]) -> tuple[list[int], dict[int, int]]:
        """Begin a transaction that changes one page, and see that there is room; the group has no rows."""
        with tempfile.TemporaryFile(dir=self._path.parent) as scratch:
            scratch.write(bytes(self._failed_bytes))
            scratch.flush()
        connection.execute("BEGIN IMMEDIATE")
        (probes,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version={(probes + 1) % PROBES_COUNTED}")
        return [self._end(connection, append.partition) for append in group], {}

    def _end(self, connection: sqlite3.Connection, partition: int) -> int:
        query = "SELECT next_offset, incarnation FROM partition, log WHERE partition=?"
        end, incarnation = connection.execute(query, (partition,)).fetchone()
        check_not_older(self._path, self._identity, partition, end, incarnation, self._ends.get(partition, 0))
        return int(end)

    def _checkpoint(self, connection: sqlite3.Connection, size: int) -> None:
        self._since_checkpoint += size
        if self._since_checkpoint < CHECKPOINT_BYTES:
            return
        self._since_checkpoint = 0
        try:
            _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if frames > CHECKPOINT_FORCED_FRAMES:
                connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        except sqlite3.Error as error:
            log.warning("%s: a checkpoint failed: %s", self._path, error.sqlite_errorname)
            self._failed = failure(self._path, "could not be checkpointed", error)
            self._give_up()

    def _fail(self, group: list[_Append], error: LedgerError) -> None:
        self._failed = error
        if isinstance(error, IntegrityError):
            # For good: a new connection would find files that agree with each other, and hide what was found.
            self._halted = error
        self._failed_bytes = max(self._failed_bytes, sum(append.size for append in group))
        self._give_up()
        for append in group:
            if not append.outcome.done():
                # Each caller gets an error of his own: a shared one would gather everybody's traceback.
                append.outcome.set_exception(type(error)(str(error)))

    def _give_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error as error:
                log.warning("%s: closing after a failure: %s", self._path, error.sqlite_errorname)
