"""One content: bound to its place, fixed at capture, opened only as what the payload says."""

from __future__ import annotations

import hashlib
import os
import struct

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt, crypto_aead_xchacha20poly1305_ietf_encrypt

from ledger.errors import IntegrityError
from ledger.keys.derive import place_of
from ledger.record import content
from ledger.record.content import (
    NONCE_BYTES,
    SALT_BYTES,
    ContentSealer,
    SealedContent,
    check_disclosed,
    commitment,
    open_content,
)
from tests.ledger.record.two_keys import twofold

KEY = bytes(range(32))
EVENT = bytes(range(16))
SEALER = ContentSealer()


def seal(stored: bytes) -> SealedContent:
    """The content sealed at a fixed place under a fixed key."""
    return SEALER.seal(stored, KEY, place_of("acme", EVENT, "input"))


def reopen(sealed: SealedContent, **changes: object) -> bytes:
    """The content opened where it was sealed, but for `changes`."""
    values = {
        "ciphertext": sealed.ciphertext,
        "key": KEY,
        "tenant": "acme",
        "event_id": EVENT,
        "slot": "input",
        "digest": sealed.ciphertext_sha256,
        "commitment_": sealed.commitment,
        "size": sealed.size,
        **changes,
    }
    return open_content(**values).stored  # type: ignore[arg-type]


def forged(plaintext: bytes, key: bytes = KEY) -> SealedContent:
    """A ciphertext at the right place of whatever plaintext, with a true digest."""
    nonce = os.urandom(NONCE_BYTES)
    sealed = nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(
        plaintext, content.associated_data("acme", EVENT, "input"), nonce, key
    )
    return SealedContent(sealed, hashlib.sha256(sealed).digest(), bytes(32), 0)


@given(st.binary(max_size=3000))
def test_what_was_sealed_opens(stored: bytes) -> None:
    """Sealing and opening gives the bytes; digest, size and commitment are those of the payload."""
    sealed = seal(stored)
    assert reopen(sealed) == stored
    assert sealed.size == len(stored)
    assert sealed.ciphertext_sha256 == hashlib.sha256(sealed.ciphertext).digest()


def test_an_empty_content_is_a_content() -> None:
    """Nothing said is not the same as nothing captured: an empty text is sealed like any other."""
    sealed = seal(b"")
    assert reopen(sealed) == b""
    assert sealed.size == 0


def test_layout_is_the_documented_one() -> None:
    """Opened by hand: nonce, associated data, salt, zstd frame, commitment."""
    sealed = seal(b"hello" * 100)

    def sized(value: bytes) -> bytes:
        return struct.pack(">Q", len(value)) + value

    place = sized(b"audit-ledger/content/v1") + sized(b"acme") + EVENT + sized(b"input")
    plaintext = crypto_aead_xchacha20poly1305_ietf_decrypt(sealed.ciphertext[24:], place, sealed.ciphertext[:24], KEY)
    salt, stored = plaintext[:32], zstandard.ZstdDecompressor().decompress(plaintext[32:])
    assert stored == b"hello" * 100
    assert sealed.commitment == hashlib.sha256(salt + stored).digest()


def test_the_same_content_never_looks_the_same() -> None:
    """Fresh salt and nonce: two sealings share neither ciphertext nor commitment, so guesses can't be compared."""
    one, other = seal(b"yes"), seal(b"yes")
    assert one.ciphertext != other.ciphertext
    assert one.commitment != other.commitment
    assert one.ciphertext[:NONCE_BYTES] != other.ciphertext[:NONCE_BYTES]


@pytest.mark.parametrize(
    "change",
    [
        {"tenant": "acmf"},
        {"tenant": "acm"},
        {"event_id": bytes(16)},
        {"slot": "output"},
        {"slot": "inpu"},
        {"key": bytes(32)},
    ],
    ids=str,
)
def test_a_ciphertext_moved_elsewhere_does_not_open(change: dict[str, object]) -> None:
    """Another slot, event, tenant or key: the associated data says where a ciphertext belongs."""
    with pytest.raises(IntegrityError, match="does not open"):
        reopen(seal(b"secret text"), **change)


@given(st.tuples(st.text(max_size=4), st.text(max_size=4)), st.tuples(st.text(max_size=4), st.text(max_size=4)))
def test_two_places_never_share_associated_data(one: tuple[str, str], other: tuple[str, str]) -> None:
    """No letter moves from the tenant to the slot."""
    first, second = (content.associated_data(tenant, EVENT, slot) for tenant, slot in (one, other))
    assert (first == second) == (one == other)


def test_every_flipped_bit_of_a_ciphertext_is_named_without_a_key() -> None:
    """What is stored is checked against the payload's digest before anything is decrypted."""
    sealed = seal(b"x")
    for at in range(len(sealed.ciphertext) * 8):
        bent = bytearray(sealed.ciphertext)
        bent[at // 8] ^= 1 << at % 8
        with pytest.raises(IntegrityError, match="SHA-256 of the ciphertext"):
            reopen(sealed, ciphertext=bytes(bent))


def test_a_flipped_bit_under_a_matching_digest_does_not_open() -> None:
    """Who can also alter the digest meets the authentication tag."""
    sealed = seal(b"x" * 50)
    for at in range(0, len(sealed.ciphertext) * 8, 7):
        bent = bytearray(sealed.ciphertext)
        bent[at // 8] ^= 1 << at % 8
        with pytest.raises(IntegrityError, match="does not open"):
            reopen(sealed, ciphertext=bytes(bent), digest=hashlib.sha256(bent).digest())


@pytest.mark.parametrize("length", [0, 1, 23, 24, 39, 40, 41, 71])
def test_short_ciphertexts_are_refused(length: int) -> None:
    """No nonce, no tag, no salt: too short for a content, whatever the digest says."""
    short = bytes(length)
    with pytest.raises(IntegrityError):
        reopen(seal(b""), ciphertext=short, digest=hashlib.sha256(short).digest())


def test_a_ciphertext_that_opens_under_two_keys_is_believed_under_one() -> None:
    """Poly1305 does not bind the key: the ciphertext authenticates under both; the commitment fixes which plaintext."""
    other_key, nonce, stored = bytes(32), bytes(NONCE_BYTES), b"the answer that was given"
    place = content.associated_data("acme", EVENT, "input")
    plaintext = bytes(SALT_BYTES) + zstandard.compress(stored)
    body = crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, place, nonce, KEY)[:-16]
    twice = twofold(body, place, nonce, (KEY, other_key))
    one, other = (crypto_aead_xchacha20poly1305_ietf_decrypt(twice, place, nonce, key) for key in (KEY, other_key))
    assert one != other
    assert one[SALT_BYTES:] == plaintext[SALT_BYTES:]
    ciphertext = nonce + twice
    promised = commitment(one[:SALT_BYTES], stored)
    sealed = SealedContent(ciphertext, hashlib.sha256(ciphertext).digest(), promised, len(stored))
    assert reopen(sealed) == stored
    with pytest.raises(IntegrityError, match=r"does not decompress|commitment"):
        reopen(sealed, key=other_key)


def test_another_plaintext_under_a_true_digest_is_caught_by_the_commitment() -> None:
    """Were the second plaintext a good frame of the right size, the commitment alone would stand against it."""
    first = seal(b"given")
    other = forged(os.urandom(SALT_BYTES) + zstandard.compress(b"suits"), key=bytes(32))
    with pytest.raises(IntegrityError, match="commitment"):
        reopen(other, key=bytes(32), commitment_=first.commitment, size=first.size)


def test_a_decompression_bomb_is_refused_before_it_is_made() -> None:
    """A frame that declares another size than the descriptor, or none, is not decompressed."""
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(200 * 1024 * 1024))
    streamed = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(100))
    for frame, size in ((bomb, 100), (streamed, 100), (bomb, content.STORED_BYTES_MAX + 1)):
        sealed = forged(bytes(SALT_BYTES) + frame)
        with pytest.raises(IntegrityError, match=r"does not decompress|more than"):
            reopen(sealed, size=size)


def test_a_frame_that_lies_about_its_size_is_refused() -> None:
    """The declared size is believed only when the bytes have it."""
    frame = bytearray(zstandard.ZstdCompressor().compress(b"a" * 100))
    assert frame[5] == 100
    frame[5] = 99
    with pytest.raises(IntegrityError, match="does not decompress"):
        reopen(forged(bytes(SALT_BYTES) + bytes(frame)), size=99)


@pytest.mark.parametrize("tail", [b"\x00", b"more", zstandard.compress(b"second frame")])
def test_bytes_behind_the_frame_are_refused(tail: bytes) -> None:
    """Nothing hides behind the compressed content."""
    salt = os.urandom(SALT_BYTES)
    sealed = forged(salt + zstandard.compress(b"stored") + tail)
    with pytest.raises(IntegrityError, match="does not decompress"):
        reopen(sealed, size=6, commitment_=commitment(salt, b"stored"))


def test_another_size_or_commitment_is_refused() -> None:
    """The descriptor's size and commitment are checked, not trusted."""
    sealed = seal(b"stored")
    with pytest.raises(IntegrityError, match="the 5 bytes its descriptor says"):
        reopen(sealed, size=5)
    with pytest.raises(IntegrityError, match="commitment"):
        reopen(sealed, commitment_=bytes(32))


def test_errors_tell_the_place_and_nothing_of_the_content() -> None:
    """Slot and event id stand in the message; stored bytes and keys do not."""
    with pytest.raises(IntegrityError, match=f"content input of event {EVENT.hex()}") as caught:
        reopen(seal(b"confidential"), commitment_=bytes(32))
    assert "confidential" not in str(caught.value)
    assert KEY.hex() not in str(caught.value)


@given(st.binary(max_size=100))
def test_a_disclosure_is_checked_without_a_key(stored: bytes) -> None:
    """Payload, salt and plaintext are enough; any other plaintext or salt fails."""
    sealed = seal(stored)
    opened = open_content(
        sealed.ciphertext,
        KEY,
        "acme",
        EVENT,
        "input",
        digest=sealed.ciphertext_sha256,
        commitment_=sealed.commitment,
        size=sealed.size,
    )
    check_disclosed(opened.stored, opened.salt, sealed.commitment)
    wrong = [
        (stored + b"x", opened.salt),
        (stored, bytes(32)),
        (opened.salt[-1:] + stored, opened.salt[:-1]),
        (b"", b""),
    ]
    for plaintext, salt in wrong:
        with pytest.raises(IntegrityError, match="disclosed content"):
            check_disclosed(plaintext, salt, sealed.commitment)


def test_a_commitment_needs_its_whole_salt() -> None:
    """A shorter salt would let bytes move between salt and content."""
    with pytest.raises(ValueError, match="32 bytes"):
        commitment(bytes(31), b"stored")


def test_more_than_any_content_may_have_is_not_sealed() -> None:
    """The largest content is bounded whatever the configuration says."""
    with pytest.raises(ValueError, match="at most"):
        seal(bytes(content.STORED_BYTES_MAX + 1))
