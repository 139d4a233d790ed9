"""Files of sorted pairs: written, merged, found again, and refused once a byte of them differs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.tiles import DerivedDamaged
from query import pairs
from query.pairs import STAMP_BYTES, Pairs, join, open_pairs, spill, write

STAMP = b"s" * STAMP_BYTES


def some(values: list[tuple[int, int]]) -> Pairs:
    """Pairs from tuples, sorted."""
    return join([Pairs(np.array([k for k, _ in values], np.uint64), np.array([v for _, v in values], np.uint64))])


@given(st.lists(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 9)))))
def test_merging_keeps_every_pair_in_order(tmp_path_factory: pytest.TempPathFactory, parts: list) -> None:
    """What several sources hold stands in the merged file, sorted, whatever the pieces it was merged in."""
    path = tmp_path_factory.mktemp("pairs") / "a.run"
    before = pairs._PIECE_PAIRS
    pairs._PIECE_PAIRS = 3
    try:
        write(path, STAMP, [some(part) for part in parts if part])
    finally:
        pairs._PIECE_PAIRS = before
    found = open_pairs(path)
    held = list(zip(found.pairs.keys.tolist(), found.pairs.values.tolist(), strict=True))
    assert [key for key, _ in held] == sorted(key for key, _ in held)
    assert sorted(held) == sorted(pair for part in parts for pair in part)
    for key, _ in held:
        assert found.pairs.under(key) == [value for each, value in held if each == key]


def test_every_byte_altered_is_refused(tmp_path: Path) -> None:
    """No byte of a file can change and the file still be opened."""
    path = tmp_path / "a.run"
    write(path, STAMP, [some([(5, 1), (7, 2), (7, 3)])])
    data = path.read_bytes()
    assert open_pairs(path).stamp == STAMP
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :])
        with pytest.raises(DerivedDamaged):
            open_pairs(path)


@pytest.mark.parametrize("cut", [0, 10, 191, 200])
def test_a_short_file_is_refused(tmp_path: Path, cut: int) -> None:
    """A file that was cut is not opened."""
    path = tmp_path / "a.run"
    write(path, STAMP, [some([(5, 1), (7, 2)])])
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DerivedDamaged):
        open_pairs(path)


def test_a_replaced_file_is_seen(tmp_path: Path) -> None:
    """An open file tells that another stands in its place, or none."""
    path = tmp_path / "a.run"
    write(path, STAMP, [some([(5, 1)])])
    found = open_pairs(path)
    assert found.intact()
    write(path, STAMP, [some([(5, 1)])])
    assert not found.intact()
    path.unlink()
    assert not found.intact()


def test_what_is_spilled_is_the_same(tmp_path: Path) -> None:
    """Pairs moved out of memory hold what they held, and leave no file behind."""
    held = spill(tmp_path, [some([(9, 1)]), some([(2, 2), (9, 0)])])
    assert (held.keys.tolist(), held.values.tolist()) == ([2, 9, 9], [2, 0, 1])
    assert list(tmp_path.iterdir()) == []
