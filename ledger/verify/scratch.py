"""Row tables: what is kept of each row while a log is verified, in memory or, past a budget, in temporary files.

A placement's files are sorted by subject, a log's chain and tree by index, so its rows must be put back in order. They
are scattered into a table with one record an index. Small tables live in memory; once their sum passes
`memory_bytes_max`, further ones are files mapped into memory, which the system may write out: a verification's memory
does not grow with the ledger, the temporary folder's use does (about 70 bytes a compacted event at depth `leaves`, 300
at depth `full`). The folder is removed at the end, whatever happens.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType

import numpy as np

MEMORY_BYTES_MAX = 64 * 1024 * 1024

LEAF_ROWS = np.dtype([("seen", "u1"), ("own", "u1"), ("leaf", "V32"), ("chain", "V32")])
"""A row at depth `leaves`. `seen`: there was one. `own`: the payload says the sealer made it. `leaf` is computed from
the payload, `chain` is as stored."""

IDENTITY = np.dtype([("event_id", "V16"), ("submission_digest", "V32"), ("submission_key_id", "V32")])
"""By what a repeat, a conflict and an undetermined id are told apart."""

FULL_ROWS = np.dtype(
    [
        *LEAF_ROWS.descr,
        *IDENTITY.descr,
        ("decoded", "u1"),
        ("schema", "u1"),
        ("mark", "u1"),
        ("round", "i8"),
        ("sealed_at", "i8"),
        ("partition", "i8"),
        ("offset", "i8"),
        ("received_at", "i8"),
        ("contents", "u8", (2,)),
    ]
)
"""A row at depth `full`. `decoded`: the payload was. `contents`: see `ledger.verify.contents`."""


class Scratch:
    """Where the tables and temporary files of one verification live. Use as a context manager."""

    def __init__(self, folder: Path | None = None, memory_bytes_max: int = MEMORY_BYTES_MAX) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="audit-ledger-verify-", dir=folder)
        self._memory_left = memory_bytes_max
        self._files = 0

    def __enter__(self) -> Scratch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._temporary.cleanup()

    def table(self, dtype: np.dtype, rows: int) -> np.ndarray:
        """A table of zeros that lives as long as the scratch."""
        size = dtype.itemsize * rows
        if size <= self._memory_left:
            self._memory_left -= size
            return np.zeros(rows, dtype)
        return np.memmap(self.path(), dtype=dtype, mode="w+", shape=(rows,))

    def path(self) -> Path:
        """The path of a new temporary file."""
        self._files += 1
        return Path(self._temporary.name) / f"{self._files}"
