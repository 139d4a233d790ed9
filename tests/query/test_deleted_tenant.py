"""A deleted tenant: to who may ask about it, deleted; to everybody else, as if it had never been."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from ledger import tenants
from ledger.home import Home
from ledger.tenants import TenantState, set_state
from ledger.v1 import ingest_pb2, query_pb2
from tests.query.served_roles import NOWHERE, OTHER, OWN, Served, bearer, publishing, served
from tests.query.test_roles import CASE, outcome, question

CALLS = ("Reconstruct", "Replay", "Find", "Prove", "Checkpoint")
NOT_FOUND, OK = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.OK


def end(home: Home, tenant: str, state: TenantState) -> None:
    """What a deletion writes down of the tenant's state."""
    with home.keys(home.config()) as keys, keys.database.write() as rows:
        set_state(rows, tenant, state)


async def asked(ledger: Served, call: str, tenant: str, who: str) -> tuple[object, str]:
    """Status and text."""
    code, text, _ = await outcome(ledger.ask(call, question(call, tenant, **CASE), bearer(ledger.key.token(who))))
    return code, text


async def test_who_is_told_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own investigator and whoever may ask about all are told that it was deleted; another's hears what he always
    hears of what is not his; its producer is told that it is closed; nobody's count stumbles over it."""
    monkeypatch.setattr(tenants, "CACHE_LEASE_S", 0.0)
    async with served(tmp_path) as ledger:
        strangers = {call: await asked(ledger, call, OWN, "of beta") for call in CALLS}
        for state, told in (("closing", "is being deleted"), ("ended", "is being deleted"), ("deleted", "was deleted")):
            end(ledger.home, OWN, state)  # type: ignore[arg-type]
            for call in CALLS:
                code, text = await asked(ledger, call, OWN, "investigator")
                assert (code, told in text) == (NOT_FOUND, True), (call, text)
                assert await asked(ledger, call, OWN, "of beta") == strangers[call]
                assert await asked(ledger, call, NOWHERE, "of beta") == strangers[call]
            for call in ("Find", "Coverage", "Sql"):
                code, text = await asked(ledger, call, OWN, "org_auditor")
                assert (code, told in text) == (NOT_FOUND, True)
            producer = bearer(ledger.key.token("producer"))
            code, text, _ = await outcome(ledger.ingest("Publish", publishing(OWN), producer))
            assert (code, "closed" in text) == (NOT_FOUND, True)
            everywhere = await ledger.ask(
                "Count", query_pb2.CountRequest(kinds=["request"]), bearer(ledger.key.token("org_auditor"))
            )
            assert OWN not in {each.tenant for each in everywhere.counts}
            assert OTHER in {each.tenant for each in everywhere.counts}


async def test_the_ledger_itself_may_write_until_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last event is taken while the tenant closes, and nothing at all once it ended."""
    monkeypatch.setattr(tenants, "CACHE_LEASE_S", 0.0)
    async with served(tmp_path) as ledger:
        for state, expected in (("closing", OK), ("ended", NOT_FOUND), ("deleted", NOT_FOUND)):
            end(ledger.home, OWN, state)  # type: ignore[arg-type]
            message = publishing(OWN)
            code, _, answer = await outcome(ledger.ingest("Publish", message, ledger.process("Publish", message)))
            assert code == expected
            if expected == OK:
                assert [each.status for each in answer.results] == [ingest_pb2.EVENT_STATUS_ACCEPTED]
