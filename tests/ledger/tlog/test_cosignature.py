"""Witness cosignatures: their exact bytes, beside the log's signature, and what is refused."""

from __future__ import annotations

import pytest
from nacl.signing import VerifyKey

from ledger.errors import Misconfigured
from ledger.tlog.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from ledger.tlog.cosignature import Cosignature, add_cosignatures, cosign, verify_cosignatures
from ledger.tlog.note import (
    ED25519_COSIGNATURE,
    Note,
    NoteError,
    NoteSigner,
    Signature,
    parse_note,
    sign_note,
    signer_from_seed,
)

ORIGIN = "ledger.example/tenant-7"
LOG = signer_from_seed(ORIGIN, bytes(range(32)))
CHECKPOINT = Checkpoint(ORIGIN, 9, bytes(range(32)))
SIGNED = sign_checkpoint(CHECKPOINT, LOG)
TIME_S = 1_679_315_147


def witness(number: int) -> NoteSigner:
    """A witness with a name and seed of its own."""
    return signer_from_seed(f"witness-{number}.example", bytes([number]) * 32, ED25519_COSIGNATURE)


COSIGNED = add_cosignatures(SIGNED, [cosign(CHECKPOINT.text(), witness(1), TIME_S)])


def test_signed_bytes_are_exactly_those_of_the_format() -> None:
    """The line holds key ID, u64 seconds and a signature over the header, the time line and the whole text."""
    made = parse_note(COSIGNED).signatures[1]
    assert (made.name, made.key_id) == ("witness-1.example", witness(1).verifier_key.key_id)
    assert made.signature[:8] == TIME_S.to_bytes(8, "big")
    message = f"cosignature/v1\ntime 1679315147\n{CHECKPOINT.text()}".encode()
    VerifyKey(witness(1).public_key).verify(message, made.signature[8:])


def test_cosignatures_verify_and_leave_the_checkpoint_open() -> None:
    """Cosignatures tell who saw the checkpoint and when; the log's own signature opens as before."""
    key_id = witness(1).verifier_key.key_id
    expected = (Cosignature("witness-1.example", key_id, TIME_S),)
    assert verify_cosignatures(COSIGNED, [witness(1).verifier_key, witness(2).verifier_key]) == expected
    assert open_checkpoint(COSIGNED, LOG.verifier_key) == CHECKPOINT


def test_sixteen_witnesses() -> None:
    """A checkpoint carries the cosignatures of sixteen witnesses, each with its own time."""
    lines = [cosign(CHECKPOINT.text(), witness(number), number) for number in range(16)]
    keys = [witness(number).verifier_key for number in range(16)]
    found = verify_cosignatures(add_cosignatures(SIGNED, lines), keys)
    assert [each.time_s for each in found] == list(range(16))


def test_every_altered_bit_of_a_cosignature_is_refused() -> None:
    """A changed bit in the time or the signature refuses the note."""
    note = parse_note(COSIGNED)
    log, made = note.signatures
    for bit in range(len(made.signature) * 8):
        changed = (int.from_bytes(made.signature, "big") ^ 1 << bit).to_bytes(len(made.signature), "big")
        altered = Note(note.text, (log, Signature(made.name, made.key_id, changed)))
        with pytest.raises(NoteError, match="does not verify"):
            verify_cosignatures(altered.to_bytes(), [witness(1).verifier_key])


@pytest.mark.parametrize("size", [1, 8, 64, 71, 73])
def test_cosignature_of_another_length_is_refused(size: int) -> None:
    """A cosignature that is not 72 bytes is refused."""
    made = Signature("witness-1.example", witness(1).verifier_key.key_id, bytes(size))
    with pytest.raises(NoteError, match="does not verify"):
        verify_cosignatures(Note(CHECKPOINT.text(), (made,)).to_bytes(), [witness(1).verifier_key])


def test_cosignature_of_another_checkpoint_is_refused() -> None:
    """A witness's line for one checkpoint does not vouch for another, nor for the same with an extension line."""
    line = cosign(CHECKPOINT.text(), witness(1), TIME_S)
    for other in (Checkpoint(ORIGIN, 10, CHECKPOINT.root), Checkpoint(ORIGIN, 9, CHECKPOINT.root, ("more",))):
        with pytest.raises(NoteError, match="does not verify"):
            verify_cosignatures(add_cosignatures(sign_checkpoint(other, LOG), [line]), [witness(1).verifier_key])


def test_plain_signature_is_no_cosignature() -> None:
    """A witness key's plain note signature has another key ID and another message, and does not count."""
    plain = signer_from_seed("witness-1.example", bytes([1]) * 32)
    with pytest.raises(NoteError, match="found none"):
        verify_cosignatures(sign_note(CHECKPOINT.text(), [plain]), [witness(1).verifier_key])


def test_unwitnessed_checkpoint_is_refused() -> None:
    """A checkpoint without a cosignature by a known witness is refused as unwitnessed."""
    with pytest.raises(NoteError, match="found none"):
        verify_cosignatures(SIGNED, [witness(1).verifier_key])
    with pytest.raises(NoteError, match="found none"):
        verify_cosignatures(COSIGNED, [witness(2).verifier_key])


def test_keys_of_the_wrong_type_are_refused() -> None:
    """A log's key can't cosign, and can't be taken for a witness's."""
    with pytest.raises(Misconfigured, match="does not cosign"):
        cosign(CHECKPOINT.text(), LOG, TIME_S)
    with pytest.raises(Misconfigured, match="does not cosign"):
        verify_cosignatures(COSIGNED, [LOG.verifier_key])


def test_what_cannot_be_cosigned() -> None:
    """A text without its last newline, a time that is no u64 and a line that is no signature are refused."""
    with pytest.raises(NoteError, match="newline"):
        cosign(CHECKPOINT.text()[:-1], witness(1), TIME_S)
    with pytest.raises(ValueError, match="u64"):
        cosign(CHECKPOINT.text(), witness(1), -1)
    with pytest.raises(NoteError):
        add_cosignatures(SIGNED, ["not a signature line\n"])
    with pytest.raises(NoteError, match="at most 100"):
        add_cosignatures(SIGNED, [cosign(CHECKPOINT.text(), witness(1), TIME_S)] * 100)
