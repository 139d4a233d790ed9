"""What the parent hands to the child: open descriptors, each for reading only.

- A file of the tenant is opened here, and the child opens what the descriptor points at (`/proc/self/fd/N`): a name
  that changes hands in between changes nothing, and no folder has to be opened to the child.
- The job and Arrow data are written to memory that has a descriptor and no name, then sealed: nobody, the child
  included, can change it again. Where the system has no such memory, an unlinked temporary file stands in its place.
"""

from __future__ import annotations

import fcntl
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ledger.errors import Misconfigured, Rejected
from query.sandbox.model import SqlTable
from query.sandbox.wire import JobTable

if TYPE_CHECKING:
    import pyarrow as pa

FILES_MAX = 1_000
_NOT_BLOCKING = os.O_NONBLOCK  # a pipe in a file's place must not stop us


def open_tables(tables: Sequence[SqlTable], arrow_bytes_max: int, stack: ExitStack) -> tuple[JobTable, ...]:
    """Open every file and write all Arrow data; `stack` closes the descriptors. Refuses Arrow data over its limit."""
    count = sum(len(table.files) for table in tables)
    if count > FILES_MAX:
        raise Misconfigured(f"sql: {count} files for one query, expected at most {FILES_MAX}; compact the tenant's log")
    opened, left = [], arrow_bytes_max
    for table in tables:
        if not table.files and table.data is None:
            raise Misconfigured(f"sql: table {table.name} has neither files nor data")
        files = tuple(_open_file(path, stack) for path in table.files)
        arrow = None
        if table.data is not None:
            arrow = _write_arrow(table.data, left, arrow_bytes_max, stack)
            left -= os.fstat(arrow).st_size
        opened.append(JobTable(table.name, files, arrow))
    return tuple(opened)


def in_memory(name: str, write: Callable[[BinaryIO], None], stack: ExitStack) -> int:
    """A descriptor of nameless memory that holds what `write` wrote, at its beginning, sealed where the system can."""
    if sys.platform.startswith("linux"):
        descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        stack.callback(os.close, descriptor)
        with open(descriptor, "wb", closefd=False) as file:
            write(file)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _ALL_SEALS)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
            stack.callback(os.close, descriptor)
            write(file)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


_ALL_SEALS = 0x0001 | 0x0002 | 0x0004 | 0x0008  # F_SEAL_SEAL, _SHRINK, _GROW, _WRITE


def _open_file(path: Path, stack: ExitStack) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | _NOT_BLOCKING)
    except OSError as error:
        raise Misconfigured(f"sql: cannot open {path.name}: {error.strerror}") from error
    stack.callback(os.close, descriptor)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise Misconfigured(f"sql: {path.name} is not a regular file")
    return descriptor


def _write_arrow(data: pa.Table | pa.RecordBatchReader, left: int, limit: int, stack: ExitStack) -> int:
    import pyarrow as pa  # here, because the child imports this package before its lockdown

    def write(file: BinaryIO) -> None:
        batches = data.to_batches() if isinstance(data, pa.Table) else data
        with pa.ipc.new_stream(file, data.schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
                if file.tell() > left:
                    # Whatever is asked, all rows are handed over: those of compacted files as files, the others here.
                    less = "compact the tenant's log (audit-ledger compact), then ask again"
                    raise Rejected("sql", f"the rows that were not compacted exceed arrow_bytes_max = {limit}; {less}")

    return in_memory("sql-rows", write, stack)
