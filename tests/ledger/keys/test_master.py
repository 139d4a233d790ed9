"""The local master key's file, its refusals and its silence."""

from __future__ import annotations

import base64
import copy
import os
import pickle
from pathlib import Path

import pytest

from ledger.errors import IntegrityError, Misconfigured
from ledger.keys.master import LocalMasterKey


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "master.key"


def write(path: Path, content: bytes, mode: int = 0o600) -> None:
    path.write_bytes(content)
    path.chmod(mode)


def test_a_made_key_is_loaded_again(path: Path) -> None:
    """What one process seals under a new key, another that loads the file opens."""
    made, loaded = LocalMasterKey.create(path), LocalMasterKey.load(path)
    assert made.key_id == loaded.key_id
    assert loaded.open(made.seal(b"tenant key", b"place"), b"place") == b"tenant key"


def test_the_file_is_private_whatever_the_umask(path: Path) -> None:
    """The file has mode 0600 and its documented content."""
    before = os.umask(0)
    try:
        LocalMasterKey.create(path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    content = path.read_bytes()
    assert len(base64.b64decode(content, validate=False)) == 32
    assert len(content) == 45


def test_a_key_is_never_overwritten(path: Path) -> None:
    """Making a key where something stands is refused and leaves it as it was."""
    LocalMasterKey.create(path)
    before = path.read_bytes()
    with pytest.raises(Misconfigured, match="never overwritten"):
        LocalMasterKey.create(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644])
def test_a_file_open_to_others_is_refused(path: Path, mode: int) -> None:
    """A key that the group or others can touch in any way is not used."""
    LocalMasterKey.create(path)
    path.chmod(mode)
    with pytest.raises(Misconfigured, match="mode 0600"):
        LocalMasterKey.load(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        base64.b64encode(bytes(32)),
        base64.b64encode(bytes(32)) + b"\r\n",
        base64.b64encode(bytes(32)) + b" ",
        base64.b64encode(bytes(31)) + b"\n",
        base64.b64encode(bytes(33)) + b"\n",
        b"A" * 42 + b"B=\n",  # stray bits in the last character
        b"!" * 44 + b"\n",
        b"=" * 44 + b"\n",
        bytes(32),
    ],
)
def test_a_malformed_file_is_refused(path: Path, content: bytes) -> None:
    """Only the one canonical form is a key, and the message shows none of the content."""
    write(path, content)
    with pytest.raises(Misconfigured) as caught:
        LocalMasterKey.load(path)
    assert "AAAA" not in str(caught.value)
    assert "!!!!" not in str(caught.value)


def test_an_absent_file_or_a_folder_is_named(path: Path) -> None:
    """A path without a key file is a configuration error that says which path."""
    with pytest.raises(Misconfigured, match=str(path)):
        LocalMasterKey.load(path)
    with pytest.raises(Misconfigured, match="regular file"):
        LocalMasterKey.load(path.parent)
    with pytest.raises(Misconfigured, match="cannot make"):
        LocalMasterKey.create(path / "deeper")


def test_another_place_or_key_does_not_open(path: Path) -> None:
    """What is sealed for one place opens neither in another nor under another master key."""
    key = LocalMasterKey.create(path)
    sealed = key.seal(b"tenant key", b"place")
    with pytest.raises(IntegrityError):
        key.open(sealed, b"elsewhere")
    other = LocalMasterKey.create(path.with_name("other"))
    assert other.key_id != key.key_id
    with pytest.raises(IntegrityError):
        other.open(sealed, b"place")
    with pytest.raises(IntegrityError):
        key.open(b"", b"place")


def test_the_key_id_is_pinned() -> None:
    """The id of a given key never changes: it stands beside every tenant key."""
    assert LocalMasterKey(bytes(32)).key_id == "local:55c7778f5c479b6d33db6179c8269798"


def test_a_key_has_32_bytes() -> None:
    """A key of another size is refused."""
    with pytest.raises(Misconfigured, match="32 bytes"):
        LocalMasterKey(bytes(16))


def test_nothing_secret_shows() -> None:
    """Not repr, str, pickle nor copy gives the key away."""
    secret = bytes(range(32))
    key = LocalMasterKey(secret)
    for shown in (repr(key), str(key), f"{key}", f"{[key]}"):
        assert shown.strip("[]") == f"LocalMasterKey({key.key_id})"
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="does not leave"):
            leak(key)
