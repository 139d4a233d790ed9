"""The rules by which one round follows another: honest histories are accepted, and every lie is refused by its rule."""

from __future__ import annotations

from dataclasses import fields, replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import IntegrityError
from ledger.segments.round import (
    GAP,
    HEARTBEAT,
    NEW_EPOCH,
    ORDINARY,
    ROUND,
    round_digest,
)
from ledger.segments.state import PartitionState
from ledger.segments.statement import STATEMENT, Statement, label
from ledger.tlog.merkle import EMPTY
from tests.ledger.segments.lies import LEAVES, LIES, Lie, a_gap, a_new_epoch
from tests.ledger.segments.partitions import (
    INCARNATION,
    LOGS,
    PARTITION,
    Told,
    a_round,
    digest_of,
    leaf,
    placement,
    round_of,
    two_rounds,
)


@pytest.mark.parametrize("what", LIES)
def test_a_lie_is_refused_by_its_rule_and_changes_nothing(what: str) -> None:
    """Each lie, told with every digest that depends on it made right, is refused; the state stays where it was."""
    rule, lie = LIES[what]
    state = two_rounds()
    before = state.copy()
    with pytest.raises(IntegrityError, match=rule):
        lie(state).tell(state)
    assert state == before


def test_the_honest_round_is_accepted() -> None:
    """What the lies are told in would be accepted without them."""
    state = two_rounds()
    a_round(state, LEAVES, placements=[placement(state, LOGS[0])]).tell(state)
    assert (state.next_number, state.head(LOGS[0]).size, state.head(LOGS[2]).size) == (3, 7, 1)
    assert (state.head(LOGS[0]).placed_size, state.head(LOGS[0]).placement_number) == (5, 2)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(lambda s: a_round(s, {}, kind=HEARTBEAT), id="a heartbeat"),
        pytest.param(lambda s: a_round(s, {}, read=4), id="records that nobody's log takes"),
        pytest.param(lambda s: a_round(s, {LOGS[0]: []}, read=3), id="a statement of repeats only"),
        pytest.param(lambda s: a_round(s, {}, read=0), id="an ordinary round of nothing"),
        pytest.param(a_gap, id="a gap"),
        pytest.param(a_new_epoch, id="a new epoch"),
        pytest.param(lambda s: a_round(s, LEAVES, sealed_at_us=s.sealed_at_us), id="a clock that stands still"),
    ],
)  # fmt: skip
def test_every_kind_of_round_is_accepted(told: Lie) -> None:
    """Heartbeats, gaps, new epochs and rounds of repeats follow like others."""
    state = two_rounds()
    told(state).tell(state)
    assert state.next_number == 3
    assert state.edge.size == 3


def test_a_placement_applied_by_itself_keeps_the_same_rule() -> None:
    """The two ways to commit a placement hold R10 alike."""
    state = two_rounds()
    for lie in (placement(state, LOGS[0], 2), placement(state, LOGS[0], previous=bytes(32))):
        with pytest.raises(IntegrityError, match="R10"):
            state.apply_placement(lie, digest_of(lie))
    good = placement(state, LOGS[0])
    state.apply_placement(good, digest_of(good))
    assert state.head(LOGS[0]).placement == digest_of(good)


def test_the_first_round_begins_where_the_event_log_does() -> None:
    """Records before the first round, trimmed or hidden, are a gap, and a gap says why."""
    state = PartitionState(PARTITION)
    with pytest.raises(IntegrityError, match="begins at offset 5, the round before ended at 0"):
        a_round(state, LEAVES, first_offset=5, next_offset=9).tell(state)
    a_round(state, LEAVES, kind=GAP, reason="trimmed", first_offset=5, next_offset=9).tell(state)
    assert state.next_offset == 9


@st.composite
def histories(draw: st.DrawFn) -> list[Told]:
    """Random honest histories of one to five rounds over up to four logs."""
    state = PartitionState(PARTITION)
    told = []
    serial = 0
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from([ORDINARY] * 5 + [HEARTBEAT, GAP, NEW_EPOCH]))
        leaves: dict[bytes, list[bytes]] = {}
        if kind != HEARTBEAT:
            for log_id in draw(st.sets(st.sampled_from(LOGS))):
                count = draw(st.integers(0, 5))
                leaves[log_id] = [leaf(serial + at) for at in range(count)]
                serial += count
        placements = []
        if kind != HEARTBEAT:
            for log_id in draw(st.sets(st.sampled_from(LOGS))):
                head = state.head(log_id)
                if head.size:
                    size = draw(st.integers(max(head.placed_size, 1), head.size))
                    placements.append(placement(state, log_id, size))
        changes: dict[str, Any] = {}
        if kind == GAP:
            first = state.next_offset + draw(st.integers(0, 9))
            changes = {"reason": "lost", "first_offset": first, "next_offset": first + 9, "last_record": leaf(serial)}
        if kind == NEW_EPOCH:
            epoch = sha256(b"epoch %d" % state.next_number).digest()[:16]
            changes = {
                "reason": "new",
                "incarnation": epoch,
                "first_offset": 0,
                "next_offset": 9,
                "last_record": leaf(1),
            }
        step = a_round(state, leaves, kind=kind, placements=placements, **changes)
        step.tell(state)
        told.append(step)
    return told


@settings(max_examples=80, deadline=None)
@given(histories())
def test_random_honest_histories_are_accepted(history: list[Told]) -> None:
    """Whatever honest rounds come, they are accepted again by whoever follows; sizes and digests add up."""
    state = PartitionState(PARTITION)
    for told in history:
        told.tell(state)
    assert state.next_number == len(history) == state.edge.size
    assert state.previous == round_digest(ROUND.encode(history[-1].round))
    for log_id in LOGS:
        added = sum(each.count for told in history for each in told.statements if each.log_id == log_id)
        assert state.head(log_id).size == added


@settings(max_examples=150, deadline=None)
@given(histories(), st.data())
def test_any_flipped_bit_in_a_history_is_refused(history: list[Told], data: st.DataObject) -> None:
    """A bit flipped in a round that another follows, or in any statement, is refused without looking at a signature."""
    at = data.draw(st.integers(0, len(history) - 1), label="round")
    state = PartitionState(PARTITION)
    pieces = [ROUND.encode(history[at].round), *(STATEMENT.encode(each) for each in history[at].statements)]
    least = 0 if at < len(history) - 1 else 1
    if len(pieces) <= least:
        return
    which = data.draw(st.integers(least, len(pieces) - 1), label="piece")
    bit = data.draw(st.integers(0, len(pieces[which]) * 8 - 1), label="bit")
    bent = bytearray(pieces[which])
    bent[bit // 8] ^= 1 << bit % 8
    pieces[which] = bytes(bent)
    with pytest.raises(IntegrityError):
        tell_all(state, history, at, pieces)


def tell_all(state: PartitionState, history: list[Told], at: int, pieces: list[bytes]) -> None:
    """The history, with the bytes of one round and its statements replaced."""
    for number, told in enumerate(history):
        if number == at:
            statements = [STATEMENT.decode(piece) for piece in pieces[1:]]
            placements = [(digest_of(each), each) for each in told.placements]
            state.apply(ROUND.decode(pieces[0]), pieces[0], pieces[1:], statements, placements)
        else:
            told.tell(state)


PINNED = ["partition", "round", "first_index", "count", "chain_before", "tree_size", "root", "range_hashes",
          "previous", "previous_round"]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(histories(), st.data())
def test_any_mutation_of_what_a_statement_goes_on_from_is_refused(history: list[Told], data: st.DataObject) -> None:
    """A liar who makes every digest right again still cannot move a log: its head pins each of these fields."""
    places = [(number, at) for number, told in enumerate(history) for at in range(len(told.statements))]
    if not places:
        return
    number, at = data.draw(st.sampled_from(places))
    name = data.draw(st.sampled_from(PINNED))
    state = PartitionState(PARTITION)
    for told in history[:number]:
        told.tell(state)
    honest = history[number]
    statements = list(honest.statements)
    statements[at] = mutated(statements[at], name, data)
    same = {each.name: getattr(honest.round, each.name) for each in fields(honest.round)}
    del same["entries"]
    lie = Told(replace(round_of(state, statements), **same), statements, honest.placements)
    with pytest.raises(IntegrityError):
        lie.tell(state)


def mutated(given_statement: Statement, name: str, data: st.DataObject) -> Statement:
    """The statement with another value in one field."""
    value = getattr(given_statement, name)
    if isinstance(value, int):
        return replace(given_statement, **{name: data.draw(st.integers(0, 2**64 - 1).filter(lambda n: n != value))})
    if isinstance(value, bytes):
        return replace(
            given_statement, **{name: data.draw(st.binary(min_size=32, max_size=32).filter(lambda b: b != value))}
        )
    others = st.lists(st.binary(min_size=32, max_size=32), max_size=4).map(tuple)
    return replace(given_statement, **{name: data.draw(others.filter(lambda hashes: hashes != value))})


def test_labels_tell_nothing_without_the_log_id() -> None:
    """A label is a hash over the log's secret id and its place: the documented one, different everywhere."""
    expected = sha256(
        (21).to_bytes(8, "big") + b"audit-ledger/label/v1" + LOGS[0] + (3).to_bytes(8, "big") + (7).to_bytes(8, "big")
    ).digest()
    assert label(LOGS[0], 3, 7) == expected
    assert len({label(log, p, n) for log in LOGS for p in range(3) for n in range(3)}) == len(LOGS) * 9


def test_a_copy_goes_its_own_way() -> None:
    """Applying to a copy leaves the original where it was."""
    state = two_rounds()
    other = state.copy()
    a_round(other, LEAVES).tell(other)
    assert state == two_rounds() != other
    assert PartitionState(PARTITION).head(LOGS[0]).edge == EMPTY
    assert state.incarnation == INCARNATION
