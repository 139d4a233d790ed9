"""The ledger of `tests.ledger.verify.built`, built once and copied for each test."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ledger.segments.objects import FileStore
from tests.ledger.verify.built import Built, build, copied


@pytest.fixture(scope="session")
def _plain(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return asyncio.run(build(tmp_path_factory.mktemp("plain"), compact=False))


@pytest.fixture(scope="session")
def _compacted(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return asyncio.run(build(tmp_path_factory.mktemp("compacted"), compact=True))


@pytest.fixture
def plain(_plain: Built, tmp_path: Path) -> Built:
    """Five rounds, never compacted."""
    return copied(_plain, tmp_path)


@pytest.fixture
def compacted(_compacted: Built, tmp_path: Path) -> Built:
    """The same events, compacted twice; the first placement is superseded."""
    return copied(_compacted, tmp_path)


@pytest.fixture
def empty_store(tmp_path: Path) -> FileStore:
    """Where a test seals what it forged."""
    return FileStore(tmp_path / "forged")
