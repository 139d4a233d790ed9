"""The Merkle tree of RFC 6962 and the hash chain beside it: hashing, growing, proving, verifying. Pure functions.

- `EMPTY_ROOT = SHA-256("")`; a leaf is `SHA-256(0x00 || data)`, a node `SHA-256(0x01 || left || right)`. The two
  prefixes keep a node from being passed off as a leaf.
- A tree of n > 1 leaves splits at the largest power of two below n; an odd node is never duplicated.
- The *perfect subtree* (level, index) covers the leaves `index << level` up to `(index + 1) << level`. Once complete
  its hash never changes, so proofs are built from a callable that gives those hashes: `SubtreeHash`.
- The *compact range* of a tree is the right edge it grows from: one perfect subtree for each set bit of its size,
  largest first. It is all that is needed to append and to state the root; no leaf is ever read back.
- The chain, `chain_hash = SHA-256(previous chain_hash || leaf_hash)` from 32 zero bytes, is a second statement about
  the same leaves, for an auditor to re-link; it is no part of any proof.

Verification follows RFC 9162, 2.1.3.2 and 2.1.4.2: what it takes comes from strangers, so every length and bound is
checked and `ProofError` names what is wrong. Proofs are *made* of our own values: a wrong argument is a `ValueError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from ledger.errors import IntegrityError

HASH_BYTES = 32
SIZE_MAX = 2**64 - 1
EMPTY_ROOT = sha256(b"").digest()
CHAIN_START = bytes(HASH_BYTES)

SubtreeHash = Callable[[int, int], bytes]
"""`(level, index)` to the hash of that perfect subtree; level 0 holds the leaf hashes."""


class ProofError(IntegrityError):
    """A proof, or a hash or size in it, does not hold."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of the leaf that holds `data`."""
    return sha256(b"\x00" + data).digest()


def leaf_hashes(payloads: Iterable[bytes]) -> list[bytes]:
    """`leaf_hash` of each payload, in order; one tight loop, for rounds of many events."""
    return [sha256(b"\x00" + payload).digest() for payload in payloads]


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the node over two subtrees."""
    return sha256(b"\x01" + left + right).digest()


def parents(nodes: Sequence[bytes]) -> list[bytes]:
    """The nodes over neighbours of one level, from an even index on; a last node without a sibling is left out."""
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(nodes[::2], nodes[1::2], strict=False)]


def link(previous: bytes, leaves: Sequence[bytes]) -> list[bytes]:
    """The chain hash after each of `leaves`, going on from `previous` (`CHAIN_START` before the first leaf ever)."""
    check_hashes((previous, *leaves))
    chain = previous
    return [chain := sha256(chain + leaf).digest() for leaf in leaves]


@dataclass(frozen=True, slots=True)
class CompactRange:
    """The right edge of a tree of `size` leaves: its perfect subtrees, largest first. `ProofError` if it cannot be."""

    size: int
    hashes: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.size <= SIZE_MAX:
            raise ProofError(f"compact range: size {self.size} is not a u64")
        if len(self.hashes) != self.size.bit_count():
            expected = self.size.bit_count()
            raise ProofError(f"compact range of {self.size} leaves: expected {expected} hashes, got {len(self.hashes)}")
        for position, each in enumerate(self.hashes):
            _check_length(each, f"compact range: hash {position}")

    def root(self) -> bytes:
        """The root of the tree."""
        return _fold(self.hashes) if self.hashes else EMPTY_ROOT

    def extend(self, leaves: Sequence[bytes]) -> CompactRange:
        """The compact range after appending these leaf hashes.

        Works up level by level: what the old edge holds at a level comes in front of the new nodes, a node left
        without a sibling is the new edge there, and the pairs go up.
        """
        check_hashes(leaves)
        kept, edge, nodes, level_size = list(self.hashes), list[bytes](), list(leaves), self.size
        while nodes:
            if level_size & 1:
                nodes.insert(0, kept.pop())
            if len(nodes) & 1:
                edge.append(nodes.pop())
            nodes = parents(nodes)
            level_size >>= 1
        return CompactRange(self.size + len(leaves), (*kept, *reversed(edge)))


EMPTY = CompactRange(0, ())


def root(leaves: Sequence[bytes]) -> bytes:
    """The root of the tree of these leaf hashes."""
    return EMPTY.extend(leaves).root()


def subtrees_of(leaves: Sequence[bytes]) -> SubtreeHash:
    """`SubtreeHash` of a tree whose leaf hashes are all in memory."""
    check_hashes(leaves)
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        levels.append(parents(levels[-1]))

    def subtree_hash(level: int, index: int) -> bytes:
        if level < 0 or index < 0 or (index + 1) << level > len(leaves):
            raise ValueError(f"subtree ({level}, {index}) is not complete in a tree of {len(leaves)} leaves")
        return levels[level][index]

    return subtree_hash


def inclusion_proof(index: int, size: int, subtree_hash: SubtreeHash) -> list[bytes]:
    """The proof that leaf `index` is in the tree of the first `size` leaves: siblings from the leaf upward."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size} leaves")
    proof: list[bytes] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            proof.append(range_hash(middle, stop, subtree_hash))
            stop = middle
        else:
            proof.append(range_hash(start, middle, subtree_hash))
            start = middle
    return proof[::-1]


def consistency_proof(m: int, n: int, subtree_hash: SubtreeHash) -> list[bytes]:
    """The proof that the tree of the first `m` leaves is the beginning of that of the first `n` (0 < m <= n)."""
    if not 0 < m <= n:
        raise ValueError(f"no consistency proof from {m} to {n} leaves")
    proof: list[bytes] = []
    start, stop = 0, n
    while m != stop:
        middle = start + _split(stop - start)
        if m <= middle:
            proof.append(range_hash(middle, stop, subtree_hash))
            stop = middle
        else:
            proof.append(range_hash(start, middle, subtree_hash))
            start = middle
    # The verifier knows the old root already; a part of the old tree that is not all of it must be told.
    if start:
        proof.append(range_hash(start, stop, subtree_hash))
    return proof[::-1]


def range_hash(start: int, stop: int, subtree_hash: SubtreeHash) -> bytes:
    """The hash over the leaves `start` up to `stop`; the range is one side of a split, so its start is aligned."""
    hashes = []
    while start < stop:
        level = (stop - start).bit_length() - 1
        hashes.append(subtree_hash(level, start >> level))
        start += 1 << level
    return _fold(hashes)


def verify_inclusion(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Return if `proof` shows `leaf_hash` at `index` of the tree of `size` leaves with this root; else `ProofError`."""
    what = f"inclusion of leaf {index} in {size}"
    if not 0 <= index < size <= SIZE_MAX:
        raise ProofError(f"{what}: the index is outside the tree")
    _check_proof(what, proof, leaf_hash=leaf_hash, root=root)
    position, last, computed = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            raise ProofError(f"{what}: the proof's {len(proof)} hashes are more than the path is long")
        if position & 1 or position == last:
            computed = node_hash(sibling, computed)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise ProofError(f"{what}: the proof's {len(proof)} hashes are fewer than the path is long")
    _check_root(what, "root", computed, root)


def verify_consistency(m: int, n: int, proof: Sequence[bytes], root_m: bytes, root_n: bytes) -> None:
    """Return if `proof` shows that the tree (m, root_m) is the beginning of (n, root_n); `ProofError` otherwise."""
    what = f"consistency of {m} with {n} leaves"
    if not 0 < m <= n <= SIZE_MAX:
        raise ProofError(f"{what}: the sizes must be 0 < old <= new")
    if m == n:
        # Nothing is hashed here, so the published vectors compare roots of any length. Checkpoints bound it.
        if proof:
            raise ProofError(f"{what}: expected an empty proof between equal sizes, got {len(proof)} hashes")
        return _check_root(what, "new root", root_m, root_n)
    _check_proof(what, proof, root_m=root_m, root_n=root_n)
    if not proof:
        raise ProofError(f"{what}: the proof is empty")
    # A power of two is one perfect subtree of the new tree: the proof starts from the old root itself.
    start, *rest = proof if m & (m - 1) else (root_m, *proof)
    position, last = m - 1, n - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    computed_m = computed_n = start
    for each in rest:
        if last == 0:
            raise ProofError(f"{what}: the proof's {len(proof)} hashes are more than the path is long")
        if position & 1 or position == last:
            computed_m, computed_n = node_hash(each, computed_m), node_hash(each, computed_n)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            computed_n = node_hash(computed_n, each)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise ProofError(f"{what}: the proof's {len(proof)} hashes are fewer than the path is long")
    _check_root(what, "old root", computed_m, root_m)
    return _check_root(what, "new root", computed_n, root_n)


def _split(count: int) -> int:
    """The largest power of two below `count` (> 1)."""
    return 1 << ((count - 1).bit_length() - 1)


def _fold(hashes: Sequence[bytes]) -> bytes:
    """One hash over perfect subtrees that lie side by side, largest first."""
    *left, computed = hashes
    for each in reversed(left):
        computed = node_hash(each, computed)
    return computed


def check_hashes(hashes: Sequence[bytes]) -> None:
    """`ValueError` unless all of our own hashes have the right length."""
    if any(length != HASH_BYTES for length in set(map(len, hashes))):
        raise ValueError(f"a hash handed in is not {HASH_BYTES} bytes long")


def _check_length(value: bytes, name: str) -> None:
    if len(value) != HASH_BYTES:
        raise ProofError(f"{name} has {len(value)} bytes, expected {HASH_BYTES}")


def _check_proof(what: str, proof: Sequence[bytes], **named: bytes) -> None:
    for name, value in named.items():
        _check_length(value, f"{what}: {name}")
    for position, each in enumerate(proof):
        _check_length(each, f"{what}: proof hash {position}")


def _check_root(what: str, name: str, computed: bytes, expected: bytes) -> None:
    if computed != expected:
        raise ProofError(f"{what}: expected {name} {expected.hex()}, the proof leads to {computed.hex()}")
