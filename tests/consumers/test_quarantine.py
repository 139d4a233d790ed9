"""What was not admitted is kept whole in the partition's system log: `consumers.quarantine`."""

from __future__ import annotations

import os

import pytest

from consumers.quarantine import QUARANTINED_RECORD
from ledger.log.embedded import EmbeddedLog
from ledger.log.framing import KIND, RECEIPT_KIND
from ledger.log.interface import Record
from ledger.record.content import STORED_BYTES_MAX
from ledger.tenants import SYSTEM
from tests.consumers import hostile
from tests.consumers.sealed import open_slot, quarantined, sealed_in
from tests.small_ledger import SmallLedger, request

STRANGE = [
    Record(b"", (), b""),
    Record(b"key", (("kind", b"event"), ("kind", b"event"), ("", b"")), b"value"),
    Record(b"\0" * 32, (("ключ", b"\xff\xfe"),), b"\0\1\2"),
    Record(b"k", ((KIND, RECEIPT_KIND),), os.urandom(500)),
    Record(b"person@example.org", (("name", b"Mia Li"),), b"call me at +49 170 1234567"),
]


async def test_a_finding_holds_the_record_byte_for_byte(small: SmallLedger) -> None:
    """Key, headers in order, and value come back from the encrypted note exactly as they stood in the event log."""
    await small.log.append(0, STRANGE, 10)
    (outcome,) = await small.seal()
    assert (outcome.quarantined, outcome.events) == (len(STRANGE), len(STRANGE))
    found = quarantined(small, sealed_in(small))
    assert [each.record for each in found] == STRANGE
    assert [each.leaf.offset for each in found] == list(range(len(STRANGE)))


async def test_a_finding_says_what_where_and_why_in_clear(small: SmallLedger) -> None:
    """Rule, severity, place and the sealer's name stand in the payload; nothing of the record does."""
    await small.publish("acme", request())
    await small.log.append(0, [STRANGE[4]], 10)
    await small.seal()
    (finding,) = quarantined(small, sealed_in(small))
    values = finding.leaf.values
    assert finding.rule == "quarantine.no-receipt"
    assert (values["tenant"], values["shard"], values["kind"]) == (SYSTEM, 0, "finding")
    assert (values["session_id"], values["correlation_id"]) == ("partition:0", "offset:2")
    assert (values["finding"]["severity"], values["finding"]["status"]) == ("high", "open")
    assert values["submitted_by"] == "sealer"
    for part in (b"person@", b"Mia Li", b"1234567"):
        assert part not in finding.leaf.payload
        assert all(part not in small.store.read(name) for name in small.store.walk())


async def test_honest_events_around_garbage_are_sealed(small: SmallLedger) -> None:
    """Garbage before, between and behind batches costs no event, in one round or in several."""
    events = [request(text=str(number)) for number in range(4)]
    for event in events:
        await small.log.append(0, STRANGE[:2], 10)
        await small.publish("acme", event)
    await small.log.append(0, STRANGE[2:3], 10)
    (outcome,) = await small.seal()
    assert (outcome.events, outcome.quarantined) == (4 + 9, 9)
    found = sealed_in(small)
    assert found.ids(small.tenant_log("acme").log_id) == [event.event_id for event in events]
    assert [each.leaf.offset for each in quarantined(small, found)] == [0, 1, 4, 5, 8, 9, 12, 13, 16]


async def test_a_whole_refused_batch_is_kept_receipt_and_all(small: SmallLedger) -> None:
    """Of a batch under a forged receipt every record becomes a finding with the receipt's reason."""
    log = small.tenant_log("acme")
    events = [small.accept("acme", request(text=str(number))) for number in range(3)]
    signed = hostile.receipt(small, log, map(hostile.entry, events), by=hostile.signer())
    records = hostile.batch(small, log, events, signed)
    await small.log.append(0, records, 10)
    await small.seal()
    found = sealed_in(small)
    assert [(each.rule, each.record) for each in quarantined(small, found)] == [
        ("quarantine.receipt-signature", record) for record in records
    ]
    assert log.log_id not in found.leaves


async def test_what_was_quarantined_can_be_admitted_later(small: SmallLedger) -> None:
    """A batch under a key that was not yet known, taken out of its findings and appended again, is sealed."""
    log = small.tenant_log("acme")
    late = hostile.signer("audit.test/gateway/g2", seed=bytes([7]) * 32)
    events = [small.accept("acme", request(text=str(number))) for number in range(2)]
    signed = hostile.receipt(small, log, map(hostile.entry, events), by=late)
    await small.log.append(0, hostile.batch(small, log, events, signed), 10)
    await small.seal()
    kept = [each.record for each in quarantined(small, sealed_in(small))]
    small.gateway_signer = late
    await small.log.append(0, kept, 10)
    (outcome,) = await small.seal()
    assert (outcome.events, outcome.quarantined) == (2, 0)
    assert sealed_in(small).ids(log.log_id) == [each.event_id for each in events]


async def test_the_same_garbage_again_is_another_finding(small: SmallLedger) -> None:
    """Two records of the same bytes are two findings, each at its own offset, in one round and in two."""
    for _ in range(2):
        await small.log.append(0, [STRANGE[1], STRANGE[1]], 10)
        await small.seal()
    found = quarantined(small, sealed_in(small))
    assert [each.leaf.offset for each in found] == [0, 1, 2, 3]
    assert len({each.leaf.event_id for each in found}) == 4


async def test_a_round_of_nothing_but_garbage_is_a_round(small: SmallLedger) -> None:
    """Many findings at once: all kept, the partition goes on behind them."""
    await small.log.append(0, [Record(b"", (), str(number).encode()) for number in range(300)], 10)
    (outcome,) = await small.seal()
    assert (outcome.records, outcome.quarantined) == (300, 300)
    assert [int(each.record.value) for each in quarantined(small, sealed_in(small))] == list(range(300))


@pytest.mark.parametrize(
    "size", [3 * 1024 * 1024, STORED_BYTES_MAX + 4_096], ids=["larger than a batch", "larger than any content"]
)
async def test_a_huge_record_does_not_stop_a_partition(small: SmallLedger, size: int) -> None:
    """A stranger's record of any size is kept, up to what a content may have, with its true size told."""
    await small.log.close()
    small.log = EmbeddedLog(small.folder / "log.sqlite", batch_bytes_max=256 * 1024 * 1024)
    await small.log.start()
    record = Record(b"key", (), bytes(1_000) + os.urandom(1_000) + bytes(size - 2_000))
    await small.log.append(0, [record], 60)
    event = request()
    await small.publish("acme", event)
    await small.seal()
    found = sealed_in(small)
    system = small.tenants.partition_logs(0).system_log.log_id
    (leaf,) = found.leaves[system]
    (descriptor,) = leaf.values["contents"]
    whole = QUARANTINED_RECORD.encode(record)
    kept = open_slot(small, SYSTEM, leaf, found.contents[system][0, "note"], "note")
    assert kept == whole[:STORED_BYTES_MAX]
    assert descriptor["original_size"] == len(whole)
    assert descriptor["state"] == ("full" if len(whole) <= STORED_BYTES_MAX else "truncated")
    assert found.ids(small.tenant_log("acme").log_id) == [event.event_id]
