"""Depth `full`, statement by statement: what round, statement and receipts say about the rows, in index order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ledger.receipt import ENTRY
from ledger.segments.round import Round
from ledger.segments.statement import Mark, Statement
from ledger.verify.columns import as_rows, differing
from ledger.verify.identity import Identities, Identity
from ledger.verify.receipts import Entries
from ledger.verify.typed import MARKS, SCHEMAS

Wrong = Iterator[tuple[str, str]]
"""(rule, message) for each thing wrong."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A statement's rows with what was sealed beside them. `leaves` are the rows' leaf hashes."""

    round: Round
    statement: Statement
    rows: np.ndarray
    leaves: Sequence[bytes]
    entries: Entries

    @property
    def first(self) -> int:
        """The index of the first row."""
        return self.statement.first_index


def check_agreement(sealed: Sealed, identities: Identities) -> Wrong:
    """Everything below. The identities of the rows are appended here, so that the rows may refer to each other."""
    marks = _expected_marks(sealed.statement)
    yield from _ledger_columns(sealed, marks)
    yield from _schemas(sealed)
    identities.append(sealed.statement.log_id, sealed.first, sealed.rows, marks != 0)
    yield from _marks(sealed, identities)
    yield from _entries(sealed, identities)


def _expected_marks(statement: Statement) -> np.ndarray:
    marks = np.zeros(statement.count, np.uint8)
    for kind, found in (("conflict", statement.conflicts), ("undetermined", statement.undetermined)):
        for mark in found:  # all of them are of this statement (R8)
            marks[mark.index - statement.first_index] = MARKS[kind]
    return marks


def _ledger_columns(sealed: Sealed, marks: np.ndarray) -> Wrong:
    round_, rows = sealed.round, sealed.rows
    expected = (("round", round_.number), ("sealed_at", round_.sealed_at_us), ("partition", round_.partition))
    for column, value in expected:
        wrong = np.flatnonzero(rows[column] != value)
        if len(wrong):
            found = int(rows[column][wrong[0]])
            yield "column", f"index {sealed.first + wrong[0]}: column {column} is {found}, expected {value}"
    offsets = rows["offset"]
    outside = np.flatnonzero((offsets < round_.first_offset) | (offsets >= round_.next_offset))
    if len(outside):
        row = int(outside[0])
        stretch = f"{round_.first_offset} to {round_.next_offset - 1}"
        yield "column", f"index {sealed.first + row}: offset {offsets[row]} is not in the round's stretch, {stretch}"
    back = np.flatnonzero(np.diff(offsets) <= 0)
    if len(back):
        row = int(back[0]) + 1
        yield "column", f"index {sealed.first + row}: offset {offsets[row]} does not follow {offsets[row - 1]}"
    wrong = np.flatnonzero(rows["mark"] != marks)
    if len(wrong):
        names = {number: name or "none" for name, number in MARKS.items()}
        row = int(wrong[0])
        found_mark = names.get(int(rows["mark"][row]), "another")
        expected_mark = names[int(marks[row])]
        yield "column", f"index {sealed.first + row}: mark is {found_mark}, the statement says {expected_mark}"


def _schemas(sealed: Sealed) -> Wrong:
    used = np.unique(sealed.rows["schema"])
    if 0 in used:
        return  # a payload that could not be decoded is a finding of its own
    found = sorted(SCHEMAS[number - 1].sha256 for number in used)
    if found != list(sealed.statement.schemas):
        pinned = ", ".join(each.hex()[:16] for each in sealed.statement.schemas) or "none"
        yield "schema", f"pins {pinned}, its payloads use {', '.join(each.hex()[:16] for each in found) or 'none'}"


def _marks(sealed: Sealed, identities: Identities) -> Wrong:
    statement = sealed.statement
    for kind, marks in (("conflict", statement.conflicts), ("undetermined", statement.undetermined)):
        for mark in marks:
            problem = _mark_problem(kind, mark, statement.log_id, identities)
            if problem:
                yield "identity", f"index {mark.index}, marked {kind} with {mark.first_index}: {problem}"


def _mark_problem(kind: str, mark: Mark, log_id: bytes, identities: Identities) -> str | None:
    own, first = identities.at(log_id, mark.index), identities.at(log_id, mark.first_index)
    if own is None or first is None:
        return None  # both are in the log (R8); one could not be read, which is a finding of its own
    if own[0] != first[0]:
        return "they have different event ids"
    if kind == "conflict" and (own[2] != first[2] or own[1] == first[1]):
        return "a conflict has the same key id and another submission digest"
    if kind == "undetermined" and own[2] == first[2]:
        return "an undetermined event has another key id"
    return None


def _entries(sealed: Sealed, identities: Identities) -> Wrong:
    """What receipts say of their events, against the payloads that were sealed, or that stood there already."""
    table = sealed.entries.table
    if not len(table):
        return
    covered = sealed.entries.leaves()
    if covered == list(sealed.leaves):
        rows, entries = np.arange(len(covered)), table
    else:
        by_leaf = {leaf: at for at, leaf in enumerate(covered)}
        pairs = [(row, by_leaf[leaf]) for row, leaf in enumerate(sealed.leaves) if leaf in by_leaf]
        rows = np.array([row for row, _ in pairs], np.int64)
        entries = table[[at for _, at in pairs]] if pairs else np.empty(0, ENTRY)
        yield from _repeats(sealed, by_leaf, identities)
    decoded = sealed.rows["decoded"][rows] != 0
    rows, entries = rows[decoded], entries[decoded]
    for name in ("event_id", "submission_digest", "submission_key_id"):
        wrong = differing(as_rows(sealed.rows[name][rows]), as_rows(entries[name]))
        if len(wrong):
            yield "receipt", f"index {sealed.first + rows[wrong[0]]}: its receipt has another {name} than its payload"
    wrong = np.flatnonzero(sealed.rows["received_at"][rows] != entries["received_at_us"].astype(np.int64))
    if len(wrong):
        yield (
            "receipt",
            f"index {sealed.first + rows[wrong[0]]}: its receipt has another received time than its payload",
        )


def _repeats(sealed: Sealed, by_leaf: dict[bytes, int], identities: Identities) -> Wrong:
    statement = sealed.statement
    for repeat in statement.repeats:
        at = by_leaf.get(repeat.leaf_hash)
        if at is None:
            continue  # a repeat without a receipt is a finding of its own
        entry = sealed.entries.table[at]
        said: Identity = (
            entry["event_id"].tobytes(),
            entry["submission_digest"].tobytes(),
            entry["submission_key_id"].tobytes(),
        )
        where = f"repeat at offset {repeat.offset} of index {repeat.first_index}"
        if identities.at(statement.log_id, repeat.first_index) not in (None, said):
            yield "identity", f"{where}: the first one does not have its event id, submission digest and key id"
        if not sealed.round.first_offset <= repeat.offset < sealed.round.next_offset:
            yield "identity", f"{where}: its offset is not in the round's stretch"
