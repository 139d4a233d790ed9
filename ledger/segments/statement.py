"""The segment statement: what one round adds to one log. And the bundle: a round's statements and receipts.

A statement is void unless a published round names its digest, SHA-256 of its bytes. It says, for one log:

- the indexes it adds, `[first_index, first_index + count)`; count may be 0 (a receipt sealed whose events all were
  repeats);
- the hash chain before and after;
- the tree after it: size, root, and the compact range from which the next statement goes on;
- SHA-256 of every schema its payloads use, sorted;
- what was done with ids seen before: repeats dropped (with where the first one is), conflicts and undetermined ids
  sealed and marked (see `consumers.identity`);
- the receipts sealed with it: their count, and SHA-256 over canonical(tag "audit-ledger/receipts/v1", list of the
  receipts' SHA-256, in log order);
- digest of the log's previous statement (32 zero bytes for the first) and the round that holds it.

    label of a log in a round = SHA-256(text("audit-ledger/label/v1") || log id || u64 partition || u64 number)

A tenant, who knows its log id, recomputes its label in every round and finds exactly its statements; nobody else can
tell whose an entry is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from ledger.canonical import Codec, blob, digest, sequence, structure, text, u64
from ledger.errors import IntegrityError
from ledger.tlog.merkle import CompactRange

NO_STATEMENT = bytes(32)
_LABEL_TAG = text.encode("audit-ledger/label/v1")
_RECEIPTS_TAG = text.encode("audit-ledger/receipts/v1")


@dataclass(frozen=True, slots=True)
class Repeat:
    """A repeated event that was dropped: its offset and leaf hash, and the index of the first one in this log."""

    offset: int
    leaf_hash: bytes
    first_index: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A sealed event whose id was seen before: its index, and the index of the first one."""

    index: int
    first_index: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One segment statement; fields as in the module's docstring."""

    log_id: bytes
    partition: int
    round: int
    first_index: int
    count: int
    chain_before: bytes
    chain_after: bytes
    tree_size: int
    root: bytes
    range_hashes: tuple[bytes, ...]
    schemas: tuple[bytes, ...]
    repeats: tuple[Repeat, ...]
    conflicts: tuple[Mark, ...]
    undetermined: tuple[Mark, ...]
    receipt_count: int
    receipts_digest: bytes
    previous: bytes
    previous_round: int

    def compact_range(self) -> CompactRange:
        """The right edge of the tree after this statement; `IntegrityError` when it does not give the root."""
        try:
            edge = CompactRange(self.tree_size, self.range_hashes)
        except ValueError as error:
            raise IntegrityError(f"statement of log {self.log_id.hex()}: {error}") from None
        if edge.root() != self.root:
            raise IntegrityError(f"statement of log {self.log_id.hex()}: its compact range does not give its root")
        return edge


_MARKS: Codec[tuple[Mark, ...]] = sequence(structure(Mark, index=u64, first_index=u64))

STATEMENT: Codec[Statement] = structure(
    Statement,
    tag="audit-ledger/statement/v1",
    log_id=digest,
    partition=u64,
    round=u64,
    first_index=u64,
    count=u64,
    chain_before=digest,
    chain_after=digest,
    tree_size=u64,
    root=digest,
    range_hashes=sequence(digest),
    schemas=sequence(digest),
    repeats=sequence(structure(Repeat, offset=u64, leaf_hash=digest, first_index=u64)),
    conflicts=_MARKS,
    undetermined=_MARKS,
    receipt_count=u64,
    receipts_digest=digest,
    previous=digest,
    previous_round=u64,
)


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """One log's part of a bundle: its statement's bytes and the signed receipts sealed with it."""

    statement: bytes
    receipts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """All statements of a round, sorted by log id."""

    entries: tuple[BundleEntry, ...]


BUNDLE: Codec[Bundle] = structure(
    Bundle,
    tag="audit-ledger/bundle/v1",
    entries=sequence(structure(BundleEntry, statement=blob, receipts=sequence(blob))),
)


def label(log_id: bytes, partition: int, number: int) -> bytes:
    """The label of a log in a round."""
    return sha256(_LABEL_TAG + log_id + u64.encode(partition) + u64.encode(number)).digest()


def receipts_digest(receipts: Iterable[bytes]) -> bytes:
    """The digest of the receipts sealed with a statement."""
    digests = tuple(sha256(receipt).digest() for receipt in receipts)
    return sha256(_RECEIPTS_TAG + sequence(digest).encode(digests)).digest()
