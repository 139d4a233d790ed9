"""Objects with put-if-absent: whole and durable, once, or not at all."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import IntegrityError, OutcomeUnknown, Unavailable
from ledger.segments import objects
from ledger.segments.objects import FileStore

NAME = "partitions/0000/rounds/000000000000.round"


def test_an_object_comes_back_and_stays(tmp_path: Path) -> None:
    """What was put is read; a second put changes nothing and says so."""
    store = FileStore(tmp_path / "segments")
    assert store.put(NAME, b"first") is True
    assert store.put(NAME, b"second") is False
    assert store.put(NAME, b"first") is False
    assert store.read(NAME) == b"first"
    assert store.exists(NAME)
    assert store.walk() == [NAME]
    assert store.leftovers() == []


def test_an_empty_object_is_one(tmp_path: Path) -> None:
    """A marker of no bytes exists."""
    store = FileStore(tmp_path)
    assert store.put("a/b", b"")
    assert store.read("a/b") == b""


def test_names_in_a_folder_are_sorted_and_direct(tmp_path: Path) -> None:
    """Listing gives the names right under a folder, temporary files left out."""
    store = FileStore(tmp_path)
    for name in ("p/b", "p/a", "p/q/c", "r"):
        store.put(name, b"")
    (tmp_path / "p" / ".tmp-1234").write_bytes(b"half")
    assert store.names_in("p") == ["p/a", "p/b", "p/q"]
    assert store.names_in("nowhere") == []
    assert store.leftovers() == [tmp_path / "p" / ".tmp-1234"]
    assert store.walk() == ["p/a", "p/b", "p/q/c", "r"]


def test_removal_is_for_good_and_may_be_repeated(tmp_path: Path) -> None:
    """What is gone already is no error, wherever it would have been."""
    store = FileStore(tmp_path)
    store.put("p/a", b"x")
    store.remove("p/a")
    store.remove("p/a")
    store.remove("nowhere/a")
    assert not store.exists("p/a")
    with pytest.raises(IntegrityError, match="p/a: is missing"):
        store.read("p/a")


@pytest.mark.parametrize(
    "name",
    [
        *("", "/etc/passwd", "..", "../x", "a/../b", "a/..", "a//b", "a/", "./a", ".hidden", "a/.tmp-1", "-x", "a/-x"),
        *("A", "a b", "a\x00b", "a\n", "é", "a\\b", "a:b", "x/٣"),
    ],
)
@pytest.mark.parametrize("call", ["path", "read", "exists", "put", "names_in", "remove"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str, call: str) -> None:
    """No name of a round or placement, however it is made, reaches out of the store or at its temporary files."""
    store = FileStore(tmp_path / "segments")
    arguments = (name, b"x") if call == "put" else (name,)
    with pytest.raises(IntegrityError, match="not an object name"):
        getattr(store, call)(*arguments)
    assert list(tmp_path.rglob("*")) == []


def test_a_thousand_characters_of_name_are_not_repeated(tmp_path: Path) -> None:
    """A hostile name does not fill the log."""
    with pytest.raises(IntegrityError) as caught:
        FileStore(tmp_path).read("A" * 100_000)
    assert len(str(caught.value)) < 300


def test_of_many_threads_one_wins(tmp_path: Path) -> None:
    """Put-if-absent among threads: one True a name, and its bytes are the ones there."""
    store = FileStore(tmp_path)
    for number in range(20):
        won: list[bytes] = []
        barrier = threading.Barrier(8)

        def run(data: bytes, name: str, barrier: threading.Barrier, won: list[bytes]) -> None:
            barrier.wait(timeout=30)
            if FileStore(store.root).put(name, data):
                won.append(data)

        name = f"races/{number}"
        threads = [threading.Thread(target=run, args=(bytes([each]) * 5_000, name, barrier, won)) for each in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert [store.read(name)] == won
    assert store.leftovers() == []


RACER = """
    import sys
    from pathlib import Path
    from ledger.segments.objects import FileStore
    store = FileStore(Path(sys.argv[1]))
    mine = sys.argv[2].encode() * 2_000
    print("ready", flush=True)
    sys.stdin.readline()
    print(*(n for n in range(60) if store.put(f"races/{n:03d}", mine)), flush=True)
"""


def test_of_many_processes_one_wins(tmp_path: Path) -> None:
    """Put-if-absent among processes that start at once, the folder not even made: each name has one winner."""
    command = [sys.executable, "-c", textwrap.dedent(RACER), str(tmp_path / "segments")]
    racers = [
        subprocess.Popen([*command, str(each)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for each in range(4)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    outputs = []
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    outputs = [racer.communicate(timeout=120)[0].split() for racer in racers]
    assert sorted(number for won in outputs for number in won) == sorted(str(n) for n in range(60))
    store = FileStore(tmp_path / "segments")
    for each, won in enumerate(outputs):
        for number in won:
            assert store.read(f"races/{int(number):03d}") == str(each).encode() * 2_000
    assert store.leftovers() == []


PUTTER = """
    import os, signal, sys
    from pathlib import Path
    from ledger.segments import objects
    calls = 0
    def counted(function):
        def call(*arguments, **options):
            global calls
            calls += 1
            if calls == int(sys.argv[2]):
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)
        return call
    for name in ("open", "fsync", "link", "close", "unlink", "mkdir", "write"):
        setattr(os, name, counted(getattr(os, name)))
    objects.FileStore(Path(sys.argv[1])).put("p/q/object", b"whole" * 1_000)
    print(calls, flush=True)
"""


def test_a_kill_at_any_step_leaves_the_whole_object_or_none(tmp_path: Path) -> None:
    """Killed before each system call of a put, the object is there whole or not at all, and the next put works."""
    script = textwrap.dedent(PUTTER)
    seen = set()
    for step in range(1, 100):
        root = tmp_path / str(step)
        root.mkdir()
        done = subprocess.run([sys.executable, "-c", script, str(root), str(step)], capture_output=True, timeout=60)
        store = FileStore(root)
        there = store.exists("p/q/object")
        if there:
            assert store.read("p/q/object") == b"whole" * 1_000
        if done.returncode == 0:
            assert step > 5
            break
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        assert len(store.leftovers()) <= 1
        seen.add(there)
        assert store.put("p/q/object", b"another") is not there
    assert seen == {True, False}


class Failing:
    """A system call that fails the n-th time."""

    def __init__(self, real: Callable[..., Any], nth: int, code: int, only: Callable[..., bool]) -> None:
        self.real, self.left, self.code, self.only = real, nth, code, only

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if self.only(*arguments):
            self.left -= 1
            if self.left == 0:
                raise OSError(self.code, os.strerror(self.code))
        return self.real(*arguments, **options)


def always(*_: Any) -> bool:
    """Any call counts."""
    return True


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize("call", ["link", "fsync"])
def test_what_fails_before_the_link_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    """Whatever the disk says before the one atomic step: `Unavailable`, no object, no leftover, and a retry works."""
    store = FileStore(tmp_path)
    store.put("p/first", b"")
    monkeypatch.setattr(os, call, Failing(getattr(os, call), 1, code, always))
    with pytest.raises(Unavailable, match=f"cannot write p/a: {os.strerror(code)}") as caught:
        store.put("p/a", b"data")
    assert not isinstance(caught.value, OutcomeUnknown)
    assert not store.exists("p/a")
    assert store.leftovers() == []
    assert store.put("p/a", b"data") is True


def test_a_full_disk_under_the_data_leaves_nothing(tmp_path: Path) -> None:
    """A real file that cannot grow: what was written so far is not an object."""
    script = """
        import resource, signal, sys
        from pathlib import Path
        from ledger.errors import Unavailable
        from ledger.segments.objects import FileStore
        store = FileStore(Path(sys.argv[1]))
        store.put("p/first", b"x")
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
        try:
            store.put("p/large", bytes(50_000))
        except Unavailable as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(store.walk(), store.leftovers(), store.put("p/large", bytes(50_000)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == ["cannot write p/large: File too large", "['p/first'] [] True"], done.stderr


def test_a_folder_that_cannot_be_synced_after_the_link_is_an_unknown_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object is visible and may have been read: it is not taken back, and the caller is told that it is unsure."""
    store = FileStore(tmp_path)
    store.put("p/first", b"")
    monkeypatch.setattr(os, "fsync", Failing(os.fsync, 2, errno.EIO, always))
    with pytest.raises(OutcomeUnknown, match="p/a: is visible"):
        store.put("p/a", b"data")
    assert store.read("p/a") == b"data"
    assert store.put("p/a", b"data") is False
    assert store.leftovers() == []


@pytest.mark.parametrize("call", ["mkdir", "fsync"])
def test_a_folder_that_cannot_be_made_durable_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """An object in a folder that a power cut may take is not durable: nothing is put, and a retry makes the folder."""
    store = FileStore(tmp_path)
    monkeypatch.setattr(os, call, Failing(getattr(os, call), 1, errno.EIO, always))
    with pytest.raises(Unavailable, match="cannot make the folder of p/q/a"):
        store.put("p/q/a", b"data")
    assert store.put("p/q/a", b"data") is True


def test_a_folder_made_by_another_process_is_synced_once_here_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever made the folder may not have synced it yet: the first put here does, the next need not."""
    (tmp_path / "p").mkdir()
    synced: list[str] = []
    real = objects._fsync
    monkeypatch.setattr(objects, "_fsync", lambda path: (synced.append(path.name), real(path))[1])
    store = FileStore(tmp_path)
    store.put("p/a", b"")
    store.put("p/b", b"")
    assert synced.count(tmp_path.name) == 1
    assert synced.count("p") == 2


def test_a_leftover_that_cannot_be_removed_does_not_change_the_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object is there or not by then; the temporary file is named by `leftovers`."""
    store = FileStore(tmp_path)
    monkeypatch.setattr(Path, "unlink", Failing(Path.unlink, 1, errno.EIO, always))
    assert store.put("p/a", b"data") is True
    assert len(store.leftovers()) == 1
    assert store.walk() == ["p/a"]


@pytest.mark.parametrize(
    ("call", "patched"),
    [("read", "read_bytes"), ("exists", "is_file"), ("remove", "unlink")],
)
def test_reading_and_removing_say_when_the_disk_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, patched: str
) -> None:
    """An I/O error is `Unavailable`, never "missing": absence is a finding, a broken disk is not."""
    store = FileStore(tmp_path)
    store.put("p/a", b"data")
    real = getattr(Path, patched)

    def failing(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "a":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, patched, failing)
    with pytest.raises(Unavailable, match="Input/output error"):
        getattr(store, call)("p/a")


def test_listing_says_when_the_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be listed is not an empty one."""
    store = FileStore(tmp_path)
    store.put("p/a", b"data")
    monkeypatch.setattr(os, "listdir", Failing(os.listdir, 1, errno.EIO, always))
    with pytest.raises(Unavailable, match="p: cannot be listed"):
        store.names_in("p")


def test_a_staged_file_is_published_or_gone(tmp_path: Path) -> None:
    """A large object is written in place, published once; one that is not published leaves nothing."""
    store = FileStore(tmp_path)
    with store.staged("p/a") as temporary:
        temporary.write_bytes(b"large")
        assert store.publish(temporary, "p/a") is True
    with store.staged("p/a") as temporary:
        temporary.write_bytes(b"other")
        assert store.publish(temporary, "p/a") is False
    with store.staged("p/b") as temporary:
        temporary.write_bytes(b"never")
    assert store.read("p/a") == b"large"
    assert store.walk() == ["p/a"]
    assert store.leftovers() == []


def test_an_object_is_not_seen_before_it_is_whole(tmp_path: Path) -> None:
    """A reader beside a writer of large objects sees all of one or none of it."""
    store = FileStore(tmp_path)
    sizes = [random.Random(1).randrange(1, 2_000_000) for _ in range(20)]
    stop = threading.Event()
    broken: list[str] = []

    def watch() -> None:
        while not stop.is_set():
            for number, size in enumerate(sizes):
                name = f"p/{number}"
                if store.exists(name) and len(store.read(name)) != size:
                    broken.append(name)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number, size in enumerate(sizes):
        store.put(f"p/{number}", bytes(size))
    stop.set()
    watcher.join(timeout=60)
    assert broken == []
