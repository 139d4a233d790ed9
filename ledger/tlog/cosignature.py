"""Witness cosignatures (C2SP tlog-cosignature, cosignature/v1): somebody else saw this checkpoint, at this time.

A witness adds a line to a checkpoint's note once it has checked that the log only grew since the one it saw before:

- signature bytes = big-endian u64 POSIX seconds || 64-byte Ed25519 signature; the key ID uses type byte 0x04;
- signed message = `cosignature/v1` LF `time <decimal seconds>` LF, then the whole note text of the checkpoint.

The time is the witness's word on when it saw the checkpoint. It says nothing about how old the log is.
Pure functions: the clock's reading comes in as an argument.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.errors import Misconfigured
from ledger.tlog.merkle import SIZE_MAX
from ledger.tlog.note import (
    ED25519_COSIGNATURE,
    SIGNATURE_BYTES,
    Note,
    NoteError,
    NoteSigner,
    Signature,
    VerifierKey,
    parse_note,
    parse_signature_line,
    verified_signatures,
)

TIME_BYTES = 8


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A verified cosignature: which witness, and when it saw the checkpoint (POSIX seconds)."""

    name: str
    key_id: bytes
    time_s: int


def cosign(text: str, signer: NoteSigner, time_s: int) -> str:
    """The signature line, with its newline, by which `signer` (of type 0x04) cosigns the checkpoint text."""
    _check_type(signer)
    if not 0 <= time_s <= SIZE_MAX:
        raise ValueError(f"time {time_s} is not a u64")
    made = time_s.to_bytes(TIME_BYTES, "big") + signer.signature(_message(text, time_s))
    return Signature(signer.name, signer.verifier_key.key_id, made).line()


def add_cosignatures(note: bytes | str, lines: Iterable[str]) -> str:
    """The note with these signature lines (as `cosign` makes and witnesses answer them) below its own."""
    old = parse_note(note)
    new = (parse_signature_line(line.removesuffix("\n"), at) for at, line in enumerate(lines, 1))
    whole = Note(old.text, (*old.signatures, *new)).to_bytes()
    parse_note(whole)
    return whole.decode()


def verify_cosignatures(data: bytes | str, keys: Iterable[VerifierKey]) -> tuple[Cosignature, ...]:
    """The note's cosignatures by these witnesses (keys of type 0x04), one a witness.

    A known one that fails, or none by any of them, is a `NoteError`; whether enough of them did is the caller's to
    count. The log's own signature is not looked at: `ledger.tlog.checkpoint.open_checkpoint` does.
    """
    known = list(keys)
    for key in known:
        _check_type(key)
    note = parse_note(data)

    def verify(key: VerifierKey, signature: bytes) -> bool:
        if len(signature) != TIME_BYTES + SIGNATURE_BYTES:
            return False
        return key.verify(_message(note.text, _time_s(signature)), signature[TIME_BYTES:])

    verified = verified_signatures(note, known, verify)
    return tuple(Cosignature(each.name, each.key_id, _time_s(each.signature)) for each in verified)


def _time_s(signature: bytes) -> int:
    return int.from_bytes(signature[:TIME_BYTES], "big")


def _message(text: str, time_s: int) -> bytes:
    if not text.endswith("\n"):
        raise NoteError("cosignature: the checkpoint text must end in a newline")
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def _check_type(key: VerifierKey | NoteSigner) -> None:
    if key.type_byte != ED25519_COSIGNATURE:
        raise Misconfigured(f"key {key.name}: type {key.type_byte:#04x} does not cosign, expected 0x04")
