"""The signed envelope: one key, one body, one structure."""

from __future__ import annotations

import struct

import pytest
from nacl.signing import VerifyKey

from ledger.canonical import Malformed
from ledger.receipt import RECEIPT, Receipt
from ledger.segments.round import ROUND
from ledger.signed import SIGNED, BadSignature, Signed, sign, verify
from ledger.tlog.note import VerifierKey, sign_note, signer_from_seed

SIGNER = signer_from_seed("audit.example.org/gateway/1", bytes(range(32)))
OTHER = signer_from_seed("audit.example.org/gateway/1", bytes(32))
BODY = RECEIPT.encode(Receipt("1", "audit.example.org/log/00", bytes(16), 5, b""))


def refused(data: bytes) -> bool:
    """Whether the signer's key finds nothing to vouch for in `data`."""
    try:
        verify(SIGNED.decode(data), SIGNER.verifier_key, "file")
    except (Malformed, BadSignature):
        return True
    return False


def test_what_was_signed_verifies() -> None:
    """A signed body comes back, and its key vouches for it."""
    data = sign(BODY, SIGNER)
    signed = SIGNED.decode(data)
    assert (signed.body, signed.key_name) == (BODY, SIGNER.name)
    verify(signed, SIGNER.verifier_key, "receipt")


def test_layout_is_the_documented_one() -> None:
    """Body, key name, key id and signature stand as written down; the signature covers the tag and the body."""
    data = sign(BODY, SIGNER)
    tag, name = b"audit-ledger/signed/v1", SIGNER.name.encode()
    head = struct.pack(">Q", len(BODY)) + BODY + struct.pack(">Q", len(name)) + name + SIGNER.verifier_key.key_id
    assert data[:-64] == head
    VerifyKey(SIGNER.public_key).verify(struct.pack(">Q", len(tag)) + tag + BODY, data[-64:])


def test_every_flipped_bit_is_refused() -> None:
    """There is no bit of a signed file that can change."""
    data = sign(BODY, SIGNER)
    for at in range(len(data) * 8):
        bent = bytearray(data)
        bent[at // 8] ^= 1 << at % 8
        assert refused(bytes(bent)), at


def test_truncations_and_extensions_are_refused() -> None:
    """A signed file has one length."""
    data = sign(BODY, SIGNER)
    assert all(refused(data[:cut]) for cut in range(len(data)))
    assert refused(data + b"\x00")


def test_another_key_of_the_same_name_is_refused() -> None:
    """The name alone vouches for nothing."""
    with pytest.raises(BadSignature, match="expected"):
        verify(SIGNED.decode(sign(BODY, OTHER)), SIGNER.verifier_key, "receipt")


def test_a_signature_taken_from_another_body_is_refused() -> None:
    """A good signature of one body does not hold for another, under the right name and id."""
    other = SIGNED.decode(sign(BODY + b"\x00", SIGNER))
    forged = Signed(BODY, other.key_name, other.key_id, other.signature)
    with pytest.raises(BadSignature, match="does not hold"):
        verify(forged, SIGNER.verifier_key, "receipt")


def test_a_bare_signature_of_the_body_is_refused() -> None:
    """What the key signed without this envelope's tag, a note for one, never passes for a signed structure."""
    bare = Signed(BODY, SIGNER.name, SIGNER.verifier_key.key_id, SIGNER.signature(BODY))
    with pytest.raises(BadSignature, match="does not hold"):
        verify(bare, SIGNER.verifier_key, "receipt")
    note = sign_note("audit.example.org/gateway/1\n0\nroot\n", [SIGNER])
    assert refused(note)


def test_a_signed_receipt_is_no_round() -> None:
    """Bodies begin with their own tag: a receipt's signature cannot be shown for a round."""
    with pytest.raises(Malformed, match="audit-ledger/round/v1"):
        ROUND.decode(SIGNED.decode(sign(BODY, SIGNER)).body)


def test_a_low_order_public_key_vouches_for_nothing() -> None:
    """The all-zero public key, under which anybody could make signatures, is not taken."""
    weak = VerifierKey(SIGNER.name, bytes(32))
    forged = Signed(BODY, weak.name, weak.key_id, bytes(64))
    with pytest.raises(BadSignature):
        verify(forged, weak, "receipt")
