"""XChaCha20-Poly1305 straight from libsodium gives what PyNaCl gives, and reads nothing beyond its arguments."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt, crypto_aead_xchacha20poly1305_ietf_encrypt

from ledger.keys.cipher import BUFFER_BYTES, TAG_BYTES, Cipher, decrypt

CIPHER = Cipher()
KEY, NONCE = bytes(range(32)), bytes(range(24))


@given(st.binary(max_size=300), st.binary(max_size=100), st.binary(min_size=24, max_size=24))
def test_the_ciphertext_is_that_of_pynacl(plaintext: bytes, place: bytes, nonce: bytes) -> None:
    """Any plaintext is encrypted to the very bytes that PyNaCl's own binding gives."""
    assert CIPHER.encrypt(plaintext, place, nonce, KEY) == crypto_aead_xchacha20poly1305_ietf_encrypt(
        plaintext, place, nonce, KEY
    )


@pytest.mark.parametrize("size", [BUFFER_BYTES - TAG_BYTES, BUFFER_BYTES - TAG_BYTES + 1, 3 * BUFFER_BYTES])
def test_longer_plaintexts_get_room_of_their_own(size: int) -> None:
    """What does not fit the kept buffer is encrypted all the same, and what came before stays as it was."""
    short = CIPHER.encrypt(b"short", b"place", NONCE, KEY)
    plaintext = os.urandom(size)
    sealed = CIPHER.encrypt(plaintext, b"place", NONCE, KEY)
    assert crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, b"place", NONCE, KEY) == plaintext
    assert crypto_aead_xchacha20poly1305_ietf_decrypt(short, b"place", NONCE, KEY) == b"short"


@pytest.mark.parametrize(("nonce", "key"), [(NONCE[:-1], KEY), (NONCE + b"x", KEY), (NONCE, KEY[:-1]), (NONCE, b"")])
def test_nonces_and_keys_of_another_length_are_refused(nonce: bytes, key: bytes) -> None:
    """A short nonce or key would make libsodium read what stands behind it; the refusal tells lengths only."""
    with pytest.raises(ValueError, match=f"got {len(nonce)} and {len(key)}"):
        CIPHER.encrypt(b"x", b"", nonce, key)


@pytest.mark.parametrize("wrong", [None, "text", 7])
def test_what_is_no_bytes_is_refused(wrong: object) -> None:
    """Nothing but bytes reaches libsodium."""
    with pytest.raises(TypeError):
        CIPHER.encrypt(wrong, b"", NONCE, KEY)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        CIPHER.encrypt(b"x", wrong, NONCE, KEY)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        decrypt(bytes(20), wrong, NONCE, KEY)  # type: ignore[arg-type]


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_what_pynacl_encrypted_opens(plaintext: bytes, place: bytes) -> None:
    """Any ciphertext of PyNaCl's opens in its place, the empty one too."""
    sealed = crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, place, NONCE, KEY)
    assert decrypt(sealed, place, NONCE, KEY) == plaintext


@given(st.data())
def test_what_was_altered_does_not_open(data: st.DataObject) -> None:
    """One bit of the ciphertext, the tag, the place, the nonce or the key, or a byte less, and nothing comes out."""
    parts = [CIPHER.encrypt(b"plaintext", b"place", NONCE, KEY), b"place", NONCE, KEY]
    which = data.draw(st.integers(0, 3))
    altered = bytearray(parts[which])
    altered[data.draw(st.integers(0, len(altered) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    parts[which] = bytes(altered)
    assert decrypt(*parts) is None


@pytest.mark.parametrize("length", range(TAG_BYTES + 9))
def test_a_beginning_of_a_ciphertext_does_not_open(length: int) -> None:
    """Shorter than it was, down to nothing, it does not open; less than a tag is not even given to libsodium."""
    assert decrypt(CIPHER.encrypt(b"plaintext", b"", NONCE, KEY)[:length], b"", NONCE, KEY) is None


@pytest.mark.parametrize(("nonce", "key"), [(NONCE[:-1], KEY), (NONCE, KEY[:-1])])
def test_nothing_is_opened_with_a_nonce_or_key_of_another_length(nonce: bytes, key: bytes) -> None:
    """Lengths are checked before libsodium reads."""
    with pytest.raises(ValueError, match=f"got {len(nonce)} and {len(key)}"):
        decrypt(bytes(20), b"", nonce, key)
