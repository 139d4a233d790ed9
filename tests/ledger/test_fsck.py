"""fsck tells what does not simply belong to a ledger and changes nothing; its broom takes what nobody can need."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from ledger.fsck import FsckLine, clean, fsck
from ledger.newest_rounds import NewestRound
from ledger.proofs import Proofs
from ledger.segments import names
from ledger.segments.history import History
from ledger.segments.holdings import Holdings
from ledger.segments.placement import PLACEMENT, Placement
from tests.ledger.verify.built import Built, build, copied


@pytest.fixture(scope="module")
def _plain(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return asyncio.run(build(tmp_path_factory.mktemp("plain"), compact=False))


@pytest.fixture(scope="module")
def _compacted(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return asyncio.run(build(tmp_path_factory.mktemp("compacted"), compact=True))


@pytest.fixture
def plain(_plain: Built, tmp_path: Path) -> Built:
    """Five rounds, never compacted."""
    return copied(_plain, tmp_path)


@pytest.fixture
def compacted(_compacted: Built, tmp_path: Path) -> Built:
    """Compacted twice."""
    return copied(_compacted, tmp_path)


def _lines(built: Built, derived: Path | None = None) -> list[FsckLine]:
    before = _snapshot(built)
    found = fsck(built.store, built.trust, derived)
    assert _snapshot(built) == before, "fsck changed something"
    return found


def _snapshot(built: Built) -> dict[str, bytes]:
    paths = (path for path in built.store.root.rglob("*") if path.is_file())
    return {path.as_posix(): path.read_bytes() for path in paths}


def _only(lines: list[FsckLine]) -> FsckLine:
    (line,) = lines
    return line


def test_a_sound_ledger_has_nothing_to_tell(plain: Built) -> None:
    """Every object of an honest ledger is named, and named once."""
    assert _lines(plain) == []


def test_superseded_files_are_counted_and_stay(compacted: Built) -> None:
    """Files whose rows all moved on are told in one line, and the broom leaves them alone."""
    line = _only(_lines(compacted))
    assert line.kind == "superseded"
    assert not line.removable
    assert not line.is_problem
    assert clean(compacted.store, [line]) == []
    for name in compacted.names("partitions/0000/events/") + compacted.names("partitions/0000/contents/"):
        compacted.store.remove(name)
    assert [line.kind for line in _lines(compacted)] == ["superseded"]


@pytest.mark.parametrize(
    ("number", "kind", "removable"), [(2, "orphan", True), (5, "pending", False), (7, "hole", False)]
)
@pytest.mark.parametrize("part", ["events", "contents", "statements"])
def test_files_no_round_names_are_told_by_their_number(
    plain: Built, part: str, number: int, kind: str, removable: bool
) -> None:
    """A racer's file is an orphan once its round is published without it, pending before, and a hole beyond."""
    name = names.segment_name(0, part, number, bytes(32))
    plain.store.put(name, b"left behind")
    line = _only(_lines(plain))
    assert (line.kind, line.name, line.removable) == (kind, name, removable)
    assert clean(plain.store, [line]) == ([name] if removable else [])
    assert plain.store.exists(name) != removable
    assert plain.verify().findings == () or number == 7


def test_leftovers_are_removed_once_they_are_old(plain: Built) -> None:
    """A temporary file is told at once, and swept only when nobody can be writing it any more."""
    path = plain.store.root / "partitions/0000/events/.tmp-0123456789abcdef"
    path.write_bytes(b"half a file")
    young = _only(_lines(plain))
    assert (young.kind, young.removable) == ("leftover", False)
    os.utime(path, (1, 1))
    old = _only(_lines(plain))
    assert old.removable
    assert clean(plain.store, [young]) == []
    assert clean(plain.store, [old]) == [old.name]
    assert not path.exists()
    assert _lines(plain) == []


def test_missing_rounds_and_files_are_holes(plain: Built) -> None:
    """A round, a bundle, a file of events that is gone is a hole somebody has to look into."""
    for part in ("/statements/", "/events/", "/contents/"):
        name = plain.names(part)[0]
        data = plain.store.read(name)
        plain.store.remove(name)
        holes = [line for line in _lines(plain) if line.kind in ("hole", "damaged")]
        assert name in "".join(str(line) for line in holes)
        assert all(line.is_problem for line in holes)
        plain.store.put(name, data)
    for number in (1, 2):
        plain.store.remove(names.round_name(0, number))
    lines = _lines(plain)
    assert FsckLine("hole", "partition 0", "rounds 1-2 are missing") in lines
    assert {line.kind for line in lines if "00000000000" in line.name} <= {"pending", "hole"}
    assert not any(line.removable for line in lines)


def test_lost_newest_rounds_leave_holes(plain: Built) -> None:
    """Checkpoints and files of rounds that are gone show that there were more."""
    for number in (3, 4):
        plain.store.remove(names.round_name(0, number))
    kinds = {line.name.split("/")[2]: line.kind for line in _lines(plain) if line.kind == "hole"}
    assert kinds["checkpoints"] == "hole"


def test_the_key_store_remembers_lost_rounds(plain: Built) -> None:
    """Rounds that are gone with all their objects are a hole still, for the key store knew them."""
    remembered = {0: NewestRound(5, bytes(32))}
    assert fsck(plain.store, plain.trust, remembered={0: NewestRound(4, bytes(32))}) == []
    line = _only(fsck(plain.store, plain.trust, remembered=remembered))
    assert (line.kind, line.name) == ("hole", "partition 0")
    assert line.message.startswith("5 rounds are there, but round 5 was published")


def test_a_damaged_round_makes_nothing_removable(plain: Built) -> None:
    """Where a round cannot be read, nobody can tell what it named: its files are pending, and the broom stays away."""
    plain.store.path(names.round_name(0, 2)).write_bytes(b"damaged")
    lines = _lines(plain)
    assert {line.kind for line in lines} == {"damaged", "pending"}
    assert not any(line.removable for line in lines)


def test_unknown_names_are_told(plain: Built) -> None:
    """What bears a name that nothing here gives is somebody else's, and stays."""
    strange = ("readme.txt", "partitions/0000/rounds/2.round", "partitions/0000/other/x", "logs/short/events/a.parquet")
    for name in strange:
        plain.store.put(name, b"?")
        line = _only(_lines(plain))
        assert (line.kind, line.name, line.removable) == ("unknown", name, False)
        plain.store.remove(name)


def _put_placement(built: Built, placement: Placement, proposed: bool = False) -> str:
    data = PLACEMENT.encode(placement)
    digest = sha256(data).digest()
    name = names.placement_name(0, digest)
    built.store.put(name, data)
    if proposed:
        built.store.put(f"{names.partition_folder(0, 'proposals')}/{digest.hex()}", b"")
    return name


def _current(built: Built) -> Placement:
    holdings = Holdings(History(built.store, 0, built.trust))
    holdings.refresh()
    placement = holdings.logs[built.acme].placement
    assert placement is not None
    return placement


def test_placements_no_round_commits_are_told_apart(compacted: Built) -> None:
    """One that was too slow is an orphan, one that could still come is pending or waits, one that cannot is told so."""
    current = _current(compacted)
    digest = sha256(PLACEMENT.encode(current)).digest()
    slow = replace(current, removed=(), previous=bytes(32))
    following = replace(current, sequence_number=current.sequence_number + 1, previous=digest)
    stray = replace(following, previous=bytes(31) + b"\1")
    for placement, proposed, kind, removable in (
        (slow, False, "orphan", True),
        (slow, True, "proposal", False),
        (following, False, "pending", False),
        (following, True, "proposal", False),
        (stray, False, "proposal", False),
    ):
        name = _put_placement(compacted, placement, proposed)
        lines = [line for line in _lines(compacted) if line.name == name]
        assert (_only(lines).kind, _only(lines).removable) == (kind, removable)
        for each in [name, *compacted.names("/proposals/")]:
            compacted.store.remove(each)
    assert compacted.verify(depth="files").findings == ()


def test_markers_and_files_of_proposals_are_told(compacted: Built) -> None:
    """A marker without its placement, one of a committed placement, and a compacted file that nothing names."""
    folder = names.partition_folder(0, "proposals")
    committed = sha256(PLACEMENT.encode(_current(compacted))).hexdigest()
    stray = names.compacted_name(compacted.acme, "events", bytes(32))
    for name, kind in ((f"{folder}/{'0' * 64}", "proposal"), (f"{folder}/{committed}", "proposal"), (stray, "pending")):
        compacted.store.put(name, b"")
        lines = [line for line in _lines(compacted) if line.name == name]
        assert (_only(lines).kind, _only(lines).removable) == (kind, False)
        compacted.store.remove(name)


def test_a_missing_committed_placement_is_a_hole(compacted: Built) -> None:
    """A placement that a round committed, and a file that the current one names, cannot be missing."""
    for name in (compacted.names("/placements/")[0], _current(compacted).files[0].name):
        data = compacted.store.read(name)
        compacted.store.remove(name)
        assert "hole" in {line.kind for line in _lines(compacted) if line.name == name}
        compacted.store.put(name, data)


def test_tiles_are_held_against_the_rounds(plain: Built, tmp_path: Path) -> None:
    """Tiles that are whole say nothing; short, long, flipped or foreign ones are told, and cost only time."""
    derived = tmp_path / "derived"
    history = History(plain.store, 0, plain.trust)
    holdings = Holdings(history)
    holdings.refresh()
    proofs = Proofs(plain.store, derived / "tiles", history, holdings)
    proofs.log(plain.acme).inclusion(0)
    proofs.rounds().inclusion(0)
    assert _lines(plain, derived) == []
    tiles = derived / "tiles" / plain.acme.hex()
    level = (tiles / "level-00").read_bytes()
    (tiles / "level-00").write_bytes(bytes([level[0] ^ 1]) + level[1:])
    assert _only(_lines(plain, derived)).kind == "derived-damaged"
    (tiles / "stamp").write_bytes(b"garbled")
    assert _only(_lines(plain, derived)).kind == "derived-damaged"
    from ledger.tiles import Tiles

    Tiles(tiles).rebuild([bytes(32)] * 100)
    assert "covers 100 leaves" in _only(_lines(plain, derived)).message
    Tiles(tiles).rebuild([level[at : at + 32] for at in range(0, 8 * 32, 32)])
    assert _only(_lines(plain, derived)).kind == "derived-stale"
    tiles.rename(derived / "tiles" / ("0" * 64))
    assert _only(_lines(plain, derived)).kind == "unknown"


def test_what_others_derive_they_check(plain: Built) -> None:
    """Checks of other packages are run, and their lines stand with the rest."""
    line = FsckLine("derived-stale", "ids/0000", "covers 2 of 5 rounds")
    assert fsck(plain.store, plain.trust, checks=[lambda: [line]]) == [line]


def test_a_round_published_in_between_is_no_hole(plain: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are listed before rounds are read, and what is missing from the list is looked up once more."""
    whole = plain.store.walk()
    older = [name for name in whole if "000000000004" not in name]
    monkeypatch.setattr(type(plain.store), "walk", lambda store: older)
    assert fsck(plain.store, plain.trust) == []
