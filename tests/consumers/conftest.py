"""Fixtures of the sealer's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.small_ledger import SmallLedger


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[SmallLedger]:
    """A small ledger of one partition with the tenants `acme` and `globex`."""
    ledger = SmallLedger(tmp_path / "ledger")
    await ledger.start("acme", "globex")
    yield ledger
    await ledger.close()
