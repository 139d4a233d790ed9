"""`run_sql`: one query in one box, seen from the parent.

Who has to act on an error: a wrong or refused query, and a limit it reached, are the auditor's (`Rejected`, field
`sql`, the limit by its name); a box that cannot be built is the operator's (`Misconfigured`); a machine too busy to
start it is nobody's yet (`Unavailable`).
"""

from __future__ import annotations

import logging
import math
import os
import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from typing import Any, BinaryIO

from ledger.errors import LedgerError, Misconfigured, Rejected, Unavailable
from query.sandbox.handover import in_memory, open_tables
from query.sandbox.landlock import abi_version
from query.sandbox.model import SqlLimits, SqlResult, SqlTable
from query.sandbox.process import Child, TimeUp, readable_paths
from query.sandbox.scrub import scrub
from query.sandbox.wire import FrameError, Job

START_S = 30.0
_FRAME_SPARE_BYTES = 1 << 20
_log = logging.getLogger(__name__)
_DEFAULT_LIMITS = SqlLimits()


def files_allowed() -> bool:
    """Whether tables may be given as files: only where the kernel has Landlock. Elsewhere give filtered Arrow data."""
    return abi_version() > 0


def run_sql(
    *,
    query: str,
    tables: Sequence[SqlTable],
    setup: Sequence[str] = (),
    limits: SqlLimits = _DEFAULT_LIMITS,
    landlock: bool | None = None,
) -> SqlResult:
    """Answer `query`, an auditor's text, over `tables`, one tenant's rows; blocks, so call it off the event loop.

    `setup` are our own trusted statements (views over `tables`), run in their order before the query, after external
    access was switched off. `landlock` says whether Landlock must (True) or must not (False) be used; None uses it
    where the kernel has it. Raises `Rejected("sql", ...)`, `Misconfigured` or `Unavailable`, as the module says.
    """
    return run_job(query=query, tables=tables, setup=setup, limits=limits, landlock=landlock, select_only=True)


def run_job(
    *,
    query: str,
    tables: Sequence[SqlTable],
    setup: Sequence[str],
    limits: SqlLimits,
    landlock: bool | None,
    select_only: bool,
) -> SqlResult:
    """`run_sql`, but `select_only=False` leaves out the courtesy of asking for a SELECT, to try the walls behind it."""
    _check_text(query, limits.query_bytes_max)
    sealed = files_allowed() if landlock is None else landlock
    if not sealed:
        _warn_unsealed()
        if any(table.files for table in tables):
            raise Misconfigured("sql: without Landlock no file can be handed to a query; give filtered Arrow data")
    with ExitStack() as stack:
        opened = open_tables(tables, limits.arrow_bytes_max, stack)
        job = Job(
            query=query,
            tables=opened,
            setup=tuple(setup),
            landlock=sealed,
            select_only=select_only,
            readable=readable_paths() if sealed else (),
            parent_pid=os.getpid(),
            time_s=limits.time_s,
            memory_bytes=limits.memory_bytes,
            rows_max=limits.rows_max,
            result_bytes_max=limits.result_bytes_max,
            threads=limits.threads,
        )
        text = job.encode()
        job_descriptor = in_memory("sql-job", lambda file: _write(file, text), stack)
        frame_bytes_max = limits.result_bytes_max + _FRAME_SPARE_BYTES
        child = stack.enter_context(Child(job_descriptor, job.descriptors, frame_bytes_max))
        return _Conversation(child, query, limits).result()


def _check_text(query: str, bytes_max: int) -> None:
    try:
        size = len(query.encode())
    except UnicodeEncodeError:
        raise Rejected("sql", "the query is not valid Unicode text") from None
    if "\0" in query:
        raise Rejected("sql", "the query holds a NUL character, where the engine would stop reading")
    if size > bytes_max:
        raise Rejected("sql", f"the query has {size} bytes, over the limit query_bytes_max = {bytes_max}")


def _write(file: BinaryIO, data: bytes) -> None:
    file.write(data)


@cache
def _warn_unsealed() -> None:
    _log.warning("sql runs without Landlock: the engine's settings and resource limits are the only walls")


# What may follow what. Else a child could set its clock back by being ready twice.
_FOLLOWERS = {"nothing": ("ready",), "ready": ("columns",), "columns": ("rows",), "rows": ("rows",)}


class _Conversation:
    """Listens to one child and makes its frames a result or an error."""

    def __init__(self, child: Child, query: str, limits: SqlLimits) -> None:
        self._child = child
        self._query = query
        self._limits = limits
        self._said = "nothing"
        self._ready_at: float | None = None
        self._landlock = False
        self._columns: tuple[str, ...] = ()
        self._types: tuple[str, ...] = ()
        self._rows: list[tuple[Any, ...]] = []
        self._bytes = 0

    def result(self) -> SqlResult:
        """The answer, or the error the child's words (or its silence) stand for."""
        self._child.deadline(START_S)
        try:
            for kind, body, size in self._child.listen():
                self._bytes += size
                if kind == "error":
                    raise self._error(str(body["wall"]), str(body["message"]))
                if kind == "end":
                    return self._done(body["truncated_by"])
                self._take(kind, body)
        except TimeUp:
            raise self._too_slow() from None
        except (FrameError, KeyError, TypeError, ValueError) as error:
            _log.error("sql: the query's process broke the protocol: %s", type(error).__name__)
            raise Rejected("sql", "the query's process sent nonsense and was stopped") from error
        raise self._died()

    def _take(self, kind: str, body: Any) -> None:
        if kind not in _FOLLOWERS[self._said]:
            raise FrameError("a frame out of turn")
        self._said = kind
        if kind == "ready":
            self._landlock = int(body["landlock"]) > 0
            self._ready_at = time.monotonic()
            self._child.deadline(self._limits.time_s)
        elif kind == "columns":
            self._columns, self._types = tuple(map(str, body["names"])), tuple(map(str, body["types"]))
            self._bytes = 0
        else:
            self._rows.extend(map(tuple, body))
            # The child stops at these limits itself; one that does not is not believed any further.
            if len(self._rows) > self._limits.rows_max or self._bytes > 2 * self._limits.result_bytes_max + 1_024:
                raise FrameError("more rows than were asked for")

    def _done(self, truncated_by: Any) -> SqlResult:
        if (
            self._ready_at is None
            or "rows" not in _FOLLOWERS[self._said]
            or any(len(row) != len(self._columns) for row in self._rows)
        ):
            raise FrameError("rows that do not fit their columns")
        return SqlResult(
            columns=self._columns,
            types=self._types,
            rows=self._rows,
            truncated_by=None if truncated_by is None else str(truncated_by),
            elapsed_ms=math.ceil((time.monotonic() - self._ready_at) * 1_000),
            landlock=self._landlock,
        )

    def _error(self, wall: str, message: str) -> LedgerError:
        message = scrub(message, self._query)
        if wall in ("box", "tables"):
            return Misconfigured(f"sql: the query's process could not be {_UNBUILT[wall]}: {message}")
        if wall == "memory":
            return self._memory()
        if wall == "sql":
            return Rejected("sql", message)
        if wall == "result_bytes_max":
            return Rejected("sql", f"{message} (result_bytes_max = {self._limits.result_bytes_max})")
        raise FrameError("an error of unknown kind")

    def _memory(self) -> Rejected:
        return Rejected("sql", f"the query needs more memory than the limit memory_bytes = {self._limits.memory_bytes}")

    def _too_slow(self) -> LedgerError:
        if self._ready_at is None:
            return Unavailable(f"sql: the query's process was not ready within {START_S:g} s")
        return Rejected("sql", f"the query took longer than the limit time_s = {self._limits.time_s:g} and was stopped")

    def _died(self) -> LedgerError:
        """It closed its pipe without a last word."""
        code, early = self._child.ended_by(), self._ready_at is None
        # Once it has read rows, its last words may quote them: they belong in no log.
        _log.error("sql: the query's process ended with %d: %s", code, self._child.complaints if early else "")
        if early:
            return Misconfigured(f"sql: the query's process could not be started (ended with {code}; see the log)")
        # An allocation that fails deep in a library ends in one of these; SIGKILL is the kernel out of memory.
        if code in (-signal.SIGABRT, -signal.SIGKILL) or "MemoryError" in self._child.complaints:
            return self._memory()
        return Rejected("sql", f"the query crashed its process (ended with {code}); nothing else was touched")


_UNBUILT = {"box": "sealed", "tables": "given its tables"}
