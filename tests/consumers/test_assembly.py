"""A round's objects: order, indexes, chains, statements: `consumers.assembly`, seen in what a small ledger seals."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from consumers.assembly import first_person
from consumers.sealer import PartitionSealer
from ledger.log.interface import record_digest
from ledger.record.columns import decode_columns
from ledger.record.schemas import PAYLOAD
from ledger.segments.history import History
from ledger.segments.round import CONTENTS, EVENTS, STATEMENTS
from ledger.segments.rows import from_parquet
from ledger.segments.state import PartitionState
from ledger.segments.statement import label
from ledger.trust import TrustedKeys
from tests.consumers.sealed import sealed_in
from tests.small_ledger import SmallLedger, request


async def test_index_order_is_offset_order(small: SmallLedger) -> None:
    """Batches of several tenants in any mixture: within a log the index follows the offset, over rounds as well."""
    sent: dict[str, list[bytes]] = {"acme": [], "globex": []}
    for turn in range(12):
        tenant = "globex" if turn % 3 else "acme"
        events = [request(text=f"{turn}-{at}") for at in range(1 + turn % 3)]
        sent[tenant] += [event.event_id for event in events]
        await small.publish(tenant, *events)
        if turn in (4, 5):
            await small.seal()
    await small.seal()
    found = sealed_in(small)
    for tenant, ids in sent.items():
        log_id = small.tenant_log(tenant).log_id
        assert found.ids(log_id) == ids
        offsets = [leaf.offset for leaf in found.leaves[log_id]]
        assert offsets == sorted(offsets)
    assert len(found.rounds) == 3


async def test_rows_stand_by_log_then_index_as_the_statements_do(small: SmallLedger) -> None:
    """A statement's rows are the next `count` rows of the events file; contents follow in the same order."""
    for turn in range(6):
        await small.publish("acme" if turn % 2 else "globex", request(text=str(turn)))
    await small.seal()
    (sealed,) = sealed_in(small).rounds
    events, contents = sealed.round.file(EVENTS), sealed.round.file(CONTENTS)
    assert events is not None
    assert contents is not None
    rows = from_parquet(small.store.read(events.name), events.name).to_pylist()
    expected = [
        (statement.log_id, statement.first_index + at)
        for statement in sealed.statements
        for at in range(statement.count)
    ]
    assert [(row["log_id"], row["index"]) for row in rows] == expected
    assert [statement.log_id for statement in sealed.statements] == sorted(
        statement.log_id for statement in sealed.statements
    )
    places = [
        (row["log_id"], row["index"])
        for row in from_parquet(small.store.read(contents.name), contents.name).to_pylist()
    ]
    assert places == sorted(places)
    assert {row["partition"] for row in rows} == {0}
    assert {row["round"] for row in rows} == {0}
    assert {int(row["sealed_at"].timestamp() * 1_000_000) for row in rows} == {sealed.round.sealed_at_us}


async def test_a_statement_says_what_a_round_adds_to_a_log(small: SmallLedger) -> None:
    """Counts, sizes, predecessors, schemas and receipts of every statement fit the leaves and each other."""
    signed = []
    for turn in range(4):
        signed.append(await small.publish("acme", request(text=str(turn)), request(text=f"{turn}b")))
        if turn != 1:
            await small.seal()
            await small.publish("globex", request("bob"))
    found = sealed_in(small)
    log_id = small.tenant_log("acme").log_id
    statements = found.statements[log_id]
    assert [(each.first_index, each.count, each.receipt_count) for each in statements] == [
        (0, 2, 1),
        (2, 4, 2),
        (6, 2, 1),
    ]
    assert [each.round for each in statements] == [0, 1, 2]
    assert [each.previous_round for each in statements] == [0, 0, 1]
    assert found.receipts[log_id] == signed
    assert {each.schemas for each in statements} == {(PAYLOAD.sha256,)}


async def test_a_round_tells_where_it_ended(small: SmallLedger) -> None:
    """Each round begins where the one before ended and carries the digest of its last record."""
    for turn in range(3):
        await small.publish("acme", request(text=str(turn)))
        await small.seal()
    history = History(small.store, 0, small.trust())
    at = 0
    for sealed in history.follow(PartitionState(0)):
        assert sealed.round.first_offset == at
        at = sealed.round.next_offset
        last = await small.log.reread(0, at - 1)
        assert last is not None
        assert sealed.round.last_record == record_digest(last.record)
        assert sealed.round.incarnation == small.log.incarnation
    assert at == 6


async def test_a_batch_of_repeats_alone_seals_its_receipt(small: SmallLedger) -> None:
    """Where all events were sealed before, a statement of no events keeps the receipt and says where each one is."""
    event = request()
    await small.publish("acme", event)
    await small.seal()
    signed = await small.publish("acme", event)
    (outcome,) = await small.seal()
    assert (outcome.events, outcome.repeats, outcome.logs) == (0, 1, 1)
    found = sealed_in(small)
    log_id = small.tenant_log("acme").log_id
    last = found.statements[log_id][-1]
    assert (last.count, last.receipt_count, last.first_index) == (0, 1, 1)
    assert found.receipts[log_id][-1] == signed
    assert [file.role for file in found.rounds[-1].round.files] == [STATEMENTS]


async def test_a_round_tells_a_tenant_nothing_of_others(small: SmallLedger) -> None:
    """A log's entry is found by its label alone; neither log ids nor tenants stand in the round."""
    await small.publish("acme", request())
    await small.publish("globex", request("bob"))
    await small.seal()
    (sealed,) = sealed_in(small).rounds
    body = small.store.read(small.store.names_in("partitions/0000/rounds")[0])
    labels = {entry.label for entry in sealed.round.entries}
    for tenant in ("acme", "globex"):
        log_id = small.tenant_log(tenant).log_id
        assert label(log_id, 0, 0) in labels
        assert log_id not in body
        assert tenant.encode() not in body


async def test_objects_do_not_grow_with_tenants(tmp_path: Path) -> None:
    """A round with one tenant and one with a thousand write the same number of objects."""
    objects = {}
    for count in (1, 1_000):
        small = SmallLedger(tmp_path / str(count))
        await small.start()
        tenants = [small.tenants.add(f"tenant-{number}") for number in range(count)]
        for first in range(0, count, 100):
            some = tenants[first : first + 100]
            await asyncio.gather(*(small.publish(tenant.name, request(user=None)) for tenant in some))
        by_origin = {log.origin: log for tenant in tenants for log in tenant.logs}
        known = small.trust()

        def trust(known: TrustedKeys = known) -> TrustedKeys:
            return known

        # What a test's ledger looks up anew for each receipt would take most of this test's time.
        parts = replace(small.sealer()._parts, find_log=by_origin.get, trust=trust)
        sealer = PartitionSealer(parts, small.limits)
        await sealer.open()
        outcome = await sealer.seal_once(wait_s=0)
        assert outcome is not None
        assert (outcome.logs, outcome.events) == (count, count)
        objects[count] = len(small.store.walk())
        found = sealed_in(small)
        assert [len(leaves) for leaves in found.leaves.values()] == [1] * count
        await small.close()
    # Events, contents, statements, the round, its checkpoints.
    assert objects == {1: 5, 1_000: 5}


async def test_the_subject_is_the_first_person(small: SmallLedger) -> None:
    """The acting user, else the first subject, else nobody."""
    acting = request("mia")
    spoken_of = request(None)
    spoken_of.subjects.add().identifier = "first"
    spoken_of.subjects.add().identifier = "second"
    nobody = request(None)
    accepted = [small.accept("acme", event) for event in (acting, spoken_of, nobody)]
    columns = decode_columns(PAYLOAD, [each.payload for each in accepted])
    people = [small.keys.pseudonym("acme", "mia"), small.keys.pseudonym("acme", "first"), None]
    assert first_person(columns).to_pylist() == people
