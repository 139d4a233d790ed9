"""Refusals as events: where they are sealed, what they say, and how many there are at most."""

from __future__ import annotations

import json
from typing import Any

from ledger.errors import Unavailable
from ledger.identity.errors import Denied, Unauthenticated
from ledger.identity.refusals import ALL_MAX, EACH_MAX, RefusalLog
from ledger.tenants import ORG
from ledger.v1 import event_pb2 as pb


class Sealed:
    """Takes events, or is away."""

    def __init__(self) -> None:
        self.events: list[tuple[str, pb.Access]] = []
        self.is_away = False

    async def publish(self, tenant: str, event: pb.Event) -> None:
        """As a gateway would."""
        if self.is_away:
            raise Unavailable("away")
        self.events.append((tenant, event.access))

    def said(self) -> list[Any]:
        """What the events say."""
        return [json.loads(access.query.text)["refused"] for _, access in self.events]


def denied(who: str = "company:mia", tenant: str = "acme", *, owns: bool = True) -> Denied:
    """A refusal of somebody known."""
    return Denied(who, "no role that allows the call", tenant, owns=owns, role="auditor", case_id="INC-7")


async def test_a_refusal_says_who_what_and_why() -> None:
    """In the tenant's log where that is the caller's, else in `_org`; a text that is no tenant's name is not kept."""
    sealed = Sealed()
    log = RefusalLog(sealed.publish, "audit-ledger-query")
    log.refused("Find", denied())
    log.refused("Find", denied(tenant="beta", owns=False))
    log.refused("Find", denied(tenant="mia@example.org", owns=False))
    log.refused("Publish", Unauthenticated(why="an expired token"))
    await log.close()
    assert [tenant for tenant, _ in sealed.events] == ["acme", ORG, ORG, ORG]
    first = sealed.events[0][1]
    assert (first.reader, first.role, first.case_id) == ("company:mia", "auditor", "INC-7")
    assert (first.query_kind, first.result) == (pb.QUERY_KIND_FIND, pb.ACCESS_RESULT_REFUSED)
    assert [each.get("tenant") for each in sealed.said()] == ["acme", "beta", "not a name", None]
    assert sealed.said()[3] == {"call": "Publish", "why": "an expired token"}
    assert sealed.events[3][1].reader == "unauthenticated"


async def test_a_window_lists_so_many_and_counts_the_rest() -> None:
    """Of one caller so many, of all so many, whoever they say they are; every other one is in the sum."""
    sealed = Sealed()
    log = RefusalLog(sealed.publish, "s")
    for number in range(3_000):
        log.refused("Find", denied(f"company:{number % 1_500}"))
    await log.close()
    assert len(sealed.events) == ALL_MAX + 1
    assert sealed.said()[-1] == {"refused_and_not_listed": 3_000 - ALL_MAX, "by_call": {"Find": 3_000 - ALL_MAX}}


async def test_one_caller_does_not_take_the_others_place() -> None:
    """Beyond his share a caller is only counted."""
    sealed = Sealed()
    log = RefusalLog(sealed.publish, "s")
    for _ in range(1_000):
        log.refused("Find", denied())
    log.refused("Prove", denied("company:sam"))
    await log.close()
    assert [access.reader for _, access in sealed.events] == [*["company:mia"] * EACH_MAX, "company:sam", "s"]


async def test_what_could_not_be_sealed_is_counted() -> None:
    """Refusals while the gateway is away are in the next sum that it takes."""
    sealed = Sealed()
    log = RefusalLog(sealed.publish, "s")
    log.refused("Find", denied())
    sealed.is_away = True
    await log.close()
    assert sealed.events == []
    sealed.is_away = False
    await log.close()
    assert sealed.said() == [{"refused_and_not_listed": 1, "by_call": {"Find": 1}}]
