"""The spool on disk: its folders, and what a crash leaves."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from nacl.public import PrivateKey, SealedBox

from ledger.client import spool_key
from ledger.client.spool import Spool
from ledger.client.spool_folder import Folder, take_over
from ledger.client.spool_frame import Frame, Row, read_segment
from ledger.client.spool_key import SpoolKey
from ledger.v1.ingest_pb2 import GetSpoolKeyResponse

PRIVATE = PrivateKey.generate()
KEY = SpoolKey(b"key-0001", bytes(PRIVATE.public_key), 1e12, 1e12)


def spool_at(root: Path, boot: int = 1, *, looks: bool = True, **limits: int) -> Spool:
    bounds = {"bytes_max": 1_000_000, "segment_bytes": 1_000, **limits}
    made = Spool(root, "acme", bytes([boot]) * 16, boot, fsync=False, **bounds)
    made.prepare()
    if looks:
        made.open()
    return made


def rows(*numbers: int) -> tuple[Row, ...]:
    return tuple(Row(number.to_bytes(16, "big"), number, 0) for number in numbers)


def drain(spool: Spool) -> list[bytes]:
    """Everything in the spool, in the order it is sent, opened."""
    found = []
    while (frame := spool.head()) is not None:
        found.append(SealedBox(PRIVATE).decrypt(frame.box))
        spool.done()
    return found


def test_frames_come_out_in_the_order_they_went_in(tmp_path: Path) -> None:
    """Over several segments, frames are read in order, and nothing is left on disk afterwards."""
    spool = spool_at(tmp_path)
    sent = [b"request %d" % n for n in range(30)]
    for n, request in enumerate(sent):
        assert spool.append(KEY, rows(n), request)
    (folder,) = tmp_path.iterdir()
    assert len(list(folder.glob("*.seg"))) > 3
    assert drain(spool) == sent
    assert (spool.empty, spool.size_bytes) == (True, 0)
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_nothing_readable_lies_on_the_disk(tmp_path: Path) -> None:
    """What is spooled can't be found in the files; folders and files are the owner's alone."""
    spool = spool_at(tmp_path / "spool")
    spool.append(KEY, rows(1), b"the secret question of mia")
    for path in [*tmp_path.rglob("*")]:
        if path.is_file():
            assert b"secret" not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0
    spool.close()


def test_what_an_earlier_client_left_comes_first(tmp_path: Path) -> None:
    """A new client takes over the folders whose owners are gone, oldest first, and removes them when sent."""
    for boot in (3, 2):
        left = spool_at(tmp_path, boot, looks=False)
        left.append(KEY, rows(boot), b"of boot %d" % boot)
        left.close()
    spool = spool_at(tmp_path, 4)
    spool.append(KEY, rows(9), b"of boot 4")
    frame = spool.head()
    assert frame is not None
    assert frame.boot_id == bytes([2]) * 16
    assert drain(spool) == [b"of boot 2", b"of boot 3", b"of boot 4"]
    assert len(list(tmp_path.iterdir())) == 1
    spool.close()


def test_it_is_not_empty_before_it_was_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for it to be empty, on another thread, is told so only once what others left was taken over."""
    earlier = spool_at(tmp_path)
    assert earlier.append(KEY, rows(1), b"left")
    earlier.close()
    seen: list[bool] = []
    spool = spool_at(tmp_path, 2, looks=False)

    def watched(path: Path, segment_bytes: int, fsync: bool) -> Folder | None:
        seen.append(spool.empty)
        return take_over(path, segment_bytes, fsync)

    monkeypatch.setattr("ledger.client.spool.take_over", watched)
    spool.open()
    assert seen == [False]
    assert not spool.empty
    spool.close()


def test_a_living_client_s_folder_is_left_alone(tmp_path: Path) -> None:
    """A folder whose owner lives, and another tenant's, are not touched."""
    first, second = spool_at(tmp_path, 1), spool_at(tmp_path, 2)
    first.append(KEY, rows(1), b"mine")
    stranger = Spool(tmp_path, "other", b"o" * 16, 0, bytes_max=10**6, segment_bytes=10**6, fsync=False)
    stranger.append(KEY, rows(1), b"another tenant's")
    stranger.close()
    second.open()
    assert drain(second) == []
    assert drain(first) == [b"mine"]
    first.close()
    second.close()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_full_spool_takes_no_more(tmp_path: Path) -> None:
    """`spool_bytes_max` bounds the files, those of earlier clients included."""
    spool = spool_at(tmp_path, bytes_max=2_000)
    taken = 0
    while spool.append(KEY, rows(taken), b"x" * 100):
        taken += 1
    assert 3 < taken < 15
    assert spool.size_bytes <= 2_000
    spool.close()
    later = spool_at(tmp_path, 2, bytes_max=2_000)
    assert not later.append(KEY, rows(1), b"x" * 100)
    assert len(drain(later)) == taken
    assert later.append(KEY, rows(1), b"x" * 100)
    drain(later)
    later.close()


@pytest.mark.parametrize("cuts_back", [True, False], ids=["cut back", "left torn"])
def test_a_failed_write_leaves_no_frame_and_harms_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cuts_back: bool
) -> None:
    """A disk that is full in the middle of a frame: the frames before and after are whole."""
    spool = spool_at(tmp_path)
    spool.append(KEY, rows(1), b"before")
    real_write = os.write

    def half(file: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", full)
        return real_write(file, bytes(data)[: len(data) // 2])

    def full(file: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", half)
    if not cuts_back:
        monkeypatch.setattr(os, "ftruncate", full)
    with pytest.raises(OSError, match="No space"):
        spool.append(KEY, rows(2), b"during")
    monkeypatch.undo()
    spool.append(KEY, rows(3), b"after")
    assert drain(spool) == [b"before", b"after"]
    assert spool.take_damages() == []
    spool.close()


def test_a_damaged_frame_is_named_and_the_others_are_sent(tmp_path: Path) -> None:
    """A frame that no longer checks is lost alone, with its boot and its number of events."""
    spool = spool_at(tmp_path, segment_bytes=100_000)
    for n in range(3):
        spool.append(KEY, rows(n, n + 10), b"request %d" % n)
    (segment,) = tmp_path.rglob("*.seg")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    assert drain(spool) == [b"request 0", b"request 2"]
    (damage,) = spool.take_damages()
    assert (damage.boot_id, damage.frames, damage.events) == (b"\1" * 16, 1, 2)
    spool.close()


# --- crashes --------------------------------------------------------------------------------------------------------

WRITER = """
import os, signal, sys
from pathlib import Path
from ledger.client.spool import Spool
from ledger.client.spool_frame import Row
from ledger.client.spool_key import SpoolKey

root, public, start, fsync = Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "True"
spool = Spool(root, "acme", start.to_bytes(16, "big"), start, bytes_max=1 << 30, segment_bytes=300_000, fsync=fsync)
spool.prepare()
key = SpoolKey(b"key-0001", public, 1e12, 1e12)
dies_in_piece, piece, write = int(sys.argv[5]), 0, os.write

def in_pieces(file, data):
    global piece
    if data.nbytes <= 64:
        return write(file, data)
    piece += 1
    if piece == dies_in_piece:
        os.kill(os.getpid(), signal.SIGKILL)
    return write(file, data[:997])

if dies_in_piece:
    os.write = in_pieces
number = 0
while True:
    number += 1
    request = b"%d %d " % (start, number) + b"x" * (number * 7919 % 60_000)
    spool.append(key, (Row(number.to_bytes(16, "big"), number, 0),), request)
    print(number, flush=True)
"""


def write_until_killed(root: Path, start: int, dies_in_piece: int = 0, frames: int = 0, after_s: float = 0.0) -> int:
    """Runs a writer until it kills itself or, `after_s` after so many frames, is killed; the frames it promised."""
    arguments = [str(root), bytes(PRIVATE.public_key).hex(), str(start), str(start % 2 == 0), str(dies_in_piece)]
    with subprocess.Popen([sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE) as writer:
        if writer.stdout is None:
            raise AssertionError("no pipe")
        for _ in range(frames):
            writer.stdout.readline()
        if frames:
            time.sleep(after_s)
            writer.send_signal(signal.SIGKILL)
        said = [frames, *(int(line) for line in writer.stdout.read().split())]
        if writer.wait() != -signal.SIGKILL:
            raise AssertionError("the writer was not killed")
    return max(said)


def check_promises(root: Path, promised: dict[int, int]) -> None:
    """Every promised frame of every writer is there, whole and in order, with at most one more; nothing is damage."""
    spool = spool_at(root, 200)
    found: dict[int, list[int]] = {}
    for request in drain(spool):
        writer, number, _ = request.split(b" ", 2)
        found.setdefault(int(writer), []).append(int(number))
    assert spool.take_damages() == []
    assert [start for start in promised if promised[start]] == [start for start in found if promised[start]]
    for start, numbers in found.items():
        assert numbers == list(range(1, len(numbers) + 1))
        assert promised[start] <= len(numbers) <= promised[start] + 1
    spool.close()
    assert list(root.iterdir()) == []


def test_a_kill_at_any_moment_loses_at_most_the_frame_being_written(tmp_path: Path) -> None:
    """Writers killed with SIGKILL from outside: every frame whose append returned is there."""
    promised = {start: write_until_killed(tmp_path, start, 0, start * 9, 0.000_7 * start) for start in range(1, 6)}
    check_promises(tmp_path, promised)


def test_a_kill_in_the_middle_of_a_frame_loses_that_frame_only(tmp_path: Path) -> None:
    """A writer that dies between two writes of one frame leaves a torn frame; all frames before it are whole."""
    promised = {}
    for start, piece in enumerate((2, 5, 9, 40, 333), 1):
        promised[start] = write_until_killed(tmp_path, start, piece)
        (folder,) = tmp_path.glob(f"*-{start:012x}-*")
        assert read_segment(max(folder.glob("*.seg")).read_bytes()).torn_bytes > 0
    check_promises(tmp_path, promised)


def test_a_segment_cut_anywhere_keeps_the_frames_before(tmp_path: Path) -> None:
    """Each length that a crash may leave a segment at is read without damage."""
    spool = spool_at(tmp_path)
    for n in range(3):
        spool.append(KEY, rows(n), b"request %d" % n)
    (segment,) = tmp_path.rglob("*.seg")
    data = segment.read_bytes()
    whole = read_segment(data).frames
    for size in range(len(data)):
        part = read_segment(data[:size])
        assert part.frames == whole[: len(part.frames)]
        assert part.damaged_frames == 0
        assert sum(len(frame.encode()) for frame in part.frames) + part.torn_bytes == size
    drain(spool)
    spool.close()


# --- the key --------------------------------------------------------------------------------------------------------


def answer(**changed: object) -> GetSpoolKeyResponse:
    values = {"key_id": b"k" * 8, "public_key": b"p" * 32, "seal_until": 100, "destroyed_at": 200, **changed}
    return GetSpoolKeyResponse(
        key_id=values["key_id"],  # type: ignore[arg-type]
        public_key=values["public_key"],  # type: ignore[arg-type]
        seal_until=Timestamp(seconds=values["seal_until"]) if values["seal_until"] else None,  # type: ignore[arg-type]
        destroyed_at=Timestamp(seconds=values["destroyed_at"]) if values["destroyed_at"] else None,  # type: ignore[arg-type]
    )


def test_the_key_is_kept_beside_the_spool(tmp_path: Path) -> None:
    """A key written down is read back; one that was altered is not used."""
    key = spool_key.from_answer(answer())
    assert key == SpoolKey(b"k" * 8, b"p" * 32, 100.0, 200.0)
    assert spool_key.load(tmp_path) is None
    spool_key.store(key, tmp_path)
    assert spool_key.load(tmp_path) == key
    path = tmp_path / spool_key.FILE_NAME
    whole = path.read_text()
    for altered in (whole.replace("7070", "7071", 1), whole[:-20], "[]", "", whole.replace("100.0", "1000.0")):
        path.write_text(altered)
        assert spool_key.load(tmp_path) is None
    assert [each.name for each in tmp_path.iterdir()] == [spool_key.FILE_NAME]


@pytest.mark.parametrize("wrong", [{"key_id": b"k"}, {"public_key": b""}, {"destroyed_at": 0}])
def test_a_key_that_is_not_usable_is_none(wrong: dict[str, object]) -> None:
    """A gateway's answer without id, key or end is refused."""
    assert spool_key.from_answer(answer(**wrong)) is None


def test_a_key_is_not_sealed_to_longer_than_it_lives() -> None:
    """Without `seal_until`, or with one past its end, the key's end is when another is asked for."""
    for until in (0, 900):
        key = spool_key.from_answer(answer(seal_until=until))
        assert key is not None
        assert key.seal_until_s == 200.0


def test_a_frame_says_what_it_holds() -> None:
    """The numbers a lost frame leaves undeclared are its events and what those had declared."""
    frame = Frame(b"k" * 8, b"b" * 16, (Row(b"i" * 16, 5, 2), Row(b"j" * 16, 6, 0)), b"box")
    assert frame.numbers == 4
