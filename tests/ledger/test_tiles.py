"""Tiles: the same proofs as from memory, whatever the steps they grew in, and damage that is seen or can't matter."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import tiles
from ledger.errors import IntegrityError, LedgerError
from ledger.tiles import DerivedBehind, DerivedDamaged, Stamp, Tiles
from ledger.tlog import merkle
from ledger.tlog.merkle import EMPTY_ROOT, ProofError, leaf_hashes, subtrees_of, verify_consistency, verify_inclusion

SIZE = 70_000
"""Enough for a complete subtree of level 16, so that three levels are stored."""
LEAVES = leaf_hashes(number.to_bytes(4, "big") for number in range(SIZE))
SUBTREES = subtrees_of(LEAVES)
ROOT = merkle.root(LEAVES)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Tiles:
    """Tiles of all leaves; tests only read them."""
    made = Tiles(tmp_path_factory.mktemp("tiles") / "log")
    made.append(LEAVES, round_number=12)
    return made


@pytest.fixture
def small(tmp_path: Path) -> Tiles:
    """Tiles of the first 600 leaves, to be damaged."""
    made = Tiles(tmp_path / "log")
    made.append(LEAVES[:600], round_number=3)
    return made


def test_nothing_is_there_before_the_first_append(tmp_path: Path) -> None:
    """A log without tiles has size 0, the empty root and no files, and reading makes none."""
    none = Tiles(tmp_path / "log")
    assert (none.size, none.stamp, none.root(0)) == (0, Stamp(0, -1), EMPTY_ROOT)
    assert list(tmp_path.iterdir()) == []


def test_stamp_says_what_is_covered(tmp_path: Path) -> None:
    """The stamp tells size and round; a round without leaves of this log moves only the round."""
    log = Tiles(tmp_path / "log")
    log.append(LEAVES[:5], round_number=7)
    assert log.stamp == Stamp(5, 7)
    log.append((), round_number=8)
    assert log.stamp == Stamp(5, 8)
    log.append(LEAVES[5:6])
    assert Tiles(log.directory).stamp == Stamp(6, 8)


def test_levels_are_flat_files_of_complete_subtrees(whole: Tiles) -> None:
    """Each stored level is one file of 32-byte hashes, and nothing else lies in the directory."""
    found = {path.name: path.stat().st_size for path in whole.directory.iterdir() if path.name != "stamp"}
    assert found == {"level-00": SIZE * 32, "level-08": (SIZE >> 8) * 32, "level-16": (SIZE >> 16) * 32}


def test_every_level_gives_the_trees_hashes(whole: Tiles) -> None:
    """Stored and computed subtree hashes are those of the tree, at every level, first and last."""
    for level in range(SIZE.bit_length()):
        for index in {0, (SIZE >> level) - 1, (SIZE >> level) // 2}:
            assert whole.subtree_hash(level, index) == SUBTREES(level, index)
    with pytest.raises(DerivedBehind):
        whole.subtree_hash(0, SIZE)
    with pytest.raises(DerivedBehind):
        whole.subtree_hash(SIZE.bit_length(), 0)


@settings(deadline=None)
@given(st.integers(1, SIZE), st.integers(0, SIZE - 1))
def test_proofs_verify(whole: Tiles, size: int, index: int) -> None:
    """Proofs and roots at any size are those made from memory, and verify."""
    index %= size
    proof = whole.inclusion_proof(index, size)
    assert proof == merkle.inclusion_proof(index, size, SUBTREES)
    verify_inclusion(index, size, LEAVES[index], proof, whole.root(size))
    older = index + 1
    verify_consistency(older, size, whole.consistency_proof(older, size), whole.root(older), whole.root(size))


def files(log: Tiles) -> dict[str, bytes]:
    """The bytes of all files of a log."""
    return {path.name: path.read_bytes() for path in log.directory.iterdir()}


@pytest.mark.parametrize("seed", range(6))
def test_steps_do_not_matter(tmp_path: Path, seed: int) -> None:
    """Appending in steps of any sizes writes the same bytes as appending all at once."""
    chance = random.Random(seed)
    at, total = 0, 3_000
    stepwise, at_once = Tiles(tmp_path / "stepwise"), Tiles(tmp_path / "at_once")
    while at < total:
        step = min(chance.choice([0, 1, 2, 255, 256, 257, 700]), total - at)
        stepwise.append(LEAVES[at : at + step], round_number=1)
        at += step
    at_once.append(LEAVES[:total], round_number=1)
    assert files(stepwise) == files(at_once)


def test_rebuild_equals_append(whole: Tiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebuild from an iterator, in pieces, over other files writes the same bytes."""
    monkeypatch.setattr(tiles, "REBUILD_LEAVES", 9_999)
    log = Tiles(tmp_path / "log")
    log.append(LEAVES[7:90])
    log.rebuild(iter(LEAVES), round_number=12)
    assert files(log) == files(whole)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512, 599, 600])
def test_truncate_forgets_the_rest(small: Tiles, size: int) -> None:
    """After a truncation only what is kept is covered, the files are no longer, and appending goes on from there."""
    before = files(small)
    small.truncate(size, round_number=2)
    assert small.stamp == Stamp(size, 2)
    assert (small.directory / "level-00").stat().st_size == size * 32
    with pytest.raises(DerivedBehind):
        small.root(size + 1)
    small.append(LEAVES[size:600], round_number=3)
    assert files(small) == before


def test_asking_for_more_than_is_covered(small: Tiles) -> None:
    """Tiles that are behind say so by an error of their own: the caller appends instead of rebuilding."""
    behind = "covers 600 leaves, asked for 601"
    with pytest.raises(DerivedBehind, match=behind):
        small.inclusion_proof(0, 601)
    with pytest.raises(DerivedBehind, match=behind):
        small.consistency_proof(5, 601)
    with pytest.raises(DerivedBehind, match=behind):
        small.root(601)
    with pytest.raises(DerivedBehind, match="asked for 700"):
        small.truncate(700)


def test_wrong_arguments_are_the_callers_error(small: Tiles) -> None:
    """Leaves of another length, a leaf outside the tree and a negative size are refused, and nothing is written."""
    before = files(small)
    with pytest.raises(ValueError, match="32 bytes"):
        small.append([b"short"])
    with pytest.raises(ValueError, match="not in a tree"):
        small.inclusion_proof(600, 600)
    with pytest.raises(ValueError, match="no consistency proof"):
        small.consistency_proof(0, 600)
    with pytest.raises(ValueError, match="negative"):
        small.truncate(-1)
    assert files(small) == before


@pytest.mark.parametrize(
    "stamp",
    [b"", b"\n", b"tiles/v1 600 3\n", b"\xff\xfe", b"tiles/v1 six 3\n" + b"0" * 64, b"x" * 10_000],
    ids=["empty", "newline", "no-digest", "binary", "words", "huge"],
)
def test_broken_stamp_is_seen(small: Tiles, stamp: bytes) -> None:
    """A stamp that is not whole is damage, never a size; a rebuild mends it."""
    (small.directory / "stamp").write_bytes(stamp)
    for use in (lambda: small.size, lambda: small.root(1), lambda: small.append(LEAVES[:1]), lambda: small.truncate(1)):
        with pytest.raises(DerivedDamaged, match="not a whole stamp"):
            use()
    small.rebuild(LEAVES[:600])
    assert small.root(600) == merkle.root(LEAVES[:600])


def test_every_flipped_bit_of_the_stamp_is_seen(small: Tiles) -> None:
    """No single-bit change of the stamp gives another size or round."""
    path = small.directory / "stamp"
    data = path.read_bytes()
    for bit in range(len(data) * 8):
        path.write_bytes((int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big"))
        with pytest.raises(DerivedDamaged):
            _ = small.stamp


def test_negative_stamp_is_seen(small: Tiles) -> None:
    """A stamp of a size that can't be is damage even with a right digest."""
    (small.directory / "stamp").write_bytes(Stamp(-5, 1).to_bytes())
    with pytest.raises(DerivedDamaged):
        _ = small.size


@pytest.mark.parametrize("name", ["level-00", "level-08"])
def test_missing_or_short_level_is_seen(small: Tiles, name: str) -> None:
    """A level that is shorter than the stamp says, or gone, is damage; a rebuild mends it."""
    path = small.directory / name
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(DerivedDamaged, match="ends before hash"):
        small.root(600)
    path.unlink()
    with pytest.raises(DerivedDamaged, match="cannot be read"):
        small.root(600)
    small.rebuild(LEAVES[:600], round_number=3)
    assert small.root(600) == merkle.root(LEAVES[:600])


def unproven(log: Tiles, size: int, root: bytes) -> int:
    """How many leaves the files' proofs fail to show under this root."""
    failed = 0
    for index in range(size):
        try:
            verify_inclusion(index, size, LEAVES[index], log.inclusion_proof(index, size), root)
        except ProofError:
            failed += 1
    return failed


def test_flipped_bits_never_verify(small: Tiles) -> None:
    """A proof made over a damaged hash fails against the signed root, and a rebuild mends the files."""
    root = merkle.root(LEAVES[:600])
    whole_files = files(small)
    assert unproven(small, 600, root) == 0
    for name, at in (("level-00", 300), ("level-00", 599), ("level-08", 0), ("level-08", 1)):
        data = bytearray(whole_files[name])
        data[at * 32 + 5] ^= 0x10
        (small.directory / name).write_bytes(data)
        assert unproven(small, 600, root) > 0
        small.rebuild(LEAVES[:600], round_number=3)
        assert files(small) == whole_files


def test_damage_is_no_integrity_finding() -> None:
    """Damaged derived files are an error of ours, but no evidence against anybody."""
    assert issubclass(DerivedDamaged, LedgerError)
    assert not issubclass(DerivedDamaged, IntegrityError)


@pytest.mark.parametrize("kept", [600, 601, 640, 767])
def test_append_killed_before_its_stamp(small: Tiles, kept: int) -> None:
    """Hashes written without their stamp, whole or in part, are not covered, and the append can be done again."""
    stamp = (small.directory / "stamp").read_bytes()
    small.append(LEAVES[600:768], round_number=4)
    whole_files = files(small)
    os.truncate(small.directory / "level-00", kept * 32 + 7)
    (small.directory / "level-08").write_bytes(whole_files["level-08"][:64] + b"\xff" * 40)
    (small.directory / "stamp").write_bytes(stamp)
    assert small.stamp == Stamp(600, 3)
    assert small.root(600) == merkle.root(LEAVES[:600])
    small.append(LEAVES[600:768], round_number=4)
    small.truncate(768, round_number=4)
    assert files(small) == whole_files


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("call", ["open", "replace"])
def test_append_that_fails_leaves_the_old_cover(
    small: Tiles, monkeypatch: pytest.MonkeyPatch, fault: int, call: str
) -> None:
    """A full or failing disk during an append raises, leaves the old stamp true, and no temporary file."""
    real_open = os.open

    def failing_open(path: str | Path, flags: int, *mode: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(fault, os.strerror(fault))
        return real_open(path, flags, *mode)

    def failing_replace(self: Path, target: Path) -> Path:
        raise OSError(fault, os.strerror(fault))

    with monkeypatch.context() as patch:
        if call == "open":
            patch.setattr(os, "open", failing_open)
        else:
            patch.setattr(Path, "replace", failing_replace)
        with pytest.raises(OSError, match=r"space|error"):
            small.append(LEAVES[600:900], round_number=4)
    assert small.stamp == Stamp(600, 3)
    assert small.root(600) == merkle.root(LEAVES[:600])
    assert not list(small.directory.glob(".stamp-*"))
    small.append(LEAVES[600:900], round_number=4)
    assert small.root(900) == merkle.root(LEAVES[:900])


def test_two_writers_of_one_log_agree(tmp_path: Path) -> None:
    """Two writers that append the same leaves at once write the same bytes, so neither can harm the other."""
    first, second = Tiles(tmp_path / "log"), Tiles(tmp_path / "log")
    first.append(LEAVES[:300])
    stamp = (first.directory / "stamp").read_bytes()
    first.append(LEAVES[300:900])
    (first.directory / "stamp").write_bytes(stamp)  # the second writer had read the stamp before the first replaced it
    second.append(LEAVES[300:800])
    assert first.root(800) == merkle.root(LEAVES[:800])
    first.append(LEAVES[800:900])
    assert second.root(900) == merkle.root(LEAVES[:900])


def test_no_file_stays_open(small: Tiles) -> None:
    """Neither reading, writing nor a failed read leaves a descriptor open."""
    before = len(os.listdir("/dev/fd"))
    small.inclusion_proof(5, 600)
    small.append(LEAVES[600:900])
    with pytest.raises(DerivedBehind):
        small.subtree_hash(0, 5_000)
    assert len(os.listdir("/dev/fd")) == before
