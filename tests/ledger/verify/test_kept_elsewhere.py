"""What a ledger's own files cannot show, the loss of its newest rounds, is named against what somebody else kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.newest_rounds import NewestRound
from ledger.receipt import RECEIPT
from ledger.segments.names import segment_number
from ledger.segments.objects import FileStore
from ledger.segments.round import round_digest
from ledger.signed import SIGNED, sign
from ledger.tenants import log_origin, rounds_origin
from ledger.tlog.checkpoint import Checkpoint, sign_checkpoint
from ledger.tlog.merkle import EMPTY_ROOT
from ledger.tlog.note import NoteSigner, signer_from_seed
from ledger.verify import verify
from tests.ledger.verify.built import Built
from tests.ledger.verify.forge import relink, seal, take_apart

ROUNDS = rounds_origin("audit.test", 0)


def _lose_newest(built: Built, count: int) -> None:
    """Removes the newest rounds with every object that is theirs: what is left is a sound, shorter ledger."""
    rounds = built.names("/rounds/")
    first_lost = len(rounds) - count
    for name in [*rounds[first_lost:], *built.names()]:
        number = segment_number(name)
        if name in rounds[first_lost:] or (number is not None and number >= first_lost):
            built.store.remove(name)


def _signer(built: Built, origin: str) -> NoteSigner:
    return NoteSigner(origin, built.signer.public_key, built.signer.sign)


@pytest.mark.parametrize("lost", [1, 3])
def test_lost_newest_rounds_are_named_against_a_checkpoint_of_the_rounds(plain: Built, lost: int) -> None:
    """A shorter ledger is sound in itself, and named as shrunk against a checkpoint of the rounds' log."""
    newest = plain.checkpoints[-1][ROUNDS]
    size = len(plain.names("/rounds/"))
    _lose_newest(plain, lost)
    assert plain.verify(depth="full").findings == ()
    report = plain.verify(depth="files", since=newest)
    (finding,) = report.findings
    assert (finding.where, finding.rule) == (ROUNDS, "since")
    assert f"has {size - lost} rounds" in finding.message
    assert f"the newest {lost} are lost" in finding.message


@pytest.mark.parametrize("lost", [1, 3, 5])
def test_lost_newest_rounds_are_named_against_what_the_key_store_remembers(plain: Built, lost: int) -> None:
    """The ledger's own memory shows the loss of the newest rounds with all their objects, and of all rounds."""
    size = len(plain.names("/rounds/"))
    body = SIGNED.decode(plain.store.read(plain.names("/rounds/")[-1])).body
    remembered = {0: NewestRound(size - 1, round_digest(body))}
    _lose_newest(plain, lost)
    (finding,) = plain.verify(depth="files", remembered=remembered).findings
    assert (finding.where, finding.rule) == ("partition 0", "hole")
    assert f"though the key store remembers round {size - 1}" in finding.message


def test_another_newest_round_is_named_against_what_the_key_store_remembers(plain: Built) -> None:
    """Another round under the remembered number is another history."""
    remembered = {0: NewestRound(2, bytes(32))}
    (finding,) = plain.verify(depth="files", remembered=remembered).findings
    assert (finding.where, finding.rule) == ("partition 0, round 2", "since")


def test_lost_newest_rounds_are_named_against_a_checkpoint_of_a_tenants_log(plain: Built) -> None:
    """A tenant's own checkpoint shows the loss of its newest events."""
    origin = log_origin("audit.test", plain.acme)
    newest = plain.checkpoints[-1][origin]
    _lose_newest(plain, 1)
    (finding,) = plain.verify(depth="files", since=newest).findings
    assert (finding.where, finding.rule) == (origin, "since")
    assert plain.verify(depth="files", since=plain.checkpoints[0][origin]).findings == ()


def test_lost_newest_rounds_are_named_against_receipts(plain: Built) -> None:
    """A receipt whose events went with the newest rounds tells each of them missing, once its delay has passed."""
    _lose_newest(plain, 1)
    report = plain.verify(receipts=plain.receipts_file, now_us=2**62)
    (finding,) = report.findings
    assert finding.rule == "missing-event"
    assert finding.where == f"receipts file, receipt {len(plain.receipts) - 1}, entry 0"
    pending = plain.verify(receipts=plain.receipts_file, now_us=0)
    assert pending.findings == ()
    assert pending.counts.pending == 1


def test_a_whole_ledger_lost_is_named(plain: Built) -> None:
    """An empty store passes by itself, and not against what was kept."""
    for name in plain.names():
        plain.store.remove(name)
    assert plain.verify().findings == ()
    assert {each.rule for each in plain.verify(since=plain.checkpoints[-1][ROUNDS]).findings} == {"since"}
    report = plain.verify(receipts=plain.receipts_file, now_us=2**62)
    assert {each.rule for each in report.findings} == {"missing-event"}
    assert len(report.findings) == report.counts.outside_entries


def test_a_ledger_written_anew_is_named(plain: Built, empty_store: FileStore) -> None:
    """A second history under the same keys, sound in itself, contradicts the checkpoints of the first one."""
    drafts = take_apart(plain.store, 0, plain.trust)
    drafts[0].round = replace(drafts[0].round, sealed_at_us=drafts[0].round.sealed_at_us - 1)
    seal(empty_store, 0, drafts, plain.signer)
    assert verify(empty_store, plain.trust, depth="files").findings == ()
    (finding,) = verify(empty_store, plain.trust, depth="files", since=plain.checkpoints[1][ROUNDS]).findings
    assert "has the root" in finding.message


def test_a_tenants_log_rewritten_is_named(plain: Built, empty_store: FileStore) -> None:
    """Another first event gives another root at the size of the tenant's checkpoint."""
    drafts = take_apart(plain.store, 0, plain.trust)
    row = drafts[0].events["log_id"].to_pylist().index(plain.acme)
    count = drafts[0].events.num_rows
    kept = [at for at in range(count) if at not in (row, row + 1)]
    order = sorted([*kept, row, row + 1], key=lambda at: ({row: row + 1, row + 1: row}).get(at, at))
    drafts[0].events = drafts[0].events.take(order)
    relink(drafts)
    seal(empty_store, 0, drafts, plain.signer)
    note = plain.checkpoints[0][log_origin("audit.test", plain.acme)]
    assert {each.rule for each in verify(empty_store, plain.trust, depth="files", since=note).findings} == {"since"}


def test_a_size_no_round_ended_at_is_named(plain: Built) -> None:
    """A signed checkpoint of a size the log never had at the end of a round is not of this history."""
    origin = log_origin("audit.test", plain.acme)
    note = sign_checkpoint(Checkpoint(origin, 3, bytes(32)), _signer(plain, origin))
    (finding,) = plain.verify(depth="files", since=note).findings
    assert "no round ends at the 3" in finding.message


def test_an_empty_checkpoint_is_continued_by_anything(plain: Built) -> None:
    """The checkpoint of an empty log is the beginning of every log."""
    note = sign_checkpoint(Checkpoint(ROUNDS, 0, EMPTY_ROOT), _signer(plain, ROUNDS))
    assert plain.verify(depth="files", since=note).findings == ()


@pytest.mark.parametrize("origin", ["audit.test/rounds/00", "audit.test/other/0", "elsewhere/rounds/0"])
def test_a_checkpoint_of_another_log_is_refused(plain: Built, origin: str) -> None:
    """A checkpoint that is not of this ledger's rounds or logs is a finding, not silence."""
    note = sign_checkpoint(Checkpoint(origin, 1, bytes(32)), _signer(plain, origin))
    assert {each.rule for each in plain.verify(depth="files", since=note).findings} == {"since"}


def test_a_checkpoint_nobody_trusted_signed_is_refused(plain: Built) -> None:
    """An unsigned, foreign or garbled checkpoint is a finding, and the rest is verified."""
    foreign = sign_checkpoint(Checkpoint(ROUNDS, 1, bytes(32)), signer_from_seed(ROUNDS, bytes(32)))
    for text in (foreign, "nonsense", "", plain.checkpoints[0][ROUNDS].replace("rounds/0", "rounds/1")):
        report = plain.verify(depth="files", since=text)
        assert [each.rule for each in report.findings] == ["since"]
        assert report.counts.rounds == len(plain.names("/rounds/"))


def test_a_log_the_verifier_was_not_told_of_is_found_by_its_origin(plain: Built) -> None:
    """A tenant's checkpoint can be compared without the list of logs."""
    origin = log_origin("audit.test", plain.acme)
    trust = replace(plain.trust, logs=())
    assert verify(plain.store, trust, depth="files", since=plain.checkpoints[0][origin]).findings == ()
    assert verify(plain.store, trust, receipts=plain.receipts_file).findings == ()


def test_an_altered_receipts_file_is_named(plain: Built) -> None:
    """A receipt that does not verify, is of another ledger, or is cut off is named by its number."""
    first, second, *_ = plain.receipts
    signed = SIGNED.decode(first)
    receipt = RECEIPT.decode(signed.body)
    forged = sign(signed.body, signer_from_seed(plain.gateway.name, bytes(32)))
    elsewhere = sign(RECEIPT.encode(replace(receipt, log_origin="elsewhere/log/00")), plain.gateway)
    for bad in (forged, elsewhere, first[:-1] + bytes([first[-1] ^ 1]), b"garbage"):
        data = b"".join(len(each).to_bytes(8, "big") + each for each in (bad, second))
        report = plain.verify(receipts=data)
        assert [(each.where, each.rule) for each in report.findings] == [("receipts file, receipt 0", "receipt")]
    (finding,) = plain.verify(receipts=plain.receipts_file[:-1]).findings
    assert (finding.where, finding.rule) == ("receipts file", "format")


def test_a_repeat_answers_a_receipt_only_if_its_first_leaf_shows_it(plain: Built, empty_store: FileStore) -> None:
    """A sealer that calls an event a repeat of something else has not sealed it."""
    drafts = take_apart(plain.store, 0, plain.trust)
    for at, statement in enumerate(drafts[1].statements):
        repeats = tuple(replace(repeat, first_index=1) for repeat in statement.repeats)
        drafts[1].statements[at] = replace(statement, repeats=repeats)
    seal(empty_store, 0, drafts, plain.signer)
    report = verify(empty_store, plain.trust, receipts=plain.receipts_file, depth="leaves", now_us=2**62)
    assert [each.rule for each in report.findings] == ["missing-event"]


def test_checkpoints_that_contradict_the_rounds_are_named(plain: Built) -> None:
    """A stored checkpoint under the ledger's own key that says something else is a finding."""
    from ledger.segments.checkpoints import CHECKPOINTS, Checkpoints

    name = plain.names("/checkpoints/")[1]
    path = plain.store.path(name)
    note = sign_checkpoint(Checkpoint(ROUNDS, 2, bytes(32)), _signer(plain, ROUNDS))
    path.write_bytes(CHECKPOINTS.encode(Checkpoints((note,))))
    (finding,) = plain.verify(depth="files").findings
    assert (finding.where, finding.rule) == (name, "checkpoint")
