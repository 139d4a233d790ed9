"""Landlock, tried in processes of their own: what was allowed can be read, and nothing else can be done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.errors import Misconfigured
from query.sandbox import landlock
from query.sandbox.process import readable_paths

ROOT = Path(landlock.__file__).resolve().parents[2]
PACKAGES = [path for path in sys.path if path.endswith("site-packages")]

needs_landlock = pytest.mark.skipif(landlock.abi_version() < 1, reason="this kernel has no Landlock: nothing to try")

PROLOGUE = """
import os, sys
sys.path.append({root!r})
from query.sandbox.landlock import restrict_to_reading
allowed, other = sys.argv[1:3]
def outcome(what):
    try:
        return what() or "done"
    except OSError as error:
        return type(error).__name__
    except Exception as error:
        return "denied" if "ermission" in str(error) or "annot open" in str(error) else repr(error)
"""


def restricted(script: str, *arguments: object) -> list[str]:
    """The lines a script prints in a fresh interpreter, after the prologue."""
    text = PROLOGUE.format(root=str(ROOT)) + script
    done = subprocess.run(
        [sys.executable, "-I", "-c", text, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A folder that will be allowed and a folder that will not, one file in each."""
    for name in ("allowed", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    return tmp_path / "allowed", tmp_path / "other"


@needs_landlock
def test_reads_only_what_was_allowed(files: tuple[Path, Path]) -> None:
    """Below an allowed folder files are read and listed; beside it neither."""
    script = """
restrict_to_reading([allowed])
print(outcome(lambda: open(allowed + "/file").read()), outcome(lambda: ",".join(os.listdir(allowed))))
print(outcome(lambda: open(other + "/file").read()), outcome(lambda: ",".join(os.listdir(other))))
print(outcome(lambda: open("/etc/passwd").read()), outcome(lambda: open("/proc/self/environ").read()))
"""
    assert restricted(script, *files) == [
        "allowed file",
        "PermissionError PermissionError",
        "PermissionError PermissionError",
    ]


@needs_landlock
def test_writes_nothing_anywhere(files: tuple[Path, Path]) -> None:
    """Nothing is written, truncated, made, renamed or removed, in the allowed folder as little as beside it."""
    script = """
restrict_to_reading([allowed])
for folder in (allowed, other):
    print(
        outcome(lambda: open(folder + "/file", "r+")),
        outcome(lambda: open(folder + "/file", "w")),
        outcome(lambda: open(folder + "/new", "w")),
        outcome(lambda: os.mkdir(folder + "/new")),
        outcome(lambda: os.rename(folder + "/file", folder + "/new")),
        outcome(lambda: os.link(folder + "/file", folder + "/new")),
        outcome(lambda: os.symlink("file", folder + "/new")),
        outcome(lambda: os.unlink(folder + "/file")),
    )
"""
    assert restricted(script, *files) == [" ".join(["PermissionError"] * 8)] * 2
    assert [(folder / "file").read_text() for folder in files] == ["allowed", "other"]


@needs_landlock
def test_one_file_by_its_descriptor(files: tuple[Path, Path]) -> None:
    """A descriptor allows the file it is open on, and not its neighbours."""
    (files[0] / "neighbour").write_text("neighbour")
    script = """
descriptor = os.open(allowed + "/file", os.O_RDONLY)
restrict_to_reading([], [descriptor])
print(outcome(lambda: open(allowed + "/file").read()), outcome(lambda: open(f"/proc/self/fd/{descriptor}").read()))
print(outcome(lambda: open(allowed + "/neighbour").read()), outcome(lambda: open(allowed + "/file", "r+")))
"""
    assert restricted(script, *files) == ["allowed allowed", "PermissionError PermissionError"]


@needs_landlock
def test_starts_no_program(files: tuple[Path, Path]) -> None:
    """No program can be run, even one that can be read."""
    script = """
restrict_to_reading([allowed, "/usr/bin", "/usr/lib", "/lib"])
print(outcome(lambda: os.execv("/usr/bin/env", ["env"])))
"""
    assert restricted(script, *files) == ["PermissionError"]


@pytest.mark.skipif(landlock.abi_version() < 4, reason="TCP is restricted from Landlock ABI 4 on")
def test_reaches_no_network(files: tuple[Path, Path]) -> None:
    """TCP can neither be listened on nor connected to."""
    script = """
import socket
server = socket.create_server(("127.0.0.1", 0))
restrict_to_reading([allowed])
print(outcome(lambda: socket.create_connection(server.getsockname(), timeout=5)))
print(outcome(lambda: socket.create_server(("127.0.0.1", 0))))
"""
    assert restricted(script, *files) == ["PermissionError", "PermissionError"]


@needs_landlock
def test_cannot_be_taken_off(files: tuple[Path, Path]) -> None:
    """A second, wider ruleset does not give back what the first took."""
    script = """
restrict_to_reading([allowed])
print(outcome(lambda: restrict_to_reading([allowed, "/"]) and ""))
print(outcome(lambda: open(other + "/file").read()))
"""
    assert restricted(script, *files)[-1] == "PermissionError"


@needs_landlock
def test_holds_against_an_engine_with_open_doors(files: tuple[Path, Path]) -> None:
    """Loaded after the restriction, a DuckDB with all its doors open reads the allowed file and can do no more."""
    script = """
restrict_to_reading([allowed, *sys.argv[4:]])
sys.path.extend(sys.argv[3].split(":"))
import duckdb
connection = duckdb.connect(":memory:", config={"threads": 2, "temp_directory": other})
def sql(text):
    return outcome(lambda: str(connection.execute(text).fetchall()))
print(sql(f"SELECT content FROM read_text('{allowed}/file')"))
print(sql(f"SELECT content FROM read_text('{other}/file')"))
print(sql("SELECT content FROM read_text('/etc/passwd')"))
print(sql(f"COPY (SELECT 1) TO '{allowed}/file' (FORMAT csv, USE_TMP_FILE false)"))
print(sql(f"COPY (SELECT 1) TO '{other}/new' (FORMAT csv)"))
print(sql(f"ATTACH '{allowed}/file'"))
print(sql(f"ATTACH '{other}/new.db'"))
"""
    lines = restricted(script, *files, ":".join(PACKAGES), *readable_paths())
    assert lines[0] == "[('allowed',)]"
    assert set(lines[1:]) <= {"denied", "PermissionError"}, lines
    assert [sorted(os.listdir(folder)) for folder in files] == [["file"], ["file"]]
    assert [(folder / "file").read_text() for folder in files] == ["allowed", "other"]


@needs_landlock
def test_names_what_it_cannot_allow(files: tuple[Path, Path]) -> None:
    """A path that does not exist is an error that names it: nobody goes on half restricted."""
    script = """
from ledger.errors import Misconfigured
try:
    restrict_to_reading([allowed + "/missing"])
except Misconfigured as error:
    print(error)
"""
    assert restricted(script, *files) == [f"landlock: cannot allow {files[0]}/missing: No such file or directory"]


def test_a_kernel_without_it_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel has no Landlock, restricting fails; it never passes in silence."""
    monkeypatch.setattr(landlock, "_system_call", lambda *_: -38)
    assert landlock.abi_version() == 0
    with pytest.raises(Misconfigured, match="this kernel has none"):
        landlock.restrict_to_reading(["/"])


def test_another_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system that is not Linux no system call is tried."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert landlock.abi_version() == 0
