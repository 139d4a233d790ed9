"""What calls of the query service leave in the ledger: an Access for each answer and each refusal, and no flood."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from ledger.identity import refusals
from ledger.identity.errors import NOT_ALLOWED
from ledger.identity.refusals import ALL_MAX, EACH_MAX
from ledger.v1 import query_pb2
from tests.query.served_roles import (
    CASE,
    ORG,
    OTHER,
    OWN,
    Metadata,
    Served,
    accesses,
    bearer,
    outcome,
    question,
    served,
    until,
)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Served]:
    """A whole ledger behind TLS with roles."""
    async with served(tmp_path) as made:
        yield made


async def test_accesses_and_refusals_are_sealed_and_can_be_found(ledger: Served) -> None:
    """Who, in which role, for which case, how much; refusals in the tenant they were about, else in `_org`."""
    investigator = bearer(ledger.key.token("investigator"))
    await ledger.ask("Reconstruct", question("Reconstruct", OWN, **CASE), investigator)
    await outcome(ledger.ask("Count", question("Count", OWN), investigator))
    await outcome(ledger.ask("Find", question("Find", OTHER), investigator))
    await outcome(ledger.ask("Find", question("Find", OWN)))

    async def sealed() -> bool:
        own, org = await accesses(ledger, OWN), await accesses(ledger, ORG)
        return len(own) == 2 and len(org) == 2

    await until(sealed)
    told = [(each["reader"], each["role"], each["result"]) for each in await accesses(ledger, OWN)]
    assert told == [
        ("company:investigator", "investigator", "answered"),
        ("company:investigator", None, "refused"),
    ]
    assert (await accesses(ledger, OWN))[0]["case_id"] == "INC-7"
    assert (await accesses(ledger, OWN))[0]["events_touched"] == 1
    refused = sorted((each["reader"], each["result"]) for each in await accesses(ledger, ORG))
    assert refused == [("company:investigator", "refused"), ("unauthenticated", "refused")]
    assert await accesses(ledger, OTHER) == []
    await ledger.seal()
    found = await ledger.ask("Find", query_pb2.FindRequest(tenant=OWN, kinds=["access"]), investigator)
    assert len(found.events) == 2


async def test_sql_is_an_auditors_in_one_tenant_and_is_sealed(ledger: Served) -> None:
    """Rows of the named tenant alone; answered, failed and refused each leave an Access, with what was asked."""
    auditor, segments = bearer(ledger.key.token("auditor")), ledger.config.ledger.segments

    async def ask(query: str, who: Metadata = auditor) -> tuple[Any, str, Any]:
        return await outcome(ledger.ask("Sql", query_pb2.SqlRequest(tenant=OWN, query=query), who))

    code, _, answer = await ask("SELECT tenant, count(*) AS n, max(vendor) FROM ledger_rows, requests GROUP BY tenant")
    assert (code, list(answer.rows)) == (grpc.StatusCode.OK, ['["acme", 4, "openai"]'])
    assert [(each.name, each.type) for each in answer.columns][:2] == [("tenant", "VARCHAR"), ("n", "BIGINT")]
    for wrong in (f"SELECT * FROM read_parquet('{segments}/**/*.parquet')", "DROP VIEW events", "SELECT nonsense"):
        code, text, _ = await ask(wrong)
        assert (code, text.startswith("sql: ")) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    assert (await ask("SELECT 1", bearer(ledger.key.token("investigator"))))[:2] == (
        grpc.StatusCode.PERMISSION_DENIED,
        NOT_ALLOWED,
    )

    async def sealed() -> bool:
        return len(await accesses(ledger, OWN)) == 5

    await until(sealed)
    told = [
        (each["reader"], each["query_kind"], each["result"], each["events_touched"])
        for each in await accesses(ledger, OWN)
    ]
    assert told == [
        ("company:auditor", "sql", "answered", 1),
        *[("company:auditor", "sql", "failed", 0)] * 3,
        ("company:investigator", "sql", "refused", 0),
    ]
    assert await accesses(ledger, OTHER) == []


async def test_contents_asked_for_without_a_case_are_a_refusal(ledger: Served) -> None:
    """It can be asked again with one; that it was tried without is sealed."""
    investigator = bearer(ledger.key.token("investigator"))
    for given in ({"case_id": "INC-7"}, {"reason": "why"}):
        code, _, _ = await outcome(ledger.ask("Replay", question("Replay", OWN, **given), investigator))
        assert code == grpc.StatusCode.INVALID_ARGUMENT

    async def sealed() -> bool:
        return len(await accesses(ledger, OWN)) == 2

    await until(sealed)
    told = [(each["role"], each["case_id"], each["result"]) for each in await accesses(ledger, OWN)]
    assert told == [("investigator", "INC-7", "refused"), ("investigator", None, "refused")]


async def test_counts_across_tenants_are_sealed_in_each(ledger: Served) -> None:
    """An org auditor counts everywhere at once, and every tenant he counted has his Access."""
    who = bearer(ledger.key.token("org_auditor"))
    answer = await ledger.ask("Count", query_pb2.CountRequest(kinds=["request"]), who)
    assert {each.tenant: each.events for each in answer.counts} == {ORG: 1, OWN: 2, OTHER: 1}
    assert sum(answer.counts[0].by_class.values()) == answer.counts[0].events
    for tenant, touched in ((ORG, 1), (OWN, 2), (OTHER, 1)):
        (access,) = await accesses(ledger, tenant)
        assert (access["reader"], access["role"]) == ("company:org_auditor", "org_auditor")
        assert (access["events_touched"], access["contents_decrypted"]) == (touched, 0)


async def test_a_flood_of_refusals_does_not_fill_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its bounds a window's refusals are one event that counts them; none is uncounted."""
    # One window, and time to seal all of it, however slow the machine.
    monkeypatch.setattr(refusals, "WINDOW_S", 3_600.0)
    monkeypatch.setattr(refusals, "CLOSE_S", 120.0)
    async with served(tmp_path) as ledger:
        admin = bearer(ledger.key.token("admin"))
        for _ in range(40):
            await outcome(ledger.ask("Find", question("Find", OWN), admin))
            await outcome(ledger.ask("Find", question("Find", OWN)))
    found = [*await accesses(ledger, OWN), *await accesses(ledger, ORG)]
    by_reader = Counter(each["reader"] for each in found)
    assert by_reader == {"company:admin": EACH_MAX, "unauthenticated": EACH_MAX, "audit-ledger-query": 1}
    assert sum(by_reader.values()) <= ALL_MAX + 1
