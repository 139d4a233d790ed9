"""Named objects with put-if-absent, on a file system.

`put` makes the object appear under its name whole and durable, or not at all, and only if the name is free: a temporary
file is written and fsynced in the same folder, hard-linked to the name (link(2) fails if it exists: that is the
one atomic step), and the folder is fsynced. A crash before the link leaves a temporary file, which `leftovers` lists; a
crash after it leaves nothing to repair.

Names are relative paths of lower-case letters, digits, dots, dashes and slashes.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from ledger.errors import IntegrityError, Unavailable

_NAME = re.compile(r"[a-z0-9_][a-z0-9._-]*(/[a-z0-9_][a-z0-9._-]*)*")
_TEMPORARY = ".tmp-"


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

    def path(self, name: str) -> Path:
        """Where the object is or would be."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not an object name")
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
            make_folder(target.parent)
        except OSError as error:
            raise Unavailable(f"cannot make the folder of {name}: {os.strerror(error.errno or 0)}") from None
        temporary = target.parent / f"{_TEMPORARY}{secrets.token_hex(8)}"
        try:
            yield temporary
        except OSError as error:
            raise Unavailable(f"cannot write {name}: {os.strerror(error.errno or 0)}") from None
        finally:
            temporary.unlink(missing_ok=True)

    def publish(self, temporary: Path, name: str) -> bool:
        """Makes a staged file durable under `name` if the name is free."""
        target = self.path(name)
        _fsync(temporary)
        try:
            os.link(temporary, target)
        except FileExistsError:
            return False
        _fsync(target.parent)
        return True

    def read(self, name: str) -> bytes:
        """See `ObjectStore.read`."""
        try:
            return self.path(name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise IntegrityError(f"{name}: is missing") from None
        except OSError as error:
            raise Unavailable(f"{name}: cannot be read: {os.strerror(error.errno or 0)}") from None

    def exists(self, name: str) -> bool:
        """See `ObjectStore.exists`."""
        return self.path(name).is_file()

    def names_in(self, prefix: str) -> list[str]:
        """See `ObjectStore.names_in`."""
        folder = self.path(prefix)
        try:
            found = os.listdir(folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(f"{prefix}/{name}" for name in found if not name.startswith(_TEMPORARY))

    def remove(self, name: str) -> None:
        """See `ObjectStore.remove`."""
        target = self.path(name)
        target.unlink(missing_ok=True)
        if target.parent.is_dir():
            _fsync(target.parent)

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


def make_folder(folder: Path) -> None:
    """Makes a folder and its parents, each durable before what is put into it."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _fsync(folder.parent)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
