"""Checkpoints (C2SP tlog-checkpoint): the signed statement of how large a log is and what its root is. Pure functions.

The text of the signed note (`ledger.tlog.note`) is three lines, each not empty and ended by a newline:

    origin                  the log's name, which is also the name of the key that signs
    size                    decimal, no leading zeros, `0` for an empty log
    base64(root hash)       RFC 6962 root of the first `size` leaves; SHA-256("") for an empty log

Further lines are extensions: tolerated, kept, never made. Whoever signs must never sign two checkpoints of one origin
that are inconsistent; this module cannot know, so only published rounds may be brought here to be signed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ledger.tlog.merkle import EMPTY_ROOT, HASH_BYTES, SIZE_MAX
from ledger.tlog.note import NoteError, NoteSigner, VerifierKey, decode_base64, encode_base64, open_note, sign_note

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,19}")
_LINE = re.compile(r"[^\x00-\x1f\ud800-\udfff]+")


class CheckpointError(NoteError):
    """A checkpoint that is malformed or says what cannot be."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log `origin` has `size` leaves and this 32-byte `root`. `CheckpointError` if that cannot be."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for line in (self.origin, *self.extensions):
            if not _LINE.fullmatch(line):
                raise CheckpointError("checkpoint: a line of it is empty or holds a control character")
        if not 0 <= self.size <= SIZE_MAX:
            raise CheckpointError(f"checkpoint of {self.origin}: size {self.size} is not a u64")
        if len(self.root) != HASH_BYTES:
            raise CheckpointError(
                f"checkpoint of {self.origin}: expected a root of {HASH_BYTES} bytes, got {len(self.root)}"
            )
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise CheckpointError(f"checkpoint of {self.origin}: the root of size 0 is not that of an empty tree")

    def text(self) -> str:
        """The note text: what is signed."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, encode_base64(self.root), *self.extensions))


def parse_checkpoint_text(text: str) -> Checkpoint:
    """The checkpoint in a note's text; nothing about it verified."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() != "":
        raise CheckpointError("checkpoint: expected at least three lines, each ended by a newline")
    origin, size, root, *extensions = lines
    return Checkpoint(
        origin,
        parse_decimal(size, "checkpoint size"),
        decode_base64(root, "checkpoint root"),
        tuple(extensions),
    )


def sign_checkpoint(checkpoint: Checkpoint, signer: NoteSigner) -> str:
    """The signed note of `checkpoint`. The signer's key is named as the log's origin; `CheckpointError` otherwise."""
    _check_name(checkpoint, signer.name)
    return sign_note(checkpoint.text(), [signer]).decode()


def open_checkpoint(data: bytes | str, verifier_key: VerifierKey) -> Checkpoint:
    """The checkpoint that the log's own key signed; `NoteError` if it did not or the origin is another log's."""
    checkpoint = parse_checkpoint_text(open_note(data, [verifier_key]).text)
    _check_name(checkpoint, verifier_key.name)
    return checkpoint


def parse_decimal(digits: str, where: str) -> int:
    """A u64 in decimal: ASCII digits, no leading zeros, no sign."""
    if not _DECIMAL.fullmatch(digits) or int(digits) > SIZE_MAX:
        raise CheckpointError(f"{where}: expected a u64 in decimal without leading zeros")
    return int(digits)


def _check_name(checkpoint: Checkpoint, key_name: str) -> None:
    if checkpoint.origin != key_name:
        raise CheckpointError(f"checkpoint: expected the origin {key_name}, which is its key's name, got another")
