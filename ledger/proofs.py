"""Proofs of one log: that a leaf is in its tree, and that its tree of today began as that of then.

A proof is made from the tiles (`ledger.tiles`), which are derived and may be damaged, stale or gone, and is verified
against a root that a signed round states before it leaves here. One that does not hold means that the tiles are
wrong: they are written anew from the leaf hashes that the segments hold, and the proof is made again. If it does not
hold then either, the segments do not hold what the rounds say, and that is a `ProofError`. So damage to derived files
costs time and never changes an answer. Where the folder for tiles cannot be written to, they are made in a temporary
one.

| class          | what it is                                                                          |
| -------------- | ----------------------------------------------------------------------------------- |
| `LeafSource`   | a log's leaf hashes, in order, and its roots                                        |
| `LogLeaves`    | of a tenant's log: from its placement's and its rounds' events files                |
| `RoundLeaves`  | of a partition's rounds: leaf n is round n's body                                   |
| `TreeProofs`   | the proofs of one such tree                                                         |
| `Proofs`       | the trees of a partition, their tiles in `<folder>/<log id>` and `<folder>/rounds-<pppp>` |
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ledger.errors import IntegrityError
from ledger.segments.history import History
from ledger.segments.holdings import Holdings, LogHoldings
from ledger.segments.objects import FileStore
from ledger.segments.round import EVENTS
from ledger.tiles import DerivedDamaged, Tiles
from ledger.tlog.checkpoint import open_checkpoint
from ledger.tlog.merkle import EMPTY_ROOT, CompactRange, ProofError, leaf_hash, verify_consistency, verify_inclusion
from ledger.tlog.note import VerifierKey
from ledger.tlog.proof_bundle import TlogProof
from ledger.verify.columns import fixed_bytes, integers
from ledger.verify.files import Named
from ledger.verify.report import Place
from ledger.verify.whereabouts import Piece, rows_of, statement_of

APPEND_LEAVES = 1 << 18
"""How many leaf hashes are handed to the tiles at a time."""


class LeafSource(Protocol):
    """A log's leaf hashes as the segments hold them, and its roots as signed rounds state them."""

    @property
    def name(self) -> str:
        """How messages name the log."""

    @property
    def size(self) -> int:
        """How many leaves there are."""

    def root(self, size: int) -> bytes:
        """The root of the first `size` leaves; `IntegrityError` when no round states one."""

    def leaf(self, index: int) -> bytes:
        """A leaf's hash, computed from what it is the hash of."""

    def blocks(self, first: int) -> Iterator[list[bytes]]:
        """The leaf hashes from index `first` on, in order, a bounded number at a time."""


class LogLeaves:
    """The leaves of a tenant's log."""

    def __init__(self, store: FileStore, history: History, log_id: bytes, holdings: LogHoldings) -> None:
        self._store = store
        self._history = history
        self._log_id = log_id
        self._holdings = holdings

    @property
    def name(self) -> str:
        """See `LeafSource`."""
        return f"log {self._log_id.hex()}"

    @property
    def size(self) -> int:
        """See `LeafSource`."""
        return self._holdings.size

    def root(self, size: int) -> bytes:
        """See `LeafSource`: a statement's, so of the sizes at which one ended."""
        if size == 0:
            return EMPTY_ROOT
        for number, ended in reversed(self._holdings.sizes):
            if ended == size:
                statement = statement_of(self._store, self._history.read_round(number)[0], self._log_id)
                if statement is not None and statement.tree_size == size:
                    return statement.root
        raise IntegrityError(f"{self.name}: no round ends at size {size}, so none states a root for it")

    def leaf(self, index: int) -> bytes:
        """See `LeafSource`: the hash of the payload."""
        wanted = np.array([index], np.int64)
        for batch in rows_of(self._store, self._pieces(index), self._log_id, ["payload"], wanted):
            for payload in batch["payload"].to_pylist():
                return leaf_hash(payload)
        raise IntegrityError(f"{self.name}: index {index} is in none of its {self.size} rows' files")

    def blocks(self, first: int) -> Iterator[list[bytes]]:
        """See `LeafSource`: the files lie side by side, so one at a time is put in order."""
        for piece in self._pieces(first):
            hashes = np.zeros((piece.end_index - piece.first_index, 32), np.uint8)
            rows = 0
            for batch in rows_of(self._store, [piece], self._log_id, ["leaf_hash"]):
                indexes, leaves = integers(batch["index"]), fixed_bytes(batch["leaf_hash"], 32)
                if indexes is None or leaves is None:
                    raise IntegrityError(f"{piece.file.name}: a row has no index, or a leaf hash that is not 32 bytes")
                places = indexes - piece.first_index
                if ((places < 0) | (places >= len(hashes))).any():
                    raise IntegrityError(f"{piece.file.name}: holds a row of another index than it is named for")
                hashes[places] = leaves
                rows += len(places)
            if rows != len(hashes):
                raise IntegrityError(f"{piece.file.name}: holds {rows} rows of {self.name}, expected {len(hashes)}")
            data = hashes[max(first - piece.first_index, 0) :].tobytes()
            yield [data[at : at + 32] for at in range(0, len(data), 32)]

    def _pieces(self, first: int) -> list[Piece]:
        """The events files with rows from `first` on."""
        files = sorted(self._holdings.files(), key=lambda file: file.first_index)
        return [
            Piece(each.first_index, each.end_index, Named(Place(0, each.round), each.name, each.sha256, each.bytes))
            for each in files
            if each.role == EVENTS and each.end_index > first
        ]


class RoundLeaves:
    """The leaves of a partition's rounds, up to where `holdings` has followed them."""

    def __init__(self, history: History, holdings: Holdings) -> None:
        self._history = history
        self._holdings = holdings

    @property
    def name(self) -> str:
        """See `LeafSource`."""
        return f"rounds of partition {self._history.partition}"

    @property
    def size(self) -> int:
        """See `LeafSource`."""
        return self._holdings.state.edge.size

    def root(self, size: int) -> bytes:
        """See `LeafSource`: each round holds the compact range of those before it."""
        if size == self.size:
            return self._holdings.state.edge.root()
        if not 0 <= size < self.size:
            raise IntegrityError(f"{self.name}: there are {self.size}, so none states a root for {size}")
        round_, _ = self._history.read_round(size)
        return CompactRange(round_.tree_size, round_.range_hashes).root()

    def leaf(self, index: int) -> bytes:
        """See `LeafSource`: the hash of the round's body."""
        return leaf_hash(self._history.read_round(index)[1])

    def blocks(self, first: int) -> Iterator[list[bytes]]:
        """See `LeafSource`."""
        for number in range(first, self.size):
            yield [self.leaf(number)]


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Leaf `index` with this hash is in the tree of `size` leaves with this root; verified."""

    index: int
    size: int
    leaf_hash: bytes
    root: bytes
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Consistency:
    """The tree of `new_size` leaves began as that of `old_size`; verified."""

    old_size: int
    new_size: int
    old_root: bytes
    new_root: bytes
    hashes: tuple[bytes, ...]


class TreeProofs:
    """The proofs of one log. Each was verified before it is returned."""

    def __init__(self, source: LeafSource, tiles: Tiles) -> None:
        self._source = source
        self._tiles = tiles

    def inclusion(self, index: int, size: int | None = None, leaf: bytes | None = None) -> Inclusion:
        """The proof that a leaf is in the tree of the first `size` (None: all) leaves.

        `leaf`: its hash, when the caller has the payload at hand; else it is read from the segments. `ProofError`
        when it is not in the tree, `ValueError` when there is no such index.
        """
        size = self._source.size if size is None else size
        if not 0 <= index < size <= self._source.size:
            raise ValueError(f"{self._source.name}: leaf {index} in {size} of {self._source.size} leaves")
        root, leaf = self._source.root(size), leaf or self._source.leaf(index)
        for hashes in self._attempts(lambda tiles: tiles.inclusion_proof(index, size)):
            try:
                verify_inclusion(index, size, leaf, hashes, root)
                return Inclusion(index, size, leaf, root, tuple(hashes))
            except ProofError:
                continue
        raise ProofError(f"{self._source.name}: leaf {index} is not in the tree of the root that the rounds state")

    def consistency(self, old_size: int, new_size: int | None = None) -> Consistency:
        """The proof that the tree of `new_size` (None: all) leaves goes on from that of `old_size` (at least 1)."""
        new_size = self._source.size if new_size is None else new_size
        if not 0 < old_size <= new_size <= self._source.size:
            raise ValueError(f"{self._source.name}: {old_size} to {new_size} of {self._source.size} leaves")
        old_root, new_root = self._source.root(old_size), self._source.root(new_size)
        for hashes in self._attempts(lambda tiles: tiles.consistency_proof(old_size, new_size)):
            try:
                verify_consistency(old_size, new_size, hashes, old_root, new_root)
                return Consistency(old_size, new_size, old_root, new_root, tuple(hashes))
            except ProofError:
                continue
        raise ProofError(f"{self._source.name}: the first {new_size} leaves do not go on from the first {old_size}")

    def bundle(self, index: int, note: str, key: VerifierKey, leaf: bytes | None = None) -> TlogProof:
        """The offline bundle of a leaf against a signed checkpoint of this log (`ledger.tlog.proof_bundle`)."""
        checkpoint = open_checkpoint(note, key)
        if checkpoint.size > self._source.size or self._source.root(checkpoint.size) != checkpoint.root:
            raise ProofError(f"{self._source.name}: the checkpoint of {checkpoint.size} leaves is not of this history")
        proof = self.inclusion(index, checkpoint.size, leaf)
        return TlogProof(index, proof.hashes, note)

    def _attempts(self, make: Callable[[Tiles], list[bytes]]) -> Iterator[list[bytes]]:
        """Proofs from the tiles as they are, and again from tiles written anew."""
        try:
            self._catch_up(self._tiles)
            yield make(self._tiles)
        except (DerivedDamaged, OSError):
            pass  # made anew below
        yield make(self._rebuilt())

    def _catch_up(self, tiles: Tiles) -> None:
        if tiles.size < self._source.size:
            self._append(tiles)

    def _rebuilt(self) -> Tiles:
        try:
            self._tiles.truncate()
            self._append(self._tiles)
        except OSError:
            folder = tempfile.mkdtemp(prefix="audit-ledger-tiles-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self._tiles = Tiles(Path(folder))
            self._append(self._tiles)
        return self._tiles

    def _append(self, tiles: Tiles) -> None:
        pending: list[bytes] = []
        for block in self._source.blocks(tiles.size):
            pending += block
            while len(pending) >= APPEND_LEAVES:
                tiles.append(pending[:APPEND_LEAVES])
                del pending[:APPEND_LEAVES]
        tiles.append(pending)


class Proofs:
    """The proofs of one partition's logs and rounds, as far as `holdings` has followed them."""

    def __init__(self, store: FileStore, folder: Path, history: History, holdings: Holdings) -> None:
        self._store = store
        self._folder = folder
        self._history = history
        self._holdings = holdings

    def log(self, log_id: bytes) -> TreeProofs:
        """Of a tenant's log; one without events has no proofs."""
        held = self._holdings.logs.get(log_id, LogHoldings())
        source = LogLeaves(self._store, self._history, log_id, held)
        return TreeProofs(source, Tiles(self._folder / log_id.hex()))

    def rounds(self) -> TreeProofs:
        """Of the rounds' own log, whose checkpoints witnesses cosign."""
        tiles = Tiles(self._folder / f"rounds-{self._history.partition:04d}")
        return TreeProofs(RoundLeaves(self._history, self._holdings), tiles)
