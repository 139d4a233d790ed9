"""Gateways of two homes, as on two machines: one key store on PostgreSQL, one event log on Kafka, one ledger."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from uuid import UUID, uuid4

import pytest

from ledger.v1 import event_pb2, ingest_pb2
from tests.kafka.broker import kafka
from tests.ledger.cli.events import event, line
from tests.ledger.cli.running import TENANT, Cli, Up
from tests.ledger.cli.test_gateways import publish, serving
from tests.postgresql.server import Server

__all__ = ["kafka"]

pytestmark = pytest.mark.kafka

PERSONS = 60
ACCEPTED = ingest_pb2.EVENT_STATUS_ACCEPTED


@dataclass(frozen=True, slots=True)
class Machines:
    """Two homes of one ledger. The first seals and answers; both have a gateway, by the names gw-1 and gw-2."""

    first: Cli
    second: Cli


@pytest.fixture
def machines(tmp_path: Path, kafka: str, postgresql: Server) -> Iterator[Machines]:
    """A new ledger over a new topic and a new schema; the second machine's home is a copy without sealed files."""
    name = postgresql.make_database()
    first = Cli(tmp_path / "first")
    first.good(
        *("init", "--name", "audit.test", "--partitions", "2", "--key-store", postgresql.url(name)),
        *("--event-log", f"kafka://{kafka}/gateways-{uuid4().hex}?replication=1&min_isr=1"),
    )
    assert not list(first.home.rglob("*.sqlite"))
    first.good("tenant", "add", TENANT)
    first.good("keys", "add-gateway", "gw-2")
    second = Cli(tmp_path / "second", {"AUDIT_LEDGER_GATEWAY_GATEWAY_ID": "gw-2"})
    shutil.copytree(first.home, second.home, ignore=shutil.ignore_patterns("segments", "derived"))
    yield Machines(first, second)
    postgresql.administer(f"DROP DATABASE {name} WITH (FORCE)")


def meet(gateways: list[Up], users: list[str]) -> Counter[str]:
    """Each of the gateways is sent an event of each user, all of them at the same moment; how often each was taken."""
    together = Barrier(len(gateways))

    def send(number: int, gateway: Up) -> list[str]:
        taken = []
        for user in users:
            mine: event_pb2.Event = event(user, f"said at gateway {number}")
            together.wait(60)
            (result,) = publish(gateway.gateway, mine).results
            assert result.status == ACCEPTED
            taken.append(user)
        return taken

    with ThreadPoolExecutor(len(gateways)) as threads:
        return Counter(user for taken in threads.map(send, range(len(gateways)), gateways) for user in taken)


def by_pseudonym(cli: Cli) -> list[int]:
    """How many sealed requests each pseudonym has."""
    rows = cli.good(
        "sql", "SELECT actor_user_hex, count(*) AS n FROM requests GROUP BY 1", "--tenant", TENANT, "--json"
    ).json
    return [row["n"] for row in rows if row["actor_user_hex"] is not None]


def test_gateways_on_two_machines_are_one_ledger(machines: Machines) -> None:
    """Both meet the same new persons at once: one pseudonym each, whatever gateway took the event; all of it sealed,
    proven, and told as one story. One is killed and comes back; who is erased by the one is unknown to the other."""
    first, second = machines.first, machines.second
    users = [f"person {number}" for number in range(PERSONS)]
    with ExitStack() as stack:
        gateways = [stack.enter_context(serving(each)) for each in (first, second)]
        assert meet(gateways, users) == Counter(dict.fromkeys(users, 2))

        drained = first.good("seal", "--drain", "--json").json
        assert drained["quarantined"] == 0, "receipts of both gateways verify"
        assert by_pseudonym(first) == [2] * PERSONS
        assert first.good("verify", "--full").code == 0
        told = first.good("reconstruct", "--user", users[0], "--tenant", TENANT, "--json").out
        for number in (0, 1):
            assert f"said at gateway {number}" in told, "contents of both gateways open under one key"

        # The second is killed, the first goes on alone, and the second comes back to persons it never met.
        os.kill(gateways[1].process.pid, signal.SIGKILL)
        newer = [f"newer {number}" for number in range(5)]
        meet(gateways[:1], newer)
        gateways[1] = stack.enter_context(serving(second))
        meet(gateways[1:], newer)
        first.good("keys", "rotate", "tenant", TENANT)
        meet(gateways, ["after the rotation"])

        order = ("--tenant", TENANT, "--to", gateways[0].gateway, "--requester", "olga")
        first.good("hold", "add", "CASE-1", "--subject", users[1], *order)
        assert "CASE-1" in second.run("erase", "--subject", users[0], *order).err, "a hold counts on every machine"
        second.good("hold", "release", "CASE-1", *order)
        erased = first.good("erase", "--subject", users[0], *order)
        assert "stands in PostgreSQL's log" in erased.err, "what the erasure could not reach is said"
        late = event(users[0], "too late")
        assert [each.status for each in publish(gateways[1].gateway, late).results] == [ACCEPTED]
        first.good("seal", "--drain")
        assert sorted(by_pseudonym(first)) == [2] * (PERSONS + len(newer) + 1), "the late event has no person"
        shown = first.good("reconstruct", "--event", str(UUID(bytes=late.event_id)), "--tenant", TENANT, "--json").out
        assert "too late" not in shown
        assert "said at" not in first.run("reconstruct", "--user", users[0], "--tenant", TENANT, "--json").out
        assert first.good("verify", "--full").code == 0
        for gateway in (gateways[0], gateways[1]):
            assert gateway.stop() == 0


def test_every_command_works_on_a_store_on_a_server(tmp_path: Path, postgresql: Server) -> None:
    """From `init` to `restore` of a dump, with the embedded log: the same commands, the same answers."""
    cli = Cli(tmp_path / "home")
    name = postgresql.make_database()
    assert cli.good("init", "--name", "audit.test", "--key-store", postgresql.url(name)).code == 0
    refused = Cli(tmp_path / "other").run("init", "--name", "other.test", "--key-store", postgresql.url(name))
    assert (refused.code, "never overwritten" in refused.err) == (2, True)
    assert not (tmp_path / "other").exists()
    cli.good("tenant", "add", TENANT)
    backup = postgresql.dump(name)
    with cli.up("--without-query") as up:
        sent = "".join(line(event(user, f"said of {len(user)}")) for user in ("mia", "jon"))
        cli.good("publish", "-", "--tenant", TENANT, "--to", up.gateway, "--wait", stdin=sent)
        assert "said of 3" in cli.good("reconstruct", "--user", "mia", "--tenant", TENANT, "--to", up.gateway).out
        assert cli.good("expire", "--dry-run").code == 0
    assert cli.good("keys", "list", "--json").json
    cli.good("keys", "rotate", "master")
    cli.good("keys", "rotate", "signing", "ledger")
    assert cli.good("status", "--json").json["tenants"]
    assert cli.good("verify", "--full").code == 0
    assert cli.good("fsck").code == 0
    # Yesterday's dump: nothing but `restore` opens it, and that says what it lacks.
    postgresql.administer("DROP SCHEMA keys CASCADE", name)
    away = cli.run("tenant", "list")
    assert (away.code, "found none" in away.err) == (2, True)
    postgresql.put_back(name, backup)
    behind = cli.run("tenant", "list")
    assert (behind.code, "audit-ledger restore" in behind.err) == (2, True)
    restored = cli.run("restore", "--json")
    assert restored.code == 1
    (acme,) = [each for each in restored.json if each["tenant"] == TENANT]
    assert len(acme["unexplained_pseudonyms"]) == 2
    assert cli.good("tenant", "list").code == 0
    postgresql.administer(f"DROP DATABASE {name} WITH (FORCE)")
    gone = cli.run("tenant", "list")
    assert (gone.code, "does not exist" in gone.err) == (2, True)
