"""docs/ROLES.md, walked over real TLS with real certificates and tokens; and what refusals tell, and leave."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from click.testing import CliRunner
from google.protobuf.json_format import MessageToJson
from google.rpc.status_pb2 import Status

from ledger.cli.publishing import publish
from ledger.client import Client, tls, token_file
from ledger.identity import refusals
from ledger.identity.commands import ordered_by
from ledger.identity.errors import NO_CREDENTIAL, NOT_ALLOWED, Denied, Unauthenticated
from ledger.identity.plain import CALLERS, LEDGER, NOBODY, tables
from ledger.identity.refusals import ALL_MAX, EACH_MAX
from ledger.identity.rights import CALLS, COMMANDS, INGEST_CALLS
from ledger.v1 import event_pb2, ingest_pb2, query_pb2
from query.cli.stories import find
from tests.certificates import TokenKey, claims_of, hmac_signed, unsigned
from tests.ledger.gateway.running import stored_events
from tests.query.served_roles import (
    EVENTS,
    NOWHERE,
    ORG,
    OTHER,
    OUTSIDE,
    OWN,
    Metadata,
    Served,
    bearer,
    event,
    publishing,
    served,
)

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "ROLES.md"
CASE = {"case_id": "INC-7", "reason": "the customer's complaint of 3 May"}
DENIED, UNAUTHENTICATED = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Served]:
    """A whole ledger behind TLS with roles."""
    async with served(tmp_path) as made:
        yield made


def document() -> dict[tuple[str, str], tuple[str, ...]]:
    """The table of the document: by caller and call, what he gets of his own, another's, and `_org`."""
    rows = [line.strip("|").split("|") for line in DOCUMENT.read_text("utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip().strip("`") for cell in row] for row in rows]
    return {(row[0], row[1]): tuple(row[2:]) for row in cells if len(row) == 5 and row[1] in CALLS}


def test_the_document_holds_the_table_of_the_code() -> None:
    """docs/ROLES.md shows every combination, as `ledger.identity.plain` writes it."""
    assert tables() in DOCUMENT.read_text("utf-8")
    expected = {(caller, call) for caller in CALLERS for call in CALLS}
    assert document().keys() == expected - {(LEDGER, call) for call in COMMANDS}


async def outcome(call: Awaitable[Any]) -> tuple[Any, str, Any]:
    """Status, text and answer of a call."""
    try:
        return grpc.StatusCode.OK, "", await call
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or "", None


def question(call: str, tenant: str, **reader: str) -> Any:
    """The message of a call of QueryService about the event of a tenant."""
    event_id = EVENTS.get(tenant, OUTSIDE).bytes
    asked = query_pb2.Reader(**reader)
    selector = query_pb2.Selector(event_id=event_id)
    match call:
        case "Reconstruct":
            return query_pb2.ReconstructRequest(tenant=tenant, selector=selector, reader=asked)
        case "Replay":
            return query_pb2.ReplayRequest(tenant=tenant, selector=selector, reader=asked)
        case "Find":
            return query_pb2.FindRequest(tenant=tenant, kinds=["request"], reader=asked)
        case "Count":
            return query_pb2.CountRequest(tenants=[tenant], kinds=["request"], reader=asked)
        case "Coverage":
            return query_pb2.CoverageRequest(tenant=tenant, reader=asked)
        case "Sql":
            return query_pb2.SqlRequest(tenant=tenant, query="SELECT DISTINCT tenant FROM ledger_rows", reader=asked)
        case "Prove":
            return query_pb2.ProveRequest(tenant=tenant, event_id=event_id, reader=asked)
        case _:
            return query_pb2.CheckpointRequest(tenant=tenant)


class Walk:
    """Calls everything as one caller."""

    def __init__(self, ledger: Served, caller: str, *, certificate: bool = False) -> None:
        self.ledger = ledger
        self.caller = caller
        self.channel = ledger.support if certificate else None

    def metadata(self, call: str, message: Any) -> Metadata:
        """The caller's credential."""
        if self.caller == NOBODY or self.channel is not None:
            return ()
        if self.caller == LEDGER:
            return self.ledger.process(call, message)
        return bearer(self.ledger.key.token(self.caller))

    async def call(self, call: str, tenant: str, **reader: str) -> tuple[Any, str, Any]:
        """One call about one tenant."""
        if call in COMMANDS:
            return self.command(call, tenant)
        if call not in INGEST_CALLS:
            message = question(call, tenant, **reader)
            return await outcome(self.ledger.ask(call, message, self.metadata(call, message)))
        if call == "Export":
            return await self.export(tenant)
        messages: dict[str, Any] = {
            "Publish": publishing(tenant),
            "GetSpoolKey": ingest_pb2.GetSpoolKeyRequest(),
            "AwaitSealed": ingest_pb2.AwaitSealedRequest(tenant=tenant),
        }
        message = messages[call] if call in messages else await self.ledger.spooled(tenant)
        return await outcome(self.ledger.ingest(call, message, self.metadata(call, message), self.channel))

    async def export(self, tenant: str) -> tuple[Any, str, Any]:
        """The same over gRPC and over HTTP, which end alike."""
        metadata = self.metadata("Export", ingest_pb2.PublishRequest())
        ended = await outcome(self.ledger.export(tenant, metadata, self.channel))
        certificate = self.ledger.support_files if self.channel is not None else None
        status, body = await self.ledger.export_over_http(tenant, metadata, certificate)
        if ended[0] == grpc.StatusCode.OK:
            assert (status, body) == (200, b"")
        else:
            assert status == {DENIED: 403, UNAUTHENTICATED: 401}[ended[0]]
            assert Status.FromString(body).message == ended[1]
        return ended

    def command(self, call: Any, tenant: str) -> tuple[Any, str, Any]:
        """Who may order a command, by the token in a file."""
        file = None
        if self.caller != NOBODY:
            file = self.ledger.home.path / "token"
            file.write_text(self.ledger.key.token(self.caller))
        try:
            return grpc.StatusCode.OK, "", ordered_by(self.ledger.config, call, tenant, file)
        except Denied as error:
            return DENIED, str(error), None
        except Unauthenticated:
            return UNAUTHENTICATED, NO_CREDENTIAL, None

    async def check(self, call: str, tenant: str, verdict: str) -> None:
        """The call ends as the document says."""
        where = (self.caller, call, tenant, verdict)
        code, text, answer = await self.call(call, tenant, **CASE)
        if verdict in ("denied", "unauthenticated"):
            assert code == (DENIED if verdict == "denied" else UNAUTHENTICATED), where
            assert text == (NOT_ALLOWED if verdict == "denied" else text), where
            return
        assert code == grpc.StatusCode.OK, (*where, text)
        if call in ("Publish", "PublishSpooled"):
            assert [each.status for each in answer.results] == [ingest_pb2.EVENT_STATUS_ACCEPTED], where
        if call == "Find":
            assert [bool(each.contents and each.contents[0].HasField("data")) for each in answer.events].count(
                True
            ) == 0
        if call == "Sql":
            assert list(answer.rows) == [f'["{tenant}"]'], where
        if call == "Reconstruct":
            is_open = {content.slot: content.HasField("data") for content in answer.steps[0].event.contents}
            assert is_open["input"] == (verdict in ("case", "sample")), where
        if call == "Replay":
            assert ("hello" in answer.json) == (verdict in ("case", "sample")), where
        if verdict == "case":
            for missing in ({"case_id": "INC-7"}, {"reason": "why"}):
                code, text, _ = await self.call(call, tenant, **missing)
                assert code == grpc.StatusCode.INVALID_ARGUMENT, where
                assert "is required" in text


async def test_every_role_call_and_tenant(ledger: Served) -> None:
    """Every line of docs/ROLES.md is what the services do; a tenant that is not there is answered as another's."""
    walked = 0
    for (caller, call), verdicts in document().items():
        walks = [Walk(ledger, caller)]
        if caller == "producer" and call in INGEST_CALLS:
            walks.append(Walk(ledger, caller, certificate=True))
        for walk in walks:
            for tenant, verdict in zip((OWN, OTHER, ORG), verdicts, strict=True):
                await walk.check(call, tenant, verdict)
                walked += 1
            if verdicts[1] == "denied":
                assert await walk.call(call, NOWHERE, **CASE) == await walk.call(call, OTHER, **CASE)
    assert walked >= 3 * (len(CALLERS) * len(CALLS) - len(COMMANDS))


LIES: dict[str, Callable[[TokenKey], Metadata]] = {
    "missing": lambda _: (),
    "expired": lambda key: bearer(key.token("producer", iat=int(time.time()) - 900, exp=int(time.time()) - 300)),
    "not yet valid": lambda key: bearer(key.token("producer", nbf=int(time.time()) + 300)),
    "wrong audience": lambda key: bearer(key.token("producer", aud="another")),
    "wrong issuer": lambda key: bearer(key.token("producer", iss="https://login.example.com")),
    "alg none": lambda key: bearer(unsigned(claims_of("producer"), {"kid": key.key_id})),
    "HMAC with the public key": lambda key: bearer(
        hmac_signed(claims_of("producer"), key.public_pem, {"kid": key.key_id})
    ),
    "another key": lambda key: bearer(TokenKey.new(key.key_id).token("producer")),
    "revoked": lambda key: bearer(key.token("producer", jti="a-revoked-token")),
    "two tokens": lambda key: (*bearer(key.token("producer")), *bearer(key.token("producer"))),
}


async def test_credentials_that_do_not_hold(ledger: Served) -> None:
    """Each is UNAUTHENTICATED with one and the same text, at both services, a good certificate beside it or not."""
    for lie, made in LIES.items():
        metadata = made(ledger.key)
        ended = [
            await outcome(ledger.ingest("Publish", publishing(OWN), metadata)),
            await outcome(ledger.ask("Find", question("Find", OWN), metadata)),
        ]
        if metadata:
            ended.append(await outcome(ledger.ingest("Publish", publishing(OWN), metadata, ledger.support)))
        assert {(code, text) for code, text, _ in ended} == {(UNAUTHENTICATED, NO_CREDENTIAL)}, lie
    other = bearer(ledger.key.token("of beta"))
    for ended in (
        await outcome(ledger.ask("Find", question("Find", OWN), other)),
        await outcome(ledger.ingest("Publish", publishing(OWN), other)),
    ):
        assert ended[:2] == (DENIED, NOT_ALLOWED)
    assert (await outcome(ledger.ask("Find", question("Find", OTHER), other)))[0] == grpc.StatusCode.OK


async def test_without_a_certificate_there_is_no_connection_for_producers(ledger: Served) -> None:
    """The address for certificates takes nobody without one of its CA, whatever his token says."""
    credentials = tls(ca=ledger.home.path / "ca.pem")
    async with grpc.aio.secure_channel(ledger.mtls_address, credentials) as channel:
        code, _, _ = await outcome(
            ledger.ingest("Publish", publishing(OWN), bearer(ledger.key.token("producer")), channel)
        )
    assert code == grpc.StatusCode.UNAVAILABLE


async def test_the_submitter_stands_in_the_event(ledger: Served) -> None:
    """Who sent an event and how he proved it: a certificate's name, or issuer and subject."""
    await ledger.ingest("Publish", publishing(OWN), channel=ledger.support)
    await ledger.ingest("Publish", publishing(OWN), bearer(ledger.key.token("producer")))
    log = ledger.home.event_log(ledger.config)
    await log.start()
    sent = [each.payload for each in await stored_events(ledger.home, log) if each.payload["kind"] == "request"]
    await log.close()
    found = [(each["submitted_by"], each["authentication_method"]) for each in sent[-2:]]
    assert found == [("uri:spiffe://example.org/support", "mtls"), ("company:producer", "jwt")]


async def test_kinds_are_granted_by_name(ledger: Served) -> None:
    """An event of a kind that no grant names is refused alone; Changes of `_org` only by a grant that names it."""
    change = event_pb2.Event(event_id=event().event_id, phase=event_pb2.PHASE_SINGLE)
    change.change.artifact_kind = event_pb2.ARTIFACT_KIND_PROMPT
    change.change.artifact_id, change.change.author = "greeting", "dana"
    change.change.action = event_pb2.CHANGE_ACTION_APPROVE
    change.change.to_revision = "1"
    answer = await ledger.ingest("Publish", publishing(OWN, event(), change), channel=ledger.support)
    accepted, rejected = answer.results
    assert accepted.status == ingest_pb2.EVENT_STATUS_ACCEPTED
    assert (rejected.status, rejected.field) == (ingest_pb2.EVENT_STATUS_REJECTED, "change")
    assert (await outcome(ledger.ingest("Publish", publishing(ORG, change), channel=ledger.support)))[0] == DENIED
    answer = await ledger.ingest("Publish", publishing(ORG, change), channel=ledger.setup)
    assert [each.status for each in answer.results] == [ingest_pb2.EVENT_STATUS_ACCEPTED]


async def test_an_auditor_opens_his_sample_and_nothing_else(ledger: Served) -> None:
    """Metadata and proof of every event; contents of a granted one only, and the answer says why."""
    auditor = bearer(ledger.key.token("auditor"))
    for event_id, is_open in ((EVENTS[OWN], True), (OUTSIDE, False)):
        asked = query_pb2.ReconstructRequest(tenant=OWN, selector=query_pb2.Selector(event_id=event_id.bytes))
        (step,) = (await ledger.ask("Reconstruct", asked, auditor)).steps
        assert step.event.proof_state == query_pb2.PROOF_STATE_PROVEN
        contents = {content.slot: content for content in step.event.contents}
        assert contents["input"].HasField("data") == is_open
        assert ("not granted" in contents["input"].unavailable) == (not is_open)


async def accesses(ledger: Served, tenant: str) -> list[dict[str, Any]]:
    """The Access events of a tenant's log, as the event log has them; a repeat once, as it will be sealed."""
    log = ledger.home.event_log(ledger.config)
    await log.start()
    found = {each.payload["event_id"]: each.payload for each in await stored_events(ledger.home, log)}
    await log.close()
    return [each["access"] for each in found.values() if each["kind"] == "access" and each["tenant"] == tenant]


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a state that must come."""
    deadline = time.monotonic() + 30
    while not await holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


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
    assert (await ask("SELECT 1", bearer(ledger.key.token("investigator"))))[:2] == (DENIED, NOT_ALLOWED)

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


async def test_the_client_by_token_file_and_by_certificate(ledger: Served) -> None:
    """`Client(..., credentials=tls(...), token=token_file(...))`: what a service writes, and it works."""
    folder = ledger.home.path
    (folder / "token").write_text(ledger.key.token("producer") + "\n")
    ways = [
        (ledger.address, {"credentials": tls(folder / "ca.pem"), "token": token_file(folder / "token")}),
        (
            ledger.mtls_address,
            {"credentials": tls(folder / "ca.pem", folder / "support.pem", folder / "support.key")},
        ),
    ]
    for to, given in ways:

        def emit(to: str = to, given: dict[str, Any] = given) -> None:
            client = Client(to, tenant=OWN, service="support", **given)
            client.emit_durable(event(), timeout_s=10)
            client.close()

        await asyncio.to_thread(emit)


async def test_commands_over_tls(ledger: Served) -> None:
    """`publish` by token and by certificate; a reading command records through the gateway of `--to`."""
    folder = ledger.home.path
    (folder / "token").write_text(ledger.key.token("producer"))
    events = folder / "events.jsonl"
    home, ca = ("--home", str(folder), "--tenant", OWN), ("--ca", str(folder / "ca.pem"))
    shown = ("--cert", str(folder / "support.pem"), "--key", str(folder / "support.key"))
    for to in ((ledger.address, *ca, "--token-file", str(folder / "token")), (ledger.mtls_address, *ca, *shown)):
        events.write_text(MessageToJson(event(), indent=None) + "\n")
        sent = await asyncio.to_thread(CliRunner().invoke, publish, [str(events), *home, "--to", *to])
        assert (sent.exit_code, "accepted: 1" in sent.output) == (0, True), sent.output
    asked = [*home, "--to", ledger.address, *ca, "--kind", "request", "--reason", "a look", "--reader", "eve"]
    found = await asyncio.to_thread(CliRunner().invoke, find, asked, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    assert [each["reader"] for each in await accesses(ledger, OWN)] == ["eve"]
