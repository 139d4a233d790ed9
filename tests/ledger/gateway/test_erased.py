"""Events that name a person who is being erased: taken without her, by a gateway that runs all the while."""

from __future__ import annotations

import time

from ledger.home import Home
from ledger.keys.destruction import Request
from ledger.keys.erasure import Destructions
from ledger.keys.suppression import sweep
from ledger.v1 import ingest_pb2
from tests.ledger.gateway.conftest import Start
from tests.ledger.gateway.events import request
from tests.ledger.gateway.running import TENANT

ACCEPTED, REPEAT = ingest_pb2.EVENT_STATUS_ACCEPTED, ingest_pb2.EVENT_STATUS_REPEAT


def erase(home: Home, *persons: str) -> None:
    """Their keys, gone; they themselves on the list for an hour."""
    config = home.config(environment={})
    with home.keys(config) as keys:
        work = Destructions(keys.database, keys.master, lease_s=0.0)
        which = work.mark_persons(TENANT, persons, Request("olga", (), "", "")).destruction_id
        work.rewrap(which)
        work.destroy(which, 3_600)


async def test_a_late_event_of_an_erased_person_is_taken_without_her(start: Start, home: Home) -> None:
    """It is acknowledged; no pseudonym, no content of hers; others in it keep theirs; sent again it is a repeat."""
    async with start() as gateway:
        await gateway.publish(request(user="mia"), request(user="jon"))
    erase(home, "mia")
    late, other = request(user="mia"), request(user="jon")
    other.subjects.add(identifier="mia")
    other.subjects.add(identifier="eve")
    async with start() as gateway:
        response = await gateway.publish(late, other, request(user="jon"))
        assert [result.status for result in response.results] == [ACCEPTED] * 3
        again = await gateway.publish(late)
        assert [result.status for result in again.results] == [REPEAT]
        before, _, alone, mixed, whole = await gateway.stored()
    assert before.payload["actor_user"] is not None
    assert alone.payload["actor_user"] is None
    assert {each["state"] for each in alone.payload["contents"]} == {"absent"}
    assert all(each["commitment"] is None and not each["scope_ids"] for each in alone.payload["contents"])
    assert mixed.payload["actor_user"] is not None
    assert len(mixed.payload["subjects"]) == 1
    kept = {each["slot"] for each in mixed.payload["contents"] if each["ciphertext_sha256"] is not None}
    assert kept == {"actor.user", "subjects.0"}
    assert {each["state"] for each in whole.payload["contents"]} == {"full"}


async def test_when_her_time_is_over_she_is_somebody_new(start: Start, home: Home) -> None:
    """After the sweep an event of hers is an event of a person like any other, under another pseudonym."""
    async with start() as gateway:
        await gateway.publish(request(user="mia"))
    erase(home, "mia")
    config = home.config(environment={})
    with home.keys(config) as keys:
        # She, and the session that stood for her.
        assert sweep(keys.database, time.time_ns() // 1_000_000 + 3_600_000) in (1, 2)
    async with start() as gateway:
        await gateway.publish(request(user="mia"))
        first, second = await gateway.stored()
    assert second.payload["actor_user"] not in (None, first.payload["actor_user"])
    assert {each["state"] for each in second.payload["contents"]} == {"full"}
