"""Homes for tests of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger.cli.running import TENANT, Cli, Up


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Commands against a home that does not exist yet."""
    return Cli(tmp_path / "home")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cli, Up]]:
    """A ledger that runs, for the tests of one module; each leaves it usable for the next."""
    cli = Cli(tmp_path_factory.mktemp("served") / "home")
    cli.make(TENANT)
    with cli.up("--without-query") as up:
        yield cli, up
