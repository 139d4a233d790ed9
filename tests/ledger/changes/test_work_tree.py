"""What is on disk against what was committed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import Rejected
from tests.ledger.changes.repositories import GitRepository


def test_a_clean_work_tree_passes_whatever_else_lies_in_it(repository: GitRepository) -> None:
    """Files that are no artifacts, changed or new, are nobody's business."""
    repository.write({"README": "changed\n", "report.xml": "<x/>", "notes/a.md": "x"})
    assert "prompt:support" in repository.outcomes()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"prompts/support.md": "changed\n"}, "prompts/support.md (changed)"),
        ({"prompts/support.md": None}, "prompts/support.md (missing)"),
        ({"prompts/new.md": "x\n"}, "prompts/new.md (not committed)"),
        ({"models.toml": "[models]\n"}, "models.toml (changed)"),
        ({"audit-ledger.toml": "format = 1\n"}, "audit-ledger.toml (changed)"),
    ],
)
def test_what_differs_is_named(repository: GitRepository, files: dict[str, str | bytes | None], said: str) -> None:
    """A changed, removed or new artifact, and a changed declaration, are refused, staged or not."""
    repository.write(files)
    for _ in range(2):
        with pytest.raises(Rejected, match="what is on disk is not the commit") as caught:
            repository.outcomes()
        assert said in str(caught.value)
        repository.git("add", "-A")


def test_a_link_in_place_of_a_file_is_a_difference(repository: GitRepository, tmp_path: Path) -> None:
    """A symbolic link is not followed, were it to the very same bytes; neither is one in place of a folder."""
    path = repository.folder / "prompts" / "support.md"
    (tmp_path / "same").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(tmp_path / "same")
    with pytest.raises(Rejected, match="not a file of its own"):
        repository.outcomes()
    path.unlink()
    path.parent.rename(tmp_path / "moved")
    (tmp_path / "same").rename(tmp_path / "moved" / "support.md")
    path.parent.symlink_to(tmp_path / "moved")
    with pytest.raises(Rejected, match="not a file of its own"):
        repository.outcomes()


def test_another_commit_is_not_compared_with_the_disk(repository: GitRepository) -> None:
    """Of a commit that is named and not checked out nothing on disk is used."""
    first = repository.head()
    repository.commit({"prompts/support.md": "two\n"})
    repository.write({"prompts/support.md": "dirty\n"})
    assert "prompt:support" in repository.outcomes(commit=first)


def test_many_differences_are_counted(repository: GitRepository) -> None:
    """The message names some and counts the rest."""
    repository.write({f"prompts/{number}.md": "x\n" for number in range(9)})
    with pytest.raises(Rejected, match="and 4 more"):
        repository.outcomes()
