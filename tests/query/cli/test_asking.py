"""A person with a token and no ledger asks from a terminal of his own, over TLS, as real processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.tlog.proof_bundle import parse_tlog_proof
from tests.ledger.cli.running import Cli, Done
from tests.query.served_roles import EVENTS, OUTSIDE, OWN, Served, served

EVENT = str(EVENTS[OWN])


@dataclass(slots=True)
class Asker:
    """Commands on a machine that has no home."""

    ledger: Served
    cli: Cli

    async def ask(self, caller: str, *command: str) -> Done:
        """What a command says to somebody with this subject's token."""
        token = self.cli.home.with_name(f"{caller}.jwt")
        token.write_text(self.ledger.key.token(caller))
        shown = ("--ca", str(self.ledger.home.path / "ca.pem"), "--token-file", str(token))
        asked = (*command, "--tenant", OWN, "--ask", self.ledger.query_address, *shown)
        return await asyncio.to_thread(self.cli.run, *asked)


@pytest.fixture
async def asker(tmp_path: Path) -> AsyncIterator[Asker]:
    """A served ledger with roles, and a machine elsewhere."""
    async with served(tmp_path) as ledger:
        yield Asker(ledger, Cli(tmp_path / "nowhere"))


async def test_a_role_sees_what_it_may_from_another_machine(asker: Asker) -> None:
    """An investigator with a case and a reason reads the input; an auditor only that of his sample; both for people."""
    case = ("--case", "INC-7", "--reason", "a complaint")
    seen = await asker.ask("investigator", "reconstruct", "--user", "mia", *case)
    assert (seen.code, seen.err) == (0, "")
    assert seen.out.count("hello") == 2
    assert "every event is proven" in " ".join(seen.out.split())
    story = await asker.ask("auditor", "reconstruct", "--user", "mia", "--json")
    inputs = {
        event["event_id"]: content.get("text")
        for step in story.json["steps"]
        for event in step["events"]
        for content in event["contents"]
        if content["slot"] == "input"
    }
    assert inputs == {EVENT: "hello", str(OUTSIDE): None}
    denied = await asker.ask("operator", "find")
    assert (denied.code, denied.out) == (2, "")
    assert "permission_denied" in denied.err


async def test_evidence_is_taken_away_without_a_home(asker: Asker) -> None:
    """Proof, checkpoint, timeline and finds come from the service alone; what is not there is a finding."""
    proof = asker.cli.home.with_name("proof.txt")
    proven = await asker.ask("auditor", "prove", EVENT, "-o", str(proof))
    assert proven.code == 0, proven.err
    parse_tlog_proof(proof.read_text())
    assert proof.with_name("proof.txt.payload").stat().st_size > 0
    (note,) = [each["note"] for each in (await asker.ask("operator", "checkpoint", "--json")).json]
    assert note in (await asker.ask("admin", "checkpoint")).out
    replayed = await asker.ask("auditor", "replay", "--event", EVENT, "--metadata-only")
    assert "Replay of event" in replayed.out
    found = await asker.ask("auditor", "find", "--kind", "request", "--json")
    assert {each["event_id"] for each in found.json["events"]} == {EVENT, str(OUTSIDE)}
    unknown = await asker.ask("auditor", "prove", EVENT.replace("0199", "0198"))
    assert (unknown.code, unknown.out) == (1, "")
    assert json.dumps(unknown.err).count("\\n") == 1


async def test_sql_from_another_machine(asker: Asker) -> None:
    """An auditor asks in SQL by his token alone, for people and programs; a wrong query and a wrong role are told."""
    query = "SELECT vendor, count(*) AS n FROM requests GROUP BY vendor"
    assert (await asker.ask("auditor", "sql", query, "--json")).json == [{"vendor": "openai", "n": 2}]
    page = await asker.ask("org_auditor", "sql", query)
    assert page.code == 0, page.err
    assert "openai" in page.out
    assert "1 rows in" in page.out
    wrong = await asker.ask("auditor", "sql", "SELECT nonsense FROM requests")
    assert (wrong.code, wrong.out) == (2, "")
    assert "nonsense" in wrong.err
    denied = await asker.ask("investigator", "sql", query)
    assert (denied.code, denied.out) == (2, "")
    assert "permission_denied" in denied.err
    assert not asker.cli.home.exists()


async def test_what_is_asked_elsewhere_is_not_recorded_here(asker: Asker) -> None:
    """`--to` beside `--ask` is a mistake that is said; nothing makes a home where there is none."""
    both = await asker.ask("auditor", "find", "--to", "127.0.0.1:1")
    assert both.code == 2
    assert "--to" in both.err
    assert not asker.cli.home.exists()
