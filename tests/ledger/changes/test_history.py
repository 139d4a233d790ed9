"""Where revisions come from and who made them: merges, squashes, conflicts, renames, cut histories."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.changes.git import MissingHistory, Repository
from ledger.changes.history import origins, workers
from ledger.errors import Rejected
from tests.ledger.changes.repositories import MIA, MODELS, PRIYA, PROMPT, TOMAS, GitRepository, digest

FILE = "prompts/support.md"


def _origin(repository: GitRepository, path: str = FILE) -> str:
    with Repository(repository.folder) as opened:
        return origins(opened, opened.resolve("HEAD"), [path])[path].commit


def _authors(repository: GitRepository, key: str = "prompt:support", **asked: str) -> list[str]:
    return [each.name.partition("@")[0] for each in repository.outcomes(**asked)[key].candidate.authors]


def test_the_first_revision_has_no_predecessor(repository: GitRepository) -> None:
    """What was there from the first commit comes from it, and nothing was before."""
    candidate = repository.outcomes()["prompt:support"].candidate
    assert candidate.origin == repository.head()
    assert candidate.before is None
    assert _authors(repository) == [MIA]


def test_a_commit_brings_a_revision_in_and_later_ones_leave_it(repository: GitRepository) -> None:
    """The newest change of the file counts, whatever else was committed since, and however long ago."""
    second = repository.commit({FILE: "two\n"}, who=TOMAS)
    for number in range(5):
        repository.commit({"README": f"{number}\n"}, who=PRIYA)
    candidate = repository.outcomes()["prompt:support"].candidate
    assert candidate.origin == second
    assert candidate.before is not None
    assert candidate.before.sha256.hex() == digest(PROMPT)
    assert _authors(repository) == [TOMAS]


def test_a_merge_brings_in_what_its_branch_changed(repository: GitRepository) -> None:
    """The merge is where the revision comes from; its authors are those who wrote on the branch, not who merged."""
    repository.checkout("kinder", new=True)
    repository.commit({FILE: "two\n"}, who=TOMAS)
    repository.commit({FILE: "three\n"}, "Again\n\nCo-authored-by: Eve <eve@example.org>", who=TOMAS)
    repository.checkout("main")
    repository.commit({"README": "y\n"})
    merged = repository.merge("kinder", who=PRIYA)
    assert _origin(repository) == merged
    assert _authors(repository) == [TOMAS, "eve"]


def test_who_resolves_a_conflict_is_an_author(repository: GitRepository) -> None:
    """A merge whose file is neither parent's was written by whoever merged."""
    repository.checkout("kinder", new=True)
    repository.commit({FILE: "branch\n"}, who=TOMAS)
    repository.checkout("main")
    repository.commit({FILE: "main\n"})
    repository.git("merge", "-q", "--no-ff", "--no-commit", "kinder", check=False)
    repository.write({FILE: "both\n"})
    repository.git("add", "-A")
    repository.git("commit", "-q", "-m", "Merge", who=PRIYA)
    assert _origin(repository) == repository.head()
    assert set(_authors(repository)) == {PRIYA, TOMAS}


def test_a_revision_that_comes_back_is_the_same_revision(repository: GitRepository) -> None:
    """A reverted text has the digest and the revision it had, and comes from the commit that brought it back."""
    first = repository.outcomes()["prompt:support"].candidate
    repository.commit({FILE: "two\n"})
    repository.git("revert", "--no-edit", "HEAD", who=TOMAS)
    again = repository.outcomes()["prompt:support"].candidate
    assert first.artifact is not None
    assert again.artifact is not None
    assert again.artifact.revision == first.artifact.revision
    assert again.origin == repository.head()


def test_a_renamed_file_is_a_new_artifact_and_the_old_one_is_gone(repository: GitRepository) -> None:
    """An id that comes from the path goes with it; against a base both are told."""
    base = repository.head()
    repository.git("mv", FILE, "prompts/help.md")
    repository.commit(message="Rename")
    found = repository.outcomes(base=base)
    assert found["prompt:help"].candidate.before is None
    assert found["prompt:support"].candidate.artifact is None
    assert found["prompt:support"].candidate.origin == repository.head()


def test_of_a_value_in_a_file_its_own_change_counts(repository: GitRepository) -> None:
    """A pin comes from the commit that wrote it, not from one that changed another pin in the file."""
    pinned = repository.head()
    for number in range(3):
        more = f'{MODELS}triage = "openai/gpt-4.1-2025-04-1{number}"\n'
        repository.commit({"models.toml": more}, who=TOMAS)
    found = repository.outcomes()
    assert found["model:openai/gpt-4o-2024-08-06"].candidate.origin == pinned
    triage = found["model:openai/gpt-4.1-2025-04-12"].candidate
    assert triage.origin == repository.head()
    assert triage.before is not None
    assert triage.before.revision == "gpt-4.1-2025-04-11"


def test_a_value_whose_file_was_no_document_before_is_new(repository: GitRepository) -> None:
    """What can't be read at an earlier commit is not there."""
    repository.commit({"models.toml": "broken = [\n"})
    fixed = repository.commit({"models.toml": MODELS})
    assert repository.outcomes()["model:openai/gpt-4o-2024-08-06"].candidate.origin == fixed


def _clone(repository: GitRepository, folder: Path, *options: str) -> GitRepository:
    repository.git("clone", "-q", *options, f"file://{repository.folder}", str(folder))
    return GitRepository(folder, repository.keys)


def test_a_shallow_clone_says_what_is_missing_and_how_to_get_it(repository: GitRepository, tmp_path: Path) -> None:
    """The first commit of a cut history is never taken for the beginning; unshallowing helps, as the message says."""
    repository.commit({"README": "y\n"})
    head = repository.commit({"README": "z\n"})
    shallow = _clone(repository, tmp_path / "shallow", "--depth", "1")
    with pytest.raises(MissingHistory, match=r"history ends at commit .*git fetch --unshallow.*fetch-depth: 0"):
        shallow.outcomes()
    with pytest.raises(MissingHistory, match="fetch-depth"):
        shallow.outcomes(base="HEAD~1")
    shallow.git("fetch", "-q", "--unshallow")
    assert shallow.outcomes()["prompt:support"].candidate.origin != head


def test_a_shallow_clone_that_reaches_far_enough_is_enough(repository: GitRepository, tmp_path: Path) -> None:
    """What the clone does not need it need not have."""
    second = repository.commit({FILE: "two\n", "models.toml": MODELS + "\n", "audit-ledger.toml": None})
    repository.commit({"README": "y\n"})
    shallow = _clone(repository, tmp_path / "shallow", "--depth", "3")
    shallow.git("config", "remote.origin.url", "https://github.com/acme/assistant")
    assert shallow.outcomes(keys=("prompt:support",))["prompt:support"].candidate.origin == second


def test_a_partial_clone_says_what_is_missing(repository: GitRepository, tmp_path: Path) -> None:
    """Objects that a partial clone left behind are named, and never fetched."""
    repository.git("config", "uploadpack.allowFilter", "true")
    partial = _clone(repository, tmp_path / "partial", "--filter=blob:none", "--no-checkout")
    with pytest.raises(MissingHistory, match=r"blob [0-9a-f]{40} is not in this clone; a partial clone"):
        partial.outcomes()


def test_a_range_without_end_is_refused(repository: GitRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """More commits than are looked at are refused, not cut off: a review or an author could be among them."""
    monkeypatch.setattr("ledger.changes.history.RANGE_COMMITS_MAX", 2)
    for number in range(4):
        repository.commit({FILE: f"{number}\n"})
    with Repository(repository.folder) as opened, pytest.raises(Rejected, match="name a nearer --base"):
        workers(opened, None, repository.head(), FILE)


def test_history_is_read_block_by_block(repository: GitRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change further back than a block is found all the same."""
    monkeypatch.setattr("ledger.changes.history.BLOCK_COMMITS", 2)
    first = repository.head()
    for number in range(7):
        repository.commit({"models.toml": f"{MODELS}# {number}\n"})
    with Repository(repository.folder) as opened:
        found = origins(opened, opened.resolve("HEAD"), [FILE, "models.toml", "nothing"])
    assert found[FILE].commit == first
    assert found["models.toml"].commit == repository.head()
    assert "nothing" not in found
