"""Offline proof bundles (C2SP tlog-proof): everything needed to check one leaf without the log. Pure functions.

    c2sp.org/tlog-proof@v1
    extra <base64>                                          optional; carried along, not authenticated
    index <n>
    <base64 hash>                                           none or more lines, from the leaf's sibling upward

    <checkpoint with its signatures and cosignatures>

Every line is ended by a newline; the first empty line ends the head. The leaf itself is not in the bundle: whoever
checks computes its hash from the data at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.tlog.checkpoint import Checkpoint, open_checkpoint, parse_decimal
from ledger.tlog.merkle import HASH_BYTES, SIZE_MAX, ProofError, verify_inclusion
from ledger.tlog.note import VerifierKey, decode_base64, encode_base64, parse_note

HEADER = "c2sp.org/tlog-proof@v1"
HASHES_MAX = 64
BUNDLE_BYTES_MAX = 2_000_000
"""Twice what a note may have: room for the extra data and the hashes."""


@dataclass(frozen=True, slots=True)
class TlogProof:
    """Leaf `index` is in the log of `checkpoint` (a signed note) by these `hashes`. Nothing is verified yet."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.index <= SIZE_MAX:
            raise ProofError(f"proof bundle: index {self.index} is not a u64")
        if len(self.hashes) > HASHES_MAX:
            raise ProofError(f"proof bundle: expected at most {HASHES_MAX} hashes, got {len(self.hashes)}")
        for position, each in enumerate(self.hashes):
            if len(each) != HASH_BYTES:
                raise ProofError(f"proof bundle: hash {position} has {len(each)} bytes, expected {HASH_BYTES}")

    def text(self) -> str:
        """The bundle as it is stored and handed on."""
        extra = [f"extra {encode_base64(self.extra)}"] if self.extra else []
        lines = (HEADER, *extra, f"index {self.index}", *map(encode_base64, self.hashes))
        return "".join(f"{line}\n" for line in (*lines, "")) + self.checkpoint

    def verify(self, leaf_hash: bytes, verifier_key: VerifierKey) -> Checkpoint:
        """The checkpoint, signed by the log's key, whose tree holds `leaf_hash` at `index`.

        `NoteError` if the checkpoint fails, `ProofError` if the proof does. Witnesses: `verify_cosignatures` of
        `checkpoint`.
        """
        checkpoint = open_checkpoint(self.checkpoint, verifier_key)
        verify_inclusion(self.index, checkpoint.size, leaf_hash, self.hashes, checkpoint.root)
        return checkpoint


def parse_tlog_proof(data: bytes | str) -> TlogProof:
    """The bundle in `data`; `ProofError` or `NoteError` if it is not one."""
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
    except UnicodeDecodeError:
        raise ProofError("proof bundle: not UTF-8") from None
    if len(text) > BUNDLE_BYTES_MAX:
        raise ProofError(f"proof bundle: expected at most {BUNDLE_BYTES_MAX} characters, got {len(text)}")
    head, empty_line, checkpoint = text.partition("\n\n")
    if not empty_line:
        raise ProofError("proof bundle: expected an empty line before the checkpoint, found none")
    parse_note(checkpoint)
    header, *lines = head.split("\n")
    if header != HEADER:
        raise ProofError(f"proof bundle: expected the first line to be {HEADER}")
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = decode_base64(lines.pop(0).removeprefix("extra "), "proof bundle extra")
        if not extra:
            raise ProofError("proof bundle: the extra line is empty")
    if not lines or not lines[0].startswith("index "):
        raise ProofError("proof bundle: expected an index line after the head")
    index = parse_decimal(lines[0].removeprefix("index "), "proof bundle index")
    hashes = tuple(decode_base64(line, f"proof bundle hash {at}") for at, line in enumerate(lines[1:]))
    return TlogProof(index, hashes, checkpoint, extra)
