"""Starting from the published rounds: `consumers.catch_up`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ledger.errors import IntegrityError
from ledger.segments.names import round_name
from tests.small_ledger import SmallLedger, request


async def _sealed(folder: Path) -> SmallLedger:
    ledger = SmallLedger(folder)
    await ledger.start("acme")
    for _ in range(3):
        await ledger.publish("acme", request())
        await ledger.seal()
    return ledger


@pytest.mark.parametrize("kept", [0, 1, 2])
async def test_lost_newest_rounds_halt_the_sealer(tmp_path: Path, kept: int) -> None:
    """When rounds are gone that the id index saw published, nothing is signed under their numbers again."""
    ledger = await _sealed(tmp_path)
    for number in range(kept, 3):
        ledger.store.remove(round_name(0, number))
    before = ledger.store.walk()
    with pytest.raises(IntegrityError, match=f"{kept} rounds are there.*newest rounds were lost"):
        await ledger.seal()
    assert ledger.store.walk() == before
    await ledger.close()


async def test_without_derived_files_it_starts_from_the_rounds(tmp_path: Path) -> None:
    """Derived files may be deleted: the sealer makes them again and still knows every repeat."""
    ledger = await _sealed(tmp_path)
    event = request()
    await ledger.publish("acme", event)
    await ledger.seal()
    shutil.rmtree(tmp_path / "derived")
    await ledger.publish("acme", event)
    [outcome] = await ledger.seal()
    assert (outcome.events, outcome.repeats) == (0, 1)
    await ledger.close()
