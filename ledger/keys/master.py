"""The master key: the top of master key -> tenant key -> bucket keys -> rows.

It seals only keys (tenant keys, signing keys), few and short, so it can live where nothing else fits: in a file, as
here, or in a module or service that never gives it out. Whoever can `seal` and `open` under a stable `key_id` is a
`MasterKey`; the id stands beside everything it sealed, so that rotation knows what is left to do.

The local master key is a file:

- content: base64 (RFC 4648, padded) of 32 random bytes and a newline, 45 bytes; nothing else is accepted;
- mode 0600: one that its group or others can touch is refused, for reading it is all that a thief needs;
- made with O_EXCL: a master key is never overwritten, what it sealed would be lost. A crash in between leaves a file
  that is refused as malformed; nothing is sealed under it yet, so it can be removed.

Its id is `local:` and 32 hex digits of SHA-256(text("audit-ledger/master-key-id/v1") || key); 256 random bits can't be
guessed from it. What it seals is sealed as rows are (`ledger.keys.sealing`).
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from hashlib import sha256
from pathlib import Path
from typing import NoReturn, Protocol

from ledger.canonical import text
from ledger.errors import Misconfigured
from ledger.keys.sealing import KEY_BYTES, NONCE_BYTES, TAG_BYTES, open_sealed, seal

MASTER_KEY_ID_TAG = "audit-ledger/master-key-id/v1"
FILE_BYTES = 45
_OVERHEAD_BYTES = 1 + NONCE_BYTES + TAG_BYTES


class MasterKey(Protocol):
    """Seals and opens keys; where the key itself lives is its own affair."""

    @property
    def key_id(self) -> str:
        """A printable id, the same for the life of the key and different for every other."""

    def seal(self, plaintext: bytes, aad: bytes) -> bytes:
        """`plaintext` (a key) sealed and bound to `aad`."""

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        """What was sealed with this `aad`; `IntegrityError` when it does not open."""


class LocalMasterKey:
    """A master key from a file. Shows its id only: not in repr or str, and it cannot be pickled or copied."""

    __slots__ = ("_key", "_key_id")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise Misconfigured(f"master key: expected {KEY_BYTES} bytes, got {len(key)}")
        self._key = key
        self._key_id = "local:" + sha256(text.encode(MASTER_KEY_ID_TAG) + key).hexdigest()[:32]

    @classmethod
    def create(cls, path: Path) -> LocalMasterKey:
        """A new random key in a new file; `Misconfigured` when something stands there."""
        key = os.urandom(KEY_BYTES)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise Misconfigured(f"{path}: exists already; a master key is never overwritten") from None
        except OSError as error:
            raise Misconfigured(f"{path}: cannot make the master key file: {error.strerror}") from None
        with open(handle, "wb") as file:
            os.fchmod(handle, 0o600)
            file.write(base64.b64encode(key) + b"\n")
            file.flush()
            os.fsync(handle)
        sync_folder(path.parent)
        return cls(key)

    @classmethod
    def load(cls, path: Path) -> LocalMasterKey:
        """The key of an existing file; `Misconfigured` when it is absent, malformed or open to others."""
        try:
            # O_NONBLOCK: a pipe in the key's place is refused below, not waited for.
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise Misconfigured(f"{path}: cannot read the master key file: {error.strerror}") from None
        try:
            require_private(path, os.fstat(handle))
            content = os.read(handle, FILE_BYTES + 1)
        finally:
            os.close(handle)
        if len(content) != FILE_BYTES or not content.endswith(b"\n"):
            raise Misconfigured(f"{path}: expected {FILE_BYTES} bytes of base64 and a newline, found another content")
        try:
            key = base64.b64decode(content[:-1], validate=True)
        except binascii.Error:
            raise Misconfigured(f"{path}: expected base64, found other characters") from None
        if base64.b64encode(key) != content[:-1]:
            raise Misconfigured(f"{path}: expected canonical base64, found stray bits in its last character")
        return cls(key)

    @property
    def key_id(self) -> str:
        return self._key_id

    def seal(self, plaintext: bytes, aad: bytes) -> bytes:
        return seal(self._key, plaintext, aad)

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        return open_sealed(self._key, sealed, aad, "sealed by the master key", max(0, len(sealed) - _OVERHEAD_BYTES))

    def __repr__(self) -> str:
        return f"LocalMasterKey({self._key_id})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a master key does not leave its process")


def require_private(path: Path, status: os.stat_result) -> None:
    """`Misconfigured` unless `status` is that of a regular file which only its owner can touch."""
    if not stat.S_ISREG(status.st_mode):
        raise Misconfigured(f"{path}: expected a regular file")
    if status.st_mode & 0o077:
        raise Misconfigured(f"{path}: expected mode 0600, found {stat.S_IMODE(status.st_mode):04o}: open to others")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a new file's own fsync does not."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
