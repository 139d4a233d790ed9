"""The round: one signed object that commits a stretch of a partition.

Published with put-if-absent under its number, after everything it names is written and read back. Of two sealers racing
for a number one wins; the other's files are orphans. Progress lives nowhere else.

- `kind`: 0 ordinary, 1 heartbeat (nothing read), 2 gap and 3 new epoch (ordered by an operator, with a reason).
- `first_offset`, `next_offset`: the stretch of the event log it covers. `last_record` is the digest of the last record
  before `next_offset` (32 zero bytes while there is none): the next round begins its read there and compares.
- `files`: the objects it wrote, with role, SHA-256, size and rows.
- `entries`: (label, statement digest), sorted by label, one entry a label.
- `placements`: digests of the placements it commits, sorted.
- `previous`: SHA-256 of the previous round's body (32 zero bytes for round 0).
- `tree_size`, `range_hashes`: the compact range of the rounds' own RFC 6962 log *before* this round; leaf n is round
  n's body. So `tree_size = number`.

The file is `ledger.signed` around the body, signed by the ledger key.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from ledger.canonical import Codec, digest, fixed, sequence, structure, text, u64

ORDINARY, HEARTBEAT, GAP, NEW_EPOCH = 0, 1, 2, 3
NO_ROUND = bytes(32)
NO_RECORD = bytes(32)

EVENTS, CONTENTS, STATEMENTS = "events", "contents", "statements"


@dataclass(frozen=True, slots=True)
class File:
    """An object that a round wrote: role, name, SHA-256, size in bytes, rows (statements for a bundle)."""

    role: str
    name: str
    sha256: bytes
    bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One log's statement in a round, without telling whose it is."""

    label: bytes
    statement: bytes


@dataclass(frozen=True, slots=True)
class Round:
    """A round's body; fields as in the module's docstring. `sealed_at_us`: Unix microseconds, never going back."""

    partition: int
    number: int
    kind: int
    sealed_at_us: int
    incarnation: bytes
    first_offset: int
    next_offset: int
    last_record: bytes
    files: tuple[File, ...]
    entries: tuple[Entry, ...]
    placements: tuple[bytes, ...]
    previous: bytes
    tree_size: int
    range_hashes: tuple[bytes, ...]
    reason: str

    def file(self, role: str) -> File | None:
        """The file of a role, where the round wrote one."""
        return next((file for file in self.files if file.role == role), None)


FILE: Codec[File] = structure(File, role=text, name=text, sha256=digest, bytes=u64, rows=u64)

ROUND: Codec[Round] = structure(
    Round,
    tag="audit-ledger/round/v1",
    partition=u64,
    number=u64,
    kind=u64,
    sealed_at_us=u64,
    incarnation=fixed(16),
    first_offset=u64,
    next_offset=u64,
    last_record=digest,
    files=sequence(FILE),
    entries=sequence(structure(Entry, label=digest, statement=digest)),
    placements=sequence(digest),
    previous=digest,
    tree_size=u64,
    range_hashes=sequence(digest),
    reason=text,
)


def round_digest(body: bytes) -> bytes:
    """The digest by which the next round names this one."""
    return sha256(body).digest()
