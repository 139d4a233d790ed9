"""Signed notes against the published example, and every way to bend one."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import Misconfigured
from ledger.tlog.note import (
    ED25519_COSIGNATURE,
    NOTE_BYTES_MAX,
    Note,
    NoteError,
    NoteSigner,
    Signature,
    VerifierKey,
    check_key_name,
    decode_base64,
    format_private_key,
    key_id,
    open_note,
    parse_note,
    parse_private_key,
    sign_note,
    signer_from_seed,
)

# The example published with the format, in Go's sumdb/note documentation.
VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
NOTE = f"{TEXT}\n— PeterNeumann {SIGNATURE}\n".encode()
KEY = VerifierKey.parse(VERIFIER)


def signer(number: int) -> NoteSigner:
    """A signer with a name and seed of its own."""
    return signer_from_seed(f"log-{number}.example", bytes([number]) * 32)


def test_published_example_opens() -> None:
    """The published note opens with the published key, and its text is what was published."""
    note = open_note(NOTE, [KEY])
    assert note.text == TEXT
    assert [(each.name, each.key_id.hex()) for each in note.signatures] == [("PeterNeumann", "c74f20a3")]
    assert note.to_bytes() == NOTE


def test_published_private_key_makes_the_same_note() -> None:
    """Signing with the published private key gives the published bytes: Ed25519 leaves no choice."""
    example = parse_private_key(PRIVATE)
    assert str(example.verifier_key) == VERIFIER
    assert sign_note(TEXT, [example]) == NOTE


def test_key_texts_round_trip() -> None:
    """Verifier and private key texts parse to what they were written from."""
    assert str(KEY) == VERIFIER
    assert key_id("PeterNeumann", KEY.public_key).hex() == "c74f20a3"
    text = format_private_key("a.example/log", bytes(range(32)))
    assert parse_private_key(text).verifier_key == signer_from_seed("a.example/log", bytes(range(32))).verifier_key
    witness = VerifierKey("w.example", KEY.public_key, ED25519_COSIGNATURE)
    assert VerifierKey.parse(str(witness)) == witness
    assert witness.key_id != VerifierKey("w.example", KEY.public_key).key_id


def refused(data: bytes) -> bool:
    """Whether the example's key finds nothing to vouch for in `data`."""
    try:
        open_note(data, [KEY])
    except NoteError:
        return True
    return False


def test_every_altered_byte_of_a_note_is_refused() -> None:
    """Whatever byte of a note is changed to whatever other value, no verified signature is left."""
    accepted = [
        (at, value)
        for at in range(len(NOTE))
        for value in range(256)
        if value != NOTE[at] and not refused(NOTE[:at] + bytes([value]) + NOTE[at + 1 :])
    ]
    assert accepted == []


def test_every_dropped_doubled_or_cut_byte_of_a_note_is_refused() -> None:
    """A note with one byte missing or twice, or cut anywhere, is refused."""
    for at in range(len(NOTE)):
        assert refused(NOTE[:at])
        assert refused(NOTE[:at] + NOTE[at + 1 :])
        assert refused(NOTE[: at + 1] + NOTE[at:])


def test_every_altered_character_of_a_verifier_key_is_refused() -> None:
    """Whatever character of a verifier key text is changed, dropped or doubled, the text is refused."""
    for at in range(len(VERIFIER)):
        others = {VERIFIER[:at] + chr(value) + VERIFIER[at + 1 :] for value in range(256)} - {VERIFIER}
        for text in (*others, VERIFIER[:at] + VERIFIER[at + 1 :], VERIFIER[: at + 1] + VERIFIER[at:]):
            with pytest.raises(Misconfigured):
                VerifierKey.parse(text)


def test_every_altered_character_of_a_private_key_is_refused_and_never_shown() -> None:
    """An altered private key text is refused, and the message holds no run of its secret characters."""
    secret = PRIVATE.rsplit("+", 1)[1]
    for at in range(len(PRIVATE)):
        text = PRIVATE[:at] + ("A" if PRIVATE[at] != "A" else "B") + PRIVATE[at + 1 :]
        with pytest.raises(Misconfigured) as caught:
            parse_private_key(text)
        assert not any(secret[start : start + 6] in str(caught.value) for start in range(len(secret) - 5))


def test_signer_repr_hides_the_secret() -> None:
    """Printing a signer shows its name and public key and nothing of what signs."""
    shown = repr(parse_private_key(PRIVATE))
    assert "PeterNeumann" in shown
    assert "sign=" not in shown
    assert "SigningKey" not in shown


def test_unknown_signatures_are_ignored_but_not_enough() -> None:
    """Signatures by unknown keys neither hurt nor vouch."""
    note = sign_note(TEXT, [signer(1), signer(2), signer(3)])
    assert [each.name for each in open_note(note, [signer(2).verifier_key]).signatures] == ["log-2.example"]
    with pytest.raises(NoteError, match=r"found none among 3"):
        open_note(note, [signer(4).verifier_key])
    with pytest.raises(NoteError, match="no key"):
        open_note(note, [])


def test_same_name_with_another_key_is_unknown() -> None:
    """A signature under a known name by another key does not count as that name's."""
    impostor = signer_from_seed("log-1.example", bytes(32))
    with pytest.raises(NoteError, match="found none"):
        open_note(sign_note(TEXT, [impostor]), [signer(1).verifier_key])


def test_known_signature_that_fails_refuses_the_note() -> None:
    """One bad signature by a known key refuses the note, even beside a good one, even by the same key."""
    other = parse_note(sign_note("another text\n", [signer(2)])).signatures
    good = parse_note(sign_note(TEXT, [signer(1), signer(2)]))
    keys = [signer(1).verifier_key, signer(2).verifier_key]
    with pytest.raises(NoteError, match=r"log-2\.example .* does not verify"):
        open_note(Note(TEXT, (good.signatures[0], *other)).to_bytes(), keys)
    with pytest.raises(NoteError, match=r"log-2\.example .* does not verify"):
        open_note(Note(TEXT, (*good.signatures, *other)).to_bytes(), keys)


@pytest.mark.parametrize("size", [0, 1, 59, 60, 63, 65])
def test_signature_of_another_length_is_refused(size: int) -> None:
    """A known key's signature that is too short or too long is refused, not an exception of the library."""
    made = Signature(KEY.name, KEY.key_id, bytes(size))
    with pytest.raises(NoteError):
        open_note(Note(TEXT, (made,)).to_bytes(), [KEY])


def test_repeated_signature_counts_once() -> None:
    """The same valid signature twice is one signature."""
    note = open_note(NOTE, [KEY])
    assert open_note(Note(TEXT, note.signatures * 2).to_bytes(), [KEY]).signatures == note.signatures


def test_sixteen_signatures_are_accepted_and_a_hundred_are_the_limit() -> None:
    """Notes with up to 100 signatures open; one more is refused."""
    signers = [signer(number) for number in range(100)]
    keys = [each.verifier_key for each in signers]
    assert len(open_note(sign_note(TEXT, signers[:16]), keys).signatures) == 16
    hundred = sign_note(TEXT, signers)
    assert len(open_note(hundred, keys).signatures) == 100
    with pytest.raises(NoteError, match="at most 100 signature lines, got 101"):
        open_note(hundred + hundred.splitlines(keepends=True)[-1], keys)
    with pytest.raises(NoteError, match="1 to 100 signers"):
        sign_note(TEXT, [*signers, signer(100)])


def test_note_size_is_limited() -> None:
    """A note over the limit is refused before anything is verified, and is not made either."""
    with pytest.raises(NoteError, match=f"at most {NOTE_BYTES_MAX} bytes"):
        open_note(b"x" * NOTE_BYTES_MAX + NOTE, [KEY])
    with pytest.raises(NoteError, match=f"at most {NOTE_BYTES_MAX} bytes"):
        sign_note("x" * NOTE_BYTES_MAX + "\n", [signer(1)])


def test_text_may_hold_empty_lines() -> None:
    """The last empty line ends the text: earlier ones belong to it, even with what looks like a signature behind."""
    inner = sign_note("inner\n", [signer(1)]).decode()
    note = open_note(sign_note(inner, [signer(2)]), [signer(2).verifier_key])
    assert note.text == inner
    with pytest.raises(NoteError):
        open_note(note.to_bytes(), [signer(1).verifier_key])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        TEXT.encode(),
        f"{TEXT}\n".encode(),
        NOTE[:-1],
        NOTE + b"\n",
        NOTE + b"trailing",
        NOTE.replace("— ".encode(), b"-- "),
        NOTE.replace("— ".encode(), "—".encode()),
        NOTE.replace(b"PeterNeumann ", b""),
        NOTE.replace(b"PeterNeumann ", b"PeterNeumann  "),
        NOTE.replace(b"PeterNeumann ", b"Peter+Neumann "),
        NOTE.replace(b"PeterNeumann", "Peter\u00a0Neumann".encode()),
        NOTE.replace(b"\n", b"\r\n"),
        NOTE.replace(b"AM=\n", b"AN=\n"),
        NOTE.replace(b"AM=\n", b"AM\n"),
        NOTE.replace(b"AM=\n", b"A\nM=\n"),
        NOTE.replace(b"x08go", b"x08g\xc3\xb6"),
        NOTE.replace(b"think", b"th\xffnk"),
        NOTE.replace(b"think", b"th\tnk"),
    ],
)
def test_malformed_notes_are_refused(data: bytes) -> None:
    """What is not exactly a note is refused as one."""
    with pytest.raises(NoteError):
        parse_note(data)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b", "a\u00a0", "\u0085", "a\x1fb", "a\ud800"])
def test_impossible_key_names_are_refused(name: str) -> None:
    """A key name that could not stand in a signature line is refused wherever a key is made."""
    with pytest.raises(Misconfigured):
        check_key_name(name)
    with pytest.raises(Misconfigured):
        VerifierKey(name, bytes(32))
    with pytest.raises(Misconfigured):
        NoteSigner(name, bytes(32), bytes)


@pytest.mark.parametrize("text", ["", "a", "a+b", "a+00000000+", "a+00000000+AA==", "PRIVATE+KEY+a+00000000+AA=="])
def test_incomplete_key_texts_are_refused(text: str) -> None:
    """Key texts that lack a part are refused as configuration."""
    with pytest.raises(Misconfigured):
        VerifierKey.parse(text)
    with pytest.raises(Misconfigured):
        parse_private_key(text)


def test_keys_of_other_types_and_lengths_are_refused() -> None:
    """A key of an unknown type or length is refused; a witness's key does not open notes or sign them."""
    with pytest.raises(Misconfigured, match="0x02"):
        VerifierKey("a", bytes(32), 2)
    with pytest.raises(Misconfigured, match="expected 32 bytes"):
        VerifierKey("a", bytes(31))
    with pytest.raises(Misconfigured, match="seed of 32 bytes"):
        signer_from_seed("a", bytes(64))
    witness = signer_from_seed("w", bytes(32), ED25519_COSIGNATURE)
    with pytest.raises(Misconfigured, match="does not sign notes"):
        open_note(NOTE, [witness.verifier_key])
    with pytest.raises(Misconfigured, match="does not sign notes"):
        sign_note(TEXT, [witness])


def test_a_signer_that_signs_wrongly_is_caught_before_publication() -> None:
    """A key service that answers with another key's signature, or with none, never gets it into a note."""
    for wrong in (signer(2).sign, lambda message: b""):
        with pytest.raises(Misconfigured, match="does not verify under its own public key"):
            sign_note(TEXT, [NoteSigner("log-1.example", signer(1).public_key, wrong)])


@pytest.mark.parametrize("text", ["", "no newline", "tab\t\n", "return\r\n", "nul\0\n", "\ud800\n"])
def test_texts_that_cannot_be_signed(text: str) -> None:
    """A text that could not be read back is refused before it is signed."""
    with pytest.raises(NoteError):
        sign_note(text, [signer(1)])


lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="".join(map(chr, range(32)))), max_size=40)


@settings(deadline=None)
@given(st.lists(lines, min_size=1, max_size=5), st.sets(st.integers(0, 20), min_size=1, max_size=4))
def test_signed_notes_open(parts: list[str], numbers: set[int]) -> None:
    """Whatever text is signed by whomever opens again with their keys, unchanged."""
    text = "".join(f"{line}\n" for line in parts)
    signers = [signer(number) for number in numbers]
    note = open_note(sign_note(text, signers), [each.verifier_key for each in signers])
    assert (note.text, len(note.signatures)) == (text, len(signers))


@settings(deadline=None)
@given(st.binary(max_size=200) | lines.map(str.encode))
def test_arbitrary_bytes_are_a_note_or_refused(data: bytes) -> None:
    """Whatever bytes come, parsing ends in a note that writes those bytes, or in an error of ours."""
    try:
        note = parse_note(data)
    except NoteError:
        return
    assert note.to_bytes() == data


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_base64_has_one_form(value: bytes) -> None:
    """Base64 that decodes to a value in a second way (spare bits, missing padding, line breaks) is refused."""
    encoded = base64.b64encode(value).decode()
    assert decode_base64(encoded, "x") == value
    if encoded.endswith("="):
        bare = encoded.rstrip("=")
        spare = bare[:-1] + chr(ord(bare[-1]) + 1) + encoded[len(bare) :]
        for other in (bare, spare, encoded + "=", encoded + "\n"):
            with pytest.raises(NoteError):
                decode_base64(other, "x")
