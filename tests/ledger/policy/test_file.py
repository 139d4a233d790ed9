"""The file of a policy: its bytes, and whether it was changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ledger.errors import Misconfigured
from ledger.policy.document import FILE_BYTES_MAX
from ledger.policy.file import PolicyFile


def test_a_replaced_file_has_another_stamp(tmp_path: Path) -> None:
    """A file of the same size that is put in its place shows; one that is away has no stamp."""
    file = PolicyFile(tmp_path / "policy.toml")
    assert file.stamp() is None
    file.path.write_text("one")
    before = file.stamp()
    (tmp_path / "next").write_text("two")
    os.replace(tmp_path / "next", file.path)
    assert file.stamp() not in (None, before)
    assert file.read() == b"two"


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    """A named pipe without a writer, a folder and nothing at all are mistakes that are named at once."""
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", ".", "nothing"):
        with pytest.raises(Misconfigured, match=str(tmp_path)):
            PolicyFile(tmp_path / name).read()


def test_no_more_is_read_than_tells_that_it_is_too_large(tmp_path: Path) -> None:
    """Of a file beyond the limit one byte more than the limit is read."""
    (tmp_path / "policy.toml").write_bytes(bytes(FILE_BYTES_MAX + 100))
    assert len(PolicyFile(tmp_path / "policy.toml").read()) == FILE_BYTES_MAX + 1
