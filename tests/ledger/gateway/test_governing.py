"""The policy in force at a running gateway: `ledger.gateway.governing`, end to end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from ledger.client.ids import derived_event_id
from ledger.errors import Misconfigured, Unavailable
from ledger.gateway.answer import REJECTED, REPEAT, RETRY
from ledger.home import Home
from ledger.log.interface import EventLog, Record
from ledger.record.submission import event_time_ms
from tests.ledger.gateway.conftest import Start
from tests.ledger.gateway.events import request
from tests.ledger.gateway.running import LEDGER, TENANT, Running, StoredEvent, running
from tests.policies import FULL, put_in_force

METADATA = FULL.replace('version = "1"', 'version = "2"').replace('mode = "full"', 'mode = "metadata"')

REFUSED = "audit_ledger_gateway_policy_file_refused"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at the file often."""
    monkeypatch.setattr("ledger.gateway.governing.LOOK_EVERY_S", 0.01)


@asynccontextmanager
async def governed(start: Start) -> AsyncIterator[Running]:
    """A gateway that keeps up with its policy's file."""
    stop = asyncio.Event()
    async with start() as gateway, asyncio.TaskGroup() as group:
        group.create_task(gateway.gateway.run(stop))
        yield gateway
        stop.set()


def policy_file(home: Home) -> Path:
    """The policy of a home."""
    return home.config(environment={}).ledger.capture_policy


def changes(stored: list[StoredEvent]) -> list[dict[str, object]]:
    """The Changes of policies in the log."""
    return [each.payload["change"] for each in stored if each.payload["tenant"] == "_org"]


async def until_governed(gateway: Running, identity: str) -> dict[str, object]:
    """The payload of an event that this policy governed; new events are sent until there is one."""
    async with asyncio.timeout(30):
        while True:
            await gateway.publish(request())
            newest = [each for each in await gateway.stored() if each.payload["tenant"] == TENANT][-1].payload
            if newest["capture_policy_version"] == identity:
                return newest


async def until_recorded(gateway: Running) -> None:
    """Returns when a Change of a policy stands in the log."""
    while not changes(await gateway.stored()):  # noqa: ASYNC110 - the log has no event to wait for
        await asyncio.sleep(0.01)


async def until_refused(gateway: Running, refused: int) -> None:
    """Returns when the metrics say that the file was refused (1), or taken (0)."""
    async with asyncio.timeout(30):
        # The file is looked at now and then; nothing tells of it but the metrics.
        while gateway.gateway.metrics.registry.get_sample_value(REFUSED) != refused:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_new_policy_is_recorded_then_governs(home: Home, start: Start) -> None:
    """A changed file is taken while the gateway runs: its Change stands in `_org` before the first event under it."""
    async with governed(start) as gateway:
        await gateway.publish(request())
        policy_file(home).write_text(METADATA)
        payload = await until_governed(gateway, "everything/2")
        stored = await gateway.stored()
    assert payload["capture_mode"] == "metadata"
    assert {each["state"] for each in payload["contents"]} == {"metadata"}
    (change,) = changes(stored)
    assert (change["artifact_kind"], change["artifact_id"]) == ("policy", "capture-policy")
    assert (change["from_revision"], change["to_revision"]) == ("everything/1", "everything/2")
    assert change["action"] == "deploy"
    assert change["artifact_sha256"] == sha256(METADATA.encode()).digest()
    tenants = [(each.payload["tenant"], each.payload["capture_policy_version"]) for each in stored]
    assert tenants.index(("_org", "everything/1")) < tenants.index((TENANT, "everything/2"))


async def test_a_file_that_is_no_policy_changes_nothing(home: Home, start: Start) -> None:
    """A mistake, or another text under a version that was in force, leaves the policy at hand and shows in metrics."""
    async with governed(start) as gateway:
        for wrong in ("mode = ", FULL.replace("standard = 24", "standard = 1"), "x = " + "1" * 5_000):
            policy_file(home).write_text(wrong)
            await until_refused(gateway, 1)
            await until_governed(gateway, "everything/1")
            policy_file(home).write_text(FULL)
            await until_refused(gateway, 0)
        assert changes(await gateway.stored()) == []


async def test_going_back_is_recorded_as_a_roll_back(home: Home, start: Start) -> None:
    """An earlier version that governs again is a Change of its own."""
    async with governed(start) as gateway:
        policy_file(home).write_text(METADATA)
        await until_governed(gateway, "everything/2")
        policy_file(home).write_text(FULL)
        await until_governed(gateway, "everything/1")
        stored = await gateway.stored()
    assert [(each["to_revision"], each["action"]) for each in changes(stored)] == [
        ("everything/2", "deploy"),
        ("everything/1", "roll_back"),
    ]


async def test_the_first_policy_is_recorded_once(home: Home, start: Start) -> None:
    """A new ledger's policy has a Change under one id, so it is sealed once; starting gateways again adds none."""
    config = home.config(environment={})
    with home.keys(config) as keys, keys.database.write() as rows:
        rows.execute("UPDATE policies SET is_recorded = 0")
    for _ in range(2):
        async with governed(start) as gateway, asyncio.timeout(30):
            await until_recorded(gateway)
    async with start() as gateway:
        stored = await gateway.stored()
    assert len({each.payload["event_id"] for each in stored if each.payload["kind"] == "change"}) == 1


async def test_without_a_policy_no_gateway_starts(home: Home, start: Start) -> None:
    """A gateway does not decide by itself what may be kept."""
    policy_file(home).unlink()
    with pytest.raises(Misconfigured, match="cannot read the capture policy"):
        async with start():
            raise AssertionError("it started")


async def test_findings_stand_beside_the_event(home: Home, start: Start) -> None:
    """What the policy finds wrong is appended in the same call, and the answer is about the event alone."""
    with home.keys(home.config(environment={})) as keys:
        put_in_force(home, keys, FULL.replace('"1"', '"3"').replace('mode = "full"', 'mode = "full"\nvendors = []'))
    event = request()
    event.request.vendor = "openai"
    async with start() as gateway:
        response = await gateway.publish(event)
        again = await gateway.publish(event)
        stored = await gateway.stored()
    assert len(response.results) == len(again.results) == 1
    assert [each.payload["kind"] for each in stored] == ["request", "finding"]
    finding = stored[1].payload
    assert finding["finding"]["rule"] == "policy.vendor"
    assert finding["finding"]["evidence_event_ids"] == [event.event_id]


class OneShardDown:
    """An event log whose partition 1 takes nothing while `down`."""

    def __init__(self, real: EventLog) -> None:
        self._real = real
        self.down = True

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    async def append(self, partition: int, records: Sequence[Record], deadline_s: float) -> int:
        """Appends, or not."""
        if self.down and partition == 1:
            raise Unavailable("partition 1 is down")
        return await self._real.append(partition, records, deadline_s)


async def test_an_event_is_acknowledged_only_with_its_findings(tmp_path: Path) -> None:
    """Where the finding's log takes nothing the event is to be sent again, and then brings its finding with it."""
    home = Home.create(tmp_path / "home", name=LEDGER, partitions=2)
    config = home.config(environment={})
    with home.keys(config) as keys:
        tenant = keys.tenants.add(TENANT, shards=2)
        home.write_trust(config, keys)
        put_in_force(home, keys, FULL.replace('mode = "full"', 'mode = "full"\nvendors = []'))
    logs: list[OneShardDown] = []

    def broken(real: EventLog) -> EventLog:
        logs.append(OneShardDown(real))
        return logs[0]  # type: ignore[return-value]

    async with running(home, log=broken) as gateway:
        while True:
            event = request()
            event.request.vendor = "openai"
            about = derived_event_id(event_time_ms(event.event_id), "policy.vendor", event.event_id)
            if (tenant.log_of(event.event_id).partition, tenant.log_of(about).partition) == (0, 1):
                break
        assert [each.status for each in (await gateway.publish(event)).results] == [RETRY]
        logs[0].down = False
        assert [each.status for each in (await gateway.publish(event)).results] == [REPEAT]
        kinds = [each.payload["kind"] for each in await gateway.stored()]
    assert sorted(kinds) == ["finding", "request"]


async def test_an_event_that_is_refused_has_no_finding(home: Home, start: Start) -> None:
    """What is too large for the event log leaves nothing behind that speaks of it."""
    with home.keys(home.config(environment={})) as keys:
        put_in_force(home, keys, FULL.replace('"1"', '"3"').replace('mode = "full"', 'mode = "full"\nvendors = []'))
    event = request()
    event.request.vendor = "openai"
    for attribute in ("input", "output", "reasoning", "variables", "tool_definitions"):
        getattr(event.request, attribute).data = os.urandom(250_000)
    async with start() as gateway:
        assert [each.status for each in (await gateway.publish(event)).results] == [REJECTED]
        assert await gateway.stored() == []


async def test_a_named_pipe_is_no_policy(home: Home, start: Start) -> None:
    """A file that would keep its reader waiting is refused, and the gateway goes on and ends as ever."""
    async with governed(start) as gateway:
        policy_file(home).unlink()
        os.mkfifo(policy_file(home))
        await until_refused(gateway, 1)
        policy_file(home).unlink()
        policy_file(home).write_text(METADATA)
        await until_governed(gateway, "everything/2")


async def test_a_policy_larger_than_producers_contents_is_recorded(home: Home, start: Start) -> None:
    """The limit for producers' contents is none for the ledger's own Change."""
    async with start(content_bytes_max=100) as gateway:
        stop = asyncio.Event()
        running_ = asyncio.create_task(gateway.gateway.run(stop))
        policy_file(home).write_text(METADATA)
        async with asyncio.timeout(30):
            await until_recorded(gateway)
        (stored,) = [each.payload for each in await gateway.stored() if each.payload["tenant"] == "_org"]
        stop.set()
        await running_
    (text,) = stored["contents"]
    assert (text["state"], text["size"]) == ("full", len(METADATA))
