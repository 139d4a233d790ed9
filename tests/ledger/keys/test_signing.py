"""Signing keys: they sign as the RFC says and show nothing, in memory and at rest."""

from __future__ import annotations

import copy
import pickle
import re
from datetime import UTC, datetime

import pytest

from ledger.errors import IntegrityError, Misconfigured
from ledger.keys.database import KeyDatabase, Rows
from ledger.keys.master import LocalMasterKey
from ledger.keys.signing import SigningKey
from ledger.keys.store import KeyStore
from ledger.tlog.note import key_id, open_note, sign_note
from tests.ledger.keys.places import Place

# RFC 8032, section 7.1, test 1.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
SIGNATURE = (
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe246"
    "55141438e7a100b"
)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def database(place: Place) -> KeyDatabase:
    return place.create()


@pytest.fixture
def master() -> LocalMasterKey:
    return LocalMasterKey(bytes(32))


@pytest.fixture
def store(database: KeyDatabase, master: LocalMasterKey) -> KeyStore:
    return KeyStore(database, master, clock=lambda: NOW)


def test_rfc_8032_vector() -> None:
    """The public key and signature are those of the RFC."""
    key = SigningKey(SEED)
    assert key.public_key.hex() == PUBLIC
    assert key.sign(b"").hex() == SIGNATURE


def test_a_signer_signs_notes_under_its_name() -> None:
    """A key signs notes under any name, and the note opens with the key's verifier of that name."""
    signer = SigningKey(SEED).signer("audit.example.org/rounds/0")
    note = sign_note("one\n", [signer])
    assert open_note(note, [signer.verifier_key]).text == "one\n"
    assert signer.verifier_key.key_id == key_id("audit.example.org/rounds/0", bytes.fromhex(PUBLIC))


def test_nothing_secret_shows() -> None:
    """Not repr, str, pickle nor copy gives the seed away, nor does the signer's repr."""
    key = SigningKey(SEED)
    shown = f"{key!r} {key} {[key]} {key.signer('a')!r}"
    assert SEED.hex() not in shown
    assert repr(SEED)[2:20] not in shown
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="does not leave"):
            leak(key)


def test_a_seed_has_32_bytes() -> None:
    """A seed of another size is refused."""
    with pytest.raises(ValueError, match="32 bytes"):
        SigningKey(SEED[:31])


def test_a_stored_key_comes_back(store: KeyStore, database: KeyDatabase, master: LocalMasterKey) -> None:
    """A key made in the store signs the same in every process that opens the store."""
    made = store.create_signing_key("gateway", "gw-1")
    again = KeyStore(database, master).signing_key("gateway", "gw-1")
    assert again.public_key == made.public_key
    assert again.sign(b"x") == made.sign(b"x")


def test_keys_are_listed_without_secrets(store: KeyStore) -> None:
    """What may be told of stored keys is told in order."""
    ledger = store.create_signing_key("ledger", "main")
    gateway = store.create_signing_key("gateway", "gw-1")
    listed = [
        (each.role, each.name, each.generation, each.public_key, each.created_at) for each in store.signing_keys()
    ]
    assert listed == [
        ("gateway", "gw-1", 1, gateway.public_key, NOW),
        ("ledger", "main", 1, ledger.public_key, NOW),
    ]


def test_a_key_is_never_overwritten(store: KeyStore) -> None:
    """A second key of one role and name is refused; another role may use the name."""
    made = store.create_signing_key("gateway", "gw-1")
    with pytest.raises(Misconfigured, match="exists already"):
        store.create_signing_key("gateway", "gw-1")
    assert store.signing_key("gateway", "gw-1").public_key == made.public_key
    assert store.create_signing_key("ledger", "gw-1").public_key != made.public_key


def test_an_absent_key_is_named(store: KeyStore) -> None:
    """Asking for a key that was never made says so and makes none."""
    with pytest.raises(Misconfigured, match="gateway/gw-1"):
        store.signing_key("gateway", "gw-1")
    assert store.signing_keys() == ()


@pytest.mark.parametrize("name", ["", "two words", "a+b", "a\nb"])
def test_a_name_that_cannot_sign_notes_is_refused(store: KeyStore, name: str) -> None:
    """A key name that no signature line could carry is refused before a key is kept."""
    with pytest.raises(Misconfigured):
        store.create_signing_key("gateway", name)
    assert store.signing_keys() == ()


def alter_row(rows: Rows, statement: str) -> None:
    """Runs a statement in which {N zeroes} stands for so many bytes."""
    zeroes = [bytes(int(count)) for count in re.findall(r"\{(\d+) zeroes\}", statement)]
    rows.execute(re.sub(r"\{\d+ zeroes\}", "?", statement), zeroes)


@pytest.mark.parametrize(
    "alter",
    [
        "UPDATE signing_keys SET role = 'ledger' WHERE role = 'gateway'",
        "UPDATE signing_keys SET name = 'other'",
        "UPDATE signing_keys SET public_key = {32 zeroes}",
        "UPDATE signing_keys SET created_at = '2020-01-01T00:00:00+00:00'",
        "UPDATE signing_keys SET generation = 2",
        "UPDATE signing_keys SET sealed = {73 zeroes}",
        "UPDATE signing_keys SET sealed = {0 zeroes}",
    ],
)
def test_an_altered_row_does_not_open(store: KeyStore, database: KeyDatabase, alter: str) -> None:
    """A sealed seed whose row was altered in any column is refused."""
    store.create_signing_key("gateway", "gw-1")
    with database.write() as rows:
        alter_row(rows, alter)
    (row,) = store.signing_keys()
    with pytest.raises(IntegrityError):
        store.signing_key(row.role, row.name)
