"""What was done to the ledger itself, on its way into the log: `ledger.operations`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ledger.operations import OPEN_S, Operations, Outcome
from ledger.record.translate import translate
from ledger.tenants import ORG
from ledger.v1 import event_pb2 as pb
from tests.ledger.keys.places import Place


class Clock:
    """Goes when it is told to."""

    def __init__(self) -> None:
        self.now_ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def operations(place: Place, clock: Clock) -> Operations:
    return Operations(place.create(), clock)


def rotate(operations: Operations, *, fail: bool = False) -> None:
    """The master key, say."""
    with operations.doing(ORG, "rotation", "master key", "olga") as ended:
        if fail:
            raise KeyboardInterrupt
        ended.append(Outcome("master key b, before a", 12))


def test_what_ended_is_told_once(operations: Operations) -> None:
    """Who, what, how many; and not again once it is recorded."""
    rotate(operations)
    (found,) = operations.unrecorded()
    event = found.event()
    assert event == found.event(), "all gateways publish the same"
    assert (event.actor.credential_id, event.operation.action) == ("olga", pb.OPERATION_ACTION_ROTATION)
    assert (event.operation.target, event.operation.count) == ("master key b, before a", 12)
    assert event.operation.succeeded
    translate(event)
    operations.recorded(found)
    assert (operations.unrecorded(), operations.waiting()) == ([], 0)


def test_what_was_interrupted_is_one_operation_with_what_goes_on(operations: Operations) -> None:
    """Open until somebody ends it; then it is told with its outcome, once."""
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            rotate(operations, fail=True)
    assert (operations.unrecorded(), operations.waiting()) == ([], 1)
    rotate(operations)
    (found,) = operations.unrecorded()
    assert found.outcome == Outcome("master key b, before a", 12)


def test_what_nobody_ends_is_told_as_begun(operations: Operations, clock: Clock) -> None:
    """Killed behind its last step and never taken up: told without an outcome; ended after all, told again."""
    with pytest.raises(KeyboardInterrupt):
        rotate(operations, fail=True)
    clock.now_ms += OPEN_S * 1_000
    (begun,) = operations.unrecorded()
    assert not begun.event().operation.HasField("succeeded")
    assert begun.event().operation.target == "master key"
    operations.recorded(begun)
    rotate(operations)
    (ended,) = operations.unrecorded()
    assert ended.event().event_id != begun.event().event_id
    assert ended.event().operation.succeeded


def test_ended_while_it_was_told_as_begun_it_is_two_events(operations: Operations, clock: Clock) -> None:
    """A gateway that publishes "begun" while somebody ends it never gives one id two bodies."""
    which = operations.begin(ORG, "rotation", "master key", "olga")
    clock.now_ms += OPEN_S * 1_000
    (begun,) = operations.unrecorded()
    operations.end(which, ORG, "rotation", "master key", "olga", Outcome("done"))
    operations.recorded(begun)
    (ended,) = operations.unrecorded()
    assert ended.outcome == Outcome("done")
    assert ended.event().event_id != begun.event().event_id


def test_of_two_gateways_one_records(operations: Operations) -> None:
    """Both read it, both publish one event; what the second notes as recorded is gone already."""
    rotate(operations)
    first, second = operations.unrecorded(), operations.unrecorded()
    assert first[0].event().SerializeToString() == second[0].event().SerializeToString()
    operations.recorded(first[0])
    operations.recorded(second[0])
    assert operations.waiting() == 0


def test_a_file_is_noted_when_it_is_another_one(operations: Operations) -> None:
    """Each gateway's own files, by their digests."""

    def note(gateway: str, digest: bytes) -> bool:
        how = Outcome("roles", 3)
        return operations.note_file(gateway, "roles.toml", digest, "role_grant", gateway, how, first=True)

    answers = [note("g1", b"a" * 32), note("g1", b"a" * 32), note("g1", b"b" * 32), note("g2", b"b" * 32)]
    assert answers == [True, False, True, True]
    silent = ("g1", "config.toml", b"c" * 32, "configuration", "g1", Outcome("configuration"))
    assert operations.note_file(*silent, first=False) is False  # type: ignore[arg-type]
    told = [each.event().operation for each in operations.unrecorded()]
    assert [(each.action, each.count) for each in told] == [(pb.OPERATION_ACTION_ROLE_GRANT, 3)] * 3


@pytest.mark.parametrize("ids", [(), (bytes(4),), (b"\x01" * 32, b"\x02" * 16)])
def test_outcomes_come_back_as_they_were(operations: Operations, ids: tuple[bytes, ...]) -> None:
    """Counts, failures and key ids through the key store."""
    how = Outcome("a key", None, succeeded=False, key_ids_destroyed=ids)
    operations.note("acme", "restore", "key store", "olga", how)
    (found,) = operations.unrecorded()
    assert (found.outcome, found.tenant) == (how, "acme")
    assert list(found.event().operation.key_ids_destroyed) == list(ids)


def test_an_unknown_store_has_none(place: Place, clock: Callable[[], int]) -> None:
    """Before the first one there is no table, and nothing to do."""
    assert Operations(place.create(), clock).unrecorded() == []
