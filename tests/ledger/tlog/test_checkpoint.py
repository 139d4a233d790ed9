"""Checkpoints: their exact text, who may sign them, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.tlog.checkpoint import (
    Checkpoint,
    CheckpointError,
    open_checkpoint,
    parse_checkpoint_text,
    sign_checkpoint,
)
from ledger.tlog.merkle import EMPTY_ROOT
from ledger.tlog.note import NoteError, VerifierKey, open_note, parse_private_key, sign_note, signer_from_seed

ORIGIN = "ledger.example/tenant-7"
SIGNER = signer_from_seed(ORIGIN, bytes(range(32)))
ROOT = bytes(range(32))
TEXT = f"{ORIGIN}\n20852163\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"


def test_text_is_three_lines() -> None:
    """The signed text is origin, size and base64 root, a line each."""
    assert Checkpoint(ORIGIN, 20852163, ROOT).text() == TEXT
    assert parse_checkpoint_text(TEXT) == Checkpoint(ORIGIN, 20852163, ROOT)


def test_empty_log() -> None:
    """An empty log's checkpoint says 0 and the root of the empty tree, and can say no other."""
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert empty.text() == f"{ORIGIN}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    assert open_checkpoint(sign_checkpoint(empty, SIGNER), SIGNER.verifier_key) == empty
    with pytest.raises(CheckpointError, match="not that of an empty tree"):
        Checkpoint(ORIGIN, 0, ROOT)


def test_checkpoint_signed_by_the_published_example_key_opens() -> None:
    """A checkpoint under the published key pair round-trips, and its note is an ordinary one."""
    example = parse_private_key("PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")
    key = VerifierKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    checkpoint = Checkpoint("PeterNeumann", 8, ROOT)
    signed = sign_checkpoint(checkpoint, example)
    assert open_checkpoint(signed, key) == open_checkpoint(signed.encode(), key) == checkpoint
    assert open_note(signed, [key]).text == checkpoint.text()


def test_extension_lines_are_kept() -> None:
    """Lines after the root are tolerated and kept, so that the same text comes out again."""
    parsed = parse_checkpoint_text(TEXT + "timestamp 7\nanother\n")
    assert parsed.extensions == ("timestamp 7", "another")
    assert parsed.text() == TEXT + "timestamp 7\nanother\n"
    assert open_checkpoint(sign_checkpoint(parsed, SIGNER), SIGNER.verifier_key) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        TEXT[:-1],
        TEXT + "\n",
        TEXT + "extension",
        TEXT + "\nextension\n",
        "\n" + TEXT.split("\n", 1)[1],
        TEXT.replace("20852163", "020852163"),
        TEXT.replace("20852163", "+20852163"),
        TEXT.replace("20852163", "-1"),
        TEXT.replace("20852163", " 20852163"),
        TEXT.replace("20852163", "2_0852163"),
        TEXT.replace("20852163", "0x13e2c83"),
        TEXT.replace("20852163", "٢"),
        TEXT.replace("20852163", "18446744073709551616"),
        TEXT.replace("20852163", "9" * 5000),
        TEXT.replace("20852163", ""),
        TEXT.replace("20852163", "0"),
        TEXT.replace("Hh8=", "Hh9="),
        TEXT.replace("Hh8=", "Hh8"),
        TEXT.replace("Hh8=", "Hh8gIQ=="),
        TEXT.replace("AAECAwQF", ""),
        TEXT.replace("AAECAwQF", "AAEC wQF"),
        TEXT.replace("tenant", "ten\tant"),
    ],
)
def test_malformed_texts_are_refused(text: str) -> None:
    """A text that is not exactly a checkpoint's is refused, even when its signature is good."""
    with pytest.raises(NoteError):
        parse_checkpoint_text(text)
    if text.endswith("\n") and "\t" not in text:
        with pytest.raises(NoteError):
            open_checkpoint(sign_note(text, [SIGNER]), SIGNER.verifier_key)


def test_another_logs_checkpoint_is_refused() -> None:
    """A key vouches only for the log it is named after, so one log's checkpoint never stands for another's."""
    other = Checkpoint("ledger.example/tenant-8", 5, ROOT)
    with pytest.raises(CheckpointError, match=r"expected the origin ledger\.example/tenant-7"):
        sign_checkpoint(other, SIGNER)
    with pytest.raises(CheckpointError, match=r"expected the origin ledger\.example/tenant-7"):
        open_checkpoint(sign_note(other.text(), [SIGNER]), SIGNER.verifier_key)


def test_foreign_or_missing_signature_is_refused() -> None:
    """A checkpoint that somebody else signed under the same name, or nobody, is refused."""
    checkpoint = Checkpoint(ORIGIN, 5, ROOT)
    foreign = signer_from_seed(ORIGIN, bytes(32))
    with pytest.raises(NoteError, match="found none"):
        open_checkpoint(sign_checkpoint(checkpoint, foreign), SIGNER.verifier_key)
    with pytest.raises(NoteError):
        open_checkpoint(checkpoint.text(), SIGNER.verifier_key)
    with pytest.raises(NoteError):
        open_checkpoint(checkpoint.text() + "\n", SIGNER.verifier_key)


def test_impossible_values_are_refused() -> None:
    """A checkpoint can't be made of an impossible size, root or origin."""
    with pytest.raises(CheckpointError, match="u64"):
        Checkpoint(ORIGIN, 2**64, ROOT)
    with pytest.raises(CheckpointError, match="u64"):
        Checkpoint(ORIGIN, -1, ROOT)
    with pytest.raises(CheckpointError, match="31"):
        Checkpoint(ORIGIN, 1, ROOT[:31])
    for origin in ("", "a\nb", "a\x00b", "a\ud800"):
        with pytest.raises(CheckpointError, match="empty or holds"):
            Checkpoint(origin, 1, ROOT)


@settings(deadline=None)
@given(st.integers(1, 2**64 - 1), st.binary(min_size=32, max_size=32))
def test_round_trip(size: int, root: bytes) -> None:
    """Every possible checkpoint opens as what was signed."""
    checkpoint = Checkpoint(ORIGIN, size, root)
    assert open_checkpoint(sign_checkpoint(checkpoint, SIGNER), SIGNER.verifier_key) == checkpoint
