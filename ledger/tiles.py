"""Tiles: derived files of a log's interior hashes, so that a proof takes about a millisecond at 10^7 leaves.

A directory a log. Levels 0, 8, 16, ... of its Merkle tree are one file each (`level-00`, `level-08`, ...): the hashes
of the complete subtrees of that level, 32 bytes each, in order. What lies between two levels is computed from at most
128 hashes read in one piece. Flat files, rather than one file for each tile of 256 hashes, because nothing here is
served to clients tile by tile: one file a level can be appended to, read at any offset, and does not fill a directory
with 40,000 names at 10^7 leaves.

`stamp` says what the files cover: `tiles/v1 <size> <round>` and the SHA-256 of that line, in hex. Bytes behind the
size mean nothing. Only what the stamp covers is ever read.

Crash argument. An append first writes hashes behind what the stamp covers, then replaces the stamp in one rename:
whatever is killed in between leaves the old stamp over untouched hashes. Nothing is fsynced: a power loss can leave a
stamp ahead of its hashes, or a flipped bit can sit anywhere. That is why nothing here is evidence: the caller verifies
each proof against a *signed* root before it uses it, takes a failure as damage, and calls `rebuild` with the leaf
hashes of the segments. Damage can cost time; it can't change an answer. What is seen to be damaged here (a bad stamp,
a file too short) raises `DerivedDamaged`. Two writers of one log write the same bytes at the same places.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path

from ledger.errors import LedgerError
from ledger.tlog import merkle
from ledger.tlog.merkle import HASH_BYTES, SIZE_MAX

TILE_HEIGHT = 8
REBUILD_LEAVES = 1 << 16
"""How many leaf hashes a rebuild holds in memory at a time."""

_STAMP_BYTES_MAX = 256

ReadHashes = Callable[[int, int, int], list[bytes]]
"""`(stored level, first, count)` to those hashes."""


class DerivedDamaged(LedgerError):
    """Derived files can't be used as they are; rebuild them from the segments. No evidence is affected."""


class DerivedBehind(DerivedDamaged):
    """Derived files are sound but cover less than was asked for: append what is missing, or rebuild."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the files cover: the log's first `size` leaves, as of this round of its partition (-1: none named yet)."""

    size: int
    round_number: int

    def to_bytes(self) -> bytes:
        """The stamp's file: its line, and that line's digest."""
        line = f"tiles/v1 {self.size} {self.round_number}\n"
        return f"{line}{sha256(line.encode()).hexdigest()}\n".encode()


@dataclass(frozen=True, slots=True)
class Tiles:
    """The tiles in `directory`, made at the first append. Holds no open file between calls.

    Writing raises the system's `OSError` (a full disk, say): the old stamp then still stands over untouched hashes.
    """

    directory: Path

    @property
    def stamp(self) -> Stamp:
        """What the files cover; size 0 where there are none. `DerivedDamaged` if the stamp is not whole."""
        try:
            with (self.directory / "stamp").open("rb") as file:
                data = file.read(_STAMP_BYTES_MAX)
        except FileNotFoundError:
            return Stamp(0, -1)
        try:
            _tag, size, round_number = data.split(b"\n", 1)[0].decode("ascii").split(" ")
            stamp = Stamp(int(size), int(round_number))
        except ValueError:
            stamp = None
        if stamp is None or stamp.size < 0 or stamp.to_bytes() != data:
            raise DerivedDamaged(f"{self.directory / 'stamp'}: not a whole stamp of tiles/v1")
        return stamp

    @property
    def size(self) -> int:
        """How many leaves the files cover."""
        return self.stamp.size

    def append(self, leaves: Sequence[bytes], *, round_number: int | None = None) -> None:
        """Go on with these leaf hashes, up to this round (None: the round stays the one stamped before)."""
        merkle.check_hashes(leaves)
        stamp = self.stamp
        self.directory.mkdir(parents=True, exist_ok=True)
        if leaves:
            with self._reading(stamp.size) as read:
                for level, first, hashes in _new_hashes(stamp.size, leaves, read):
                    self._write(level, first, hashes)
        covered = stamp.round_number if round_number is None else round_number
        self._set_stamp(Stamp(stamp.size + len(leaves), covered))

    def truncate(self, size: int = 0, *, round_number: int = -1) -> None:
        """Cover only the first `size` leaves. To 0 it mends any damage, and what follows is written anew."""
        if size < 0:
            raise ValueError(f"size {size} is negative")
        if size:
            self._covering(size)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._set_stamp(Stamp(size, round_number))
        for level in range(0, SIZE_MAX.bit_length(), TILE_HEIGHT):
            path = self._path(level)
            if path.exists():
                os.truncate(path, min(path.stat().st_size, (size >> level) * HASH_BYTES))

    def rebuild(self, leaves: Iterable[bytes], *, round_number: int = -1) -> None:
        """Write the tiles of these leaf hashes anew, whatever was there before."""
        self.truncate()
        remaining = iter(leaves)
        while piece := list(islice(remaining, REBUILD_LEAVES)):
            self.append(piece)
        self.append((), round_number=round_number)

    def subtree_hash(self, level: int, index: int) -> bytes:
        """The hash of the perfect subtree (level, index), as `ledger.tlog.merkle` counts them."""
        with self._reading(self.size) as read:
            return _subtree_hash(level, index, read)

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """`merkle.inclusion_proof` in the tree of the first `size` leaves. Verify it against a signed root."""
        with self._reading(self._covering(size)) as read:
            return merkle.inclusion_proof(index, size, lambda level, at: _subtree_hash(level, at, read))

    def consistency_proof(self, m: int, n: int) -> list[bytes]:
        """`merkle.consistency_proof` between the trees of the first `m` and `n` leaves. Verify it likewise."""
        with self._reading(self._covering(n)) as read:
            return merkle.consistency_proof(m, n, lambda level, at: _subtree_hash(level, at, read))

    def root(self, size: int) -> bytes:
        """The root of the first `size` leaves as these files have it: compare it with a signed one."""
        if size == 0:
            return merkle.EMPTY_ROOT
        with self._reading(self._covering(size)) as read:
            return merkle.range_hash(0, size, lambda level, at: _subtree_hash(level, at, read))

    def _covering(self, size: int) -> int:
        covered = self.size
        if size > covered:
            raise DerivedBehind(f"{self.directory}: covers {covered} leaves, asked for {size}")
        return covered

    @contextmanager
    def _reading(self, size: int) -> Iterator[ReadHashes]:
        """A reader of `count` hashes from `first` on of a stored level; each level is opened once, and closed here."""
        open_levels: dict[int, int] = {}

        def read(level: int, first: int, count: int) -> list[bytes]:
            path = self._path(level)
            if first < 0 or first + count > size >> level:
                raise DerivedBehind(f"{path}: holds {size >> level} hashes, asked for {first} to {first + count}")
            try:
                if level not in open_levels:
                    open_levels[level] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                data = os.pread(open_levels[level], count * HASH_BYTES, first * HASH_BYTES)
            except OSError as error:
                raise DerivedDamaged(f"{path}: cannot be read: {error.strerror}") from None
            if len(data) != count * HASH_BYTES:
                raise DerivedDamaged(f"{path}: ends before hash {first + count}, the stamp covers {size >> level}")
            return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]

        try:
            yield read
        finally:
            for descriptor in open_levels.values():
                os.close(descriptor)

    def _write(self, level: int, first: int, hashes: Sequence[bytes]) -> None:
        # Neither "ab" nor "wb" writes in the middle of a file and makes it where there is none.
        descriptor = os.open(self._path(level), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        with open(descriptor, "r+b") as file:
            file.seek(first * HASH_BYTES)
            file.write(b"".join(hashes))

    def _path(self, level: int) -> Path:
        return self.directory / f"level-{level:02}"

    def _set_stamp(self, stamp: Stamp) -> None:
        new = self.directory / f".stamp-{secrets.token_hex(8)}"
        try:
            new.write_bytes(stamp.to_bytes())
            new.replace(self.directory / "stamp")
        finally:
            new.unlink(missing_ok=True)


def _new_hashes(size: int, leaves: Sequence[bytes], read: ReadHashes) -> Iterator[tuple[int, int, Sequence[bytes]]]:
    """(stored level, first index, hashes) of all subtrees that `leaves` complete in a tree of `size` leaves."""
    level, first, hashes = 0, size, leaves
    total = size + len(leaves)
    while hashes:
        yield level, first, hashes
        above, first_above = level + TILE_HEIGHT, size >> (level + TILE_HEIGHT)
        count = (total >> above) - first_above
        if count == 0:
            return
        # The tile under the first new hash above may have been begun before: its older part is on disk.
        begun = first - (first_above << TILE_HEIGHT)
        tiles = [*(read(level, first - begun, begun) if begun else ()), *hashes]
        hashes = _climb(tiles[: count << TILE_HEIGHT], TILE_HEIGHT)
        level, first = above, first_above


def _subtree_hash(level: int, index: int, read: ReadHashes) -> bytes:
    stored, climb = level - level % TILE_HEIGHT, level % TILE_HEIGHT
    return _climb(read(stored, index << climb, 1 << climb), climb)[0]


def _climb(hashes: Sequence[bytes], levels: int) -> Sequence[bytes]:
    for _ in range(levels):
        hashes = merkle.parents(hashes)
    return hashes
