"""Objects by their ids."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.changes.git import Repository
from ledger.changes.objects import tree_entries
from ledger.errors import Rejected, Unavailable
from tests.ledger.changes.repositories import PROMPT, GitRepository


def test_files_are_found_through_their_folders(repository: GitRepository) -> None:
    """A path leads to a file; a folder, a file taken for a folder, and what is not there lead to nothing."""
    repository.commit({"a/a/a": "deep\n", "a/b": "file\n"})
    with Repository(repository.folder) as opened:
        head = opened.resolve("HEAD")
        assert opened.file(head, "a/a/a") == b"deep\n"
        assert opened.file(head, "prompts/support.md") == PROMPT.encode()
        for path in ("a", "a/a", "a/b/c", "a/b/a", "b", "", "/", "a//b", "../a", "prompts/support.md/"):
            assert opened.file(head, path) is None, path
        listed = {each.path: (each.mode, each.object_id) for each in opened.tree(head)}
        for path, found in listed.items():
            entry = opened.entry(head, path.decode())
            assert entry is not None
            assert (entry.mode, entry.object_id) == found


def test_a_reader_that_dies_is_unavailable(repository: GitRepository) -> None:
    """When git is gone the call fails, it does not wait."""
    with Repository(repository.folder) as opened:
        head = opened.resolve("HEAD")
        opened._reader.close()
        with pytest.raises(Unavailable):
            opened.commit(head)


def test_an_object_that_is_too_large_is_refused(repository: GitRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is read into memory."""
    monkeypatch.setattr("ledger.changes.objects.OBJECT_BYTES_MAX", 10)
    with Repository(repository.folder) as opened, pytest.raises(Rejected, match="expected at most 10 bytes"):
        opened.commit(opened.resolve("HEAD"))


def test_what_is_shared_with_another_repository_is_there(repository: GitRepository) -> None:
    """A clone that borrows its objects from another has them."""
    shared = repository.folder.parent / "shared"
    subprocess.run(["git", "clone", "-q", "--shared", str(repository.folder), str(shared)], check=True, timeout=60)
    with Repository(shared) as opened:
        assert opened.file(opened.resolve("HEAD"), "prompts/support.md") == PROMPT.encode()


entries = st.lists(
    st.tuples(
        st.sampled_from(["100644", "40000", "120000"]),
        st.binary(min_size=1, max_size=6).filter(lambda name: b"\0" not in name),
        st.binary(min_size=20, max_size=20),
    ),
    max_size=5,
)


@given(entries)
def test_trees_are_read_as_git_writes_them(found: list[tuple[str, bytes, bytes]]) -> None:
    """Names may hold spaces and any byte but zero."""
    raw = b"".join(mode.encode() + b" " + name + b"\0" + object_id for mode, name, object_id in found)
    expected = [(mode.zfill(6), name, object_id.hex()) for mode, name, object_id in found]
    assert list(tree_entries(raw, 20)) == expected


@given(st.binary(max_size=80), st.sampled_from([20, 32]))
def test_any_bytes_are_a_tree_or_are_refused(data: bytes, id_bytes: int) -> None:
    """Nothing makes reading fail in another way."""
    try:
        found = list(tree_entries(data, id_bytes))
    except Rejected:
        found = []
    assert all(len(object_id) == 2 * id_bytes for _, _, object_id in found)
