"""Inclusion proofs of many events of a log at once, from its tiles, each checked before it counts.

Tiles (`ledger.tiles`) are derived files: nothing that comes out of them is believed. The events of an answer are proven
together: their leaves climb to the perfect subtrees that a signed statement gives as the tree's right edge, sharing
what their paths share. If they do not arrive there, each is proven by itself against the root; if one fails, the tiles
are written anew from the leaf hashes in the segment files, once; what still fails is not what was sealed.

Decoded tiles are kept, the ones used last, so that a proof mostly costs its own path.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from ledger.tiles import TILE_HEIGHT, DerivedDamaged, Tiles
from ledger.tlog import merkle
from ledger.tlog.merkle import HASH_BYTES, ProofError
from query.evidence import Proof
from query.log_view import LogView
from query.rows import RowReader

TILES_MAX = 4_096
"""Decoded tiles kept in memory, over all logs; 16 KB each. A log of a million events has as many."""
APPEND_LEAVES = 1 << 18

_Levels = list[bytes]
"""A tile's hashes level by level, back to back: first those that are stored, then those above them."""


class Prover:
    """Proofs for the logs of one store; its tiles stand in `folder`/<log id>. Safe for threads."""

    def __init__(self, folder: Path, rows: RowReader, tiles_max: int = TILES_MAX) -> None:
        self._folder = folder
        self._rows = rows
        self._tiles_max = tiles_max
        self._lock = Lock()
        self._decoded: OrderedDict[tuple[bytes, int, int], _Levels] = OrderedDict()
        self._rebuilt: dict[bytes, int] = {}

    def prove(self, log: LogView, leaves: Sequence[tuple[int, bytes]]) -> list[Proof]:
        """For each (index, leaf hash) whether it is in the log as of this view."""
        self.catch_up(log)
        if self._all_hold(log, leaves):
            return [Proof("proven", log.size)] * len(leaves)
        proofs = self._attempt(log, leaves)
        if all(each.state == "proven" for each in proofs) or self._rebuilt.get(log.log_id, 0) >= log.size:
            return proofs
        self.rebuild(log)
        return self._attempt(log, leaves)

    def inclusion(self, log: LogView, index: int, size: int, leaf_hash: bytes, root: bytes) -> list[bytes]:
        """The inclusion proof of a leaf in the tree of the first `size`; `ProofError` when there is none."""
        self.catch_up(log)
        try:
            return self._checked(log, index, size, leaf_hash, root)
        except (ProofError, DerivedDamaged):
            self.rebuild(log)
        return self._checked(log, index, size, leaf_hash, root)

    def rebuild(self, log: LogView) -> None:
        """Writes the log's tiles anew from its segment files."""
        with self._lock:
            self._forget(log.log_id)
            try:
                self._tiles(log).truncate()
                self._append(log, self._tiles(log), 0)
            except OSError:
                self._move()
                self._append(log, self._tiles(log), 0)
            self._rebuilt[log.log_id] = log.size

    def catch_up(self, log: LogView) -> None:
        """Brings the log's tiles up to this view."""
        with self._lock:
            try:
                if self._tiles(log).size < log.size:
                    self._append(log, self._tiles(log), self._tiles(log).size)
                return
            except (DerivedDamaged, OSError):
                pass  # written anew, outside the lock
        self.rebuild(log)

    def _all_hold(self, log: LogView, leaves: Sequence[tuple[int, bytes]]) -> bool:
        """Whether all leaves climb to the perfect subtrees that the signed compact range states.

        What their paths share is hashed once. Tiles give siblings only: a wrong one leads to another hash at the top.
        """
        known = dict(leaves)
        if len(known) != len(set(leaves)) or any(not 0 <= index < log.size for index in known):
            return False
        peaks = _peaks(log)
        level = 0
        try:
            while known:
                if level in peaks:
                    last = (log.size >> level) - 1
                    if last in known and known.pop(last) != peaks[level]:
                        return False
                above: dict[int, bytes] = {}
                for index, own in known.items():
                    parent = index >> 1
                    if parent not in above:
                        sibling = known.get(index ^ 1) or self._subtree_hash(log, level, index ^ 1)
                        pair = (sibling, own) if index & 1 else (own, sibling)
                        above[parent] = merkle.node_hash(*pair)
                known, level = above, level + 1
        except DerivedDamaged:
            return False
        return True

    def _attempt(self, log: LogView, leaves: Sequence[tuple[int, bytes]]) -> list[Proof]:
        proofs = []
        for index, leaf_hash in leaves:
            try:
                self._checked(log, index, log.size, leaf_hash, log.root)
            except (ProofError, DerivedDamaged) as error:
                proofs.append(Proof("failed", log.size, str(error) if isinstance(error, ProofError) else "no tiles"))
            else:
                proofs.append(Proof("proven", log.size))
        return proofs

    def _checked(self, log: LogView, index: int, size: int, leaf_hash: bytes, root: bytes) -> list[bytes]:
        proof = merkle.inclusion_proof(index, size, lambda level, at: self._subtree_hash(log, level, at))
        merkle.verify_inclusion(index, size, leaf_hash, proof, root)
        return proof

    def _subtree_hash(self, log: LogView, level: int, index: int) -> bytes:
        """The hash of a perfect subtree: a tile holds the 2^8 subtrees of a stored level, and what lies above them."""
        inside = level % TILE_HEIGHT
        stored, width = level - inside, TILE_HEIGHT - inside
        tile, at = index >> width, index & ((1 << width) - 1)
        levels = self._tile(log, stored, tile)
        begin, end = at * HASH_BYTES, (at + 1) * HASH_BYTES
        if inside >= len(levels) or end > len(levels[inside]):
            levels = self._tile(log, stored, tile, fresh=True)
        if inside >= len(levels) or end > len(levels[inside]):
            raise DerivedDamaged(f"tiles of log {log.log_id.hex()}: end before subtree ({level}, {index})")
        return levels[inside][begin:end]

    def _tile(self, log: LogView, stored: int, tile: int, *, fresh: bool = False) -> _Levels:
        key = (log.log_id, stored, tile)
        with self._lock:
            known = self._decoded.get(key)
            if known is not None and not fresh:
                self._decoded.move_to_end(key)
                return known
        hashes = self._read(log, stored, tile)
        levels: _Levels = [b"".join(hashes)]
        while len(levels) <= TILE_HEIGHT and len(hashes) > 1:
            hashes = merkle.parents(hashes)
            levels.append(b"".join(hashes))
        with self._lock:
            self._decoded[key] = levels
            while len(self._decoded) > self._tiles_max:
                self._decoded.popitem(last=False)
        return levels

    def _read(self, log: LogView, stored: int, tile: int) -> list[bytes]:
        path = self._tiles(log).directory / f"level-{stored:02}"
        # What stands behind the hashes of complete subtrees means nothing yet.
        count = min(1 << TILE_HEIGHT, (log.size >> stored) - (tile << TILE_HEIGHT))
        try:
            with open(path, "rb", buffering=0) as stream:
                data = os.pread(stream.fileno(), HASH_BYTES * max(count, 0), (tile * HASH_BYTES) << TILE_HEIGHT)
        except OSError as error:
            raise DerivedDamaged(f"{path}: cannot be read: {os.strerror(error.errno or 0)}") from None
        whole = len(data) - len(data) % HASH_BYTES
        return [data[at : at + HASH_BYTES] for at in range(0, whole, HASH_BYTES)]

    def _append(self, log: LogView, tiles: Tiles, size: int) -> None:
        while size < log.size:
            end = min(size + APPEND_LEAVES, log.size)
            tiles.append(self._rows.leaf_hashes(log, size, end), round_number=log.last_round)
            size = end

    def _move(self) -> None:
        """To a temporary folder: the one for derived files can't be written to."""
        folder = tempfile.mkdtemp(prefix="audit-ledger-tiles-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._folder = Path(folder)

    def _forget(self, log_id: bytes) -> None:
        for key in [each for each in self._decoded if each[0] == log_id]:
            del self._decoded[key]

    def _tiles(self, log: LogView) -> Tiles:
        return Tiles(self._folder / log.log_id.hex())


def _peaks(log: LogView) -> dict[int, bytes]:
    """The perfect subtrees of the log's right edge, by level."""
    levels = [level for level in range(log.size.bit_length()) if log.size >> level & 1]
    return dict(zip(reversed(levels), log.peaks, strict=True))
