"""A tenant's deletion from its order to its final statement, killed between any two steps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ledger.errors import Rejected, Unavailable
from ledger.final_statement import open_final_statement
from ledger.fsck import fsck
from ledger.keys.destruction import Held
from ledger.keys.holds import Holds
from ledger.keys.master import LocalMasterKey
from ledger.keys.tenant_deletion import Waits
from ledger.tenants import ORG
from ledger.v1 import event_pb2 as pb
from tests.consumers.sealed import read_sealed
from tests.ledger.deletion.deleting import ORDER, InProcess, Killed, delete, deletions, proceeding, report
from tests.small_ledger import SmallLedger, request


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[SmallLedger]:
    made = SmallLedger(tmp_path / "ledger", partitions=2)
    await made.start("globex")
    made.tenants.add("acme", 3)
    for number in range(4):
        await made.publish("acme", request("mia", f"m{number}"))
        await made.publish("globex", request("mia", f"elsewhere {number}"))
        for partition in range(2):
            await made.seal(partition)
    yield made
    await made.close()


def files(small: SmallLedger) -> list[str]:
    """What holds rows."""
    return [name for name in small.store.walk() if name.endswith(".parquet")]


def rows_of(small: SmallLedger, tenant: str) -> int:
    """How many rows of a tenant any file holds."""
    from ledger.segments.rows import from_parquet

    found = small.tenants.get(tenant)
    assert found is not None
    own = {log.log_id for log in found.logs}
    return sum(
        sum(log_id in own for log_id in from_parquet(small.store.read(name), name, ["log_id"])["log_id"].to_pylist())
        for name in files(small)
    )


async def test_nothing_is_left_but_a_signed_statement_of_size_and_root(small: SmallLedger) -> None:
    """No row of the tenant is in any file, no key in the key store; the note says sizes and roots; others are whole."""
    before = report(small)
    heads = {head.origin: head for head in before.heads}
    assert rows_of(small, "acme") == 16
    statement = open_final_statement(await delete(small, "acme"), small.trust())
    tenant = small.tenants.get("acme")
    assert tenant is not None
    assert rows_of(small, "acme") == 0
    for log, said in zip(tenant.logs, statement.logs, strict=True):
        assert said.origin == log.origin
        size_before = heads[log.origin].size if log.origin in heads else 0
        assert said.size == size_before + 1, "one more: the last event"
    assert (statement.requester, statement.approvers) == ("olga", ("paul",))
    assert dict(statement.destroyed)["scope keys"] > 0
    with small.database.read() as rows:
        for table in ("tenant_keys", "lookup_keys", "bucket_keys", "holders", "scopes", "links", "suppressions"):
            assert rows.execute(f"SELECT count(*) FROM {table} WHERE tenant = 'acme'").fetchone() == (0,), table
    for depth in ("files", "leaves"):
        assert report(small, depth).passed
    after = report(small)
    assert after.passed, after.findings
    assert after.counts.deleted_logs == 3
    assert sum("tenant acme: deleted under the final statement" in note for note in after.notes) == 3
    assert {head.origin: (head.size, head.root) for head in after.heads if head.origin == statement.logs[0].origin} == {
        statement.logs[0].origin: (statement.logs[0].size, statement.logs[0].root)
    }
    assert [line for line in fsck(small.store, small.trust()) if line.is_problem] == []
    globex = small.tenant_log("globex")
    assert len(read_sealed(small.store, globex.partition, small.trust()).leaves[globex.log_id]) == 4


STOPS = (*range(27), 33, 38, 39, 40, 41)
"""Every step of the 42; of the removals of single files a few."""


@pytest.mark.parametrize("stop", STOPS)
async def test_killed_anywhere_it_resumes_to_the_same_end(small: SmallLedger, stop: int) -> None:
    """Whoever comes next ends where the first would have, and until then nothing is called done."""
    deletions(small).close("acme", ORDER)
    seen: list[str] = []

    def die(step: str) -> None:
        seen.append(step)
        if len(seen) > stop:
            raise Killed

    try:
        await proceeding(small, InProcess(small, die), die).go_on("acme")
    except Killed:
        assert deletions(small).get("acme").phase != "done"
    else:
        assert len(seen) <= stop
    done = await proceeding(small).go_on("acme")
    assert done.finished
    assert rows_of(small, "acme") == 0
    found = report(small)
    assert found.passed, found.findings
    assert found.counts.deleted_logs == 3
    await small.seal(0)
    sealed = read_sealed(small.store, 0, small.trust())
    org = [leaf.values for leaf in sealed.leaves[small.tenant_log(ORG).log_id]]
    assert [each["operation"]["target"][:7] for each in org] == ["sha256:"]


async def test_a_legal_hold_refuses_it_and_is_named(small: SmallLedger) -> None:
    """While a hold stands no key is destroyed, whether it was placed before the order or after."""
    holds = Holds(small.database, LocalMasterKey.load(small.folder / "master.key"))
    holds.place("acme", "CASE-17", "mia", ORDER)
    with pytest.raises(Held, match="CASE-17"):
        deletions(small).close("acme", ORDER)
    assert deletions(small).find("acme") is None
    holds.release("acme", "CASE-17", ORDER)
    deletions(small).close("acme", ORDER)
    holds.place("acme", "CASE-18", "mia", ORDER)
    with pytest.raises(Held, match="CASE-18"):
        await proceeding(small).go_on("acme")
    assert small.keys.pseudonym("acme", "mia") is not None
    holds.release("acme", "CASE-18", ORDER)
    assert (await proceeding(small).go_on("acme")).finished


async def test_without_an_export_it_stops_before_anything_is_lost(small: SmallLedger) -> None:
    """What the check says is said; keys, rows and contents are there, and an export later lets it go on."""

    def refuse(tenant: object, ends: object) -> None:
        raise Rejected("export", "4 events are in no export")

    deletions(small).close("acme", ORDER)
    with pytest.raises(Rejected, match="4 events"):
        await proceeding(small, check_export=refuse).go_on("acme")
    assert deletions(small).get("acme").phase == "closing"
    assert rows_of(small, "acme") == 16
    deletions(small).go_without_export("acme")
    assert (await proceeding(small, check_export=refuse).go_on("acme")).finished


async def test_nothing_is_taken_behind_the_last_event(small: SmallLedger) -> None:
    """What a gateway of old slips in before the end gets a last event behind it; what comes later is told, not kept."""
    deletions(small).close("acme", ORDER)
    late = request("mia", "late")

    class Slipping(InProcess):
        async def publish(self, tenant: str, events: object) -> None:
            await super().publish(tenant, events)  # type: ignore[arg-type]
            if len(self.published) == 3:
                await self.small.publish("acme", late)

    rounds = Slipping(small)
    done = await proceeding(small, rounds).go_on("acme")
    assert done.finished
    assert len([each for each in rounds.published if each.operation.target == "tenant-deletion"]) == 4
    assert sum(log.size for log in open_final_statement(done.statement, small.trust()).logs) == 4 + 1 + 4
    await small.publish("acme", request("mia", "far too late"))
    tenant = small.tenants.get("acme")
    assert tenant is not None
    outcomes = [each for partition in range(2) for each in await small.seal(partition)]
    assert sum(each.quarantined for each in outcomes) == 1
    assert report(small).passed
    for partition in range(2):
        sealed = read_sealed(small.store, partition, small.trust())
        for leaf in sealed.leaves.get(small.tenants.partition_logs(partition).system_log.log_id, []):
            assert leaf.values["finding"]["rule"] == "quarantine.tenant-deleted"


async def test_nothing_happens_before_every_process_knows(small: SmallLedger) -> None:
    """Neither step is taken by whoever does not wait: a gateway or a reader may not have heard yet."""
    work = deletions(small, Waits(30.0, 30.0))
    found = work.close("acme", ORDER)
    assert 59 < work.may_end_in_s(found) <= 60
    with pytest.raises(Unavailable, match="gateways"):
        work.end("acme")
    deletions(small).end("acme")
    with pytest.raises(Unavailable, match="sealer"):
        work.destroy("acme")


async def test_a_name_is_given_once(small: SmallLedger) -> None:
    """A deleted tenant's name makes no other tenant, and it can't be deleted again; nor can the ledger's own."""
    await delete(small, "acme")
    with pytest.raises(Exception, match="a name is given once"):
        small.tenants.add("acme")
    with pytest.raises(Rejected, match="deleted"):
        deletions(small).close("acme", ORDER)
    for reserved in ("_org", "_system"):
        with pytest.raises(Rejected, match="own"):
            deletions(small).close(reserved, ORDER)


async def test_an_empty_tenant_can_be_deleted(small: SmallLedger) -> None:
    """Nothing was ever published to it: its log has one event, the last."""
    small.tenants.add("empty")
    statement = open_final_statement(await delete(small, "empty"), small.trust())
    assert [log.size for log in statement.logs] == [1]
    assert report(small).passed


async def test_others_go_on(small: SmallLedger) -> None:
    """Sealers opened anew, with their index lost, know the other tenants' events, and take new ones."""
    again = request("mia", "again")
    await small.publish("globex", again)
    await delete(small, "acme")
    for path in (small.folder / "derived").glob("ids-*/*"):
        path.unlink()
    await small.publish("globex", again)
    await small.publish("globex", request("mia", "new"))
    outcomes = [each for partition in range(2) for each in await small.seal(partition)]
    assert sum(each.events for each in outcomes) == 2, "the new one, and what _org is told"
    assert sum(each.repeats + each.undetermined + each.conflicts for each in outcomes) == 1
    assert report(small).passed


def test_events_are_of_the_kind_that_only_the_ledger_writes() -> None:
    """The last event is an Operation that no producer can publish."""
    from ledger.gateway.reserved import check_writer
    from ledger.record.translate import translate

    event = pb.Event(event_id=request().event_id, phase=pb.PHASE_SINGLE)
    event.operation.action = pb.OPERATION_ACTION_CONFIGURATION
    event.operation.target = "tenant-deletion"
    with pytest.raises(Rejected):
        check_writer(translate(event), False)
