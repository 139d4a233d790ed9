"""Fixtures of the query tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.query.ledgers import Asked
from tests.small_ledger import SmallLedger


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[Asked]:
    """A small ledger with the tenants `acme` and `beta`."""
    small = SmallLedger(tmp_path / "ledger")
    await small.start("acme", "beta")
    yield Asked(small)
    await small.close()
