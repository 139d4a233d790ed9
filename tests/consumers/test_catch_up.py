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


@pytest.mark.parametrize("forgotten", ["derived files", "memory"])
@pytest.mark.parametrize("kept", [0, 1, 2])
async def test_lost_newest_rounds_halt_the_sealer(tmp_path: Path, kept: int, forgotten: str) -> None:
    """The key store's memory and the id index each suffice: nothing is signed under a lost round's number again."""
    ledger = await _sealed(tmp_path)
    for number in range(kept, 3):
        ledger.store.remove(round_name(0, number))
    if forgotten == "memory":
        with ledger.database.write() as rows:
            rows.execute("DELETE FROM newest_rounds")
    else:
        shutil.rmtree(tmp_path / "derived")
    before = ledger.store.walk()
    with pytest.raises(IntegrityError, match=f"{kept} rounds are there.*newest rounds were lost"):
        await ledger.seal()
    assert ledger.store.walk() == before
    await ledger.close()


async def test_another_history_halts_the_sealer(tmp_path: Path) -> None:
    """Rounds of the same length that are not those once published are not gone on from."""
    ledger = await _sealed(tmp_path)
    with ledger.database.write() as rows:
        rows.execute("UPDATE newest_rounds SET digest = ?", (bytes(32),))
    with pytest.raises(IntegrityError, match=r"partition 0, round 2: has the digest .* published"):
        await ledger.seal()
    await ledger.close()


async def test_a_crash_before_the_memory_is_written_costs_nothing(tmp_path: Path) -> None:
    """A memory that stayed behind is brought up at the next start, before anything else is sealed."""
    ledger = await _sealed(tmp_path)
    newest = ledger.newest_rounds[0]
    with ledger.database.write() as rows:
        rows.execute("UPDATE newest_rounds SET number = 0")
        rows.execute("DELETE FROM newest_rounds")
    assert await ledger.seal() == []
    assert ledger.newest_rounds[0] == newest
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
