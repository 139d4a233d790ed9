"""Whoever can write to the store, but has no key: every change to it is named.

With LEDGER_CAMPAIGN=full every bit of a smallest ledger is flipped; without, an even sample of a larger one.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.segments.objects import FileStore
from ledger.signed import SIGNED, sign
from ledger.tenants import log_origin
from ledger.tlog.note import signer_from_seed
from ledger.trust import TrustedLog
from ledger.verify import Report, verify
from tests.ledger.verify.built import Built
from tests.ledger.verify.forge import seal, take_apart

FULL = os.environ.get("LEDGER_CAMPAIGN") == "full"
FLIPS_AN_OBJECT = 12


def _rules(report: Report) -> set[str]:
    return {finding.rule for finding in report.findings}


def _told(report: Report) -> str:
    return "\n".join(str(finding) for finding in report.findings)


def _flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def _flips(size: int) -> list[int]:
    """Bits spread evenly over the object, its first and last among them."""
    bits = size * 8
    return sorted({at * (bits - 1) // (FLIPS_AN_OBJECT - 1) for at in range(FLIPS_AN_OBJECT)})


@pytest.mark.campaign
@pytest.mark.parametrize("ledger", ["plain", "compacted"])
def test_every_flipped_bit_is_named(ledger: str, request: pytest.FixtureRequest) -> None:
    """A bit flipped anywhere in any object, derived checkpoints included, is a finding."""
    built: Built = request.getfixturevalue(ledger)
    for name in built.names():
        path = built.store.path(name)
        whole = path.read_bytes()
        for bit in _flips(len(whole)) if whole else []:
            _flip(path, bit)
            assert not built.verify(depth="files").passed, f"{name}, bit {bit}"
        path.write_bytes(whole)
    assert built.verify(depth="files").passed


@pytest.mark.campaign
@pytest.mark.skipif(not FULL, reason="every bit of a ledger takes about an hour: set LEDGER_CAMPAIGN=full")
@pytest.mark.timeout(24 * 3600)
def test_every_bit_of_a_smallest_ledger(plain: Built, empty_store: FileStore) -> None:
    """No bit of a ledger of one round can be flipped without a finding."""
    seal(empty_store, 0, take_apart(plain.store, 0, plain.trust)[:1], plain.signer)
    assert verify(empty_store, plain.trust, depth="files").passed
    for name in empty_store.walk():
        path = empty_store.path(name)
        whole = path.read_bytes()
        for bit in range(len(whole) * 8):
            _flip(path, bit)
            assert not verify(empty_store, plain.trust, depth="files").passed, f"{name}, bit {bit}"
            path.write_bytes(whole)


@pytest.mark.parametrize("ledger", ["plain", "compacted"])
def test_every_deleted_object_is_named(ledger: str, request: pytest.FixtureRequest) -> None:
    """An object that is gone is a finding, unless it is derived (checkpoints, proposals) or superseded."""
    built: Built = request.getfixturevalue(ledger)
    replaceable = _replaceable(built)
    for name in built.names():
        path = built.store.path(name)
        whole = path.read_bytes()
        path.unlink()
        report = built.verify(depth="files")
        assert report.passed == (name in replaceable), f"{name}: {_told(report)}"
        path.write_bytes(whole)


def _replaceable(built: Built) -> set[str]:
    """Checkpoints, and files whose rows all stand in a current placement."""
    derived = set(built.names("/checkpoints/")) | set(built.names("/proposals/"))
    if not built.names("logs/"):
        return derived
    placements = [placement for draft in take_apart(built.store, 0, built.trust) for placement in draft.placements]
    current = {placement.log_id: placement for placement in placements}
    kept = {file.name for placement in current.values() for file in placement.files}
    superseded = {file.name for placement in placements for file in placement.files} - kept
    # The conftest compacts all logs after every event, so no round's rows are needed any more.
    return derived | superseded | set(built.names("/events/")) - kept | set(built.names("/contents/")) - kept


def test_truncated_and_extended_objects_are_named(plain: Built) -> None:
    """An object cut short, emptied, or with bytes added is a finding."""
    for name in plain.names():
        path = plain.store.path(name)
        whole = path.read_bytes()
        for changed in (b"", whole[: len(whole) // 2], whole[:-1], whole + b"\0"):
            path.write_bytes(changed)
            assert not plain.verify(depth="files").passed, f"{name}: {len(changed)} of {len(whole)} bytes"
        path.write_bytes(whole)


@pytest.mark.parametrize("part", ["/rounds/", "/events/", "/statements/", "/contents/"])
def test_swapped_objects_are_named(plain: Built, part: str) -> None:
    """Two objects that changed places are both findings."""
    first, second, *_ = (plain.store.path(name) for name in plain.names(part))
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    report = plain.verify(depth="files")
    assert _rules(report) <= {"R1", "digest"}
    assert len(report.findings) >= 2


@pytest.mark.parametrize("depth", ["files", "leaves", "full"])
def test_what_cannot_be_read_is_named_once(plain: Built, depth: str) -> None:
    """A file that is not the one named is one finding at every depth; what refers to its rows adds none."""
    for name in plain.names("000000000000-"):
        if "/statements/" in name:
            continue
        whole = plain.store.read(name)
        _flip(plain.store.path(name), 8 * (len(whole) // 2))
        report = plain.verify(depth=depth)
        assert [(finding.where, finding.rule) for finding in report.findings] == [(name, "digest")]
        plain.store.path(name).write_bytes(whole)


def test_an_altered_round_is_named_by_its_number(plain: Built) -> None:
    """The finding names partition and round; rounds after it are still looked at one by one, and a note says so."""
    _flip(plain.store.path("partitions/0000/rounds/000000000002.round"), 2000)
    report = plain.verify()
    assert report.findings[0].where == "partition 0, round 2"
    assert report.findings[0].rule in {"signature", "format"}
    assert any("could not be followed" in note for note in report.notes)
    assert report.counts.rounds == len(plain.names("/rounds/")) - 1


def test_a_round_without_its_signature_is_named(plain: Built) -> None:
    """A round of which only the body is left, or whose signature is zeros, is a finding."""
    path = plain.store.path("partitions/0000/rounds/000000000001.round")
    signed = SIGNED.decode(path.read_bytes())
    path.write_bytes(signed.body)
    assert _rules(plain.verify(depth="files")) >= {"format"}
    stripped = SIGNED.encode(type(signed)(signed.body, signed.key_name, signed.key_id, bytes(64)))
    path.write_bytes(stripped)
    report = plain.verify(depth="files")
    assert (report.findings[0].where, report.findings[0].rule) == ("partition 0, round 1", "signature")


def test_a_foreign_signature_is_named(plain: Built) -> None:
    """A round signed anew by another key, even under the same name, or by a gateway's key, is a finding."""
    path = plain.store.path("partitions/0000/rounds/000000000001.round")
    body = SIGNED.decode(path.read_bytes()).body
    for signer in (signer_from_seed(plain.signer.name, bytes(32)), plain.gateway):
        path.write_bytes(sign(body, signer))
        report = plain.verify(depth="files")
        assert (report.findings[0].where, report.findings[0].rule) == ("partition 0, round 1", "signature")
        assert "not among the trusted keys" in report.findings[0].message


def test_a_key_out_of_its_time_is_named(plain: Built) -> None:
    """A good signature by a key that was retired before the round was sealed counts for nothing."""
    from dataclasses import replace
    from datetime import UTC, datetime

    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    keys = tuple(replace(key, not_after=long_ago) if key.role == "ledger" else key for key in plain.trust.keys)
    keys = tuple(replace(key, not_before=datetime(2019, 1, 1, tzinfo=UTC)) for key in keys)
    report = verify(plain.store, replace(plain.trust, keys=keys), depth="files")
    assert _rules(report) >= {"signature"}


def test_deleted_rounds_in_the_middle_are_named_as_a_range(plain: Built) -> None:
    """A run of several deleted rounds is one finding, with their numbers."""
    for number in (1, 2):
        plain.store.path(f"partitions/0000/rounds/{number:012d}.round").unlink()
    report = plain.verify(depth="files")
    assert str(report.findings[0]) == "partition 0: rounds 1-2 are missing before round 3 (hole)"


def test_deleted_first_rounds_are_named(plain: Built) -> None:
    """The beginning of a ledger is missed as well as its middle."""
    plain.store.path("partitions/0000/rounds/000000000000.round").unlink()
    assert str(plain.verify(depth="files").findings[0]) == "partition 0: round 0 is missing before round 1 (hole)"


def test_deleted_newest_rounds_are_named_by_what_they_left_behind(plain: Built) -> None:
    """Newest rounds deleted without their files are named from those files; a whole partition likewise."""
    for number in (3, 4):
        plain.store.path(f"partitions/0000/rounds/{number:012d}.round").unlink()
    assert "rounds 3-4 are missing, though partitions/0000/checkpoints/" in _told(plain.verify(depth="files"))
    for name in plain.names("/rounds/"):
        plain.store.path(name).unlink()
    assert "rounds 0-4 are missing" in _told(plain.verify(depth="files"))


def test_a_whole_partition_removed_is_named(plain: Built) -> None:
    """Every partition's sealer begins with a round, so one without any is missed where others have some."""
    logs = tuple(replace(log, partition=0) for log in plain.trust.logs)
    elsewhere = TrustedLog("_system", 1, bytes(32), 1, log_origin("audit.test", bytes(32)))
    trust = replace(plain.trust, logs=(*logs, elsewhere))
    (finding,) = verify(plain.store, trust, depth="files").findings
    assert (finding.where, finding.rule) == ("partition 1", "hole")
    assert "has no rounds, and others have" in finding.message
    (finding,) = verify(plain.store, trust, depth="files", tenant_logs=[bytes(32)]).findings
    assert finding.where == "partition 1"


def test_a_partition_removed_from_a_compacted_ledger_is_named(compacted: Built) -> None:
    """Compacted files show that their partition had rounds, though its whole folder is gone."""
    for name in compacted.names("partitions/0000/"):
        compacted.store.remove(name)
    (finding,) = compacted.verify(depth="files").findings
    assert finding.rule == "hole"
    assert "though logs/" in finding.message


def test_a_tenants_log_removed_from_the_files_is_named(plain: Built, empty_store: FileStore) -> None:
    """Its rows and statements taken out of every file, and the files put under the old names, is named each time."""
    drafts = take_apart(plain.store, 0, plain.trust)
    from tests.ledger.verify.lying import without_log

    seal(empty_store, 0, without_log(drafts, plain.beta), plain.signer)
    for part in ("/events/", "/contents/", "/statements/"):
        originals = {name.split("/")[-1].split("-")[0]: name for name in plain.names(part)}
        for name in (name for name in empty_store.walk() if part in name):
            number = name.split("/")[-1].split("-")[0]
            plain.store.path(originals[number]).write_bytes(empty_store.read(name))
    report = plain.verify(depth="files")
    assert "digest" in _rules(report)
    assert report.findings[0].where.startswith("partitions/0000/")


def test_a_tenants_compacted_files_removed_are_named(compacted: Built) -> None:
    """The folder of a tenant's compacted files cannot go unnoticed."""
    for name in compacted.names(f"logs/{compacted.acme.hex()}/"):
        compacted.store.path(name).unlink()
    report = compacted.verify(depth="files")
    assert _rules(report) == {"missing"}
    assert all(compacted.acme.hex() in finding.where for finding in report.findings)


def test_an_old_placement_in_the_place_of_the_current_one_is_named(compacted: Built) -> None:
    """Whoever puts an older placement's bytes under the current one's name is found out by its digest."""
    placements = [
        (placement.sequence_number, placement.log_id)
        for draft in take_apart(compacted.store, 0, compacted.trust)
        for placement in draft.placements
    ]
    assert (2, compacted.acme) in placements
    names = sorted(compacted.names("/placements/"))
    for name in names:
        path = compacted.store.path(name)
        whole = path.read_bytes()
        other = next(each for each in names if each != name)
        path.write_bytes(compacted.store.read(other))
        report = compacted.verify(depth="files")
        assert name in {finding.where for finding in report.findings}
        path.write_bytes(whole)


def test_an_unreadable_file_is_named(plain: Built) -> None:
    """A file that the system cannot give is a finding, and the others are still checked."""
    path = plain.store.path(plain.names("/contents/")[0])
    path.unlink()
    path.mkdir()
    report = plain.verify(depth="full")
    assert [finding.rule for finding in report.findings] == ["unreadable"]
    assert report.counts.rounds == len(plain.names("/rounds/"))


def test_findings_are_bounded_and_the_rest_is_counted(plain: Built) -> None:
    """At most `findings_max` are kept, in the order of the ledger, and the number of the others is told."""
    for name in plain.names("/events/"):
        _flip(plain.store.path(name), 800)
    everything = plain.verify(depth="files")
    assert len(everything.findings) == len(plain.names("/events/"))
    bounded = plain.verify(depth="files", findings_max=2)
    assert (len(bounded.findings), bounded.findings_dropped) == (2, len(everything.findings) - 2)
