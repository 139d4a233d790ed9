"""Files of sorted pairs of integers: what the look-up index and the row maps are made of. Derived, never evidence.

    file = head (192 bytes) || keys (count little-endian u64, ascending) || values (count little-endian u64)
    head = "audit-ledger/query-pairs/v1" padded with zeros to 32 bytes || stamp (88 bytes) || u64 count
           || SHA-256 of all that follows the head || SHA-256 of the 160 bytes before

The stamp says what the file was made from; its owner compares it. Checksum and stamp together vouch for completeness:
that nothing is missing between them. What a pair leads to is checked by whoever follows it.

A file is written beside and renamed. It is mapped, not read: a search touches a few pages, whatever the size. The
checksum is computed once, when it is opened; `intact` tells whether the file is still the one that was checked.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ledger.canonical import u64
from ledger.tiles import DerivedDamaged

STAMP_BYTES = 88
_MAGIC = b"audit-ledger/query-pairs/v1".ljust(32, b"\0")
_HEAD_BYTES = 192
_SIGNED_BYTES = 160
_PIECE_PAIRS = 1 << 20
_CHUNK_BYTES = 1 << 20

U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Keys and values side by side."""

    keys: U64
    values: U64

    def __len__(self) -> int:
        return len(self.keys)

    def under(self, key: int) -> list[int]:
        """The values under a key; the keys must be sorted."""
        wanted = np.uint64(key)
        first = int(np.searchsorted(self.keys, wanted, "left"))
        end = int(np.searchsorted(self.keys, wanted, "right"))
        found: list[int] = self.values[first:end].tolist()
        return found

    def under_each(self, keys: Sequence[int]) -> list[list[int]]:
        """The values under each of several keys."""
        wanted = np.array(keys, np.uint64)
        firsts = np.searchsorted(self.keys, wanted, "left").tolist()
        ends = np.searchsorted(self.keys, wanted, "right").tolist()
        return [self.values[first:end].tolist() if first < end else [] for first, end in zip(firsts, ends, strict=True)]


NO_PAIRS = Pairs(np.empty(0, np.uint64), np.empty(0, np.uint64))


@dataclass(frozen=True, slots=True)
class PairsFile:
    """An open file. `state` is that of the file that was checked."""

    path: Path
    stamp: bytes
    pairs: Pairs
    state: tuple[int, ...]

    def intact(self) -> bool:
        """Whether the file is still the one that was checked."""
        try:
            return _state(self.path) == self.state
        except OSError:
            return False


def join(parts: Sequence[Pairs]) -> Pairs:
    """Several pairs as one, sorted by key, then value."""
    if not parts:
        return NO_PAIRS
    keys = np.concatenate([each.keys for each in parts])
    values = np.concatenate([each.values for each in parts])
    order = np.lexsort((values, keys))
    return Pairs(keys[order], values[order])


def spill(folder: Path, parts: Sequence[Pairs]) -> Pairs:
    """The parts joined and moved out of memory: mapped from a file that is gone when they are.

    Where the folder cannot be written to, they stay in memory.
    """
    joined = join(parts)
    if not len(joined):
        return joined
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, prefix=".spill-") as stream:
            stream.write(joined.keys.tobytes())
            stream.write(joined.values.tobytes())
            stream.flush()
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError:
        return joined
    count = len(joined)
    return Pairs(np.frombuffer(mapped, np.uint64, count), np.frombuffer(mapped, np.uint64, count, 8 * count))


def write(path: Path, stamp: bytes, sources: Sequence[Pairs]) -> None:
    """Merges sorted sources into a file. Memory is bounded, whatever their size."""
    if len(stamp) != STAMP_BYTES:
        raise ValueError(f"stamp: expected {STAMP_BYTES} bytes, got {len(stamp)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    count = sum(map(len, sources))
    temporary = path.parent / f".pairs-{secrets.token_hex(8)}"
    try:
        with open(temporary, "wb") as stream:
            stream.truncate(_HEAD_BYTES + 16 * count)
            at = 0
            for part in _pieces(sources):
                stream.seek(_HEAD_BYTES + 8 * at)
                stream.write(part.keys.astype("<u8").tobytes())
                stream.seek(_HEAD_BYTES + 8 * (count + at))
                stream.write(part.values.astype("<u8").tobytes())
                at += len(part)
        head = _MAGIC + stamp + u64.encode(count) + _body_digest(temporary)
        with open(temporary, "r+b") as stream:
            stream.write(head + sha256(head).digest())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def open_pairs(path: Path) -> PairsFile:
    """A file, its checksum verified; `DerivedDamaged` when it is absent or not whole."""
    try:
        state = _state(path)
        with open(path, "rb") as stream:
            head = stream.read(_HEAD_BYTES)
            if len(head) != _HEAD_BYTES or head[:32] != _MAGIC:
                raise DerivedDamaged(f"{path}: is not a file of pairs")
            if sha256(head[:_SIGNED_BYTES]).digest() != head[_SIGNED_BYTES:]:
                raise DerivedDamaged(f"{path}: its head is not whole")
            count = int.from_bytes(head[120:128], "big")
            if state[2] != _HEAD_BYTES + 16 * count or _body_digest(path) != head[128:160]:
                raise DerivedDamaged(f"{path}: its checksum does not hold")
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        if _state(path) != state:
            raise DerivedDamaged(f"{path}: changed while it was opened")
    except OSError as error:
        raise DerivedDamaged(f"{path}: cannot be read: {os.strerror(error.errno or 0)}") from None
    keys = np.frombuffer(mapped, "<u8", count, _HEAD_BYTES)
    values = np.frombuffer(mapped, "<u8", count, _HEAD_BYTES + 8 * count)
    return PairsFile(path, head[32:120], Pairs(keys, values), state)


def remove(path: Path) -> None:
    """Removes a file that is damaged, stale or merged into another."""
    with contextlib.suppress(OSError):
        path.unlink()


def _pieces(sources: Sequence[Pairs]) -> Iterator[Pairs]:
    """The sources' pairs in order, in pieces of bounded size; a piece ends where keys differ."""
    begins = [0] * len(sources)
    while any(begin < len(each) for each, begin in zip(sources, begins, strict=True)):
        # The smallest of the keys that stand one piece ahead in a source: no source gives more than a piece up to it.
        ahead = [
            each.keys[begin + _PIECE_PAIRS]
            for each, begin in zip(sources, begins, strict=True)
            if begin + _PIECE_PAIRS < len(each)
        ]
        ends = [len(each) if not ahead else int(np.searchsorted(each.keys, min(ahead), "right")) for each in sources]
        yield join(
            [
                Pairs(each.keys[begin:end], each.values[begin:end])
                for each, begin, end in zip(sources, begins, ends, strict=True)
            ]
        )
        begins = ends


def _body_digest(path: Path) -> bytes:
    digest = sha256()
    with open(path, "rb") as stream:
        stream.seek(_HEAD_BYTES)
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.digest()


def _state(path: Path) -> tuple[int, ...]:
    found = os.stat(path)
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
