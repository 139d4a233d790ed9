"""Credentials of the ledger's own processes: bound to the key store and to one call."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.errors import IntegrityError, Misconfigured
from ledger.keys.database import KeyDatabase
from ledger.keys.master import LocalMasterKey
from ledger.keys.process import SCHEME, ProcessKey
from tests.ledger.keys.places import Place

METHOD = "/ledger.v1.IngestService/Publish"
REQUEST = b"a request"


@pytest.fixture
def master(tmp_path: Path) -> LocalMasterKey:
    """A master key."""
    return LocalMasterKey.create(tmp_path / "master.key")


@pytest.fixture
def database(place: Place) -> KeyDatabase:
    """An empty key store."""
    return place.create()


def test_processes_of_one_key_store_believe_each_other(
    database: KeyDatabase, master: LocalMasterKey, place: Place
) -> None:
    """However many make the key at once, each takes the others' credentials, now and after the store was reopened."""
    with ThreadPoolExecutor(4) as threads:
        keys = list(threads.map(lambda _: ProcessKey.of(database, master), range(8)))
    keys.append(ProcessKey.of(place.open(), master))
    credentials = {key.credential(METHOD, REQUEST) for key in keys}
    assert len(credentials) == 1
    assert keys[0].proves(*credentials, METHOD, REQUEST)


def test_a_credential_is_good_for_one_call_only(database: KeyDatabase, master: LocalMasterKey) -> None:
    """Another request, another method, an altered, shortened or empty proof, the bare scheme: none holds."""
    key = ProcessKey.of(database, master)
    good = key.credential(METHOD, REQUEST)
    flipped = good[:-1] + ("0" if good[-1] != "0" else "1")
    assert not key.proves(good, METHOD, REQUEST + b"!")
    assert not key.proves(good, METHOD + "Spooled", REQUEST)
    for wrong in (flipped, good[:-2], good + "00", good.upper(), SCHEME, f"{SCHEME} ", "", f"{SCHEME} é"):
        assert not key.proves(wrong, METHOD, REQUEST)


def test_another_ledgers_credential_does_not_hold(database: KeyDatabase, master: LocalMasterKey, place: Place) -> None:
    """Every key store makes a key of its own, under the same master key too."""
    foreign = ProcessKey.of(place.create("other"), master).credential(METHOD, REQUEST)
    assert not ProcessKey.of(database, master).proves(foreign, METHOD, REQUEST)


def test_a_foreign_or_altered_key_is_refused(database: KeyDatabase, master: LocalMasterKey, tmp_path: Path) -> None:
    """Under another master key the operator must act; a sealed value that was altered is an integrity error."""
    ProcessKey.of(database, master)
    with pytest.raises(Misconfigured, match="process key: expected master key"):
        ProcessKey.of(database, LocalMasterKey.create(tmp_path / "second.key"))
    with database.write() as rows:
        (sealed,) = rows.execute("SELECT sealed FROM process_keys").fetchone()
        rows.execute("UPDATE process_keys SET sealed = ?", (sealed[:-1] + bytes([sealed[-1] ^ 1]),))
    with pytest.raises(IntegrityError):
        ProcessKey.of(database, master)


def test_the_key_is_not_shown(database: KeyDatabase, master: LocalMasterKey) -> None:
    """It has no telling representation and cannot be pickled."""
    key = ProcessKey.of(database, master)
    assert repr(key) == "ProcessKey()"
    with pytest.raises(TypeError):
        pickle.dumps(key)
