"""What a gateway records of the ledger itself: `ledger.gateway.own_records`, end to end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import Rejected, Unavailable
from ledger.gateway.own_records import OwnFiles, OwnRecords
from ledger.home import Home
from ledger.operations import Operations, Outcome
from ledger.tenants import ORG
from ledger.v1 import event_pb2 as pb
from tests.ledger.gateway.conftest import Start

ROLES = """
format = 1
version = "{}"
[issuers.company]
issuer = "https://login.example.org"
audience = "audit-ledger"
keys = "jwks.json"
algorithms = ["ES256"]
[[grants]]
role = "auditor"
issuer = "company"
subject = "anna"
tenants = ["acme"]
"""


async def test_what_commands_entered_is_published_once(
    home: Home, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the tenant it was about, as the ledger itself; nothing is left to record then."""
    monkeypatch.setattr("ledger.gateway.own_records.LOOK_EVERY_S", 0.01)
    stop = asyncio.Event()
    async with start() as gateway, asyncio.TaskGroup() as group:
        group.create_task(gateway.gateway.run(stop))
        with home.keys(home.config(environment={})) as keys:
            operations = Operations(keys.database)
            operations.note(ORG, "rotation", "master key", "olga", Outcome("master key b, before a", 7))
            async with asyncio.timeout(30):
                # The key store has no event to wait for.
                while await asyncio.to_thread(operations.waiting):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        stored = [each.payload for each in await gateway.stored() if each.payload["kind"] == "operation"]
        (event,) = stored
        assert (event["tenant"], event["credential_id"], event["authentication_method"]) == (ORG, "olga", "local")
        assert event["operation"]["action"] == "rotation"
        assert (event["operation"]["target"], event["operation"]["count"]) == ("master key b, before a", 7)
        stop.set()


async def test_files_are_recorded_when_they_change(home: Home, tmp_path: Path) -> None:
    """The first roles, and every change of configuration and roles; a file that is wrong is none."""
    config, roles = tmp_path / "config.toml", tmp_path / "roles.toml"
    config.write_text("a = 1")
    roles.write_text(ROLES.format(1))
    told: list[pb.Operation] = []

    async def publish(tenant: str, event: pb.Event) -> None:
        assert tenant == ORG
        told.append(event.operation)

    with home.keys(home.config(environment={})) as keys:

        async def look() -> list[Any]:
            told.clear()
            records = OwnRecords(Operations(keys.database), OwnFiles("g1", config, roles))
            await asyncio.to_thread(records._look)
            await records.publish_all(publish)
            return [each.action for each in told]

        configured, granted = pb.OPERATION_ACTION_CONFIGURATION, pb.OPERATION_ACTION_ROLE_GRANT
        assert await look() == [granted]
        assert await look() == []
        config.write_text("a = 2")
        assert await look() == [configured]
        roles.write_text(ROLES.format(2).replace("auditor", "emperor"))
        assert await look() == []
        roles.write_text(ROLES.format(2))
        assert await look() == [granted]
        assert (told[0].target.startswith("roles version 2, sha256:"), told[0].count) == (True, 1)


async def test_what_the_log_does_not_take_waits(home: Home) -> None:
    """Away, the event log keeps nobody from anything: the operation stays entered, and is published later."""

    async def away(tenant: str, event: pb.Event) -> None:
        raise Unavailable("away")

    with home.keys(home.config(environment={})) as keys:
        operations = Operations(keys.database)
        operations.note("acme", "rotation", "tenant key", "olga", Outcome("tenant key, generation 2", 3))
        records = OwnRecords(operations, OwnFiles("g1", None, None))
        with pytest.raises(Unavailable):
            await records.publish_all(away)
        assert operations.waiting() == 1


async def test_a_tenant_that_is_gone_keeps_nothing_waiting(home: Home) -> None:
    """What was done to a tenant that was deleted since is recorded in `_org`, and what stands behind it as ever."""
    told: list[str] = []

    async def publish(tenant: str, event: pb.Event) -> None:
        if tenant == "acme":
            raise Rejected("tenant", "acme is closed")
        told.append(event.operation.target)

    with home.keys(home.config(environment={})) as keys:
        operations = Operations(keys.database)
        operations.note("acme", "rotation", "tenant key", "olga", Outcome("tenant key, generation 2", 3))
        operations.note(ORG, "configuration", "tenants", "olga", Outcome("tenant beta added", 1))
        await OwnRecords(operations, OwnFiles("g1", None, None)).publish_all(publish)
        assert sorted(told) == ["tenant beta added", "tenant key, generation 2"]
        assert operations.waiting() == 0
