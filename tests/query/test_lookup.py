"""The look-up index: complete, cheap to rebuild, and unable to change an answer."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import IntegrityError
from query import lookup
from query.lookup_keys import key
from query.reading import Reading, is_under
from tests.query.ledgers import Asked, ago, prompt_change
from tests.small_ledger import event_id, request


@pytest.fixture
def small_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs go to disk from the first pair on."""
    monkeypatch.setattr(lookup, "RUN_PAIRS_LEAST", 1)
    monkeypatch.setattr(lookup, "SPILL_PAIRS", 8)


async def fill(asked: Asked, rounds: int = 6) -> None:
    """Rounds of several tenants with every kind of key in them."""
    chance = random.Random(7)
    users, ids = ["mia", "bob", "zoë"], [event_id()]
    for _ in range(rounds):
        for tenant in ("acme", "beta"):
            events = []
            for _ in range(chance.randint(1, 5)):
                event = request(
                    chance.choice([*users, None]),
                    session_id=f"s{chance.randint(0, 3)}",
                    correlation_id=f"c{chance.randint(0, 3)}",
                )
                event.subjects.add(identifier=chance.choice(users), relation="mentioned")
                event.story.parent_event_id = chance.choice(ids)
                ids.append(event.event_id)
                events.append(event)
            await asked.small.publish(tenant, *events)
        await asked.small.publish("acme", prompt_change("deploy", "1", ago(1)))
        await asked.small.seal()


def everything(reading: Reading) -> list[Any]:
    """All events of the tenant."""
    (log,) = reading.tenant.logs
    return reading.load(log, range(reading.log_view(log).size))


def check_complete(reading: Reading) -> int:
    """Compares the index with a walk over all events, under every key that any of them has; returns how many."""
    events = everything(reading)
    wanted: set[tuple[Any, Any]] = set()
    for event in events:
        values = event.values
        wanted |= {("person", each) for each in event.persons}
        wanted |= {("session", values["session_id"]), ("correlation", values["correlation_id"])}
        wanted |= {("event", event.event_id), ("reference", values["parent_event_id"])}
    wanted |= {("kind", "change"), ("artifact", "prompt\x00greeting"), ("session", "nobody's"), ("event", bytes(16))}
    found = 0
    for kind, value in wanted:
        if value is None:
            continue
        expected = [event.index for event in events if is_under(event, kind, value)]
        assert [event.index for event in reading.find(kind, value)] == expected
        found += len(expected)
    return found


@pytest.mark.usefixtures("small_runs")
async def test_it_finds_what_a_walk_over_everything_finds(asked: Asked) -> None:
    """Under every key the index leads to exactly the events that have it, in each tenant, compacted or not."""
    await fill(asked)
    assert check_complete(asked.reading("acme")) > 50
    assert check_complete(asked.reading("beta")) > 50
    await asked.compact(rows_max=4)
    await fill(asked, rounds=2)
    assert check_complete(asked.reading("acme")) > 80


async def test_the_newest_rounds_need_no_file(asked: Asked) -> None:
    """Few keys stay in memory, and are found there."""
    await fill(asked, rounds=2)
    assert check_complete(asked.reading("acme"))
    assert not list(asked.derived.glob("query/0000/*.run"))


@pytest.mark.usefixtures("small_runs")
async def test_runs_are_merged(asked: Asked) -> None:
    """However often the index catches up, few runs remain."""
    sources = asked.sources()
    for _ in range(12):
        await asked.seal("acme", request())
        sources.index.catch_up(sources.view.refresh())
    assert len(list(asked.derived.glob("query/0000/*.run"))) <= 3
    assert check_complete(Reading(sources, "acme"))


def damages(path: Path) -> list[bytes]:
    """A run's bytes, damaged in several places and ways."""
    data = path.read_bytes()
    places = (0, 40, 100, 150, 200, len(data) // 2, len(data) - 1)
    flipped = [data[:at] + bytes((data[at] ^ 4,)) + data[at + 1 :] for at in places]
    return [*flipped, data[: len(data) // 2], data + b"\0", b""]


@pytest.mark.usefixtures("small_runs")
async def test_damage_to_a_run_changes_no_answer(asked: Asked) -> None:
    """A run that was flipped, cut, emptied or lost is made again, for a fresh process and for one that had it open."""
    await fill(asked, rounds=3)
    sources = asked.sources()
    check_complete(Reading(sources, "acme"))
    (path,) = asked.derived.glob("query/0000/*.run")
    for damaged in damages(path):
        path.write_bytes(damaged)
        assert check_complete(asked.reading("acme"))
        path.write_bytes(damaged)
        assert check_complete(Reading(sources, "acme"))
    path.unlink()
    assert check_complete(Reading(sources, "acme"))


@pytest.mark.usefixtures("small_runs")
async def test_a_run_of_another_history_does_not_fit(asked: Asked, tmp_path: Path) -> None:
    """A whole run of another ledger, or of one that was rolled back, is not used."""
    await fill(asked, rounds=2)
    check_complete(asked.reading("acme"))
    (path,) = asked.derived.glob("query/0000/*.run")
    foreign = path.read_bytes()
    stamp_at = 32 + 24
    from hashlib import sha256

    head = foreign[:stamp_at] + bytes(32) + foreign[stamp_at + 32 : 160]
    path.write_bytes(head + sha256(head).digest() + foreign[192:])
    assert check_complete(asked.reading("acme"))
    assert path.read_bytes() == foreign


async def test_a_folder_that_cannot_be_written_costs_memory_only(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nowhere to keep runs, answers are the same."""
    monkeypatch.setattr(lookup, "RUN_PAIRS_LEAST", 1)
    await fill(asked, rounds=2)
    asked.derived.mkdir(exist_ok=True)
    (asked.derived / "query").write_bytes(b"a file where the folder should be")
    assert check_complete(asked.reading("acme"))


async def test_a_file_with_fewer_rows_than_the_rounds_vouch_for_is_no_basis(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index is never made from less than the rounds say there is."""
    await fill(asked, rounds=1)
    whole = lookup.keys_of
    monkeypatch.setattr(lookup, "keys_of", lambda table, wanted: whole(table.slice(1), wanted))
    with pytest.raises(IntegrityError, match="the files hold"):
        check_complete(asked.reading("acme"))


def test_a_key_depends_on_log_kind_and_value() -> None:
    """The same value in another log, or of another kind, has another key."""
    value = event_id()
    keys = {key(log, kind, value) for log in (bytes(32), b"x" * 32) for kind in ("event", "reference", "person")}
    assert len(keys) == 6
