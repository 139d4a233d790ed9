"""The placement: which files hold a log's rows now. The replaceable part of the evidence's storage.

The rounds themselves are the first placement: a log's rows stand in the files of the rounds that sealed them. A
placement says: *the rows [0, size) of this log stand in these files instead*, and which contents are gone and why. Rows
from `size` on still stand in their rounds' files. It names its predecessor's digest (32 zero bytes for the first), and
counts only once a round names its own digest, SHA-256 of its bytes.

Rules that the sealer checks before it commits one, and `verify` for ever after:
1. it descends from the log's last committed placement;
2. `size` is the tree size of a statement of this log, not below the predecessor's;
3. its files hold each of the rows [0, size) exactly once, with payloads that are the log's leaves;
4. every content of its predecessor is there or stands in `removed`, with the id of the Erasure or Expiry event that
   allows it; what was removed stays removed.

Receipts stand in the bundles, which are never replaced: a placement cannot drop one.

**The last placement of a log** may be a *deletion*: its rows, all of them, stand nowhere any more, and nothing may be
added to it. It has a tag of its own and holds, instead of files, the final statement of the tenant
(`ledger.final_statement`), whose size and root must be those of the log's last statement. It descends from the log's
last committed placement like any other, and no placement descends from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.canonical import Codec, digest, fixed, sequence, structure, text, u64
from ledger.final_statement import FinalStatement, read_final_statement

NO_PLACEMENT = bytes(32)


@dataclass(frozen=True, slots=True)
class PlacedFile:
    """A file of a placement. `role`: `events` or `contents`; [first_index, end_index) bounds the rows it may hold."""

    role: str
    name: str
    sha256: bytes
    bytes: int
    rows: int
    first_index: int
    end_index: int


@dataclass(frozen=True, slots=True)
class Removal:
    """A content that is gone: its place, and the event id of the Erasure or Expiry that allows it."""

    index: int
    slot: str
    event_id: bytes


@dataclass(frozen=True, slots=True)
class Placement:
    """A placement's fields as in the module's docstring. `sequence_number` counts from 1.

    `final`: the note of a deletion, "" in every other placement.
    """

    log_id: bytes
    sequence_number: int
    previous: bytes
    size: int
    files: tuple[PlacedFile, ...]
    removed: tuple[Removal, ...]
    final: str = ""

    @property
    def is_deletion(self) -> bool:
        """Whether the log's rows are gone."""
        return bool(self.final)

    def final_statement(self) -> FinalStatement:
        """What a deletion says; no signature is checked here. `NoteError` when it is no final statement."""
        return read_final_statement(self.final)


PLACEMENT: Codec[Placement] = structure(
    Placement,
    tag="audit-ledger/placement/v1",
    log_id=digest,
    sequence_number=u64,
    previous=digest,
    size=u64,
    files=sequence(
        structure(PlacedFile, role=text, name=text, sha256=digest, bytes=u64, rows=u64, first_index=u64, end_index=u64)
    ),
    removed=sequence(structure(Removal, index=u64, slot=text, event_id=fixed(16))),
)

DELETION_TAG = "audit-ledger/deletion/v1"


def _deletion(log_id: bytes, sequence_number: int, previous: bytes, size: int, final: str) -> Placement:
    return Placement(log_id, sequence_number, previous, size, (), (), final)


DELETION: Codec[Placement] = structure(
    _deletion, tag=DELETION_TAG, log_id=digest, sequence_number=u64, previous=digest, size=u64, final=text
)
_DELETION_PREFIX = text.encode(DELETION_TAG)


def encode_placement(placement: Placement) -> bytes:
    """The bytes of a placement of either kind."""
    return (DELETION if placement.is_deletion else PLACEMENT).encode(placement)


def decode_placement(data: bytes) -> Placement:
    """A placement of either kind; `Malformed` for anything else."""
    return (DELETION if data.startswith(_DELETION_PREFIX) else PLACEMENT).decode(data)
