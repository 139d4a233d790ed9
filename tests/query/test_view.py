"""What the rounds vouch for, and nothing else."""

from __future__ import annotations

import pytest

from ledger.errors import IntegrityError
from ledger.segments import names
from query.files import SegmentFile, VouchedFiles
from query.view import LedgerView
from tests.query.ledgers import Asked
from tests.small_ledger import request


async def test_it_grows_with_the_rounds_and_keeps_older_pictures(asked: Asked) -> None:
    """A refresh takes in what was sealed since; a snapshot taken before still shows what it showed."""
    view = LedgerView(asked.small.store, asked.small.trust, 1)
    log = asked.small.tenant_log("acme")
    await asked.seal("acme", request(), request())
    before = view.refresh()
    await asked.seal("acme", request())
    await asked.compact()
    assert before.log(log.log_id, 0).size == 2
    after = view.refresh()
    assert after.log(log.log_id, 0).size == 3
    assert [each.events for each in before.log(log.log_id, 0).stretches()] != []
    assert list(after.log(log.log_id, 0).stretches()) == []
    assert after.log(log.log_id, 0).placed.size == 3
    assert view.refresh() is after


async def test_a_missing_round_is_named(asked: Asked) -> None:
    """A hole among the rounds stops the view: what stands behind it must not vanish in silence."""
    for _ in range(3):
        await asked.seal("acme", request())
    asked.small.store.path(names.round_name(0, 1)).unlink()
    with pytest.raises(IntegrityError, match="rounds are missing: 1"):
        LedgerView(asked.small.store, asked.small.trust, 1).refresh()


async def test_a_round_that_does_not_hold_is_not_passed_over(asked: Asked) -> None:
    """After a round failed, the view begins again from the first one, and fails again, never goes on behind it."""
    await asked.seal("acme", request())
    view = LedgerView(asked.small.store, asked.small.trust, 1)
    view.refresh()
    await asked.seal("acme", request())
    path = asked.small.store.path(names.round_name(0, 1))
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes((good[-1] ^ 1,)))
    for _ in range(2):
        with pytest.raises(IntegrityError):
            view.refresh()
    path.write_bytes(good)
    assert view.refresh().log(asked.small.tenant_log("acme").log_id, 0).size == 2


async def test_a_file_is_hashed_before_it_is_used_and_again_once_it_changed(asked: Asked) -> None:
    """No byte of a file can differ from what the round names, before its first use or after."""
    await asked.seal("acme", request())
    snapshot = LedgerView(asked.small.store, asked.small.trust, 1).refresh()
    (stretch,) = snapshot.log(asked.small.tenant_log("acme").log_id, 0).stretches()
    files = VouchedFiles(asked.small.store)
    files.open(stretch.events)
    path = asked.small.store.path(stretch.events.name)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="SHA-256"):
        files.open(stretch.events)
    with pytest.raises(IntegrityError, match="SHA-256"):
        VouchedFiles(asked.small.store).open(stretch.events)
    with pytest.raises(IntegrityError, match="missing"):
        files.open(SegmentFile("partitions/0000/events/none.parquet", bytes(32), 1))
