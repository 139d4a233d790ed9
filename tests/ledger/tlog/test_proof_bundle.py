"""Offline proof bundles: their exact text, checked without the log, and what is refused."""

from __future__ import annotations

import base64

import pytest

from ledger.errors import IntegrityError
from ledger.tlog.checkpoint import Checkpoint, sign_checkpoint
from ledger.tlog.cosignature import add_cosignatures, cosign, verify_cosignatures
from ledger.tlog.merkle import ProofError, inclusion_proof, leaf_hashes, root, subtrees_of
from ledger.tlog.note import ED25519_COSIGNATURE, NoteError, signer_from_seed
from ledger.tlog.proof_bundle import TlogProof, parse_tlog_proof

ORIGIN = "ledger.example/tenant-7"
LOG = signer_from_seed(ORIGIN, bytes(range(32)))
WITNESS = signer_from_seed("witness.example", bytes(32), ED25519_COSIGNATURE)
LEAVES = leaf_hashes(bytes([number]) for number in range(7))
CHECKPOINT = Checkpoint(ORIGIN, 7, root(LEAVES))
SIGNED = sign_checkpoint(CHECKPOINT, LOG)
BUNDLE = TlogProof(4, tuple(inclusion_proof(4, 7, subtrees_of(LEAVES))), SIGNED)
TEXT = BUNDLE.text()


def test_text_is_exactly_that_of_the_format() -> None:
    """Header, index, hashes, empty line and checkpoint stand as the format wants them."""
    hashes = "".join(f"{base64.b64encode(each).decode()}\n" for each in BUNDLE.hashes)
    assert f"c2sp.org/tlog-proof@v1\nindex 4\n{hashes}\n{SIGNED}" == TEXT
    with_extra = TlogProof(4, BUNDLE.hashes, SIGNED, b"hello").text()
    assert with_extra == f"c2sp.org/tlog-proof@v1\nextra aGVsbG8=\nindex 4\n{hashes}\n{SIGNED}"


@pytest.mark.parametrize("size", range(1, 20))
def test_every_leaf_round_trips_and_verifies(size: int) -> None:
    """A bundle of any leaf parses to what was written and proves that leaf, with or without extra data."""
    leaves = leaf_hashes(bytes([number]) for number in range(size))
    checkpoint = Checkpoint(ORIGIN, size, root(leaves))
    signed = sign_checkpoint(checkpoint, LOG)
    for index in range(size):
        proof = tuple(inclusion_proof(index, size, subtrees_of(leaves)))
        for extra in (b"", b"\x00more"):
            bundle = TlogProof(index, proof, signed, extra)
            parsed = parse_tlog_proof(bundle.text().encode())
            assert parsed == bundle
            assert parsed.verify(leaves[index], LOG.verifier_key) == checkpoint


def test_bundle_carries_cosignatures() -> None:
    """Cosignatures travel in the bundle and verify from it."""
    signed = add_cosignatures(SIGNED, [cosign(CHECKPOINT.text(), WITNESS, 7)])
    parsed = parse_tlog_proof(TlogProof(4, BUNDLE.hashes, signed).text())
    assert parsed.verify(LEAVES[4], LOG.verifier_key) == CHECKPOINT
    assert [each.time_s for each in verify_cosignatures(parsed.checkpoint, [WITNESS.verifier_key])] == [7]


def test_every_altered_byte_is_refused() -> None:
    """Whatever bit of a bundle is changed, it no longer proves the leaf."""
    data = TEXT.encode()
    accepted = []
    for at in range(len(data)):
        for bit in range(8):
            altered = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
            try:
                parse_tlog_proof(altered).verify(LEAVES[4], LOG.verifier_key)
            except IntegrityError:
                continue
            accepted.append((at, bit))
    assert accepted == []


def test_another_leaf_or_log_is_refused() -> None:
    """A bundle proves its own leaf under its own log's key, nothing else."""
    with pytest.raises(ProofError, match="expected root"):
        BUNDLE.verify(LEAVES[5], LOG.verifier_key)
    with pytest.raises(NoteError, match="found none"):
        BUNDLE.verify(LEAVES[4], signer_from_seed(ORIGIN, bytes(32)).verifier_key)
    with pytest.raises(ProofError, match="outside the tree"):
        TlogProof(7, BUNDLE.hashes, SIGNED).verify(LEAVES[4], LOG.verifier_key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v1\n",
        TEXT.replace("@v1", "@v2"),
        TEXT.replace("index 4\n", ""),
        TEXT.replace("index 4", "index 04"),
        TEXT.replace("index 4", "index -4"),
        TEXT.replace("index 4", "Index 4"),
        TEXT.replace("index 4\n", "index 4\nindex 4\n"),
        TEXT.replace("index 4\n", "index 4\nAAAA\n"),
        TEXT.replace("index 4\n", "index 4\n" + "A" * 43 + "=\n" + ("A" * 43 + "=\n") * 64),
        TEXT.replace("index 4\n", "extra \nindex 4\n"),
        TEXT.replace("index 4\n", "extra a\nindex 4\n"),
        TEXT.replace("index 4\n", "index 4\nextra aGVsbG8=\n"),
        TEXT.replace("index 4\n", "extra aGVsbG8=\nextra aGVsbG8=\nindex 4\n"),
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("\n\n", "\n"),
        TEXT + "\n",
        TEXT[:-1],
        "\n" + TEXT,
        TEXT + "x" * 2_000_000,
    ],
)
def test_malformed_bundles_are_refused(text: str) -> None:
    """What is not exactly a bundle is refused as one."""
    with pytest.raises((ProofError, NoteError)):
        parse_tlog_proof(text)


def test_bytes_that_are_not_text_are_refused() -> None:
    """Bytes that are not UTF-8 are refused as a bundle."""
    with pytest.raises(ProofError, match="UTF-8"):
        parse_tlog_proof(b"c2sp.org/tlog-proof@v1\n\xff\n")


def test_impossible_values_are_refused() -> None:
    """A bundle can't be made of an index that is no u64, too many hashes or hashes of another length."""
    with pytest.raises(ProofError, match="u64"):
        TlogProof(-1, (), SIGNED)
    with pytest.raises(ProofError, match="at most 64"):
        TlogProof(1, (bytes(32),) * 65, SIGNED)
    with pytest.raises(ProofError, match="hash 1 has 31 bytes"):
        TlogProof(1, (bytes(32), bytes(31)), SIGNED)
