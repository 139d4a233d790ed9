"""Going on after the event log lost what was sealed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from consumers.going_on import go_on
from ledger.errors import IntegrityError, Misconfigured
from ledger.segments.names import round_name
from ledger.segments.round import GAP
from ledger.verify import verify
from tests.small_ledger import SmallLedger, request


async def _restored(folder: Path) -> SmallLedger:
    """A ledger whose event log was put back to an earlier copy, two events after it."""
    ledger = SmallLedger(folder / "ledger")
    await ledger.start("acme")
    await ledger.publish("acme", request(), request())
    await ledger.seal()
    await ledger.close()
    copy = folder / "copy"
    copy.mkdir()
    for name in ("log.sqlite", "log.sqlite-wal", "log.sqlite-shm"):
        if (folder / "ledger" / name).exists():
            shutil.copy(folder / "ledger" / name, copy / name)
    await ledger.start()
    await ledger.publish("acme", request(), request())
    await ledger.seal()
    await ledger.close()
    for path in (folder / "ledger").glob("log.sqlite*"):
        path.unlink()
    for path in copy.iterdir():
        shutil.copy(path, folder / "ledger" / path.name)
    await ledger.start()
    return ledger


async def test_a_halted_partition_goes_on_with_a_signed_reason(tmp_path: Path) -> None:
    """After the order nothing that was sealed is sealed twice, new events are sealed, and verification passes."""
    ledger = await _restored(tmp_path)
    with pytest.raises(IntegrityError, match="shorter than it was"):
        await ledger.seal()
    published = await go_on(ledger.sealer()._parts, "restored from yesterday's copy, ticket 12")
    assert published.round.kind == GAP
    assert published.round.reason == "restored from yesterday's copy, ticket 12"
    await ledger.publish("acme", request())
    outcomes = await ledger.seal()
    assert (sum(each.events for each in outcomes), sum(each.repeats for each in outcomes)) == (1, 2)
    report = verify(ledger.store, ledger.trust(), depth="full")
    assert report.passed
    assert report.counts.events == 5
    await ledger.close()


async def test_nobody_goes_on_without_the_newest_rounds(tmp_path: Path) -> None:
    """The order does not cover lost rounds: their numbers are never signed again, whatever the event log holds."""
    ledger = await _restored(tmp_path)
    ledger.store.remove(round_name(0, 1))
    with pytest.raises(IntegrityError, match="newest rounds were lost"):
        await go_on(ledger.sealer()._parts, "restored")
    await ledger.close()


async def test_what_goes_on_is_remembered(tmp_path: Path) -> None:
    """The round that goes on is the newest for the key store too."""
    ledger = await _restored(tmp_path)
    published = await go_on(ledger.sealer()._parts, "restored")
    assert ledger.newest_rounds[0].number == published.round.number
    await ledger.close()


async def test_nobody_goes_on_where_nothing_is_lost(tmp_path: Path) -> None:
    """The order is refused while the event log still holds the last sealed record, and without a reason."""
    ledger = SmallLedger(tmp_path)
    await ledger.start("acme")
    with pytest.raises(Misconfigured, match="no rounds yet"):
        await go_on(ledger.sealer()._parts, "because")
    await ledger.publish("acme", request())
    await ledger.seal()
    with pytest.raises(Misconfigured, match="just seal"):
        await go_on(ledger.sealer()._parts, "because")
    with pytest.raises(Misconfigured, match="reason"):
        await go_on(ledger.sealer()._parts, "  ")
    await ledger.close()
