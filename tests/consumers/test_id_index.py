"""The index of ids seen before: `consumers.id_index`. It is derived: damage may cost time, never an answer."""

from __future__ import annotations

import errno
import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers import id_index
from consumers.id_index import MERGE_AT, SEEN, IdIndex, SeenRows
from ledger.errors import Unavailable

Row = tuple[bytes, bytes, int]
"""Event id, log (16 bytes), index."""


def rows(*found: Row) -> SeenRows:
    """Rows to add; digests and leaves follow from id and index, so that a mix-up shows."""
    seen = np.zeros(len(found), SEEN)
    for at, (event_id, log, index) in enumerate(found):
        mark = (event_id + index.to_bytes(16, "big"))[:32]
        seen[at] = (log, index, mark, mark[::-1], event_id * 2)
    ids = np.frombuffer(b"".join(event_id for event_id, _, _ in found), np.uint8).reshape(len(found), 16)
    return SeenRows(ids, seen)


def ids(*wanted: bytes) -> np.ndarray:
    """Event ids as `find` takes them."""
    return np.frombuffer(b"".join(wanted), np.uint8).reshape(len(wanted), 16)


def found(index: IdIndex, *wanted: bytes) -> list[tuple[int, bytes, int]]:
    """(position, log, index) of everything found, each row checked to be that id's."""
    answers = []
    for position, row in index.find(ids(*wanted)):
        assert bytes(row["key_id"]) == wanted[position] * 2
        answers.append((position, bytes(row["log"]), int(row["index"])))
    return answers


def an_id(number: int) -> bytes:
    """An event id; neighbours share their first half, as ids of one millisecond do."""
    return (number // 4).to_bytes(8, "big") + (number % 4).to_bytes(8, "big")


LOG = b"log-a".ljust(16, b"\0")


def test_what_was_added_is_found_and_nothing_else(tmp_path: Path) -> None:
    """Each id yields its rows with its position, ids never added yield none."""
    index = IdIndex(tmp_path)
    index.add(0, rows((an_id(1), LOG, 0), (an_id(9), LOG, 1)))
    index.add(1, rows((an_id(2), LOG, 2)))
    assert found(index, an_id(2), an_id(3), an_id(1), an_id(0), an_id(9)) == [(2, LOG, 0), (4, LOG, 1), (0, LOG, 2)]


def test_ids_that_end_or_begin_with_zeros_are_told_apart(tmp_path: Path) -> None:
    """Fixed-size bytes are compared whole, trailing zeros included."""
    wanted = [bytes(16), b"\1" + bytes(15), bytes(15) + b"\1", b"\xff" * 16, b"\xff" * 15 + b"\0"]
    index = IdIndex(tmp_path)
    index.add(0, rows(*((each, LOG, at) for at, each in enumerate(wanted))))
    assert found(index, *wanted) == [(at, LOG, at) for at in range(len(wanted))]
    assert found(index, b"\1" + bytes(14) + b"\1") == []


def test_one_id_may_stand_in_several_logs_and_rounds(tmp_path: Path) -> None:
    """All rows of an id are found, the oldest first."""
    index = IdIndex(tmp_path)
    other = b"log-b".ljust(16, b"\0")
    index.add(0, rows((an_id(1), LOG, 0), (an_id(1), other, 0)))
    index.add(1, rows((an_id(1), LOG, 5)))
    assert found(index, an_id(1)) == [(0, LOG, 0), (0, other, 0), (0, LOG, 5)]


def test_rounds_are_added_in_order_and_once(tmp_path: Path) -> None:
    """A round that is not the next one is a mistake of the caller's, and changes nothing."""
    index = IdIndex(tmp_path)
    index.add(0, rows((an_id(1), LOG, 0)))
    for number in (0, 2):
        with pytest.raises(ValueError, match="covers rounds below 1"):
            index.add(number, rows())
    assert index.covered == 1


def test_a_round_without_events_is_covered_too(tmp_path: Path) -> None:
    """Heartbeats move the coverage on, across a restart as well."""
    index = IdIndex(tmp_path)
    for number in range(20):
        index.add(number, rows())
    assert IdIndex(tmp_path).covered == 20
    assert found(IdIndex(tmp_path), an_id(1)) == []


def test_many_rounds_merge_into_few_files(tmp_path: Path) -> None:
    """After 600 rounds there are a few dozen files at most, and every id of every round is found."""
    index = IdIndex(tmp_path)
    for number in range(600):
        index.add(number, rows((an_id(7 * number), LOG, number)))
    assert len(list(tmp_path.iterdir())) <= 4 * MERGE_AT
    for opened in (index, IdIndex(tmp_path)):
        assert opened.covered == 600
        assert found(opened, *(an_id(7 * number) for number in range(600))) == [
            (number, LOG, number) for number in range(600)
        ]


def test_runs_stop_merging_at_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A merge never makes a run of more rows than the limit, so its memory is bounded."""
    monkeypatch.setattr(id_index, "RUN_ROWS_MAX", 40)
    index = IdIndex(tmp_path)
    for number in range(100):
        index.add(number, rows(*((an_id(3 * number + at), LOG, at) for at in range(3))))
    sizes = [(path.stat().st_size - 96) // (16 + SEEN.itemsize) for path in tmp_path.iterdir()]
    assert sum(sizes) == 300
    assert max(sizes) <= 40
    assert len(found(IdIndex(tmp_path), *(an_id(number) for number in range(300)))) == 300


added = st.lists(st.lists(st.tuples(st.integers(0, 40), st.sampled_from([b"a", b"b"])), max_size=6), max_size=40)


@settings(max_examples=40, deadline=None)
@given(rounds=added, reopen=st.sets(st.integers(0, 39)))
def test_the_index_is_a_multimap(rounds: list[list[tuple[int, bytes]]], reopen: set[int]) -> None:
    """Whatever was added in whatever rounds, with restarts between, exactly that is found."""
    with tempfile.TemporaryDirectory() as folder:
        index = IdIndex(Path(folder))
        expected: dict[int, list[tuple[bytes, int]]] = {}
        size = 0
        for number, made in enumerate(rounds):
            if number in reopen:
                index = IdIndex(Path(folder))
            named = []
            for event, log in made:
                named.append((an_id(event), log.ljust(16, b"\0"), size))
                expected.setdefault(event, []).append((log.ljust(16, b"\0"), size))
                size += 1
            index.add(number, rows(*named))
        answers: dict[int, list[tuple[bytes, int]]] = {}
        for position, log, at in found(index, *(an_id(event) for event in range(41))):
            answers.setdefault(position, []).append((log, at))
        assert {event: sorted(each) for event, each in answers.items()} == {
            event: sorted(each) for event, each in expected.items()
        }


def grown(folder: Path, rounds: int = 11) -> IdIndex:
    """An index of some rounds: one merged run and a few small ones."""
    index = IdIndex(folder)
    for number in range(index.covered, rounds):
        index.add(number, rows((an_id(number), LOG, number), (an_id(number + 50), LOG, number + 1_000)))
    return index


def every_answer(index: IdIndex) -> list[tuple[int, bytes, int]]:
    """What the index says about every id there is."""
    return sorted(found(index, *(an_id(number) for number in range(100))))


def test_no_flipped_bit_changes_an_answer(tmp_path: Path) -> None:
    """Any byte of any run changed: the run is dropped when the index is opened, what is left answers as before."""
    grown_index = IdIndex(tmp_path)
    for number in range(MERGE_AT + 1):
        grown_index.add(number, rows((an_id(number), LOG, number)))
    expected = every_answer(grown_index)
    genuine = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(genuine) == 2
    dice = random.Random(1)
    for path in sorted(genuine):
        for at in range(len(genuine[path])):
            damaged = bytearray(genuine[path])
            damaged[at] ^= 1 << dice.randrange(8)
            path.write_bytes(damaged)
            index = IdIndex(tmp_path)
            assert index.covered <= MERGE_AT, f"a flip in byte {at} of {path.name} went unnoticed"
            assert every_answer(index) == [each for each in expected if each[2] % 1_000 < index.covered]
            for lost, data in genuine.items():
                lost.write_bytes(data)
    assert every_answer(IdIndex(tmp_path)) == expected


DAMAGES: dict[str, Callable[[list[Path]], object]] = {
    "all deleted": lambda paths: delete(paths),
    "first deleted": lambda paths: delete(paths[:1]),
    "last deleted": lambda paths: delete(paths[-1:]),
    "middle deleted": lambda paths: delete(paths[1:2]),
    "emptied": lambda paths: paths[1].write_bytes(b""),
    "cut short": lambda paths: os.truncate(paths[0], 200),
    "longer": lambda paths: paths[1].write_bytes(paths[1].read_bytes() + b"\0"),
    "swapped": lambda paths: swap(paths[1], paths[2]),
    "replayed under another name": lambda paths: paths[2].write_bytes(paths[1].read_bytes()),
    "a stranger's file": lambda paths: paths[0].with_name("notes.txt").write_bytes(b"hello"),
    "a draft left behind": lambda paths: paths[0].with_suffix(".1.tmp").write_bytes(b"half"),
}


def delete(paths: list[Path]) -> None:
    """Removes files."""
    for path in paths:
        path.unlink()


def swap(one: Path, other: Path) -> None:
    """Exchanges two files."""
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_damaged_files_cost_time_and_never_an_answer(tmp_path: Path, damage: str) -> None:
    """Deleted, cut, swapped or foreign files: what is missing is told by `covered`, and re-adding gives it all back."""
    expected = every_answer(grown(tmp_path))
    DAMAGES[damage](sorted(tmp_path.iterdir()))
    index = IdIndex(tmp_path)
    answers = every_answer(index)
    assert answers == [each for each in expected if each[2] % 1_000 < index.covered]
    assert every_answer(grown(tmp_path)) == expected


@pytest.mark.parametrize("removed", range(MERGE_AT + 1))
def test_a_crash_in_a_merge_leaves_a_whole_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removed: int) -> None:
    """Between writing the merged run and removing the last of its parts the files overlap; one reading is kept."""
    with monkeypatch.context() as patch:
        patch.setattr(id_index, "MERGE_AT", 100)
        grown(tmp_path / "parts", MERGE_AT)
    expected = every_answer(grown(tmp_path / "merged", MERGE_AT))
    for part in sorted((tmp_path / "parts").iterdir())[removed:]:
        part.rename(tmp_path / "merged" / part.name)
    assert len(list((tmp_path / "merged").iterdir())) == 1 + MERGE_AT - removed
    index = grown(tmp_path / "merged", MERGE_AT)
    assert index.covered == MERGE_AT
    assert every_answer(index) == expected


def test_a_full_disk_is_unavailable_and_the_index_goes_on_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ENOSPC while a run is written is an error to retry after; what was there stays, and the round can follow."""
    index = grown(tmp_path, MERGE_AT - 1)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr("consumers.id_index.os.replace", full)
            with pytest.raises(Unavailable, match="No space left"):
                index.add(index.covered, rows((an_id(77), LOG, 77)))
        assert index.covered == MERGE_AT - 1
    index.add(MERGE_AT - 1, rows((an_id(77), LOG, 77)))
    assert found(index, an_id(0), an_id(77)) == [(0, LOG, 0), (1, LOG, 77)]
    assert IdIndex(tmp_path).covered == MERGE_AT


def test_a_reset_index_begins_anew(tmp_path: Path) -> None:
    """After a reset nothing is known and nothing is left on disk."""
    index = grown(tmp_path)
    index.reset()
    assert index.covered == 0
    assert list(tmp_path.iterdir()) == []
    assert every_answer(index) == []
    assert every_answer(grown(tmp_path)) == every_answer(grown(tmp_path))
