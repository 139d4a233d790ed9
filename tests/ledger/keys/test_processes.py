"""Real processes on one key store: races for new persons, and kills in the middle of making them."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from ledger.keys.master import LocalMasterKey
from ledger.keys.provider import HolderRef, ScopeRef
from ledger.keys.store import KeyStore
from tests.ledger.keys.places import Place, SqlitePlace

ROUNDS = 150
STRACE = shutil.which("strace")


class Racer:
    """A `tests.ledger.keys.racer` process; `prefix` is a command to run it under."""

    def __init__(self, location: str, key: Path, prefix: tuple[str, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.ledger.keys.racer", location, str(key)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # killed already, as some tests mean it to be
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()

    def hear(self) -> list[str]:
        """The words of its next line; none when it is dead."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()

    def end(self) -> None:
        """Let it finish: it does at the end of its input, whatever it runs under."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(timeout=60)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    LocalMasterKey.create(tmp_path / "master.key")
    return tmp_path / "master.key"


@pytest.fixture
def file(tmp_path: Path) -> SqlitePlace:
    """A key store in a file, for what is done to files."""
    return SqlitePlace(tmp_path)


def check_store(place: Place, key: Path, told: list[list[str]]) -> None:
    """The store opens, is sound, has everything that was told, and takes new persons."""
    place.check()
    database = place.open()
    store = KeyStore(database, LocalMasterKey.load(key))
    for name, pseudonym, secret, scope_id, key, _ in told:
        person = HolderRef("person", name)
        scope = ScopeRef(person, "standard", "2026-11")
        grant = store.acquire("acme", [person], [scope], [])
        holder, made = grant.holders[person], grant.scopes[scope]
        assert [each.hex() for each in (holder.pseudonym, holder.secret, made.scope_id, made.key)] == [
            pseudonym,
            secret,
            scope_id,
            key,
        ]
        assert store.scope_keys("acme", [made.scope_id]) == {made.scope_id: made.key}
    after = HolderRef("person", "after")
    assert set(store.acquire("acme", [after], [ScopeRef(after, "standard", "2026-11")], []).holders) == {after}
    database.close()


def test_racing_gateways_agree(place: Place, key: Path) -> None:
    """Two processes meeting one new person (and now and then a new tenant) at once agree, in every of many rounds."""
    place.create()
    racers = [Racer(place.location(), key), Racer(place.location(), key)]
    try:
        assert [racer.hear() for racer in racers] == [["ready"], ["ready"]]
        both_wrote = 0
        for number in range(ROUNDS):
            for racer in racers if number % 2 else racers[::-1]:
                racer.say(f"race tenant{number // 10} person{number}")
            first, second = (racer.hear() for racer in racers)
            assert first[:5] == second[:5]
            assert len(first) == 6
            both_wrote += first[5] == second[5] == "1"
        # Both found nothing, both went to write: the race that insert-if-absent decides did happen.
        assert both_wrote > 0
    finally:
        for racer in racers:
            racer.end()


@pytest.mark.parametrize("after", [1, 7, 40])
def test_what_was_told_outlives_a_kill(place: Place, key: Path, after: int) -> None:
    """A process killed while it makes persons leaves a sound store with all it had answered."""
    place.create()
    racer = Racer(place.location(), key)
    assert racer.hear() == ["ready"]
    racer.say("fill acme person")
    told = [racer.hear() for _ in range(after)]
    racer.process.kill()
    while len(line := racer.hear()) == 6:
        told.append(line)
    racer.end()
    check_store(place, key, told)


def traced(call: str, inject: str) -> tuple[str, ...]:
    """The command under which a process meets a fault at one of its system calls."""
    assert STRACE is not None
    return (STRACE, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject)


def can_trace() -> bool:
    """Whether strace is here and allowed to inject."""
    if STRACE is None:
        return False
    tried = subprocess.run([STRACE, "-qq", "-o", "/dev/null", "-e", "inject=fsync:signal=KILL", "true"], check=False)
    return tried.returncode == 0


@pytest.mark.skipif(not can_trace(), reason="needs strace with the right to trace, to kill at a chosen system call")
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync", "fsync"])
def test_killed_at_each_write_and_sync(file: SqlitePlace, key: Path, call: str) -> None:
    """Killed at the n-th write or sync of making a store and its first persons, it leaves what can be gone on with."""
    step = 9 if call == "pwrite64" else 1
    survived = killed = 0
    for number in range(1, 300, step):
        for stale in file.folder.glob("keys.db*"):
            stale.unlink()
        inject = f"inject={call}:signal=KILL:when={number}"
        racer = Racer(file.location(), key, traced(call, inject))
        told = []
        racer.hear()
        for turn in range(3):
            racer.say(f"race acme person{turn}")
            line = racer.hear()
            if len(line) == 6:
                told.append(line)
        ended = len(told) == 3
        survived, killed = survived + ended, killed + (not ended)
        racer.end()
        if Path(file.location()).exists():
            if not has_schema(Path(file.location())):
                assert told == []
                file.create().close()
            check_store(file, key, told)
        if ended:
            break
    assert (killed > 0, survived) == (True, 1)


def has_schema(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        tables: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    return tables > 0


@pytest.mark.skipif(not can_trace(), reason="needs strace with the right to trace, to fail a chosen system call")
@pytest.mark.parametrize("fault", ["EIO", "ENOSPC"])
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
def test_a_failing_disk_loses_nothing_told(file: SqlitePlace, key: Path, call: str, fault: str) -> None:
    """When one write or sync fails, the call that met it is refused or whole, and the same process goes on after it."""
    refused = 0
    for number in range(1, 16, 2):
        for stale in file.folder.glob("keys.db*"):
            stale.unlink()
        file.create().close()
        inject = f"inject={call}:error={fault}:when={number}"
        racer = Racer(file.location(), key, traced(call, inject))
        told = []
        if racer.hear() == ["ready"]:
            for turn in range(4):
                racer.say(f"race acme person{turn}")
                line = racer.hear()
                assert len(line) == 6 or line == ["unavailable"]
                if len(line) == 6:
                    told.append(line)
            refused += 4 - len(told)
            assert len(told) >= 3
        racer.end()
        check_store(file, key, told)
    assert refused > 0
