"""Lies told in a round, a statement or a placement, each under the name of the lie, with the rule that refuses it.

Every digest that depends on a lie is made right again, as somebody with the ledger's key would.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

from ledger.segments.placement import Removal
from ledger.segments.round import CONTENTS, EVENTS, GAP, HEARTBEAT, NEW_EPOCH, NO_RECORD, STATEMENTS, Entry
from ledger.segments.state import PartitionState
from ledger.segments.statement import Mark, Repeat, label
from tests.ledger.segments.partitions import (
    LOGS,
    OTHER_INCARNATION,
    PARTITION,
    SCHEMA,
    Told,
    a_round,
    file,
    leaf,
    placed,
    placement,
    round_of,
    statement,
)

Lie = Callable[[PartitionState], Told]
LEAVES = {LOGS[0]: [leaf(8), leaf(9)], LOGS[2]: [leaf(10)]}


def said(**changes: Any) -> Lie:
    """An ordinary round with these lies in the round itself."""
    return lambda state: a_round(state, LEAVES, **changes)


def stated(log_id: bytes = LOGS[0], **changes: Any) -> Lie:
    """A round that names a statement with these lies in it, digests and all."""

    def tell(state: PartitionState) -> Told:
        statements = [
            statement(state, each, LEAVES[each], **(changes if each == log_id else {})) for each in sorted(LEAVES)
        ]
        return Told(round_of(state, statements), statements)

    return tell


def placing(**changes: Any) -> Lie:
    """A round that commits a placement of log 0 with these lies in it, under its true digest."""

    def tell(state: PartitionState) -> Told:
        made = {key: change(state) if callable(change) else change for key, change in changes.items()}
        lying = placement(state, LOGS[0], **made)
        return a_round(state, {}, read=0, placements=[lying])

    return tell


def with_files(change: Callable[[PartitionState, list[Any]], list[Any]]) -> Lie:
    """A round whose list of files is another."""

    def tell(state: PartitionState) -> Told:
        told = a_round(state, LEAVES)
        told.round = replace(told.round, files=tuple(change(state, list(told.round.files))))
        return told

    return tell


def entries(change: Callable[[PartitionState, tuple[Entry, ...]], tuple[Entry, ...]]) -> Lie:
    """A round whose entries are others."""

    def tell(state: PartitionState) -> Told:
        told = a_round(state, LEAVES)
        told.round = replace(told.round, entries=change(state, told.round.entries))
        return told

    return tell


def without_a_statement(state: PartitionState) -> Told:
    """The bundle lacks what an entry names."""
    told = a_round(state, LEAVES)
    del told.statements[1]
    return told


def with_statements_out_of_order(state: PartitionState) -> Told:
    """The bundle is not sorted by log."""
    told = a_round(state, LEAVES)
    told.statements.reverse()
    return told


def with_another_statement(state: PartitionState) -> Told:
    """The bundle holds a good statement that is not the one named."""
    told = a_round(state, LEAVES)
    told.statements[0] = statement(state, LOGS[0], [leaf(11), leaf(12)])
    return told


def with_two_versions_of_a_log(state: PartitionState) -> Told:
    """Two statements of one log: one for the tenant, one for the auditor."""
    statements = [statement(state, LOGS[0], [leaf(8)]), statement(state, LOGS[0], [leaf(9)])]
    return Told(round_of(state, statements), statements)


def with_two_versions_of_a_log_under_one_label(state: PartitionState) -> Told:
    """The same, with one entry for both."""
    told = with_two_versions_of_a_log(state)
    told.round = replace(told.round, entries=told.round.entries[:1])
    return told


def under_another_logs_label(state: PartitionState) -> Told:
    """A statement that stands under the label of a log that is not its own."""
    told = a_round(state, {LOGS[0]: [leaf(8)]})
    stolen = Entry(label(LOGS[1], PARTITION, state.next_number), told.round.entries[0].statement)
    told.round = replace(told.round, entries=(stolen,))
    return told


def a_replayed_placement(state: PartitionState) -> Told:
    """The placement of before, offered again to undo the one after it."""
    first = PartitionState(PARTITION)
    a_round(first, {LOGS[0]: [leaf(1), leaf(2), leaf(3)], LOGS[1]: [leaf(4)]}).tell(first)
    return a_round(state, {}, read=0, placements=[placement(first, LOGS[0])])


def a_placement_nobody_named(state: PartitionState) -> Told:
    """A placement that the round does not name."""
    told = a_round(state, {}, read=0)
    told.placements = [placement(state, LOGS[0])]
    return told


def two_placements_of_one_ancestor(state: PartitionState) -> Told:
    """Two heirs of one placement."""
    return a_round(state, {}, read=0, placements=[placement(state, LOGS[0], size) for size in (4, 5)])


def a_gap(state: PartitionState) -> Told:
    """Records were lost; an operator said so."""
    first = state.next_offset + 7
    return a_round(state, LEAVES, kind=GAP, first_offset=first, next_offset=first + 9, reason="lost in a fire")


def a_new_epoch(state: PartitionState) -> Told:
    """The event log was made anew; an operator said so."""
    return a_round(
        state,
        LEAVES,
        kind=NEW_EPOCH,
        incarnation=OTHER_INCARNATION,
        first_offset=0,
        next_offset=9,
        reason="a new topic",
    )


NOT_A_ROOT = sha256(b"another root").digest()
LIES: dict[str, tuple[str, Lie]] = {
    "a round of another partition": ("R1", said(partition=PARTITION + 1)),
    "a round that was there before": ("R1", said(number=1)),
    "a round left out": ("R1", said(number=3)),
    "a round of no kind": ("R1", said(kind=4)),
    "a round of a large kind": ("R1", said(kind=2**64 - 1)),
    "another round before it": ("R2", said(previous=bytes(32))),
    "a tree with a round less": ("R3", lambda s: a_round(s, LEAVES, tree_size=1, range_hashes=s.edge.hashes)),
    "a tree with another round in it": ("R3", lambda s: a_round(s, LEAVES, range_hashes=(NOT_A_ROOT,))),
    "an empty tree of rounds": ("R3", said(tree_size=0, range_hashes=())),
    "a round sealed before its predecessor": ("R4", lambda s: a_round(s, LEAVES, sealed_at_us=s.sealed_at_us - 1)),
    "records skipped": ("R5", lambda s: a_round(s, LEAVES, first_offset=s.next_offset + 1)),
    "records sealed twice": ("R5", lambda s: a_round(s, LEAVES, first_offset=s.next_offset - 1)),
    "a stretch that ends before it begins": ("R5", lambda s: a_round(s, LEAVES, next_offset=s.next_offset - 1)),
    "another event log": ("R5", said(incarnation=OTHER_INCARNATION)),
    "records without a last one": ("R5", said(last_record=NO_RECORD)),
    "nothing read, another last record": ("R5", lambda s: a_round(s, {}, read=0, last_record=NOT_A_ROOT)),
    "a reason where none is needed": ("R5", said(reason="because")),
    "a gap without a reason": ("R5", lambda s: a_round(s, LEAVES, kind=GAP, first_offset=s.next_offset + 5)),
    "a gap in another event log": ("R5", said(kind=GAP, reason="lost", incarnation=OTHER_INCARNATION)),
    "a new epoch without a reason": ("R5", said(kind=NEW_EPOCH, incarnation=OTHER_INCARNATION)),
    "a new epoch of the same event log": ("R5", said(kind=NEW_EPOCH, reason="restored")),
    "a heartbeat that read something": (
        "R6",
        lambda s: a_round(s, {}, kind=HEARTBEAT, next_offset=s.next_offset + 1, last_record=NOT_A_ROOT),
    ),
    "a heartbeat with another last record": ("R5", lambda s: a_round(s, {}, kind=HEARTBEAT, last_record=NOT_A_ROOT)),
    "a heartbeat that seals": ("R6", lambda s: a_round(s, {LOGS[0]: [leaf(8)]}, kind=HEARTBEAT)),
    "a heartbeat with a file": ("R6", lambda s: a_round(s, {}, kind=HEARTBEAT, files=(file(s, EVENTS, 0),))),
    "a heartbeat that places": ("R6", lambda s: a_round(s, {}, kind=HEARTBEAT, placements=[placement(s, LOGS[0])])),
    "entries out of order": ("R7", entries(lambda _, given: given[::-1])),
    "one label twice": ("R7", entries(lambda _, given: (given[0], given[0]))),
    "an entry without a statement": ("R7", without_a_statement),
    "an entry for nobody": (
        "R7",
        entries(lambda _, given: tuple(sorted((*given, Entry(bytes(32), bytes(32))), key=lambda e: e.label))),
    ),
    "a log dropped from the entries": ("R7", entries(lambda _, given: given[:1])),
    "a bundle out of order": ("R7", with_statements_out_of_order),
    "another statement than the one named": ("R7", with_another_statement),
    "two versions of a log": ("R7", with_two_versions_of_a_log),
    "two versions of a log under one label": ("R7", with_two_versions_of_a_log_under_one_label),
    "a statement under another log's label": ("R7", under_another_logs_label),
    "a statement of another partition": ("R8", stated(partition=PARTITION + 1)),
    "a statement of another round": ("R8", stated(round=1)),
    "an index left out": ("R8", stated(first_index=6)),
    "an index used twice": ("R8", stated(first_index=4)),
    "a log begun anew": ("R8", stated(first_index=0)),
    "another chain before it": ("R8", stated(chain_before=bytes(32))),
    "another statement before it": ("R8", stated(previous=bytes(32))),
    "another round before it, of the log": ("R8", stated(previous_round=0)),
    "a tree larger than its events": ("R8", stated(tree_size=8)),
    "a tree that did not grow": ("R8", stated(tree_size=5)),
    "another root": ("root", stated(root=NOT_A_ROOT)),
    "another right edge": ("root", stated(range_hashes=(NOT_A_ROOT, NOT_A_ROOT, NOT_A_ROOT))),
    "a right edge of another size": ("expected 3 hashes", stated(range_hashes=(NOT_A_ROOT,))),
    "events without a schema": ("R8", stated(schemas=())),
    "schemas out of order": ("R8", stated(schemas=(b"\x02" * 32, b"\x01" * 32))),
    "a schema twice": ("R8", stated(schemas=(SCHEMA, SCHEMA))),
    "a conflict with itself": ("R8", stated(conflicts=(Mark(6, 6),))),
    "a conflict with what came after": ("R8", stated(conflicts=(Mark(5, 6),))),
    "a conflict of an event sealed before": ("R8", stated(conflicts=(Mark(4, 1),))),
    "a conflict of an event not sealed yet": ("R8", stated(undetermined=(Mark(7, 1),))),
    "marks out of order": ("R8", stated(conflicts=(Mark(6, 1), Mark(5, 1)))),
    "one event marked twice": ("R8", stated(conflicts=(Mark(5, 1), Mark(5, 2)))),
    "a conflict that is undetermined": ("R8", stated(conflicts=(Mark(5, 1),), undetermined=(Mark(5, 1),))),
    "a repeat of nothing": ("R8", stated(repeats=(Repeat(9, bytes(32), 7),))),
    "two files of one role": ("R9", with_files(lambda _, given: [given[0], *given])),
    "a file of no role": ("R9", with_files(lambda s, given: [*given, replace(file(s, EVENTS, 1), role="others")])),
    "a file outside the store": ("R9", with_files(lambda s, given: [replace(given[0], role="../../x"), *given[1:]])),
    "a file of another round": (
        "R9",
        with_files(lambda _, given: [replace(given[0], name=given[0].name.replace("002-", "001-")), *given[1:]]),
    ),
    "a file of another digest": ("R9", with_files(lambda _, given: [replace(given[0], sha256=bytes(32)), *given[1:]])),
    "no file for the events": ("R9", with_files(lambda _, given: given[1:])),
    "a row less than events": ("R9", with_files(lambda _, given: [replace(given[0], rows=2), *given[1:]])),
    "a row more than events": ("R9", with_files(lambda _, given: [replace(given[0], rows=4), *given[1:]])),
    "a bundle of fewer statements": ("R9", with_files(lambda _, given: [*given[:2], replace(given[2], rows=1)])),
    "no bundle": ("R9", with_files(lambda _, given: given[:2])),
    "placements out of order": (
        "R10",
        lambda s: Told(round_of(s, (), read=0, placements=(b"\x02" * 32, b"\x01" * 32)), []),
    ),
    "one placement twice": ("R10", lambda s: Told(round_of(s, (), read=0, placements=(b"\x01" * 32,) * 2), [])),
    "a placement that nobody named": ("R10", a_placement_nobody_named),
    "a placement replayed": ("R10", a_replayed_placement),
    "two heirs of one placement": ("R10", two_placements_of_one_ancestor),
    "a placement of another ancestor": ("R10", placing(previous=bytes(32))),
    "a placement that skips one": ("R10", placing(sequence_number=3)),
    "a placement that drops rows": ("R10", placing(size=2)),
    "a placement of rows that are not there": ("R10", placing(size=6)),
    "a placement with a row less": (
        "R10",
        placing(files=(placed(LOGS[0], EVENTS, 5, rows=4),)),
    ),
    "a placement without events": ("R10", placing(files=())),
    "a placement in another log's file": ("R10", placing(files=(placed(LOGS[1], EVENTS, 5),))),
    "a placement in a file of another digest": ("R10", placing(files=(placed(LOGS[0], EVENTS, 5, sha256=bytes(32)),))),
    "a placement outside the store": ("R10", placing(files=(placed(LOGS[0], EVENTS, 5, name="../../etc/passwd"),))),
    "a placement of no role": ("R10", placing(files=(placed(LOGS[0], EVENTS, 5), placed(LOGS[0], STATEMENTS, 5)))),
    "a placed file beyond the placement": ("R10", placing(files=(placed(LOGS[0], EVENTS, 6, rows=5),))),
    "a placed file of no rows": (
        "R10",
        placing(files=(placed(LOGS[0], EVENTS, 5), placed(LOGS[0], CONTENTS, 3, 3))),
    ),
    "removals out of order": ("R10", placing(removed=(Removal(2, "a", bytes(16)), Removal(1, "a", bytes(16))))),
    "one content removed twice": ("R10", placing(removed=(Removal(1, "a", bytes(16)), Removal(1, "a", b"\x01" * 16)))),
    "a removal beyond the placement": ("R10", placing(removed=(Removal(5, "a", bytes(16)),))),
}  # fmt: skip
