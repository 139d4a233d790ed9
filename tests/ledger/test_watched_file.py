"""Files that may change while they are in use."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest

from ledger.errors import Misconfigured
from ledger.watched_file import FileStamp, Watched


def changed(path: Path, text: str) -> None:
    """Write in place until the file system's clock tells it from before."""
    before, until = FileStamp.of(path), time.monotonic() + 10
    while FileStamp.of(path) == before and time.monotonic() < until:
        path.write_text(text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that says one."""
    (tmp_path / "file").write_text("one")
    return tmp_path / "file"


def test_a_replaced_file_has_another_stamp(path: Path) -> None:
    """One of the same size and times that is put in its place shows; one that is not touched does not."""
    before = FileStamp.of(path)
    assert FileStamp.of(path) == before
    beside = path.with_name("next")
    beside.write_text("two")
    os.utime(beside, ns=(before.modified_ns, before.modified_ns))
    beside.replace(path)
    assert FileStamp.of(path) != before


def test_a_time_that_is_set_back_hides_no_change(path: Path) -> None:
    """What is written in place shows, though it has the size and the time of modification that it had."""
    before = FileStamp.of(path)
    changed(path, "two")
    os.utime(path, ns=(before.modified_ns, before.modified_ns))
    after = FileStamp.of(path)
    assert (after.size, after.modified_ns) == (before.size, before.modified_ns)
    assert after != before


def test_a_file_that_is_not_there_has_no_stamp(tmp_path: Path) -> None:
    """None where that is allowed, else the system's error."""
    assert FileStamp.if_there(tmp_path / "none") is None
    with pytest.raises(FileNotFoundError):
        FileStamp.of(tmp_path / "none")


def test_it_is_read_again_only_when_it_changed(path: Path) -> None:
    """Whoever asks gets the same object, and a new one from the first question after a change on."""
    watched = Watched((path,), lambda: [path.read_text()])
    first = watched.get()
    assert watched.get() is first
    changed(path, "two")
    assert watched.get() == ["two"]


def test_a_file_that_is_away_or_wrong_raises_until_it_is_right(path: Path) -> None:
    """Nobody goes on with what was read before, unless they asked to."""

    def read() -> str:
        if path.read_text() == "bad":
            raise Misconfigured(f"{path}: is wrong")
        return path.read_text()

    watched = Watched((path,), read)
    assert watched.get() == "one"
    changed(path, "bad")
    for _ in range(2):
        with pytest.raises(Misconfigured, match="is wrong"):
            watched.get()
    path.unlink()
    with pytest.raises(Misconfigured, match="cannot be read"):
        watched.get()
    path.write_text("two")
    assert watched.get() == "two"


def test_the_last_good_one_stays_in_force_where_that_is_wanted(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With `keep` a wrong file is said once, however often it is asked for; one that is wrong at the start raises."""
    watched = Watched((path,), path.read_text, keep=True)
    assert watched.get() == "one"
    path.unlink()
    with caplog.at_level(logging.ERROR, "ledger.watched_file"):
        assert [watched.get() for _ in range(3)] == ["one"] * 3
    assert len(caplog.records) == 1
    with pytest.raises(Misconfigured):
        Watched((path,), path.read_text, keep=True).get()
