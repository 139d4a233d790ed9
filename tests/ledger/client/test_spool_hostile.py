"""The spool on a disk that fails, fills up, or holds what somebody else put there."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.client import Client, spool_key
from ledger.client.spool import Spool
from ledger.client.spool_folder import Folder
from tests.ledger.client.gateway import ScriptedGateway, wait_until
from tests.ledger.client.test_client_spool import asks, knows_key, spools
from tests.ledger.client.test_spool import KEY, drain, rows, spool_at

Make = Callable[..., Client]


def _fails(number: int) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


def _left(root: Path, boot: int, frames: int = 1) -> None:
    """What a client that is gone left."""
    spool = spool_at(root, boot, looks=False, segment_bytes=1)
    for at in range(frames):
        spool.append(KEY, rows(at), b"%d-%d" % (boot, at))
    spool.close()


@pytest.mark.parametrize("step", ["lock", "rename", "segment"])
def test_a_disk_that_was_full_while_the_folder_was_made_is_used_when_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Whatever a full disk cut off, the next try makes the folder anew, and nothing is left beside it."""
    spool = spool_at(tmp_path)
    if step == "rename":
        monkeypatch.setattr(Path, "rename", _fails(errno.ENOSPC))
    elif step == "lock":
        monkeypatch.setattr("ledger.client.spool_folder.fcntl.flock", _fails(errno.ENOLCK))
    else:
        monkeypatch.setattr(Folder, "_start_segment", _fails(errno.ENOSPC))
    with pytest.raises(OSError, match="No "):
        spool.append(KEY, rows(1), b"lost")
    monkeypatch.undo()
    assert spool.append(KEY, rows(2), b"kept")
    assert drain(spool) == [b"kept"]
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_crash_left_half_made_is_removed_after_a_while(tmp_path: Path) -> None:
    """A draft of a folder goes once it is old enough to be nobody's any more, and not while somebody holds it."""
    names = [f".{'0' * 16}-{at:012x}-{'0' * 32}" for at in range(3)]
    digest = spool_at(tmp_path)._tenant_digest
    drafts = [tmp_path / name.replace("0" * 16, digest, 1) for name in names]
    for draft in drafts:
        draft.mkdir(mode=0o700)
    (drafts[0] / "lock").touch()
    for draft in drafts[:2]:
        os.utime(draft, (time.time() - 600,) * 2)
    spool_at(tmp_path, 2)
    assert [draft.exists() for draft in drafts] == [False, False, True]


def test_names_that_are_none_of_ours_are_left_alone(tmp_path: Path) -> None:
    """A file beside the folders, a folder of another name, a segment that is none: what is ours is drained."""
    _left(tmp_path, 1)
    (folder,) = tmp_path.iterdir()
    for name in ("notes.seg", "zz.seg", "core"):
        (folder / name).write_text("x")
    (tmp_path / f"{folder.name[:16]}-backup").mkdir()
    (tmp_path / folder.name.replace(folder.name[:4], "zzzz")).mkdir()
    spool = spool_at(tmp_path, 2)
    assert drain(spool) == [b"1-0"]
    spool.close()
    assert sorted(each.name for each in folder.iterdir() if each.suffix == ".seg") == ["notes.seg", "zz.seg"]


def test_one_folder_that_fails_keeps_none_of_the_others_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be taken over is told; what stands behind it is taken."""
    for boot in (1, 2, 3):
        _left(tmp_path, boot)
    spool = spool_at(tmp_path, 4, looks=False)
    real = Folder.__init__

    def init(self: Folder, path: Path, *rest: Any) -> None:
        if "-000000000002-" in path.name:
            raise OSError(errno.EIO, "Input/output error")
        real(self, path, *rest)

    monkeypatch.setattr(Folder, "__init__", init)
    with pytest.raises(OSError, match="Input/output"):
        spool.open()
    assert drain(spool) == [b"1-0", b"3-0"]
    monkeypatch.undo()
    spool.open()
    assert drain(spool) == [b"2-0"]
    spool.close()


@pytest.mark.parametrize("how", ["gone", "a folder", "bad sector"])
def test_a_segment_that_cannot_be_read_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """After a few tries it is counted as damage and kept for a person, and what stands behind it is sent."""
    _left(tmp_path, 1, 3)
    (folder,) = tmp_path.iterdir()
    segment = folder / f"{1:016x}.seg"
    spool = spool_at(tmp_path, 2)
    if how == "bad sector":
        read = Folder.read
        monkeypatch.setattr(Folder, "read", lambda self, at: _fails(errno.EIO)() if at == 1 else read(self, at))
    else:
        segment.unlink()
    if how == "a folder":
        segment.mkdir()
    found, failures = [], 0
    while not spool.empty:
        try:
            if (frame := spool.head()) is not None:
                found.append(frame.rows[0].sequence)
                spool.done()
        except OSError:
            failures += 1
    assert found == [0, 2]
    assert failures == (0 if how == "gone" else 2)
    assert [damage.frames for damage in spool.take_damages()] == [1]
    spool.close()
    assert segment.with_name(segment.name + ".unreadable").exists() == (how != "gone")


def test_a_segment_that_cannot_be_removed_is_not_sent_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that became read-only each frame is sent once by this process, and again by the next one."""
    _left(tmp_path, 1, 3)
    spool = spool_at(tmp_path, 2)
    monkeypatch.setattr(Path, "unlink", _fails(errno.EROFS))
    found = []
    while not spool.empty:
        frame = spool.head()
        if frame is not None:
            found.append(frame.rows[0].sequence)
            with pytest.raises(OSError, match="Read-only"):
                spool.done()
    assert found == [0, 1, 2]
    spool.close()
    monkeypatch.undo()
    later = spool_at(tmp_path, 3)
    assert drain(later) == [b"1-0", b"1-1", b"1-2"]
    later.close()
    assert list(tmp_path.iterdir()) == []


def test_what_another_user_could_have_written_is_not_used(tmp_path: Path) -> None:
    """Neither a key that others could replace, nor folders whose frames they could have put there."""
    _left(tmp_path, 1)
    (folder,) = tmp_path.iterdir()
    spool_key.store(KEY, tmp_path)
    assert spool_key.load(tmp_path) == KEY
    (tmp_path / spool_key.FILE_NAME).chmod(0o666)
    folder.chmod(0o777)
    assert spool_key.load(tmp_path) is None
    spool = spool_at(tmp_path, 2)
    assert drain(spool) == []
    folder.chmod(0o700)
    spool.open()
    assert drain(spool) == [b"1-0"]
    spool.close()


def test_a_read_only_disk_does_not_keep_newer_events_back(
    gateway: ScriptedGateway, client_to: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With frames in the spool that can't be removed, a client whose gateway is back goes on sending directly."""
    client = client_to(gateway, spool_dir=tmp_path / "spool", spool_after_ms=0)
    knows_key(client, gateway)
    gateway.stop()
    spools(client, 5)
    monkeypatch.setattr(Path, "unlink", _fails(errno.EROFS))
    gateway.start()
    client.emit(asks("newer"))
    gateway.await_accepted(7)
    assert gateway.sequences == list(range(1, 8))
    wait_until(lambda: client._engine.spool is not None and client._engine.spool.empty)
    client.emit(asks("newest"))
    assert client.flush(10)
    assert gateway.sequences == list(range(1, 9))


def test_several_processes_share_one_folder(tmp_path: Path) -> None:
    """Each has its own part; a part is taken over by one of them, once, and only when its owner is gone."""
    alive = [spool_at(tmp_path, boot) for boot in (1, 2, 3)]
    for boot, spool in enumerate(alive, start=1):
        spool.append(KEY, rows(1), b"alive %d" % boot)
    _left(tmp_path, 9)
    for spool in alive:
        spool.open()
    found = [drain(spool) for spool in alive]
    assert [each[-1] for each in found] == [b"alive 1", b"alive 2", b"alive 3"]
    assert sum(each.count(b"9-0") for each in found) == 1
    for spool in alive:
        spool.close()
    assert list(tmp_path.iterdir()) == []


def test_a_root_that_appears_later_is_used(tmp_path: Path) -> None:
    """A folder that could not be made when the service started is made at the next look."""
    blocker = tmp_path / "mount"
    blocker.write_text("")
    spool = Spool(blocker / "spool", "acme", b"b" * 16, 1, bytes_max=10**6, segment_bytes=10**6, fsync=False)
    with pytest.raises(OSError, match="Not a directory"):
        spool.open()
    assert not spool.left_over()
    blocker.unlink()
    spool.open()
    assert spool.append(KEY, rows(1), b"kept")
    assert drain(spool) == [b"kept"]
    spool.close()


SERVICE = """
import sys, time
from ledger.client import Client, request
client = Client(sys.argv[1], "acme", spool_dir=sys.argv[2], spool_after_ms=0, linger_ms=1, backoff_first_ms=5,
                batch_events_max=20, spool_fsync=False, spool_segment_bytes=20_000)
number, said = 0, 0
while True:
    number += 1
    client.emit(request(vendor="v", input="x" * (number * 7 % 500), session_id=str(number)))
    time.sleep(0.000_2)
    if (stored := client.stats().spooled_events) != said:
        said = stored
        print(client.boot_id.hex(), stored, flush=True)
"""


def test_services_killed_while_the_gateway_is_away_lose_nothing_they_had_stored(
    gateway: ScriptedGateway, client_to: Make, tmp_path: Path
) -> None:
    """Three services with one spool folder, twice, each killed with SIGKILL at some moment: the next client sends what
    they had stored, each stream in its order, none twice."""
    root = tmp_path / "spool"
    first = client_to(gateway, spool_dir=root)
    knows_key(first, gateway)
    first.close(5)
    gateway.stop()
    promised: dict[str, int] = {}
    for life in range(2):
        arguments = [sys.executable, "-c", SERVICE, gateway.address, str(root)]
        services = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(3)]
        for at, service in enumerate(services):
            with service:
                if service.stdout is None:
                    raise AssertionError("no pipe")
                lines = [service.stdout.readline() for _ in range(3 + at + 4 * life)]
                service.kill()
                for line in (*lines, *service.stdout):
                    if line.endswith("\n"):
                        boot, stored = line.split()
                        promised[boot] = int(stored)
    gateway.start()
    already = len(gateway.accepted)
    last = client_to(gateway, spool_dir=root)
    assert last.flush(30)
    streams: dict[str, list[int]] = {}
    for event in gateway.accepted[already:]:
        streams.setdefault(event.producer.boot_id.hex(), []).append(event.producer.sequence)
    assert len(promised) == 6
    for boot, stored in promised.items():
        assert streams[boot] == list(range(1, len(streams[boot]) + 1))
        assert len(streams[boot]) >= stored
    assert last.close(10)
    assert [each.name for each in root.iterdir()] == [spool_key.FILE_NAME]
