"""docs/ROLES.md, walked over real TLS with real certificates and tokens; and what refusals tell."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from click.testing import CliRunner
from google.protobuf.json_format import MessageToJson
from google.rpc.status_pb2 import Status

from ledger.cli.publishing import publish
from ledger.client import Client, tls, token_file
from ledger.identity.commands import ordered_by
from ledger.identity.errors import NO_CREDENTIAL, NOT_ALLOWED, Denied, Unauthenticated
from ledger.identity.plain import CALLERS, LEDGER, NOBODY, tables
from ledger.identity.rights import CALLS, COMMANDS, INGEST_CALLS
from ledger.v1 import event_pb2, ingest_pb2, query_pb2
from query.cli.stories import find
from tests.certificates import TokenKey, claims_of, hmac_signed, unsigned
from tests.ledger.gateway.running import stored_events
from tests.query.served_roles import (
    CASE,
    EVENTS,
    NOWHERE,
    ORG,
    OTHER,
    OUTSIDE,
    OWN,
    Metadata,
    Served,
    accesses,
    bearer,
    event,
    outcome,
    publishing,
    question,
    served,
)

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "ROLES.md"
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
