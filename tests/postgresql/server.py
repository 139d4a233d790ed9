"""Real PostgreSQL servers for tests: started from the machine's own binaries, in a folder under /tmp, on a Unix socket.

`postgresql` is a server that all tests of a process share, each with a database of its own; nobody may disturb it. A
test that stops, kills or freezes a server, or looks at everything in its data directory, starts its own with
`own_server`. Where there is no PostgreSQL the tests are skipped, saying so; under CI they fail instead.

PostgreSQL does not run as root: as root it is started as the user `postgres`, else `nobody`.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from glob import glob
from pathlib import Path

import psycopg
import pytest

ADMINISTRATOR = "postgres"
LEDGER = "ledger"
"""The role of the ledger: owns its databases and may nothing besides."""

START_S = 60
PAGE_BYTES = 8_192
_PR_SET_PDEATHSIG = 1
_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "min_wal_size": "32MB",
    "logging_collector": "off",
    # What a test measures is not to be the sleep of another process.
    "autovacuum_naptime": "1h",
}


@lru_cache(maxsize=1)
def binaries() -> Path | None:
    """The folder with initdb and postgres; None where there is none."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve().parent] if on_path else []
    found += sorted(map(Path, glob("/usr/lib/postgresql/*/bin")), key=lambda each: each.parent.name, reverse=True)
    return next((each for each in found if (each / "initdb").exists() and (each / "postgres").exists()), None)


def need_postgresql() -> Path:
    """The binaries' folder. Skip the test where there are none; fail it under CI."""
    found = binaries()
    if found is not None:
        return found
    problem = "initdb is not installed (Debian: apt-get install postgresql)"
    if os.environ.get("CI"):
        pytest.fail(f"CI must not skip the PostgreSQL tests: {problem}")
    pytest.skip(f"no PostgreSQL here: {problem}")


class Server:
    """One server with a folder of its own. `settings` go beside those of every test server."""

    def __init__(self, **settings: str) -> None:
        self._bin = need_postgresql()
        self._settings = _SETTINGS | settings
        self._owner = _unprivileged()
        self._folder = Path(tempfile.mkdtemp(prefix="ledger-pg-", dir="/tmp"))
        self._process: subprocess.Popen[bytes] | None = None
        if self._owner is not None:
            os.chown(self._folder, self._owner.pw_uid, self._owner.pw_gid)
        self._run(
            *("initdb", "-D", str(self.data), "-A", "trust", "-U", ADMINISTRATOR),
            *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
        )

    @property
    def data(self) -> Path:
        """The data directory."""
        return self._folder / "data"

    @property
    def pid(self) -> int:
        """Of the first of its processes, whose children the others are."""
        if self._process is None:
            raise RuntimeError("the server does not run")
        return self._process.pid

    def start(self) -> None:
        """Start it; returns when it answers. In the main thread: the server ends with the thread that started it."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("a server that another thread started would end with that thread")
        command = [str(self._bin / "postgres"), "-D", str(self.data), "-k", str(self._folder)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, preexec_fn=_die_with_us, **self._as_owner()
            )
        until = time.monotonic() + START_S
        while True:
            try:
                self.administer("SELECT 1")
                break
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError((self._folder / "log").read_text(errors="replace")[-2_000:]) from None
                time.sleep(0.02)

    def create_role(self) -> None:
        """Make the ledger's role."""
        self.administer(f"CREATE ROLE {LEDGER} LOGIN")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: shut down fast; SIGQUIT: as a crash. Returns when it is gone."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=START_S)
            self._process = None

    def freeze(self) -> None:
        """Stop all of its processes where they are; the network stays."""
        self._tell(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._tell(signal.SIGCONT)

    def _tell(self, what: signal.Signals) -> None:
        for pid in self._group():
            with suppress(ProcessLookupError):  # ended meanwhile
                os.kill(pid, what)

    def remove(self) -> None:
        """Stop it and delete its folder."""
        if self._process is not None:
            self.thaw()
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def administer(self, statement: str, database: str = ADMINISTRATOR) -> list[tuple[object, ...]]:
        """Run a statement as the superuser."""
        with psycopg.connect(
            host=str(self._folder), user=ADMINISTRATOR, dbname=database, autocommit=True, connect_timeout=5
        ) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def make_database(self) -> str:
        """A new, empty database of the ledger's role; its name."""
        name = f"t_{os.urandom(6).hex()}"
        self.administer(f"CREATE DATABASE {name} OWNER {LEDGER}")
        return name

    def url(self, database: str, schema: str = "keys", **parameters: object) -> str:
        """The URL of a key store in a database of this server."""
        more = "".join(f"&{name}={value}" for name, value in parameters.items())
        return f"postgresql://{LEDGER}@/{database}?host={self._folder}&schema={schema}{more}"

    def bytes_of(self, database: str) -> bytes:
        """Every byte of the files of one database, all that is in memory written to them."""
        self.administer("CHECKPOINT")
        ((oid,),) = self.administer(f"SELECT oid FROM pg_database WHERE datname = '{database}'")
        return _all_bytes(self.data / "base" / str(oid))

    def all_bytes(self) -> bytes:
        """Every byte of the data directory, log and all."""
        self.administer("CHECKPOINT")
        return _all_bytes(self.data)

    def dump(self, database: str) -> bytes:
        """What pg_dump says of a database."""
        return self._run("pg_dump", "-h", str(self._folder), "-U", ADMINISTRATOR, "-d", database)

    def put_back(self, database: str, dumped: bytes) -> None:
        """Make a database what it was when it was dumped, through its owner's psql."""
        self._run(
            *("psql", "-q", "-h", str(self._folder), "-U", ADMINISTRATOR, "-d", database),
            *("-v", "ON_ERROR_STOP=1"),
            given=dumped,
        )

    def _run(self, program: str, *arguments: str, given: bytes | None = None) -> bytes:
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            input=given,
            capture_output=True,
            timeout=START_S,
            cwd="/",
            check=False,
            **self._as_owner(),
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def _as_owner(self) -> dict[str, object]:
        if self._owner is None:
            return {}
        return {"user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": []}

    def _group(self) -> list[int]:
        """The server's processes: the first one and its children, which have sessions of their own."""
        found = [self.pid]
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = status.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # ended meanwhile
            if int(fields[1]) == self.pid:
                found.append(int(status.parent.name))
        return found


def _unprivileged() -> pwd.struct_passwd | None:
    """Who is to run the server; None where we may ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("PostgreSQL does not run as root, and there is no user postgres or nobody")


def _die_with_us() -> None:
    """In the server, before it is the server: end when the tests' process ends in whatever way."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGQUIT))


def _without_empty_pages(file: Path) -> bytes:
    """What a file holds but for pages that are all zeroes, of which a new segment of the log has thousands."""
    content, empty = file.read_bytes(), bytes(PAGE_BYTES)
    pages = (content[at : at + PAGE_BYTES] for at in range(0, len(content), PAGE_BYTES))
    return b"".join(page for page in pages if page != empty)


def _all_bytes(folder: Path) -> bytes:
    found = []
    for each in sorted(folder.rglob("*")):
        try:
            found.append(_without_empty_pages(each) if each.is_file() and not each.is_symlink() else b"")
        except FileNotFoundError:
            continue  # a temporary file of the server's
    return b"".join(found)


@lru_cache(maxsize=1)
def shared_server() -> Server:
    """The server that the tests of this process share, started when first asked for."""
    server = Server()
    atexit.register(server.remove)
    server.start()
    server.create_role()
    return server


@pytest.fixture(scope="session")
def postgresql() -> Server:
    """The running server that tests share: do not disturb it."""
    need_postgresql()
    return shared_server()


@contextmanager
def own_server(**settings: str) -> Iterator[Server]:
    """A server of the test's own, running; removed at the end, in whatever state it is."""
    server = Server(**settings)
    try:
        server.start()
        server.create_role()
        yield server
    finally:
        server.remove()
