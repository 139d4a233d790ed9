"""The child as the parent sees it: started afresh, listened to until a deadline, killed.

A new interpreter, never a fork of this process, which may hold gRPC threads, keys and connections. `-I -S` keep the
environment, the user's folders and `.pth` files out; the child is told where its few packages lie. It leads a session
of its own, so that one signal ends it and all it might have started.
"""

from __future__ import annotations

import importlib.util
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ledger.errors import Misconfigured, Unavailable
from query.sandbox.wire import FrameBuffer

_READ_BYTES = 1 << 20
_STDERR_BYTES_MAX = 16_384
_KILL_WAIT_S = 10
_START = """\
import sys
sys.path.extend(sys.argv[3:])
from query.sandbox.child import main
main(int(sys.argv[1]), int(sys.argv[2]))
"""
_OWN_ROOT = Path(__file__).resolve().parents[2]
_ENGINE_PACKAGES = ("duckdb", "pyarrow", "numpy")
# All that the interpreter, DuckDB and pyarrow open after the lockdown (by strace); what does not exist is left out.
_SYSTEM_PATHS = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/etc/ssl/openssl.cnf",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    "/sys/kernel/mm/transparent_hugepage",
)


class TimeUp(Exception):
    """The deadline passed before the child said the next thing."""


class Child:
    """One running child. Use as a context: whatever happens, it is dead and reaped at the end."""

    def __init__(self, job_descriptor: int, descriptors: Sequence[int], frame_bytes_max: int) -> None:
        out, child_out = os.pipe()
        try:
            self._process = subprocess.Popen(
                _command(job_descriptor, child_out),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                bufsize=0,
                close_fds=True,
                pass_fds=(job_descriptor, child_out, *descriptors),
                env=_environment(),
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            os.close(out)
            raise Unavailable(f"sql: cannot start the query's process: {error.strerror}") from error
        finally:
            os.close(child_out)
        self._out = out
        self._until = time.monotonic()
        self._complaints = bytearray()
        self._frames = FrameBuffer(frame_bytes_max)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *exception: object) -> None:
        self._kill()
        os.close(self._out)
        if self._process.stderr is not None:
            self._process.stderr.close()

    @property
    def complaints(self) -> str:
        """What it wrote to stderr, for the operator's log."""
        return self._complaints.decode(errors="replace").strip()

    def deadline(self, seconds: float) -> None:
        """From now on `listen` raises `TimeUp` after so many seconds."""
        self._until = time.monotonic() + seconds

    def listen(self) -> Iterator[tuple[str, Any, int]]:
        """Frames (kind, body, bytes) until the child closes its pipe. Raises `TimeUp`, and `FrameError` on nonsense."""
        stderr = self._process.stderr
        with selectors.DefaultSelector() as selector:
            selector.register(self._out, selectors.EVENT_READ)
            if stderr is not None:
                selector.register(stderr.fileno(), selectors.EVENT_READ)
            while True:
                for key, _ in self._wait(selector):
                    piece = os.read(key.fd, _READ_BYTES)
                    if key.fd != self._out:
                        self._complaints += piece[: _STDERR_BYTES_MAX - len(self._complaints)]
                        if not piece:
                            selector.unregister(key.fd)
                    elif not piece:
                        return
                    else:
                        yield from self._frames.feed(piece)

    def ended_by(self) -> int:
        """After its pipe closed: 0 or an exit code, or minus the signal that ended it. Kills it if it lingers."""
        try:
            return self._process.wait(timeout=max(0.1, min(_KILL_WAIT_S, self._until - time.monotonic())))
        except subprocess.TimeoutExpired:
            self._kill()
            return self._process.returncode

    def _wait(self, selector: selectors.BaseSelector) -> list[tuple[selectors.SelectorKey, int]]:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeUp
        return selector.select(left)

    def _kill(self) -> None:
        if self._process.poll() is None:
            # Not reaped yet, so that its number, which is also its session's, cannot have gone to another process.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=_KILL_WAIT_S)


@cache
def readable_paths() -> tuple[str, ...]:
    """What the child must be able to read besides the tenant's files."""
    own = (str(_OWN_ROOT / "query"), str(_OWN_ROOT / "ledger"))
    interpreter = (str(Path(sys.base_prefix) / "lib"), str(Path(os.__file__).parent))
    wanted = (*own, *interpreter, *_package_folders(), *_SYSTEM_PATHS)
    return tuple(dict.fromkeys(path for path in wanted if Path(path).exists()))


@cache
def _package_folders() -> tuple[str, ...]:
    """The folders the engine's packages lie in, found without importing them."""
    folders = []
    for name in _ENGINE_PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise Misconfigured(f"sql: the package {name} is not installed (install the extra `server`)")
        folders.append(str(Path(spec.origin).resolve().parents[1]))
    return tuple(dict.fromkeys(folders))


def _command(job_descriptor: int, out_descriptor: int) -> list[str]:
    flags = ["-I", "-S", "-B", "-X", "utf8"]
    search = [str(_OWN_ROOT), *_package_folders()]
    return [sys.executable, *flags, "-c", _START, str(job_descriptor), str(out_descriptor), *search]


def _environment() -> dict[str, str]:
    """Nothing of ours, but what the loader may need to find the interpreter's own library."""
    ours = {"TZ": "UTC", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    loader = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}
    return {**loader, **ours}
