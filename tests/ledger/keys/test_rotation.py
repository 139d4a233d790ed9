"""Rotation of master and tenant keys: everything goes on opening, at every step and after every crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ledger.errors import IntegrityError, Misconfigured, Unavailable
from ledger.keys import rotation
from ledger.keys.database import KeyDatabase, Rows
from ledger.keys.destruction import Request
from ledger.keys.holds import Holds
from ledger.keys.master import LocalMasterKey, MasterKey
from ledger.keys.master_ring import MasterRing, next_path, retired_path
from ledger.keys.masters import MasterKeys, rotate_master
from ledger.keys.pkcs11 import make_master_key
from ledger.keys.process import ProcessKey
from ledger.keys.provider import HolderRef, ScopeRef
from ledger.keys.rotation import current_master_id, rotate_tenant_key, rows_by_master, tenant_generations
from ledger.keys.spool import SpoolKeys
from ledger.keys.store import KeyCacheLimits, KeyStore
from tests.ledger.keys.places import Place
from tests.ledger.keys.softhsm import need_softhsm

ROOT = Path(__file__).resolve().parents[3]
TENANTS = ("acme", "globex")
PEOPLE = [HolderRef("person", f"p{number}@example.org") for number in range(20)]
SCOPES = [ScopeRef(person, "standard", "2026-11") for person in PEOPLE]
NO_CACHE = KeyCacheLimits(lease_s=0.0)
NOW_S = 1_800_000_000


@dataclass(slots=True)
class Keys:
    """A key store with something of everything in it, and what was in it."""

    folder: Path
    place: Place
    database: KeyDatabase
    places: MasterKeys
    known: object = None

    def everything(self, master: MasterKey | None = None) -> object:
        """All that a process opened now, or long ago with `master`, gets out of the store."""
        master = master or self.places.open()
        store = KeyStore(self.database, master, NO_CACHE)
        spool = SpoolKeys(self.database, master, 60, 600)
        key = spool.current(NOW_S)
        return (
            [store.acquire(tenant, PEOPLE, SCOPES, []) for tenant in TENANTS],
            [store.numbering_key(tenant) for tenant in TENANTS],
            store.signing_key("ledger", "audit.test/ledger").public_key,
            spool.open(key.key_id, _box(key.public_key), NOW_S),
            ProcessKey.of(self.database, master).credential("m", b"r"),
        )


def _box(public_key: bytes) -> bytes:
    import nacl.public

    return bytes(nacl.public.SealedBox(nacl.public.PublicKey(public_key)).encrypt(b"spooled"))


@pytest.fixture
def keys(tmp_path: Path, place: Place) -> Keys:
    """A store with rows of every kind, under a master key in a file."""
    LocalMasterKey.create(tmp_path / "master.key")
    database = place.create()
    made = Keys(tmp_path, place, database, MasterKeys(tmp_path, "master.key"))
    KeyStore(database, made.places.open()).create_signing_key("ledger", "audit.test/ledger")
    made.known = made.everything()
    return made


def steps_of(keys: Keys) -> list[str]:
    steps: list[str] = []
    rotate_master(keys.database, keys.places, steps.append)
    return steps


def test_everything_opens_under_the_new_master_key(keys: Keys) -> None:
    """After a rotation nothing is left under the old key, and every secret is the one it was."""
    old = LocalMasterKey.load(keys.folder / "master.key")
    done = rotate_master(keys.database, keys.places)
    new = LocalMasterKey.load(keys.folder / "master.key")
    assert (done.before, done.after) == (old.key_id, new.key_id)
    assert done.before != done.after
    assert rows_by_master(keys.database) == {new.key_id: done.rows}
    assert current_master_id(keys.database) == new.key_id
    assert keys.everything(new) == keys.known
    assert done.kept == retired_path(keys.folder / "master.key", old)
    assert LocalMasterKey.load(done.kept).key_id == old.key_id
    assert not next_path(keys.folder / "master.key").exists()


def test_processes_started_before_go_on_at_every_step(keys: Keys) -> None:
    """A process with the old key in memory reads and makes keys before, during and after two rotations."""
    started_before = keys.places.open()
    seen = 0

    def look(step: str) -> None:
        nonlocal seen
        seen += 1
        assert keys.everything(started_before) == keys.known, step
        assert keys.everything() == keys.known, step
        KeyStore(keys.database, started_before, NO_CACHE).acquire(f"new-{seen}", PEOPLE[:1], [], [])

    for _ in range(2):
        rotate_master(keys.database, keys.places, look)
        look("done")
    assert seen >= 12
    current = current_master_id(keys.database)
    # What the old process made after the new key was named stands under the new key.
    assert set(rows_by_master(keys.database)) == {current}
    assert {master for _, _, master in tenant_generations(keys.database)} == {current}


def test_a_rotation_goes_on_after_a_crash_at_any_step(keys: Keys) -> None:
    """Whatever step was the last, everything opens at once, and the next rotation comes to the same end."""

    class Crash(Exception):
        pass

    count = len(steps_of(keys))
    for last in range(count):
        left = last

        def crash(step: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Crash(step)

        before = current_master_id(keys.database)
        with pytest.raises(Crash):
            rotate_master(keys.database, keys.places, crash)
        assert keys.everything() == keys.known
        rotate_master(keys.database, keys.places)
        _is_whole(keys)
        assert current_master_id(keys.database) != before


def kill_rotation(what: str, folder: Path, last: int, location: str = "") -> None:
    """Lets another process rotate until it kills itself after so many steps. `location`: of the key store."""
    command = [sys.executable, "-m", "tests.ledger.keys.rotating", what, str(folder), str(last), location]
    killed = subprocess.run(command, cwd=ROOT, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL


@pytest.mark.parametrize("last", range(8))
def test_a_rotation_goes_on_after_a_kill(keys: Keys, last: int) -> None:
    """A rotation killed by SIGKILL after a step leaves everything open, and is finished by the next."""
    kill_rotation("master", keys.folder, last, keys.place.location())
    assert keys.everything() == keys.known
    rotate_master(keys.database, keys.places)
    _is_whole(keys)


def _is_whole(keys: Keys) -> None:
    master = LocalMasterKey.load(keys.folder / "master.key")
    assert keys.everything(master) == keys.known
    assert set(rows_by_master(keys.database)) == {master.key_id} == {current_master_id(keys.database)}
    assert not next_path(keys.folder / "master.key").exists()


@pytest.mark.parametrize("written", [b"", b"AAAA", b"A" * 45])
def test_a_half_written_key_is_made_anew(keys: Keys, written: bytes) -> None:
    """A key file that a crash left half written sealed nothing, and is replaced."""
    half = next_path(keys.folder / "master.key")
    half.touch(mode=0o600)
    half.write_bytes(written)
    assert keys.everything() == keys.known
    rotate_master(keys.database, keys.places)
    _is_whole(keys)


def test_many_rows_are_sealed_in_steps(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """No transaction seals more rows than the limit, so that a gateway never waits long."""
    monkeypatch.setattr(rotation, "ROWS_A_STEP", 1)
    assert len([step for step in steps_of(keys) if "tenant_keys" in step]) == len(TENANTS) + 1
    _is_whole(keys)


def test_one_rotation_at_a_time(keys: Keys) -> None:
    """A second rotation is refused while one is at work."""

    def second(step: str) -> None:
        with pytest.raises(Misconfigured, match="another rotation"):
            rotate_master(keys.database, keys.places)

    rotate_master(keys.database, keys.places, second)
    _is_whole(keys)


def test_a_store_from_a_backup_opens_while_the_old_key_is_kept(keys: Keys) -> None:
    """A key store put back from before a rotation opens by the retired key, and a rotation brings it to the new one."""
    backup = keys.place.back_up()
    done = rotate_master(keys.database, keys.places)
    keys.place.put_back(backup)
    restored = replace(keys, database=keys.place.open())
    assert current_master_id(restored.database) == done.before
    assert restored.everything() == keys.known
    again = rotate_master(restored.database, keys.places)
    assert (again.before, again.after, again.kept) == (done.before, done.after, None)
    _is_whole(restored)


def test_another_key_in_its_place_is_refused(keys: Keys) -> None:
    """A master key file that was exchanged for a foreign one opens nothing and rotates nothing."""
    (keys.folder / "master.key").rename(keys.folder / "elsewhere.key")
    LocalMasterKey.create(keys.folder / "master.key")
    for call in (keys.everything, lambda: rotate_master(keys.database, keys.places)):
        with pytest.raises(Misconfigured, match="master key local:"):
            call()
    (keys.folder / "elsewhere.key").replace(keys.folder / "master.key")
    assert keys.everything() == keys.known


def test_from_a_file_to_a_token_and_on(keys: Keys) -> None:
    """A rotation leads from a file to a token, from there to another key in it, and back to a file."""
    token = need_softhsm()
    first, second = (token.uri(f"m-{os.urandom(8).hex()}") for _ in range(2))
    started_before = replace(keys.places, previous=second).open()
    places = [MasterKeys(keys.folder, first, "master.key"), MasterKeys(keys.folder, second, first)]
    for place in places:
        made = make_master_key(place.location)
        done = rotate_master(keys.database, place)
        assert (done.after, done.kept) == (made.key_id, None)
        assert replace(keys, places=replace(place, previous="")).everything() == keys.known
    assert keys.everything(started_before) == keys.known
    with pytest.raises(Misconfigured, match="make a new one there"):
        rotate_master(keys.database, places[1])
    LocalMasterKey.create(keys.folder / "again.key")
    rotate_master(keys.database, MasterKeys(keys.folder, "again.key", second))
    assert replace(keys, places=MasterKeys(keys.folder, "again.key")).everything() == keys.known


def test_an_unknown_sealed_table_stops_a_rotation(keys: Keys) -> None:
    """A table that another build sealed is not left behind: nothing is rotated."""
    with keys.database.write() as rows:
        rows.execute("CREATE TABLE later (id INTEGER, master_key_id TEXT, tenant_key_generation INTEGER)")
    for call in (
        lambda: rotate_master(keys.database, keys.places),
        lambda: rotate_tenant_key(keys.database, keys.places.open(), "acme"),
    ):
        with pytest.raises(Misconfigured, match="table later"):
            call()
    assert keys.everything() == keys.known


def test_an_altered_row_stops_a_rotation(keys: Keys) -> None:
    """A row that does not open is not passed over: the rotation ends with an error and its old key stays."""
    with keys.database.write() as rows:
        rows.execute("UPDATE tenant_keys SET sealed = ? WHERE tenant = 'acme'", (bytes(73),))
    before = rows_by_master(keys.database)
    with pytest.raises(IntegrityError):
        rotate_master(keys.database, keys.places)
    assert rows_by_master(keys.database) == before
    assert {LocalMasterKey.load(keys.folder / "master.key").key_id} == before.keys()


def test_a_tenant_key_is_followed(keys: Keys) -> None:
    """Look-up and bucket keys stand under the new tenant key, the old one is gone, every secret is the one it was."""
    started_before = keys.places.open()
    holds = Holds(keys.database, started_before)
    holds.place("acme", "case-1", PEOPLE[0].identifier, Request("ann", ("ben",), "a case", "a person's own reason"))
    before = holds.all("acme")
    done = [rotate_tenant_key(keys.database, started_before, "acme") for _ in range(2)][-1]
    assert (done.generation, done.rows) == (3, 1 + _buckets(keys) + 1)
    assert [(tenant, at) for tenant, at, _ in tenant_generations(keys.database)] == [("acme", 3), ("globex", 1)]
    assert keys.everything(started_before) == keys.known
    assert holds.all("acme") == before


def test_a_tenant_key_that_opened_before_opens_nothing_now(keys: Keys) -> None:
    """The tenant key of the generation before does not open what stands in the store after a rotation."""
    with keys.database.read() as rows:
        (sealed,) = rows.execute("SELECT sealed FROM lookup_keys WHERE tenant = 'acme'").fetchone()
    rotate_tenant_key(keys.database, keys.places.open(), "acme")
    assert sealed not in keys.place.on_disk()


@pytest.mark.parametrize("at", ["INSERT INTO tenant_keys", "UPDATE lookup_keys", "UPDATE bucket_keys", "DELETE"])
def test_a_tenant_rotation_is_all_or_nothing(keys: Keys, at: str) -> None:
    """A failure at any statement leaves the tenant's keys as they were."""
    failing = _Failing(keys.database, at)
    with pytest.raises(RuntimeError, match="injected"):
        rotate_tenant_key(failing, keys.places.open(), "acme")  # type: ignore[arg-type]
    assert [(tenant, at) for tenant, at, _ in tenant_generations(keys.database)] == [("acme", 1), ("globex", 1)]
    assert keys.everything() == keys.known
    rotate_tenant_key(keys.database, keys.places.open(), "acme")
    assert keys.everything() == keys.known


def test_a_killed_tenant_rotation_leaves_nothing(keys: Keys) -> None:
    """A rotation killed by SIGKILL before it is durable has not happened; the next one does it."""
    kill_rotation("tenant", keys.folder, 0, keys.place.location())
    assert [(tenant, at) for tenant, at, _ in tenant_generations(keys.database)] == [("acme", 1), ("globex", 1)]
    assert keys.everything() == keys.known
    assert rotate_tenant_key(keys.database, keys.places.open(), "acme").generation == 2
    assert keys.everything() == keys.known


def test_a_tenant_without_keys_is_named(keys: Keys) -> None:
    """A tenant that has no keys yet is said to have none."""
    with pytest.raises(Misconfigured, match="has no keys yet"):
        rotate_tenant_key(keys.database, keys.places.open(), "initech")


def test_a_ring_looks_once_for_each_unknown_key() -> None:
    """Keys found are kept; a key that is nowhere is looked for again, since it may come."""
    looks = 0
    others: list[MasterKey] = [LocalMasterKey(bytes([1]) * 32)]

    def look() -> list[MasterKey]:
        nonlocal looks
        looks += 1
        return others

    ring = MasterRing(LocalMasterKey(bytes(32)), look)
    assert ring.find(ring.key_id) is not None
    assert looks == 0
    assert [ring.find(others[0].key_id), ring.find(others[0].key_id)] == [others[0]] * 2
    assert looks == 1
    late = LocalMasterKey(bytes([2]) * 32)
    assert ring.find(late.key_id) is None
    others.append(late)
    assert ring.find(late.key_id) is late


class _Failing:
    """A key database that fails at the first statement that begins in a given way."""

    def __init__(self, database: KeyDatabase, at: str) -> None:
        self._database, self._at = database, at
        self.where = database.where

    def write(self) -> object:
        from contextlib import contextmanager

        @contextmanager
        def writing() -> Iterator[object]:
            with self._database.write() as rows:
                yield _FailingRows(rows, self._at)

        return writing()


class _FailingRows:
    def __init__(self, rows: Rows, at: str) -> None:
        self._rows, self._at = rows, at

    def __getattr__(self, name: str) -> Callable[..., object]:
        def call(sql: str, *values: object) -> object:
            if sql.startswith(self._at):
                raise RuntimeError("injected")
            return getattr(self._rows, name)(sql, *values)

        return call


def _buckets(keys: Keys) -> int:
    with keys.database.read() as rows:
        return int(rows.execute("SELECT count(*) FROM bucket_keys WHERE tenant = 'acme'").fetchone()[0])


def test_a_process_without_the_new_key_is_unavailable_until_it_comes(keys: Keys, tmp_path: Path) -> None:
    """A gateway on a machine to which the new key was not copied yet asks for a retry, and goes on once it is."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "master.key").touch(mode=0o600)
    (tmp_path / "other" / "master.key").write_bytes((keys.folder / "master.key").read_bytes())
    elsewhere = KeyStore(keys.database, MasterKeys(tmp_path / "other", "master.key").open(), NO_CACHE)
    before = elsewhere.acquire("acme", PEOPLE, SCOPES, [])
    rotate_master(keys.database, keys.places)
    with pytest.raises(Unavailable, match="looked for again"):
        elsewhere.acquire("acme", PEOPLE, SCOPES, [])
    (tmp_path / "other" / "master.key").write_bytes((keys.folder / "master.key").read_bytes())
    assert elsewhere.acquire("acme", PEOPLE, SCOPES, []) == before
