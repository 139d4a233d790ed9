"""Opening and hashing the files that rounds and placements name.

A file is believed only through its whole SHA-256; what is parsed is the same open file that was hashed. Files that
need not be parsed are hashed on other threads, a bounded number at a time (hashing lets go of the interpreter).
"""

from __future__ import annotations

import hashlib
import io
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from ledger.errors import IntegrityError, LedgerError, Unavailable
from ledger.segments.objects import FileStore
from ledger.verify.report import Collector, Place

QUEUED_MAX = 32


@dataclass(frozen=True, slots=True)
class Named:
    """A file as a round or placement names it."""

    place: Place
    name: str
    sha256: bytes
    bytes: int


class Files:
    """The files of one store, checked into one collector."""

    def __init__(self, store: FileStore, collector: Collector, pool: ThreadPoolExecutor) -> None:
        self._store = store
        self._collector = collector
        self._pool = pool
        self._queued: deque[Future[None]] = deque()
        self._prepared: dict[str, Future[io.BufferedReader]] = {}

    def open(self, file: Named) -> io.BufferedReader | None:
        """The file, hashed and rewound, for the caller to close; None, and a finding, when it is not the one named."""
        prepared = self._prepared.pop(file.name, None)
        try:
            return prepared.result() if prepared is not None else self._open(file)
        except LedgerError as error:
            self._collector.error(file.place, error)
            return None

    def prepare(self, file: Named) -> None:
        """Begins to hash, on another thread, a file that will be opened next."""
        if file.name not in self._prepared:
            self._prepared[file.name] = self._pool.submit(self._open, file)

    def check_later(self, file: Named, *, optional: bool = False) -> None:
        """Hashes the file on another thread; `finish` waits for it. `optional`: it may be gone."""
        if optional and not self.exists(file.name):
            return
        while len(self._queued) >= QUEUED_MAX:
            self._queued.popleft().result()
        self._queued.append(self._pool.submit(self._check, file, optional))

    def finish(self) -> None:
        """Waits for all that `check_later` and `prepare` began."""
        while self._queued:
            self._queued.popleft().result()
        for name in list(self._prepared):
            with suppress(LedgerError):  # nobody asked for it in the end
                self._prepared.pop(name).result().close()

    def exists(self, name: str) -> bool:
        """Whether there is an object of this name."""
        try:
            return self._store.exists(name)
        except IntegrityError:
            return False

    def _check(self, file: Named, optional: bool) -> None:
        try:
            self._open(file).close()
        except LedgerError as error:
            # A clean-up may have removed it since it was asked for.
            if not optional or self.exists(file.name):
                self._collector.error(file.place, error)

    def _open(self, file: Named) -> io.BufferedReader:
        path = self._store.path(file.name)
        try:
            stream = open(path, "rb")  # noqa: SIM115 - handed to the caller
        except (FileNotFoundError, NotADirectoryError):
            raise IntegrityError(f"{file.name}: is missing") from None
        except OSError as error:
            raise Unavailable(f"{file.name}: cannot be read: {os.strerror(error.errno or 0)}") from None
        try:
            self._hash(file, stream)
        except BaseException:
            stream.close()
            raise
        return stream

    def _hash(self, file: Named, stream: io.BufferedReader) -> None:
        try:
            size = os.fstat(stream.fileno()).st_size
            found = hashlib.file_digest(stream, "sha256").digest()
            stream.seek(0)
        except OSError as error:
            raise Unavailable(f"{file.name}: cannot be read: {os.strerror(error.errno or 0)}") from None
        self._collector.count(files=1, bytes=size)
        if size != file.bytes:
            raise IntegrityError(
                f"{file.name}: has {size} bytes, expected {file.bytes}; "
                f"its SHA-256 is {found.hex()}, expected {file.sha256.hex()}"
            )
        if found != file.sha256:
            raise IntegrityError(f"{file.name}: its SHA-256 is {found.hex()}, expected {file.sha256.hex()}")
