"""Proofs out of a sealed ledger: each holds against a root that a signed round states, whatever became of the tiles."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from ledger.errors import IntegrityError
from ledger.proofs import Proofs
from ledger.segments.history import History
from ledger.segments.holdings import Holdings
from ledger.tenants import log_origin, rounds_origin
from ledger.tiles import Tiles
from ledger.tlog.checkpoint import Checkpoint, sign_checkpoint
from ledger.tlog.merkle import ProofError, verify_consistency, verify_inclusion
from ledger.tlog.note import NoteError, NoteSigner, VerifierKey
from ledger.tlog.proof_bundle import parse_tlog_proof
from tests.ledger.verify.built import Built, build, copied

ROUNDS = rounds_origin("audit.test", 0)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "compacted"])
def _sealed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return asyncio.run(build(tmp_path_factory.mktemp("proofs"), compact=request.param))


@pytest.fixture
def sealed(_sealed: Built, tmp_path: Path) -> Built:
    """A sealed ledger, in rounds only or compacted."""
    return copied(_sealed, tmp_path)


def _proofs(built: Built, folder: Path) -> Proofs:
    history = History(built.store, 0, built.trust)
    holdings = Holdings(history)
    holdings.refresh()
    return Proofs(built.store, folder, history, holdings)


def _key(built: Built, origin: str) -> VerifierKey:
    return VerifierKey(origin, built.signer.public_key)


def _size(built: Built) -> int:
    return next(head.size for head in built.verify(depth="files").heads if built.acme.hex() in head.origin)


def test_every_leaf_is_proven_at_the_end_of_every_round(sealed: Built, tmp_path: Path) -> None:
    """Each event of a log has a proof in every tree that a round states and that holds it."""
    proofs = _proofs(sealed, tmp_path / "tiles").log(sealed.acme)
    sizes = {head for kept in sealed.checkpoints for head in _sizes(kept, log_origin("audit.test", sealed.acme))}
    assert len(sizes) > 2
    for size in sizes:
        for index in range(size):
            made = proofs.inclusion(index, size)
            verify_inclusion(index, size, made.leaf_hash, made.hashes, made.root)


def _sizes(kept: dict[str, str], origin: str) -> list[int]:
    return [int(kept[origin].split("\n")[1])] if origin in kept else []


def test_every_size_goes_on_from_every_earlier_one(sealed: Built, tmp_path: Path) -> None:
    """Consistency is proven between all sizes that rounds state, of a tenant's log and of the rounds' own."""
    proofs = _proofs(sealed, tmp_path / "tiles")
    for tree, origin in ((proofs.log(sealed.acme), log_origin("audit.test", sealed.acme)), (proofs.rounds(), ROUNDS)):
        sizes = sorted({size for kept in sealed.checkpoints for size in _sizes(kept, origin)})
        for at, old in enumerate(sizes):
            for new in sizes[at:]:
                made = tree.consistency(old, new)
                verify_consistency(old, new, made.hashes, made.old_root, made.new_root)


def test_a_round_is_proven_in_the_rounds_own_log(sealed: Built, tmp_path: Path) -> None:
    """Leaf n of the rounds' log is round n's body, provable against the rounds' checkpoint."""
    proofs = _proofs(sealed, tmp_path / "tiles").rounds()
    note = sealed.checkpoints[-1][ROUNDS]
    bundle = proofs.bundle(2, note, _key(sealed, ROUNDS))
    checkpoint = parse_tlog_proof(bundle.text()).verify(proofs.inclusion(2).leaf_hash, _key(sealed, ROUNDS))
    assert checkpoint.size == len(sealed.checkpoints)


def test_a_bundle_holds_without_the_ledger(sealed: Built, tmp_path: Path) -> None:
    """A bundle of a leaf, against any checkpoint that was signed since, verifies with the ledger's key alone."""
    origin = log_origin("audit.test", sealed.acme)
    tree = _proofs(sealed, tmp_path / "tiles").log(sealed.acme)
    leaf = tree.inclusion(0).leaf_hash
    for kept in sealed.checkpoints:
        if origin in kept:
            text = tree.bundle(0, kept[origin], _key(sealed, origin), leaf).text()
            assert parse_tlog_proof(text).verify(leaf, _key(sealed, origin)).origin == origin


def test_a_bundle_is_refused_for_a_checkpoint_of_another_history(sealed: Built, tmp_path: Path) -> None:
    """A signed checkpoint that the rounds do not bear out, or of another log or key, gives no bundle."""
    origin = log_origin("audit.test", sealed.acme)
    signer = NoteSigner(origin, sealed.signer.public_key, sealed.signer.sign)
    tree = _proofs(sealed, tmp_path / "tiles").log(sealed.acme)
    size = _size(sealed)
    for lie in (Checkpoint(origin, size, bytes(32)), Checkpoint(origin, size + 1, bytes(32))):
        with pytest.raises(ProofError):
            tree.bundle(0, sign_checkpoint(lie, signer), _key(sealed, origin))
    with pytest.raises(NoteError):
        tree.bundle(0, sealed.checkpoints[-1][ROUNDS], _key(sealed, origin))


@pytest.mark.parametrize("damage", ["flip", "cut", "stamp", "gone", "ahead"])
def test_damaged_tiles_are_made_anew(sealed: Built, tmp_path: Path, damage: str) -> None:
    """Whatever happened to the tiles, the proof is the same, and the tiles are whole afterwards."""
    folder = tmp_path / "tiles"
    before = _proofs(sealed, folder).log(sealed.acme).inclusion(3)
    level, stamp = folder / sealed.acme.hex() / "level-00", folder / sealed.acme.hex() / "stamp"
    whole = level.read_bytes()
    if damage == "flip":
        level.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    elif damage == "cut":
        level.write_bytes(whole[:-40])
    elif damage == "stamp":
        stamp.write_bytes(b"nonsense")
    elif damage == "gone":
        shutil.rmtree(folder)
    else:
        Tiles(folder / sealed.acme.hex()).append([bytes(32)] * 5)
    assert _proofs(sealed, folder).log(sealed.acme).inclusion(3) == before
    assert level.read_bytes()[: len(whole)] == whole


def test_tiles_grow_with_the_log(sealed: Built, tmp_path: Path) -> None:
    """Tiles that stop short are gone on with, not written anew."""
    folder = tmp_path / "tiles"
    tree = _proofs(sealed, folder).log(sealed.acme)
    tree.inclusion(0)
    tiles = Tiles(folder / sealed.acme.hex())
    tiles.truncate(2)
    _proofs(sealed, folder).log(sealed.acme).inclusion(0)
    assert tiles.size == _size(sealed)


def test_a_folder_that_cannot_be_written_to_costs_nothing_but_time(sealed: Built, tmp_path: Path) -> None:
    """Where tiles cannot be kept they are made in a temporary folder, which does not stay."""
    blocked = tmp_path / "tiles"
    blocked.write_bytes(b"a file where a folder should be")
    proofs = _proofs(sealed, blocked).log(sealed.acme)
    assert proofs.inclusion(1).size == _size(sealed)
    assert blocked.is_file()


def test_what_is_not_there_has_no_proof(sealed: Built, tmp_path: Path) -> None:
    """An index or size beyond the log is the caller's mistake; a size no round ended at has no root."""
    proofs = _proofs(sealed, tmp_path / "tiles")
    size = _size(sealed)
    tree = proofs.log(sealed.acme)
    for index, of in ((size, size), (-1, size), (0, size + 1), (0, 0)):
        with pytest.raises(ValueError, match=f"leaf {index} in {of}"):
            tree.inclusion(index, of)
    with pytest.raises(ValueError, match="0 to"):
        tree.consistency(0)
    with pytest.raises(IntegrityError, match="no round ends at size 3"):
        tree.inclusion(0, 3)
    with pytest.raises(ValueError, match="of 0 leaves"):
        proofs.log(os.urandom(32)).inclusion(0)


def test_a_leaf_that_is_not_in_the_tree_has_no_proof(sealed: Built, tmp_path: Path) -> None:
    """A hash that was never sealed at its index is refused, after the tiles were made anew."""
    with pytest.raises(ProofError, match="leaf 1 is not in the tree"):
        _proofs(sealed, tmp_path / "tiles").log(sealed.acme).inclusion(1, leaf=bytes(32))


def test_altered_segments_give_no_proof(sealed: Built, tmp_path: Path) -> None:
    """Where a segment file was altered, there is an error that names the file, and no proof."""
    tree = _proofs(sealed, tmp_path / "tiles").log(sealed.acme)
    held = Holdings(History(sealed.store, 0, sealed.trust))
    held.refresh()
    name = next(file.name for file in held.logs[sealed.acme].files() if file.role == "events")
    path = sealed.store.path(name)
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    data[len(data) // 2] ^= 1
    path.write_bytes(data.tobytes())
    with pytest.raises(IntegrityError, match=name):
        tree.inclusion(0)
