"""Git objects by their ids, through one `git cat-file --batch` for as long as a repository is looked at.

One process for all objects: starting git for each would take longer than all else. An answer that does not come within
the deadline ends the process, and the call fails as unavailable.

A tree object's bytes are entries of `mode SP name NUL id`, the id in binary (20 or 32 bytes).
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from ledger.changes.processes import kill
from ledger.errors import Rejected, Unavailable

OBJECT_BYTES_MAX = 64 * 1024 * 1024


class ObjectReader:
    """Reads objects, one after the other. `close` it."""

    def __init__(self, command: list[str], environment: Mapping[str, str], folder: Path, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._process = subprocess.Popen(
            [*command, "cat-file", "--batch"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def close(self) -> None:
        """Ends the process."""
        kill(self._process)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def read(self, object_id: str) -> tuple[str, bytes] | None:
        """Type and bytes of an object; None where it is not there."""
        watchdog = threading.Timer(self._deadline_s, kill, (self._process,))
        watchdog.start()
        try:
            return self._read(object_id)
        except (OSError, ValueError):
            raise Unavailable(f"git did not answer within {self._deadline_s:g} s") from None
        finally:
            watchdog.cancel()

    def _read(self, object_id: str) -> tuple[str, bytes] | None:
        given, answered = self._process.stdin, self._process.stdout
        if given is None or answered is None:
            raise ValueError("the process has no pipes")
        given.write(f"{object_id}\n".encode())
        given.flush()
        head = answered.readline().split()
        if len(head) == 2 and head[1] == b"missing":
            return None
        if len(head) != 3:
            raise ValueError("the process ended")
        size = int(head[2])
        if size > OBJECT_BYTES_MAX:
            # What is left in the pipe can't be read any more.
            kill(self._process)
            raise Rejected("", f"object {object_id}: expected at most {OBJECT_BYTES_MAX} bytes, got {size}")
        data = answered.read(size + 1)
        if len(data) != size + 1:
            raise ValueError("the process ended")
        return head[1].decode(), data[:-1]


def tree_entries(raw: bytes, id_bytes: int) -> Iterator[tuple[str, bytes, str]]:
    """(mode, name, id) of each entry in a tree object's bytes. `Rejected` when they are none."""
    at = 0
    while at < len(raw):
        space, end = raw.find(b" ", at), raw.find(b"\0", at)
        if not at < space < end or end + 1 + id_bytes > len(raw):
            raise Rejected("", "a tree object is not what git writes")
        mode = raw[at:space].decode("ascii", "replace").zfill(6)
        yield mode, raw[space + 1 : end], raw[end + 1 : end + 1 + id_bytes].hex()
        at = end + 1 + id_bytes
