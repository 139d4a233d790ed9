"""Repositories for tests of change capture."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ledger.changes.repositories import DECLARATION, MODELS, PROMPT, GitRepository


@pytest.fixture
def empty(tmp_path: Path) -> GitRepository:
    """A repository without a commit."""
    return GitRepository(tmp_path / "repository", tmp_path / "keys").init()


@pytest.fixture
def repository(empty: GitRepository) -> GitRepository:
    """A repository with a declaration, a prompt and a pinned model."""
    empty.commit(
        {"audit-ledger.toml": DECLARATION, "prompts/support.md": PROMPT, "models.toml": MODELS, "README": "x\n"},
        "First",
    )
    return empty
