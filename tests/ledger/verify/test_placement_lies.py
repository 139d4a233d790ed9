"""Whoever has the ledger key and lies about where rows and contents stand: it is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa

from ledger.record.payload import decode_payload, encode_payload
from ledger.segments.objects import FileStore
from ledger.segments.placement import Placement, Removal
from ledger.segments.round import CONTENTS, EVENTS
from ledger.verify import Report
from tests.ledger.verify.built import Built
from tests.ledger.verify.forge import Draft, rows_of_log, with_values
from tests.ledger.verify.forge import compacted as placement_of
from tests.ledger.verify.lying import forged, rules_of


def _append_placements(drafts: list[Draft], *placements: Placement) -> None:
    last = drafts[-1].round
    empty = replace(last, kind=0, files=(), entries=(), first_offset=last.next_offset)
    drafts += [Draft(empty, None, None, [], [], [placement]) for placement in placements]


def _tables(built: Built, drafts: list[Draft]) -> tuple[pa.Table, pa.Table]:
    return rows_of_log(drafts, EVENTS, built.acme), rows_of_log(drafts, CONTENTS, built.acme)


def _place(built: Built, store: FileStore, change: Callable[[pa.Table, pa.Table], tuple[pa.Table, pa.Table]]) -> Report:
    def lie(built: Built, drafts: list[Draft]) -> None:
        events, contents = change(*_tables(built, drafts))
        _append_placements(drafts, placement_of(store, built.acme, events, contents))

    return forged(built, store, lie)


def test_an_honest_placement_passes(plain: Built, empty_store: FileStore) -> None:
    """The forge's own placement of all rows is as good as a compactor's."""
    assert _place(plain, empty_store, lambda events, contents: (events, contents)).findings == ()


def test_a_placement_that_drops_an_event_is_named(plain: Built, empty_store: FileStore) -> None:
    """An event that a placement leaves out is named by its index."""
    report = _place(plain, empty_store, lambda events, contents: (events.slice(1), contents))
    assert {"placement", "rows"} & rules_of(report)

    def one_twice(events: pa.Table, contents: pa.Table) -> tuple[pa.Table, pa.Table]:
        return pa.concat_tables([events.slice(1), events.slice(1, 1)]), contents

    twice = _place(plain, FileStore(empty_store.root / "twice"), one_twice)
    assert any("index 0 is in no file" in finding.message for finding in twice.findings)
    assert any("stands here a second time" in finding.message for finding in twice.findings)


def test_a_placement_that_alters_a_payload_is_named(plain: Built, empty_store: FileStore) -> None:
    """A payload changed on the way into a compacted file breaks its leaf."""

    def altered(events: pa.Table, contents: pa.Table) -> tuple[pa.Table, pa.Table]:
        payload = encode_payload({**decode_payload(events["payload"][2].as_py()), "submitted_by": "x"})
        return with_values(events, "payload", [2], [payload]), contents

    assert {"leaf", "root"} <= rules_of(_place(plain, empty_store, altered))


def test_a_placement_that_drops_a_content_is_named(plain: Built, empty_store: FileStore) -> None:
    """A content left out without saying so is named by index and slot."""
    report = _place(plain, empty_store, lambda events, contents: (events, contents.slice(1)))
    assert [finding.rule for finding in report.findings] == ["content"]
    assert "index 0, slot" in report.findings[0].message


def _removing(built: Built, store: FileStore, event_id: bytes, drop: bool = True) -> Report:
    def lie(built: Built, drafts: list[Draft]) -> None:
        events, contents = _tables(built, drafts)
        gone = Removal(contents["index"][0].as_py(), contents["slot"][0].as_py(), event_id)
        placement = placement_of(store, built.acme, events, contents.slice(1) if drop else contents)
        _append_placements(drafts, replace(placement, removed=(gone,)))

    return forged(built, store, lie)


def test_a_removal_needs_an_erasure_event(plain: Built, empty_store: FileStore) -> None:
    """A content may be gone under an Erasure event of its log, and under nothing else."""
    assert _removing(plain, empty_store, plain.erasure).findings == ()
    report = _removing(plain, FileStore(empty_store.root / "other"), bytes(16))
    assert [finding.rule for finding in report.findings] == ["removal"]


def test_a_removed_content_that_is_still_there_is_named(plain: Built, empty_store: FileStore) -> None:
    """A placement that claims a removal it did not make is found out."""
    report = _removing(plain, empty_store, plain.erasure, drop=False)
    assert rules_of(report) == {"removal"}


def test_a_removal_of_what_never_was_is_named(plain: Built, empty_store: FileStore) -> None:
    """Removals count only contents that a payload describes."""

    def lie(built: Built, drafts: list[Draft]) -> None:
        placement = placement_of(empty_store, built.acme, *_tables(built, drafts))
        _append_placements(drafts, replace(placement, removed=(Removal(0, "nothing", built.erasure),)))

    assert rules_of(forged(plain, empty_store, lie)) == {"removal"}


def test_a_removal_undone_is_named(plain: Built, empty_store: FileStore) -> None:
    """A later placement may not bring back what an earlier one removed."""

    def lie(built: Built, drafts: list[Draft]) -> None:
        events, contents = _tables(built, drafts)
        gone = Removal(contents["index"][0].as_py(), contents["slot"][0].as_py(), built.erasure)
        first = replace(placement_of(empty_store, built.acme, events, contents.slice(1)), removed=(gone,))
        second = placement_of(empty_store, built.acme, events, contents, first)
        _append_placements(drafts, first, second)

    report = forged(plain, empty_store, lie, depth="files")
    assert [finding.rule for finding in report.findings] == ["removal"]


def test_a_replayed_old_placement_is_named(plain: Built, empty_store: FileStore) -> None:
    """A round that commits a placement which does not descend from the last one breaks rule R10."""

    def lie(built: Built, drafts: list[Draft]) -> None:
        events, contents = _tables(built, drafts)
        first = placement_of(empty_store, built.acme, events.slice(0, 8), contents.slice(0, 0))
        second = placement_of(empty_store, built.acme, events, contents, first)
        _append_placements(drafts, first, second, first)

    report = forged(plain, empty_store, lie, depth="files")
    assert [finding.rule for finding in report.findings] == ["R10"]
    assert "does not descend" in report.findings[0].message


def test_a_placement_between_two_statements_is_named(plain: Built, empty_store: FileStore) -> None:
    """A placement covers whole statements; another size is a finding, and hides nothing."""

    def lie(built: Built, drafts: list[Draft]) -> None:
        events, contents = _tables(built, drafts)
        kept = pa.array([index < 5 for index in contents["index"].to_pylist()])
        _append_placements(drafts, placement_of(empty_store, built.acme, events.slice(0, 5), contents.filter(kept)))

    report = forged(plain, empty_store, lie)
    assert rules_of(report) == {"placement"}


# --- rounds ---------------------------------------------------------------------------------------------------------
