"""The lockdown alone, without the engine and without Landlock: what the resource limits take away by themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from query.sandbox import SqlTable, process, run_sql
from query.sandbox.wire import Job
from tests.query.sandbox.conftest import Ground

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc and Linux's limits")

ROOT = Path(process.__file__).resolve().parents[2]

PROLOGUE = """
import os, resource, sys
sys.path.extend(sys.argv[1:3])
from query.sandbox.lockdown import lock_down, tighten
from query.sandbox.wire import Job
job = Job.decode(sys.argv[3].encode())
def outcome(what):
    try:
        return what() or "done"
    except OSError as error:
        return error.strerror
"""


def job(parent_pid: int | None = None) -> Job:
    """A job without tables and without Landlock."""
    return Job(
        query="SELECT 1",
        tables=(),
        setup=(),
        landlock=False,
        select_only=True,
        readable=(),
        parent_pid=os.getpid() if parent_pid is None else parent_pid,
        time_s=1,
        memory_bytes=1 << 26,
        rows_max=1,
        result_bytes_max=1,
        threads=1,
    )


def locked(script: str, what: Job, *, check: bool = True, **more: object) -> str:
    """What a script prints in a fresh interpreter, after the prologue."""
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROLOGUE + script, str(ROOT), packages, what.encode().decode()],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **more,  # type: ignore[call-overload]
    )
    assert not check or done.returncode == 0, done.stderr
    return str(done.stdout + done.stderr)


def test_no_byte_can_be_written(tmp_path: Path) -> None:
    """Not one byte can be added to any file, new or old."""
    (tmp_path / "file").write_bytes(b"")
    script = f"""
lock_down(job, keep=())
print(outcome(lambda: os.write(os.open({str(tmp_path / "file")!r}, os.O_WRONLY), b"x")))
"""
    assert locked(script, job()) == "File too large\n"
    assert (tmp_path / "file").read_bytes() == b""


def test_nothing_can_be_opened_without_files(tmp_path: Path) -> None:
    """Once the tables are made and none is a file, no file can be opened, no socket made, no program started."""
    script = """
import socket, subprocess
lock_down(job, keep=())
tighten(job)
print(outcome(lambda: open("/etc/passwd").read()), "|", outcome(lambda: socket.socket()), "|", outcome(os.pipe))
"""
    assert locked(script, job()) == "Too many open files | Too many open files | Too many open files\n"


def test_memory_ends() -> None:
    """The address space ends: an allocation far over the engine's limit fails."""
    script = """
lock_down(job, keep=())
tighten(job)
try:
    bytearray(2 << 30)
except MemoryError:
    print("refused")
"""
    assert locked(script, job()) == "refused\n"


def test_what_was_inherited_is_closed(tmp_path: Path) -> None:
    """A descriptor that slipped through is closed."""
    (tmp_path / "secret").write_text("secret")
    descriptor = os.open(tmp_path / "secret", os.O_RDONLY)
    script = f"""
print(outcome(lambda: os.read({descriptor}, 6).decode()))
lock_down(job, keep=())
print(outcome(lambda: os.pread({descriptor}, 6, 0).decode()))
"""
    try:
        assert locked(script, job(), pass_fds=(descriptor,)) == "secret\nBad file descriptor\n"
    finally:
        os.close(descriptor)


def test_root_is_no_longer_root() -> None:
    """No capability is left but the one to read, and no core file is written."""
    script = """
lock_down(job, keep=())
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
print(int(status["CapEff"], 16) & ~4, int(status["CapPrm"], 16) & ~4, resource.getrlimit(resource.RLIMIT_CORE))
"""
    assert locked(script, job()) == "0 0 (0, 0)\n"


def test_an_engine_loaded_too_early_is_refused() -> None:
    """The child does not go on when DuckDB was loaded before its rights were given up."""
    assert "loaded before the lockdown: _duckdb, duckdb" in locked(
        "import duckdb\nlock_down(job, ())", job(), check=False
    )


def test_an_orphan_does_not_start() -> None:
    """A child whose parent is gone already does not go on."""
    assert "the parent is gone" in locked("lock_down(job, ())", job(parent_pid=1), check=False)


def test_the_child_knows_nothing_of_ours(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the environment nor the arguments of the child hold anything of this process."""
    monkeypatch.setenv("AUDIT_LEDGER_PASSWORD", "hunter2")
    spy = "import os, sys; os.write(2, repr([dict(os.environ), sys.argv, os.getcwd()]).encode()); os._exit(3)"
    monkeypatch.setattr(process, "_START", spy)
    said: list[str] = []

    def ended_by(child: process.Child) -> int:
        said.append(child.complaints)
        return 3

    monkeypatch.setattr(process.Child, "ended_by", ended_by)
    with pytest.raises(Exception, match="could not be started"):
        run_sql(query="SELECT 'hunter2'", tables=[SqlTable("events", data=ground.data())])
    assert "OPENBLAS_NUM_THREADS" in said[0]
    assert "hunter2" not in said[0]
    assert str(ground.folder) not in said[0]


def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    """When the asking process is killed outright, its running query ends too."""
    script = f"""
import sys
sys.path[:0] = {sys.path!r}
import pyarrow as pa
from query.sandbox import SqlTable, run_sql
table = SqlTable("t", data=pa.table({{"n": [1]}}))
print("asking", flush=True)
run_sql(query="SELECT count(*) FROM range(1000000000000)", tables=[table])
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        child = _only_child(parent.pid)
        parent.kill()
    _until(lambda: not _alive(child))


def _only_child(pid: int) -> int:
    found: list[int] = []

    def look() -> bool:
        found[:] = [int(name) for name in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        # Wait for the one that runs the query, past its own lockdown (which asks to die with the parent).
        return len(found) == 1 and "NoNewPrivs:\t1" in Path(f"/proc/{found[0]}/status").read_text()

    _until(look)
    return found[0]


def _alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _until(true: object) -> None:
    deadline = time.monotonic() + 20
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)
