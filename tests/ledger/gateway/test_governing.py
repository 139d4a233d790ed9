"""The policy in force at a running gateway: `ledger.gateway.governing`, end to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from ledger.errors import Misconfigured
from ledger.home import Home
from tests.ledger.gateway.conftest import Start
from tests.ledger.gateway.events import request
from tests.ledger.gateway.running import TENANT, Running, StoredEvent
from tests.policies import FULL, put_in_force

METADATA = FULL.replace('version = "1"', 'version = "2"').replace('mode = "full"', 'mode = "metadata"')

REFUSED = "audit_ledger_gateway_policy_file_refused"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at the file often."""
    monkeypatch.setattr("ledger.gateway.governing.LOOK_EVERY_S", 0.01)
    monkeypatch.setattr("ledger.gateway.governing.RETRY_S", 0.01)


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
    assert (change["artifact_kind"], change["artifact_id"]) == ("policy", "capture-policy:everything")
    assert (change["from_revision"], change["to_revision"], change["action"]) == ("1", "2", "deploy")
    assert change["artifact_sha256"] == sha256(METADATA.encode()).digest()
    tenants = [(each.payload["tenant"], each.payload["capture_policy_version"]) for each in stored]
    assert tenants.index(("_org", "everything/1")) < tenants.index((TENANT, "everything/2"))


async def test_a_file_that_is_no_policy_changes_nothing(home: Home, start: Start) -> None:
    """A mistake, or another text under a version that was in force, leaves the policy at hand and shows in metrics."""
    async with governed(start) as gateway:
        for wrong in ("mode = ", FULL.replace("standard = 24", "standard = 1")):
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
    assert [(each["to_revision"], each["action"]) for each in changes(stored)] == [("2", "deploy"), ("1", "roll_back")]


async def test_the_first_policy_is_recorded_once(home: Home, start: Start) -> None:
    """A new ledger's policy has its Change, and starting gateways again adds none."""
    config = home.config(environment={})
    with home.keys(config) as keys, keys.database.write() as rows:
        rows.execute("UPDATE policies SET is_recorded = 0")
    for _ in range(2):
        async with governed(start) as gateway, asyncio.timeout(30):
            await until_recorded(gateway)
    async with start() as gateway:
        assert len(changes(await gateway.stored())) == 1


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
