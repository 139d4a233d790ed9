"""Named objects with put-if-absent, on a file system.

`put` makes the object appear under its name whole and durable, or not at all, and only if the name is free: a temporary
file is written and fsynced in the same folder, hard-linked to the name (link(2) fails if it exists: that is the
one atomic step), and the folder is fsynced. A crash before the link leaves a temporary file, which `leftovers` lists; a
crash after it leaves nothing to repair.

What fails before the link is `Unavailable`, and nothing is there. When the folder's fsync fails after it, the object is
visible and may not outlive a power cut: `OutcomeUnknown`. It is not taken back, because somebody may have read it
already; who retries finds the name taken, and reading tells by whose bytes.

Names are relative paths of lower-case letters, digits, dots, dashes, underscores and slashes, of which no part begins
with a dot or a dash. They also come out of rounds and placements, so that one which is none is an `IntegrityError`.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from ledger.errors import IntegrityError, OutcomeUnknown, Unavailable

_NAME = re.compile(r"[a-z0-9_][a-z0-9._-]*(/[a-z0-9_][a-z0-9._-]*)*")
_TEMPORARY = ".tmp-"
NAME_SHOWN_CHARACTERS = 200


class ObjectStore(Protocol):
    """What sealing needs of a store. Names as in the module's docstring."""

    def put(self, name: str, data: bytes) -> bool:
        """Makes `data` durable under `name`; False, and nothing changed, when the name is taken."""

    def read(self, name: str) -> bytes:
        """The whole object; `IntegrityError` when it is missing."""

    def exists(self, name: str) -> bool:
        """Whether there is such an object."""

    def names_in(self, prefix: str) -> list[str]:
        """The names directly under the folder `prefix`, sorted; empty when there is none."""

    def remove(self, name: str) -> None:
        """Removes an object for good; no error when it is gone already."""


class FileStore:
    """An `ObjectStore` in a folder; also gives paths, for readers that map files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._durable: set[Path] = set()

    def path(self, name: str) -> Path:
        """Where the object is or would be; `IntegrityError` for what is not an object name."""
        if not _NAME.fullmatch(name):
            raise IntegrityError(f"{name[:NAME_SHOWN_CHARACTERS]!r} is not an object name")
        return self.root / name

    def put(self, name: str, data: bytes) -> bool:
        """See `ObjectStore.put`."""
        with self.staged(name) as temporary:
            with open(temporary, "wb") as stream:
                stream.write(data)
            return self.publish(temporary, name)

    @contextmanager
    def staged(self, name: str) -> Iterator[Path]:
        """A path in the folder of `name` to write a large object to; removed at the end, published or not."""
        target = self.path(name)
        try:
            self._make_durable(target.parent)
        except OSError as error:
            raise Unavailable(f"cannot make the folder of {name}: {_why(error)}") from None
        temporary = target.parent / f"{_TEMPORARY}{secrets.token_hex(8)}"
        try:
            yield temporary
        except OSError as error:
            raise Unavailable(f"cannot write {name}: {_why(error)}") from None
        finally:
            # What cannot be removed now stays a leftover, which fsck names; the outcome is decided already.
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def publish(self, temporary: Path, name: str) -> bool:
        """Makes a staged file durable under `name` if the name is free. Only inside `staged`, which maps its errors."""
        target = self.path(name)
        _fsync(temporary)
        try:
            os.link(temporary, target)
            ours = True
        except FileExistsError:
            # Whoever made it may have died before its name was durable, and the caller may build on it.
            ours = False
        try:
            _fsync(target.parent)
        except OSError as error:
            raise OutcomeUnknown(f"{name}: is visible, but its folder could not be synced: {_why(error)}") from None
        return ours

    def read(self, name: str) -> bytes:
        """See `ObjectStore.read`."""
        try:
            return self.path(name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise IntegrityError(f"{name}: is missing") from None
        except OSError as error:
            raise Unavailable(f"{name}: cannot be read: {_why(error)}") from None

    def exists(self, name: str) -> bool:
        """See `ObjectStore.exists`."""
        path = self.path(name)
        try:
            return path.is_file()
        except OSError as error:
            raise Unavailable(f"{name}: cannot be looked up: {_why(error)}") from None

    def names_in(self, prefix: str) -> list[str]:
        """See `ObjectStore.names_in`."""
        folder = self.path(prefix)
        try:
            found = os.listdir(folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise Unavailable(f"{prefix}: cannot be listed: {_why(error)}") from None
        return sorted(f"{prefix}/{name}" for name in found if not name.startswith(_TEMPORARY))

    def remove(self, name: str) -> None:
        """See `ObjectStore.remove`."""
        target = self.path(name)
        try:
            target.unlink(missing_ok=True)
            if target.parent.is_dir():
                _fsync(target.parent)
        except OSError as error:
            raise Unavailable(f"{name}: cannot be removed: {_why(error)}") from None

    def walk(self) -> list[str]:
        """Every object's name, sorted."""
        return sorted(
            path.relative_to(self.root).as_posix()
            for path in self.root.rglob("*")
            if path.is_file() and not path.name.startswith(_TEMPORARY)
        )

    def leftovers(self) -> list[Path]:
        """Temporary files that a crash left behind, sorted."""
        return sorted(path for path in self.root.rglob(f"{_TEMPORARY}*") if path.is_file())

    def _make_durable(self, folder: Path) -> None:
        """Makes a folder and its parents, each durable before what is put into it.

        One that is there already may have been made a moment ago by another process that has not synced it yet: the
        first time, it is synced here as well.
        """
        if folder.is_dir() and (folder in self._durable or folder == self.root):
            return
        if folder != self.root:
            self._make_durable(folder.parent)
        folder.mkdir(parents=folder == self.root, exist_ok=True)
        _fsync(folder.parent)
        self._durable.add(folder)


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
