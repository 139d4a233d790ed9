"""What is told of a tenant's end that is not so: each lie is refused by whoever should see it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from consumers.proposals import Proposals
from consumers.sealer import PartitionSealer
from ledger.deletion.ending import Endings, LogEnd
from ledger.deletion.proposing import propose_deletion
from ledger.deletion.remains import files_of
from ledger.errors import IntegrityError
from ledger.final_statement import (
    FinalLog,
    FinalStatement,
    open_final_statement,
    read_final_statement,
    sign_final_statement,
)
from ledger.segments.history import History
from ledger.segments.names import placement_name
from ledger.segments.placement import Placement, encode_placement
from ledger.segments.round import round_digest
from ledger.segments.state import PartitionState
from ledger.signed import BadSignature
from ledger.tenants import Tenant
from ledger.tlog.merkle import EMPTY_ROOT
from ledger.tlog.note import NoteSigner, signer_from_seed
from tests.ledger.deletion.deleting import delete, report
from tests.small_ledger import NAME, SmallLedger, request


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[SmallLedger]:
    made = SmallLedger(tmp_path / "ledger")
    await made.start("acme", "globex")
    for number in range(3):
        await made.publish("acme", request("mia", f"m{number}"))
        await made.publish("globex", request("jon", f"j{number}"))
        await made.seal()
    yield made
    await made.close()


def tenant_of(small: SmallLedger, name: str = "acme") -> Tenant:
    found = small.tenants.get(name)
    assert found is not None
    return found


def end_of(small: SmallLedger, name: str = "acme") -> LogEnd:
    (end,) = Endings(small.store, small.trust).of(tenant_of(small, name))
    return end


def statement(small: SmallLedger, end: LogEnd, signer: NoteSigner | None = None, **lies: object) -> str:
    """A final statement about one log as it stands, but for the lies."""
    from ledger.tlog.checkpoint import Checkpoint, sign_checkpoint

    signs = signer or small.ledger_signer
    said = replace(end.checkpoint, **lies)  # type: ignore[arg-type]
    note = sign_checkpoint(Checkpoint(said.origin, said.size, said.root), replace(signs, name=said.origin))
    made = FinalStatement(
        ledger=NAME,
        tenant="acme",
        deletion_id=bytes(16),
        requester="olga",
        approvers=(),
        legal_ground="",
        reason="why",
        closed_at_ms=1_800_000_000_000,
        destroyed_at_ms=1_800_000_000_000,
        destroyed=(),
        logs=(FinalLog(said.origin, said.size, said.root, note),),
        remains=(),
        signed_at_ms=1_800_000_000_000,
    )
    return sign_final_statement(made, signs)


def stated(small: SmallLedger, end: LogEnd, note: str) -> Placement:
    """The deletion that holds the note."""
    head = end.head
    return Placement(end.log.log_id, head.placement_number + 1, head.placement, head.size, (), (), note)


def state_of(small: SmallLedger) -> PartitionState:
    state = PartitionState(0)
    for _ in History(small.store, 0, small.trust()).follow(state):
        pass
    return state


async def test_rows_that_are_gone_without_a_statement_are_missing(small: SmallLedger) -> None:
    """Whoever removes a tenant's files fails `verify`, at every depth, whatever the key store says."""
    for name in files_of(small.store, small.trust, tenant_of(small)):
        small.store.remove(name)
    for depth in ("files", "leaves", "full"):
        found = report(small, depth)
        assert not found.passed
        assert {each.rule for each in found.findings} >= {"missing"}


async def test_a_statement_no_round_commits_deletes_nothing(small: SmallLedger) -> None:
    """Signed and proposed is not deleted: rows that are gone then are missing."""
    end = end_of(small)
    propose_deletion(small.store, end, statement(small, end))
    for name in files_of(small.store, small.trust, tenant_of(small)):
        small.store.remove(name)
    assert not report(small).passed


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        ({"size": 2}, "is final at 2 rows"),
        ({"size": 4}, "is final at 4 rows"),
        ({"root": bytes(32)}, "is final at the root"),
        ({"size": 0, "root": EMPTY_ROOT}, "is final at 0 rows"),
        ({"origin": f"{NAME}/log/{'00' * 32}"}, "says nothing of this log"),
    ],
)
async def test_a_statement_of_another_end_is_refused(small: SmallLedger, lie: dict[str, object], told: str) -> None:
    """Neither the sealer takes it, nor does any follower of the rounds: size, root and log must be those of the log."""
    end = end_of(small)
    placement = stated(small, end, statement(small, end, **lie))
    with pytest.raises(IntegrityError, match=told):
        state_of(small).apply_placement(placement, bytes(32))
    propose_deletion(small.store, end, placement.final)
    assert Proposals(small.store, 0).acceptable(state_of(small), small.trust()) == ()


async def test_only_the_ledger_can_sign_one(small: SmallLedger) -> None:
    """A statement under another key, or with a checkpoint under one, is a bad signature wherever it is read."""
    end = end_of(small)
    stranger = signer_from_seed(f"{NAME}/ledger", bytes(32))
    note = statement(small, end, stranger)
    digest = propose_deletion(small.store, end, note)
    assert digest is not None
    with pytest.raises(BadSignature):
        History(small.store, 0, small.trust()).placement(digest)
    assert Proposals(small.store, 0).acceptable(state_of(small), small.trust()) == ()
    with pytest.raises(IntegrityError):
        open_final_statement(note, small.trust())


def _other_tenant(text: str) -> str:
    return text.replace("tenant acme", "tenant globex")


def _larger(text: str) -> str:
    return text.replace(" 3 ", " 2 ", 1)


def _reason(text: str) -> str:
    return text.replace("reason why", "reason because")


@pytest.mark.parametrize("change", [_other_tenant, _larger, _reason])
async def test_an_altered_statement_does_not_open(small: SmallLedger, change: Callable[[str], str]) -> None:
    """Every line is under the signature."""
    note = statement(small, end_of(small))
    assert change(note) != note
    open_final_statement(note, small.trust())
    with pytest.raises(IntegrityError):
        open_final_statement(change(note), small.trust())


@pytest.mark.parametrize("line", ["", "approved by ", "checkpoint AAAA", "closed yesterday", "log a b c"])
async def test_a_text_in_another_form_is_no_statement(small: SmallLedger, line: str) -> None:
    """One statement has one text: a line more or another one is refused before any signature is looked at."""
    text, _, signatures = statement(small, end_of(small)).rpartition("\n\n")
    lines = text.split("\n")
    lines.insert(5, line)
    with pytest.raises(IntegrityError):
        read_final_statement("\n".join(lines) + "\n\n" + signatures)


async def test_nothing_is_added_to_a_deleted_log(small: SmallLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sealer that would take an event of it, or a placement, breaks R11 before it signs."""
    await delete(small, "acme")
    await small.publish("acme", request("mia", "late"))
    monkeypatch.setattr(PartitionSealer, "_has_ended", lambda self, log: False)
    with pytest.raises(IntegrityError, match="adds to a log that is deleted"):
        await small.seal()
    end = end_of(small)
    again = stated(small, end, statement(small, end))
    with pytest.raises(IntegrityError, match="is of a log that is deleted"):
        state_of(small).apply_placement(again, bytes(32))


async def test_the_statement_cannot_go_either(small: SmallLedger) -> None:
    """Without the placement that holds it the deletion is a finding, as is another one under its name."""
    await delete(small, "acme")
    name = placement_name(0, end_of(small).head.placement)
    data = small.store.read(name)
    small.store.remove(name)
    assert not report(small, "files").passed
    small.store.put(name, data.replace(b"reason contract", b"reason contrast"))
    assert not report(small, "files").passed
    small.store.remove(name)
    small.store.put(name, data)
    assert report(small).passed


async def test_a_deletion_in_another_place_of_history_is_refused(small: SmallLedger) -> None:
    """It descends from the log's last placement; one that was written before another placement came is stale."""
    end = end_of(small)
    stale = stated(small, end, statement(small, end))
    wrong = replace(stale, previous=round_digest(b"other"))
    with pytest.raises(IntegrityError, match="does not descend"):
        state_of(small).apply_placement(wrong, bytes(32))
    assert encode_placement(stale) != encode_placement(wrong)


async def test_kept_checkpoints_still_hold(small: SmallLedger) -> None:
    """A checkpoint from before, of the deleted log and of another, is continued; one that never was is not."""
    from ledger.tlog.checkpoint import Checkpoint, sign_checkpoint

    end = end_of(small)
    under = replace(small.ledger_signer, name=end.log.origin)
    before = sign_checkpoint(end.checkpoint, under)
    forged = sign_checkpoint(Checkpoint(end.log.origin, 3, bytes(32)), under)
    await delete(small, "acme")
    assert report(small, since=before).passed
    assert not report(small, since=forged).passed
