"""What is admitted: `consumers.admission`. Each lie stands between honest batches, which must not suffer from it."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consumers.admission import Admission, Admitted
from consumers.stretch import cut
from ledger.log.interface import Record, StoredRecord
from ledger.record.payload import UnknownSchema, decode_payload
from ledger.record.schemas import MAGIC
from ledger.tlog.merkle import leaf_hash
from ledger.trust import TrustedKeys
from tests.consumers import hostile
from tests.consumers.lies import BATCH_LIES, Stage, lies_about_one_event, signed_for, with_value
from tests.small_ledger import SmallLedger, request

FULL = os.environ.get("LEDGER_CAMPAIGN") == "full"


@pytest.fixture
def stage(small: SmallLedger) -> Stage:
    """Three accepted events and two honest batches around them."""
    log = small.tenant_log("acme")
    made = Stage(
        small,
        log,
        [small.accept("acme", request(text=f"text {n}")) for n in range(3)],
        Admission(0, small.log.incarnation, small.trust, small.find_log),
    )
    made.honest = [made.batch(small.accept("acme", request()), small.accept("acme", request())) for _ in range(2)]
    return made


def reasons(admitted: Admitted) -> list[tuple[int, str]]:
    """(offset, reason) of what was quarantined, by offset."""
    return sorted((each.stored.offset, each.reason) for each in admitted.quarantined)


@pytest.mark.parametrize("lie", list(BATCH_LIES))
def test_a_receipt_that_does_not_hold_takes_its_batch_with_it(stage: Stage, lie: str) -> None:
    """The receipt and every event behind it go to quarantine, the batches around it are admitted whole."""
    make, reason = BATCH_LIES[lie]
    admitted = stage.admit([*stage.honest[0], *make(stage), *stage.honest[1]])
    assert reasons(admitted) == [(offset, reason) for offset in (3, 4, 5, 6)]
    assert admitted.offsets.tolist() == [1, 2, 8, 9]
    assert [each.signed for each in admitted.receipts] == [batch[0].value for batch in stage.honest]


def test_a_receipt_of_a_log_of_another_partition_is_refused(tmp_path: Path, stage: Stage) -> None:
    """A log lives in one partition; its batch in another one's stretch goes to quarantine."""
    elsewhere = Admission(1, stage.small.log.incarnation, stage.small.trust, stage.small.find_log)
    stored = [StoredRecord(at, record) for at, record in enumerate(stage.batch())]
    found = elsewhere.admit(cut(stored, at_end=True))
    assert reasons(found) == [(offset, "wrong-partition") for offset in range(4)]
    assert len(found) == 0


@pytest.mark.parametrize(("retired_s", "good"), [(-60, False), (60, True)], ids=["before", "after"])
def test_a_retired_key_signs_nothing_later(stage: Stage, retired_s: int, good: bool) -> None:
    """A receipt counts when the key was good at the time the receipt states, and not when it was retired before."""

    def trust() -> TrustedKeys:
        known = stage.small.trust()
        until = datetime.now(UTC) + timedelta(seconds=retired_s)
        keys = tuple(replace(key, not_after=until) if key.role == "gateway" else key for key in known.keys)
        return TrustedKeys(known.ledger, keys, known.logs)

    admission = Admission(0, stage.small.log.incarnation, trust, stage.small.find_log)
    stored = [StoredRecord(at, record) for at, record in enumerate(stage.batch())]
    found = admission.admit(cut(stored, at_end=True))
    assert len(found) == (3 if good else 0)
    assert {reason for _, reason in reasons(found)} == (set() if good else {"receipt-signature"})


def test_an_event_that_its_receipt_does_not_cover_goes_alone(stage: Stage) -> None:
    """Only the event that differs goes to quarantine, for the reason that is its own; its neighbours are admitted."""
    for lie, (records, reason) in lies_about_one_event(stage).items():
        admitted = stage.admit([*stage.honest[0], *records, *stage.honest[1]])
        assert reasons(admitted) == [(5, reason)], lie
        assert admitted.offsets.tolist() == [1, 2, 4, 6, 8, 9], lie
        assert len(admitted.receipts) == 3, lie


def test_all_lies_at_once_are_told_apart(stage: Stage) -> None:
    """Many lies of different kinds in one stretch: each goes for its own reason, everything honest is admitted."""
    records: list[Record] = []
    expected = []
    honest = []
    for lie, reason in lies_about_one_event(stage).values():
        expected.append((len(records) + 2, reason))
        honest += [len(records) + 1, len(records) + 3]
        records += lie
    for make, reason in BATCH_LIES.values():
        lie = make(stage)
        expected += [(len(records) + at, reason) for at in range(len(lie))]
        records += lie
    admitted = stage.admit(records)
    assert reasons(admitted) == expected
    assert admitted.offsets.tolist() == honest


def test_a_count_that_is_too_small_leaves_the_rest_uncovered(stage: Stage) -> None:
    """Events beyond the receipt's count stand behind no receipt."""
    signed = hostile.receipt(stage.small, stage.log, map(hostile.entry, stage.events[:1]))
    admitted = stage.admit(stage.batch(signed=signed))
    assert admitted.offsets.tolist() == [1]
    assert reasons(admitted) == [(2, "no-receipt"), (3, "no-receipt")]


def test_a_short_batch_is_admitted_as_far_as_it_goes(stage: Stage) -> None:
    """Where events are missing behind a receipt, those that are there count; the receipt shows what is missing."""
    admitted = stage.admit([*stage.batch()[:2], *stage.honest[0]])
    assert admitted.offsets.tolist() == [1, 3, 4]
    assert admitted.quarantined == ()


def test_a_missing_event_in_the_middle_uncovers_those_behind_it(stage: Stage) -> None:
    """A receipt covers by place: what has moved up does not stand at its entry's place."""
    records = stage.batch()
    admitted = stage.admit([records[0], records[2], records[3]])
    assert admitted.offsets.tolist() == []
    assert reasons(admitted) == [(1, "not-covered"), (2, "not-covered")]


def test_reordered_events_are_not_covered(stage: Stage) -> None:
    """Two events that changed places behind their receipt both go, the one in place stays."""
    records = stage.batch()
    admitted = stage.admit([records[0], records[2], records[1], records[3]])
    assert admitted.offsets.tolist() == [3]
    assert reasons(admitted) == [(1, "not-covered"), (2, "not-covered")]


def test_an_event_without_receipt_is_not_admitted(stage: Stage) -> None:
    """Genuine events behind no receipt, and a genuine receipt that stands alone, seal nothing."""
    records = stage.batch()
    admitted = stage.admit([*records[1:], records[0]])
    assert len(admitted) == 0
    assert reasons(admitted) == [(0, "no-receipt"), (1, "no-receipt"), (2, "no-receipt")]


def test_the_columns_say_what_the_payloads_say(stage: Stage) -> None:
    """Payloads, leaves, contents and columns stand in offset order, row by row."""
    admitted = stage.admit([*stage.honest[0], *stage.batch()])
    assert admitted.payload_columns is not None
    assert admitted.leaves == [leaf_hash(payload) for payload in admitted.payloads]
    rows = admitted.payload_columns.to_pylist()
    assert [row["event_id"] for row in rows] == [decode_payload(each)["event_id"] for each in admitted.payloads]
    rows_of_contents = admitted.contents.to_pylist()
    expected = [(2 + at, slot, data) for at, each in enumerate(stage.events) for slot, data in each.contents]
    assert [(row["row"], row["slot"], row["ciphertext"]) for row in rows_of_contents if row["row"] >= 2] == expected


def test_a_covered_payload_of_an_unknown_schema_halts(stage: Stage) -> None:
    """Under a valid receipt a schema that is not known is a newer gateway's event, never garbage."""
    event = stage.events[1]
    payload = MAGIC + bytes(8) + event.payload[10:]
    newer = replace(event, payload=payload, leaf_hash=leaf_hash(payload))
    records = stage.batch(stage.events[0], newer, stage.events[2], signed=signed_for(stage, newer))
    with pytest.raises(UnknownSchema, match="unknown to this build"):
        stage.admit([*stage.honest[0], *records])


def test_an_uncovered_payload_of_an_unknown_schema_does_not_halt(stage: Stage) -> None:
    """Somebody who replays a receipt over a payload of his own cannot stop the partition with it."""
    signed = hostile.receipt(stage.small, stage.log, map(hostile.entry, stage.events))
    alien = replace(stage.events[1], payload=MAGIC + bytes(8) + b"whatever")
    admitted = stage.admit(stage.batch(stage.events[0], alien, stage.events[2], signed=signed))
    assert reasons(admitted) == [(2, "not-covered")]


def test_a_covered_payload_that_is_no_datum_goes_to_quarantine(stage: Stage) -> None:
    """A gateway that signs for a payload nobody can decode does not stop the partition."""
    event = stage.events[1]
    for payload in (event.payload[:-1], event.payload + b"\0", event.payload[:10], b"", b"not a payload"):
        broken = replace(event, payload=payload, leaf_hash=leaf_hash(payload))
        admitted = stage.admit(stage.batch(stage.events[0], broken, stage.events[2], signed=signed_for(stage, broken)))
        assert reasons(admitted) == [(2, "undecodable")]
        assert admitted.offsets.tolist() == [1, 3]


def test_no_bytes_of_a_stranger_halt_a_partition(stage: Stage) -> None:
    """Behind a replayed receipt, event records mutated at random are quarantined, or prove to be the genuine event."""
    dice = random.Random(20261121)
    records = stage.batch()
    genuine = records[2].value
    for _ in range(1_500 if FULL else 60):
        value = bytearray(genuine)
        for _ in range(dice.choice([1, 1, 2, 5])):
            value[dice.randrange(10, len(value))] = dice.choice([0, 0x7F, 0x80, 0xFF, dice.randrange(256)])
        if dice.random() < 0.2:
            del value[dice.randrange(10, len(value)) :]
        admitted = stage.admit(with_value(records, 2, bytes(value)))
        assert 1 in admitted.offsets
        assert 3 in admitted.offsets
        assert (2 in admitted.offsets) == (bytes(value) == genuine)


def test_admitting_nothing_yields_nothing(stage: Stage) -> None:
    """An empty stretch admits nothing and quarantines nothing."""
    admitted = stage.admit([])
    assert (len(admitted), admitted.receipts, admitted.quarantined) == (0, (), ())
