"""Tenants and logs: made once, placed once, found again."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Misconfigured
from ledger.keys.database import KeyDatabase
from ledger.tenants import LEDGER_NAME_CHARACTERS_MAX, ORG, SHARDS_MAX, SYSTEM, TenantRegistry, shard_of
from tests.ledger.keys.places import Place

NAME = "audit.example.org"
NOW = datetime(2026, 11, 21, 12, 0, 0, 250, tzinfo=UTC)


@pytest.fixture
def database(place: Place) -> KeyDatabase:
    return place.create()


@pytest.fixture
def registry(database: KeyDatabase) -> TenantRegistry:
    made = TenantRegistry(database, NAME, clock=lambda: NOW)
    made.initialise(partitions=4)
    return made


def test_a_tenant_is_found_as_it_was_made(registry: TenantRegistry, database: KeyDatabase) -> None:
    """A made tenant is the same in this and every other process, by name and by log id."""
    made = registry.add("acme", shards=3)
    assert (made.name, made.created_at, [log.shard for log in made.logs]) == ("acme", NOW, [0, 1, 2])
    other = TenantRegistry(database, NAME)
    for each in (registry, other, other):
        assert each.get("acme") == made
        assert [each.log_by_id(log.log_id) for log in made.logs] == list(made.logs)
    assert registry.all() == tuple(filter(None, (registry.get(name) for name in (ORG, SYSTEM, "acme"))))


def test_a_log_says_where_it_stands(registry: TenantRegistry) -> None:
    """A log has a random 256-bit id of its own, and the origin made of it and the ledger's name."""
    logs = [log for number in range(20) for log in registry.add(f"t{number}").logs]
    assert len({log.log_id for log in logs}) == 20
    for log in logs:
        assert len(log.log_id) == 32
        assert log.origin == f"audit.example.org/log/{log.log_id.hex()}"


def test_logs_go_to_the_least_loaded_partition(registry: TenantRegistry) -> None:
    """Each log takes the partition with the fewest, the lowest of several; `_org` took partition 0."""
    assert [log.partition for log in registry.add("a", shards=3).logs] == [1, 2, 3]
    assert [registry.add(name).logs[0].partition for name in ("b", "c", "d", "e", "f")] == [0, 1, 2, 3, 0]
    load = Counter(log.partition for tenant in registry.all() for log in tenant.logs)
    assert max(load.values()) - min(load.values()) <= 1


def test_the_reserved_tenants_are_there(registry: TenantRegistry) -> None:
    """`_org` has one log; `_system` one in every partition, its shard being the partition."""
    org, system = registry.get(ORG), registry.get(SYSTEM)
    assert org is not None
    assert system is not None
    assert len(org.logs) == 1
    assert [(log.shard, log.partition) for log in system.logs] == [(0, 0), (1, 1), (2, 2), (3, 3)]


def test_a_partition_has_its_own_logs(registry: TenantRegistry) -> None:
    """A partition's rounds have an origin of their own and its system log is `_system`'s there."""
    logs = registry.partition_logs(2)
    assert logs.rounds_origin == "audit.example.org/rounds/2"
    assert (logs.system_log.tenant, logs.system_log.partition) == (SYSTEM, 2)
    for absent in (-1, 4):
        with pytest.raises(Misconfigured, match="has 4 partitions"):
            registry.partition_logs(absent)


def test_initialising_again_changes_nothing(registry: TenantRegistry) -> None:
    """A repeated `initialise` is harmless."""
    registry.add("acme")
    before = registry.all()
    registry.initialise(partitions=4)
    assert registry.all() == before


def test_partitions_only_grow(registry: TenantRegistry) -> None:
    """More partitions get their system logs and leave every log where it was; fewer are refused."""
    acme = registry.add("acme", shards=3)  # with `_org`, every partition has two
    org = registry.get(ORG)
    before = registry.get(SYSTEM)
    registry.initialise(partitions=6)
    grown = registry.get(SYSTEM)
    assert before is not None
    assert grown is not None
    assert (registry.partitions(), grown.logs[:4], len(grown.logs)) == (6, before.logs, 6)
    assert (registry.get("acme"), registry.get(ORG)) == (acme, org)
    assert registry.add("next").logs[0].partition == 4
    with pytest.raises(Misconfigured, match="only grow"):
        registry.initialise(partitions=5)


@pytest.mark.parametrize("partitions", [0, -1, 4_097])
def test_a_ledger_has_some_partitions(database: KeyDatabase, partitions: int) -> None:
    """A number of partitions outside the limits is refused and nothing is made."""
    registry = TenantRegistry(database, NAME)
    with pytest.raises(Misconfigured, match="partitions"):
        registry.initialise(partitions)
    assert registry.all() == ()


def test_a_tenant_is_made_once(registry: TenantRegistry) -> None:
    """Adding a tenant that exists is refused, also with other shards, and changes nothing."""
    made = registry.add("acme")
    with pytest.raises(Misconfigured, match="tenant acme: exists already"):
        registry.add("acme", shards=2)
    assert registry.all()[-1] == made


@pytest.mark.parametrize(
    "name",
    ["", "_org", "_system", "_other", ".a", "-a", "Acme", "a b", "a/b", "a\n", "ä", "a" * 64, "a:b", "\u0661"],
)
def test_a_wrong_name_is_refused(registry: TenantRegistry, name: str) -> None:
    """No name outside the pattern, and no reserved one, can be added."""
    before = registry.all()
    with pytest.raises(Misconfigured, match="tenant name"):
        registry.add(name)
    assert registry.all() == before


@pytest.mark.parametrize("name", ["a", "0", "a" * 63, "a.b_c-d", "0-9"])
def test_a_right_name_is_taken(registry: TenantRegistry, name: str) -> None:
    """Names at the edges of the pattern are taken."""
    assert registry.add(name).name == name


@pytest.mark.parametrize("shards", [0, -1, SHARDS_MAX + 1])
def test_shards_have_limits(registry: TenantRegistry, shards: int) -> None:
    """A shard count outside the limits is refused and no tenant is made."""
    with pytest.raises(Misconfigured, match="shards"):
        registry.add("acme", shards)
    assert registry.get("acme") is None


def test_the_unknown_is_none_and_seen_once_made(registry: TenantRegistry, database: KeyDatabase) -> None:
    """An unknown tenant or log is None, and not remembered as absent when another process makes it."""
    other = TenantRegistry(database, NAME)
    assert registry.get("acme") is None
    assert registry.log_by_id(bytes(32)) is None
    made = other.add("acme")
    assert registry.get("acme") == made
    assert registry.log_by_id(made.logs[0].log_id) == made.logs[0]


def test_no_tenant_before_there_are_partitions(database: KeyDatabase) -> None:
    """Adding to a ledger that was not initialised is refused and leaves nothing."""
    registry = TenantRegistry(database, NAME)
    with pytest.raises(Misconfigured, match="initialised first"):
        registry.add("acme")
    assert registry.all() == ()
    assert registry.partitions() == 0


def test_a_ledger_keeps_its_name(registry: TenantRegistry, database: KeyDatabase) -> None:
    """Opening a ledger under another name is refused: every origin would be another."""
    with pytest.raises(Misconfigured, match=r"made as 'audit\.example\.org', got 'other\.example\.org'"):
        TenantRegistry(database, "other.example.org")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "a+b",
        "a\nb",
        "https://audit.example.org",
        "/a",
        "a/",
        "a\u2003b",
        "a" * (LEDGER_NAME_CHARACTERS_MAX + 1),
    ],
)
def test_a_wrong_ledger_name_is_refused(database: KeyDatabase, name: str) -> None:
    """A ledger name that could not stand in a signature line or an origin is refused."""
    with pytest.raises(Misconfigured):
        TenantRegistry(database, name)


def test_shard_vectors() -> None:
    """The shard of an event is pinned."""
    event_ids = [bytes(16), bytes(range(16)), b"\xff" * 16]
    assert [shard_of(each, 7) for each in event_ids] == [2, 3, 2]
    assert [shard_of(each, 256) for each in event_ids] == [213, 190, 9]


@given(st.binary(min_size=16, max_size=16), st.integers(1, 300))
def test_shard_is_its_formula(event_id: bytes, count: int) -> None:
    """Shard = first 8 bytes of SHA-256(event id), big-endian, modulo the count."""
    expected = int(sha256(event_id).hexdigest()[:16], 16) % count
    assert shard_of(event_id, count) == expected


def test_a_shard_count_is_positive() -> None:
    """There is no shard among none."""
    with pytest.raises(ValueError, match="shard count"):
        shard_of(bytes(16), 0)


def test_an_event_has_its_log(registry: TenantRegistry) -> None:
    """A tenant gives each event the log of its shard."""
    tenant = registry.add("acme", shards=4)
    for number in range(50):
        event_id = number.to_bytes(16, "big")
        assert tenant.log_of(event_id).shard == shard_of(event_id, 4)
    single = registry.add("single")
    assert single.log_of(bytes(16)) == single.logs[0]


def test_processes_adding_one_tenant_make_one(registry: TenantRegistry, place: Place) -> None:
    """Of several processes that add one tenant at once one makes it and the others are told that it exists."""
    code = (
        "import sys; from pathlib import Path\n"
        "from ledger.errors import Misconfigured\n"
        "from ledger.keys.opening import open_key_database\n"
        "from ledger.tenants import TenantRegistry\n"
        f"registry = TenantRegistry(open_key_database(sys.argv[1], Path()), '{NAME}')\n"
        "print('ready', flush=True)\n"
        "for line in sys.stdin:\n"
        "    try: print(registry.add(line.strip(), shards=3).logs[0].log_id.hex(), flush=True)\n"
        "    except Misconfigured: print('exists', flush=True)\n"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, place.location()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        for _ in range(3)
    ]
    try:
        streams = [(racer.stdin, racer.stdout) for racer in racers if racer.stdin and racer.stdout]
        assert [out.readline() for _, out in streams] == ["ready\n"] * 3
        for number in range(20):
            for into, _ in streams:
                into.write(f"t{number}\n")
            said = sorted(out.readline().strip() for _, out in streams)
            made = registry.get(f"t{number}")
            assert made is not None
            assert said == sorted([made.logs[0].log_id.hex(), "exists", "exists"])
            assert [log.shard for log in made.logs] == [0, 1, 2]
    finally:
        for racer in racers:
            racer.communicate(timeout=60)
