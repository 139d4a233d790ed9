"""A newer gateway beside an older sealer: events under a schema that is not known halt it, and are never garbage.

The newer schema exists in these tests alone: the payload with one nullable field more.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import fastavro
import pytest
from fastavro.schema import fingerprint, to_parsing_canonical_form

from consumers.compaction import CompactionLimits, Compactor
from ledger.log.interface import Record
from ledger.record import payload as payload_module
from ledger.record.assemble import AssembledEvent
from ledger.record.encode import compile_encoder
from ledger.record.payload import UnknownSchema, decode_payload
from ledger.record.schemas import EVENT_RECORD, EVENT_RECORDS, MAGIC, PAYLOAD, PAYLOADS, Schema
from ledger.segments.round import EVENTS
from ledger.segments.rows import from_parquet
from ledger.tlog.merkle import leaf_hash
from tests.consumers import hostile
from tests.consumers.sealed import quarantined, sealed_in
from tests.small_ledger import SmallLedger, request


def with_field(schema: Schema, name: str) -> Schema:
    """The schema with one nullable text more at its end."""
    definition = copy.deepcopy(schema.definition)
    definition["fields"].append({"name": name, "type": ["null", "string"]})
    canonical = to_parsing_canonical_form(definition)
    return Schema(
        name=f"{schema.name}-next",
        definition=definition,
        parsed=fastavro.parse_schema(copy.deepcopy(definition)),
        header=MAGIC + bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO")),
        sha256=hashlib.sha256(canonical.encode()).digest(),
    )


NEWER = with_field(PAYLOAD, "novelty")
NEWER_RECORD = with_field(EVENT_RECORD, "annotation")


@contextmanager
def newer_build(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Inside, this build knows the newer schemas too."""
    with monkeypatch.context() as patch:
        patch.setitem(PAYLOADS, NEWER.header, NEWER)
        patch.setitem(EVENT_RECORDS, NEWER_RECORD.header, NEWER_RECORD)
        for schema in (NEWER, NEWER_RECORD):
            patch.setitem(payload_module._encoders, schema.header, compile_encoder(schema.definition))
        yield


def newer_event(small: SmallLedger, text: str, novelty: str | None) -> AssembledEvent:
    """What a newer gateway makes of an event."""
    event = small.accept("acme", request(text=text))
    values = {**decode_payload(event.payload), "novelty": novelty}
    payload = NEWER.header + compile_encoder(NEWER.definition)(values)
    return replace(event, payload=payload, leaf_hash=leaf_hash(payload))


async def publish(small: SmallLedger, *events: AssembledEvent) -> None:
    """Appends a batch of `acme`."""
    log = small.tenant_log("acme")
    with pytest.MonkeyPatch.context() as patch, newer_build(patch):
        records = hostile.batch(small, log, events)
    await small.log.append(0, records, 10)


async def test_an_older_sealer_halts_and_loses_nothing(small: SmallLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """It publishes nothing and quarantines nothing, however often it tries; the newer one goes on with everything."""
    await publish(small, small.accept("acme", request(text="old")))
    await small.seal()
    await small.log.append(0, [Record(b"", (), b"garbage")], 10)
    await publish(small, small.accept("acme", request(text="old too")))
    newer = newer_event(small, "new", "hello")
    await publish(small, newer)
    before = small.store.walk()
    sealer = small.sealer()
    for _ in range(2):
        await sealer.open()
        with pytest.raises(UnknownSchema, match="unknown to this build"):
            await sealer.seal_once(wait_s=0)
    assert small.store.walk() == before
    with newer_build(monkeypatch):
        (outcome,) = await small.seal()
        assert (outcome.events, outcome.quarantined) == (3, 1)
        found = sealed_in(small)
        log_id = small.tenant_log("acme").log_id
        assert len(found.ids(log_id)) == 3
        assert found.leaves[log_id][-1].leaf_hash == newer.leaf_hash
        assert [each.rule for each in quarantined(small, found)] == ["quarantine.no-receipt"]


async def test_both_schemas_stand_in_one_stretch(small: SmallLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of both schemas mixed in a batch and a round keep their order; the statement pins both, rows hold both."""
    events = [
        newer_event(small, str(number), f"n{number}") if number % 3 else small.accept("acme", request(text=str(number)))
        for number in range(9)
    ]
    await publish(small, *events[:5])
    await publish(small, *events[5:])
    with newer_build(monkeypatch):
        await small.seal()
        found = sealed_in(small)
        log_id = small.tenant_log("acme").log_id
        assert [leaf.leaf_hash for leaf in found.leaves[log_id]] == [event.leaf_hash for event in events]
        (statement,) = found.statements[log_id]
        assert statement.schemas == tuple(sorted([PAYLOAD.sha256, NEWER.sha256]))
        file = found.rounds[0].round.file(EVENTS)
        assert file is not None
        rows = from_parquet(small.store.read(file.name), file.name).to_pylist()
        assert [row["novelty"] for row in rows] == [f"n{number}" if number % 3 else None for number in range(9)]


async def test_a_repeat_under_a_newer_schema_is_a_repeat(small: SmallLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an event is does not depend on the schema of its payload: a retry through a newer gateway is dropped."""
    event = request(text="same")
    first = small.accept("acme", event)
    again = small.accept("acme", event)
    values = {**decode_payload(again.payload), "novelty": "x"}
    payload = NEWER.header + compile_encoder(NEWER.definition)(values)
    await publish(small, first)
    await small.seal()
    await publish(small, replace(again, payload=payload, leaf_hash=leaf_hash(payload)))
    with newer_build(monkeypatch):
        (outcome,) = await small.seal()
        assert (outcome.events, outcome.repeats) == (0, 1)


async def test_a_newer_event_record_halts_too(small: SmallLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record around the payload has a schema of its own, and a newer one is no garbage either."""
    log = small.tenant_log("acme")
    event = small.accept("acme", request())
    contents = [{"slot": slot, "ciphertext": data} for slot, data in event.contents]
    values = {"payload": event.payload, "contents": contents, "annotation": "a"}
    value = NEWER_RECORD.header + compile_encoder(NEWER_RECORD.definition)(values)
    records = hostile.batch(small, log, [event])
    await small.log.append(0, [records[0], replace(records[1], value=value)], 10)
    with pytest.raises(UnknownSchema):
        await small.seal()
    assert small.store.walk() == []
    with newer_build(monkeypatch):
        assert [outcome.events for outcome in await small.seal()] == [1]


async def test_rows_of_both_schemas_are_compacted_together(small: SmallLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files from before and after an upgrade become one: every row keeps all it said."""
    events = []
    with newer_build(monkeypatch):
        for number in range(4):
            made = (
                newer_event(small, str(number), "n") if number % 2 else small.accept("acme", request(text=str(number)))
            )
            events.append(made)
            await publish(small, made)
            await small.seal()
        Compactor(small.store, 0, small.trust(), CompactionLimits()).run()
        assert [outcome.placements for outcome in await small.seal()] == [1]
        found = sealed_in(small)
        log_id = small.tenant_log("acme").log_id
        assert [leaf.leaf_hash for leaf in found.leaves[log_id]] == [event.leaf_hash for event in events]
