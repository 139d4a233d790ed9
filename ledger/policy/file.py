"""The file that a capture policy stands in: its bytes, and what tells that it was changed.

Whoever governs by it looks at the stamp, and reads anew when that is another one. Nothing here says what a policy is.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import Misconfigured
from ledger.policy.document import FILE_BYTES_MAX
from ledger.watched_file import FileStamp


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A path that may be replaced at any time."""

    path: Path

    def stamp(self) -> FileStamp | None:
        """What changes with the file; None while it can't be looked at."""
        return FileStamp.if_there(self.path)

    def read(self) -> bytes:
        """Its bytes, at most one more than a policy may have. `Misconfigured` when it can't be read, or is no file."""
        try:
            # Without waiting: a named pipe would wait for its writer for ever.
            with open(os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise Misconfigured(f"{self.path}: expected a file")
                return file.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            raise Misconfigured(f"{self.path}: cannot read the capture policy: {error.strerror}") from None
