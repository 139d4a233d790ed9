"""OTLP where there are roles: who sends, for which tenant, which kinds; over real TLS, gRPC and HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from google.rpc.status_pb2 import Status

from ledger.gateway.otlp.tenancy import NO_TENANT
from ledger.identity.errors import NO_CREDENTIAL, NOT_ALLOWED
from tests.certificates import make, server, service
from tests.ledger.gateway.running import stored_events
from tests.query.served_roles import (
    OTHER,
    OWN,
    SUPPORT,
    Served,
    accesses,
    bearer,
    chat_span,
    export_of,
    outcome,
    served,
    until,
)
from tests.query.test_roles import DENIED, LIES, UNAUTHENTICATED


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Served]:
    """A whole ledger behind TLS with roles."""
    async with served(tmp_path) as made:
        yield made


async def stored(ledger: Served) -> list[dict[str, Any]]:
    """The payloads of what came by OTLP."""
    log = ledger.home.event_log(ledger.config)
    await log.start()
    found = [each.payload for each in await stored_events(ledger.home, log)]
    await log.close()
    return [each for each in found if each["capture_path"] == "otlp"]


async def test_the_submitter_stands_in_the_event(ledger: Served) -> None:
    """Who sent a span and how he proved it, over both transports."""
    token = bearer(ledger.key.token("producer"))
    await ledger.export(None, token)
    await ledger.export(None, channel=ledger.support)
    assert await ledger.export_over_http(None, token) == (200, b"")
    assert await ledger.export_over_http(None, certificate=ledger.support_files) == (200, b"")
    found = [(each["tenant"], each["submitted_by"], each["authentication_method"]) for each in await stored(ledger)]
    by_token, by_certificate = (OWN, "company:producer", "jwt"), (OWN, f"uri:{SUPPORT}", "mtls")
    assert found == [by_token, by_certificate, by_token, by_certificate]


async def test_a_tenant_must_be_granted_and_named_where_there_are_several(ledger: Served) -> None:
    """The one tenant of a grant needs no name; of several one must be named; another's is refused, never replaced."""
    token = bearer(ledger.key.token("producer"))
    assert (await outcome(ledger.export(OTHER, token)))[:2] == (DENIED, NOT_ALLOWED)
    code, text, _ = await outcome(ledger.export(None, channel=ledger.setup))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert NO_TENANT in text
    assert (await outcome(ledger.export(OTHER, channel=ledger.setup)))[0] == grpc.StatusCode.OK
    assert [each["tenant"] for each in await stored(ledger)] == [OTHER]


async def test_a_resource_of_another_tenant_costs_itself_alone(ledger: Served) -> None:
    """Records that name a tenant of somebody else are refused, and that is sealed; the caller's own are kept."""
    message = export_of(chat_span())
    other = message.resource_spans.add()
    other.CopyFrom(export_of(chat_span(), chat_span()).resource_spans[0])
    other.resource.attributes.add(key="ledger.tenant").value.string_value = OTHER
    answer = await ledger.export(None, bearer(ledger.key.token("producer")), message=message)
    assert answer.partial_success.rejected_spans == 2
    assert answer.partial_success.error_message == f"2 of 3 spans were refused: resource_spans[1]: {NOT_ALLOWED}"
    assert [each["tenant"] for each in await stored(ledger)] == [OWN]

    async def sealed() -> bool:
        found = await accesses(ledger, "_org")
        return [(each["reader"], each["result"]) for each in found] == [("company:producer", "refused")]

    await until(sealed)


async def test_kinds_are_granted_by_name(ledger: Served) -> None:
    """A tool's run is refused where the grant names requests only; the request beside it is kept."""
    tool = chat_span()
    tool.attributes[0].value.string_value = "execute_tool"
    tool.attributes.add(key="gen_ai.tool.name").value.string_value = "search"
    answer = await ledger.export(OWN, channel=ledger.support, message=export_of(chat_span(), tool))
    assert answer.partial_success.rejected_spans == 1
    assert "spans[1]: tool_call: events of this kind are refused" in answer.partial_success.error_message
    assert [each["kind"] for each in await stored(ledger)] == ["request"]


async def test_credentials_that_do_not_hold(ledger: Served) -> None:
    """Each is UNAUTHENTICATED, or 401, with one and the same text, a good certificate beside it or not."""
    for lie, made in LIES.items():
        metadata = made(ledger.key)
        assert (await outcome(ledger.export(OWN, metadata)))[:2] == (UNAUTHENTICATED, NO_CREDENTIAL), lie
        for certificate in (None, ledger.support_files) if metadata else (None,):
            status, body = await ledger.export_over_http(OWN, metadata, certificate)
            assert (status, Status.FromString(body).message) == (401, NO_CREDENTIAL), lie
    assert await stored(ledger) == []


async def test_a_certificate_of_another_ca(ledger: Served) -> None:
    """Over HTTP a client may come without a certificate, but not with one that the CA did not sign."""
    stranger = service(SUPPORT, make("another CA", ca=True)).write(ledger.home.path, "stranger")
    with pytest.raises(aiohttp.ClientError):
        await ledger.export_over_http(OWN, certificate=stranger)
    assert (await ledger.export_over_http(OWN))[0] == 401


async def test_a_renewed_certificate_is_used_by_the_next_connection(ledger: Served) -> None:
    """Without a restart; one that does not belong to its key is not."""
    token = bearer(ledger.key.token("producer"))
    ca = make("CA", ca=True)
    (ledger.home.path / "server.pem").write_bytes(server(ca).pem)
    assert await ledger.export_over_http(OWN, token) == (200, b"")
    server(ca).write(ledger.home.path, "server")
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await ledger.export_over_http(OWN, token)
    (ledger.home.path / "ca.pem").write_bytes(ca.pem)
    assert await ledger.export_over_http(OWN, token) == (200, b"")


async def test_plain_http_is_not_answered(ledger: Served) -> None:
    """The address speaks TLS, and nothing else."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await session.post(f"http://{ledger.otlp_address}/v1/traces", data=b"")
