"""A ledger that nobody touched passes, at every depth and against what others kept."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from ledger.errors import Misconfigured
from ledger.newest_rounds import NewestRound
from ledger.segments.names import round_number, segment_number
from ledger.segments.objects import FileStore
from ledger.segments.round import round_digest
from ledger.signed import SIGNED
from ledger.verify import Progress, verify
from tests.ledger.verify.built import Built


@pytest.mark.parametrize("depth", ["files", "leaves", "full"])
@pytest.mark.parametrize("ledger", ["plain", "compacted"])
def test_a_sound_ledger_passes(ledger: str, depth: str, request: pytest.FixtureRequest) -> None:
    """An honest ledger has no finding at any depth, compacted or not, and is counted right."""
    built: Built = request.getfixturevalue(ledger)
    report = built.verify(depth=depth)
    assert report.findings == ()
    assert report.passed
    assert report.exit_code == 0
    assert report.counts.rounds == len(built.names("/rounds/"))
    assert report.counts.receipts == len(built.receipts)
    events = sum(head.size for head in report.heads if "/log/" in head.origin)
    assert report.counts.events == (0 if depth == "files" else events)
    assert (report.counts.contents > 0) == (depth == "full")


@pytest.mark.parametrize("ledger", ["plain", "compacted"])
def test_receipts_and_checkpoints_kept_elsewhere_pass(ledger: str, request: pytest.FixtureRequest) -> None:
    """Every receipt's events, repeats included, and every older checkpoint are found in an honest ledger."""
    built: Built = request.getfixturevalue(ledger)
    report = built.verify(depth="files", receipts=built.receipts_file)
    assert report.findings == ()
    assert report.depth == "leaves"
    assert report.counts.outside_entries > 0
    assert report.counts.pending == 0
    for kept in built.checkpoints:
        for note in kept.values():
            assert built.verify(depth="files", since=note).findings == ()


def test_one_log_alone(compacted: Built) -> None:
    """With `tenant_logs` only those logs' rows are read, and only their heads are told besides the rounds'."""
    report = compacted.verify(depth="full", tenant_logs=[compacted.beta])
    assert report.findings == ()
    assert report.counts.events == 3
    assert [head.origin.split("/")[1] for head in report.heads] == ["log", "rounds"]


def test_some_logs_together(compacted: Built) -> None:
    """Several logs, as a tenant may have them, are one verification with one report."""
    both = compacted.verify(depth="full", tenant_logs=[compacted.acme, compacted.beta])
    assert both.findings == ()
    assert [head.origin.split("/")[1] for head in both.heads] == ["log", "log", "rounds"]
    alone = [compacted.verify(depth="full", tenant_logs=[each]) for each in (compacted.acme, compacted.beta)]
    assert both.counts.events == sum(each.counts.events for each in alone)


def test_an_auditor_who_knows_no_logs_is_told_what_was_not_checked(plain: Built) -> None:
    """Without the list of logs all passes, the sealer's own findings too; notes say whose tenant was not checked."""
    report = verify(plain.store, dataclasses.replace(plain.trust, logs=()), depth="full")
    assert report.findings == ()
    assert report.notes == ("partition 0: 3 logs are not among the trusted logs; their tenants were not checked",)


def test_small_memory_gives_the_same_answer(compacted: Built) -> None:
    """Tables that live in files instead of memory change nothing."""
    report = compacted.verify(depth="full", scratch_memory_bytes_max=0)
    assert report == compacted.verify(depth="full")


def test_rounds_published_meanwhile_are_left_for_the_next_time(compacted: Built, tmp_path: Path) -> None:
    """A sealer and a compactor at work make no finding: verified is what there was when the rounds were listed."""
    whole = FileStore(tmp_path / "whole")
    shutil.copytree(compacted.store.root, whole.root)
    for name in compacted.names():
        number = round_number(name) if "/rounds/" in name else segment_number(name)
        if (number is not None and number >= 3) or "logs/" in name or "/placements/" in name:
            compacted.store.remove(name)

    def publish(_: Progress) -> None:
        for name in whole.walk():
            compacted.store.put(name, whole.read(name))

    report = compacted.verify(depth="full", progress=publish)
    assert report.findings == ()
    assert report.counts.rounds == 3
    assert compacted.verify(depth="full").counts.rounds == len(compacted.names("/rounds/"))


def test_progress_is_told(plain: Built) -> None:
    """The callback sees every round, and ends with all of them."""
    seen: list[Progress] = []
    plain.verify(depth="leaves", progress=seen.append)
    assert seen[-1].rounds == seen[-1].rounds_total == len(plain.names("/rounds/"))
    assert seen[-1].events > 0


def test_a_ledger_without_rounds_is_noted(plain: Built, tmp_path: Path) -> None:
    """A ledger that never sealed anything is no finding, but is told."""
    report = verify(FileStore(tmp_path), plain.trust, depth="files", partitions=2)
    assert report.findings == ()
    assert report.counts.partitions == 2
    assert [note for note in report.notes if "has no rounds" in note] == [
        f"partition {partition}: has no rounds, and nothing shows that it ever had" for partition in (0, 1)
    ]


def test_what_is_remembered_passes(plain: Built) -> None:
    """A key store that remembers any of the rounds there are adds no finding."""
    signed = [SIGNED.decode(plain.store.read(name)).body for name in plain.names("/rounds/")]
    for number, body in enumerate(signed):
        assert plain.verify(depth="files", remembered={0: NewestRound(number, round_digest(body))}).findings == ()


@pytest.mark.parametrize("options", [{"depth": "deep"}, {"partitions": 0}])
def test_arguments_that_mean_nothing_are_refused(plain: Built, options: dict[str, object]) -> None:
    """A depth or partition count that does not exist is the caller's mistake, not a finding."""
    with pytest.raises(Misconfigured):
        plain.verify(**options)
